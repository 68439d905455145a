// The files of a database of this origin, read while a page or worker has it open. Takes no lock, and
// neither creates nor changes anything.
import { InvalidArgumentError, fromEngine } from '../errors.js'
import { filesOfChunks } from '../storage/browser/chunks-reader.js'
import { pathOf } from '../storage/browser/path.js'
import { TABLE_COPIES_MAX, filesOfPool } from '../storage/browser/pool-reader.js'
import { newInstance } from './module.js'
import { heldLocks, lockOf } from './origin-list.js'

/**
 * @typedef {import('../types/inspect.js').OriginDatabase} OriginDatabase
 * @typedef {import('../types/inspect.js').OriginFiles} OriginFiles
 */

/** How long reads are repeated that fail because the owner writes, in ms. */
const PATIENCE_MS = 5000

/**
 * @param {string} name
 * @param {OriginDatabase['storage']} storage
 * @param {{ patience?: number, copiesMax?: number }} [options]
 * @returns {Promise<OriginFiles>}
 */
export async function filesOfOrigin(name, storage, { patience = PATIENCE_MS, copiesMax = TABLE_COPIES_MAX } = {}) {
  if (typeof name !== 'string') throw new InvalidArgumentError("The argument 'name' must be a string")
  const path = pathOf(name)
  const engine = await decoderOf()
  try {
    if (storage === 'indexeddb') return await filesOfChunks(lockOf(name), name, engine, { patience })
    if (storage !== 'opfs') throw new InvalidArgumentError("The argument 'storage' must be 'opfs' or 'indexeddb'")
    const isLive = globalThis.navigator?.locks === undefined || (await heldLocks()).has(lockOf(name))
    return await filesOfPool(path, name, engine, { isLive, patience, copiesMax })
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error?.code === 'poisoned') decoder = undefined
    throw fromEngine(error)
  }
}

/** The engine that reads names; one for all databases, until it fails. @type {ReturnType<typeof newInstance> | undefined} */
let decoder

function decoderOf() {
  if (decoder === undefined) {
    decoder = newInstance()
    decoder.catch(() => { decoder = undefined })
  }
  return decoder
}
