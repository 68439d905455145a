// Where a database is kept if the program does not say: in the origin private file system (OPFS), or,
// only where that is missing or refused, in IndexedDB. A database that exists stays where it is, and a
// passing failure is an error: nothing is ever begun anew elsewhere because of one.
import { VarveError } from '../../errors.js'
import { databaseExists } from './idb-open.js'
import { isKnown } from './known.js'
import { probeOpfs } from './probe.js'

/**
 * `why` says what is wrong with OPFS.
 * @typedef {{ storage: 'opfs' } | { storage: 'indexeddb', why: string }} Choice
 */

/**
 * Called in a dedicated worker, where files can be opened.
 * @param {string[]} path names of directories, from the root
 * @returns {Promise<Choice>}
 */
export async function choose(path) {
  const name = path.join('/')
  if (await hasDirectory(path)) return { storage: 'opfs' }
  const hasIndexedDb = globalThis.indexedDB !== undefined
  if (hasIndexedDb && await databaseExists(name)) return { storage: 'indexeddb', why: 'the database exists there' }
  const probe = await probeOpfs()
  // If it was there before, opening it tells what is wrong.
  if (probe.ok || await isKnown(name)) return { storage: 'opfs' }
  if (hasIndexedDb) return { storage: 'indexeddb', why: probe.why }
  throw new VarveError(`A database cannot be kept here: ${probe.why}`, { code: 'LEVEL_NOT_SUPPORTED', cause: probe.cause })
}

/**
 * Whether there is a database in OPFS. Where OPFS is missing or refused there is none: the probe says so.
 * @param {string[]} path
 */
async function hasDirectory(path) {
  try {
    let directory = await navigator.storage.getDirectory()
    for (const name of path) directory = await directory.getDirectoryHandle(name)
    return true
  } catch {
    return false
  }
}
