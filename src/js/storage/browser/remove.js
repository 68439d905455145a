// Removes a database that nobody has open.
import { removeDatabase } from './idb-open.js'
import { isRefused } from './names.js'
import { OpfsFiles } from './opfs.js'
import { WebLock } from './web-lock.js'

/**
 * Does nothing if there is none.
 * @param {string[]} path see pathOf
 * @param {string} location
 * @param {string} kind 'opfs', 'indexeddb', or 'auto': both
 */
export async function removeAt(path, location, kind) {
  const name = path.join('/')
  const lock = new WebLock(name, location)
  await lock.acquire()
  try {
    if (kind !== 'indexeddb') await new OpfsFiles(path, location).removeAll().catch((error) => isNothing(error, kind))
    if (kind === 'indexeddb' || (kind === 'auto' && globalThis.indexedDB !== undefined)) await removeDatabase(name, lock, true)
  } finally {
    lock.letIn()
  }
}

/** @param {any} error any: whatever was thrown @param {string} kind */
function isNothing(error, kind) {
  if (error?.name !== 'NotFoundError' && !(kind === 'auto' && isRefused(error))) throw error
}
