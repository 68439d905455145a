// The databases of this origin and their files, read while a page or worker has them open. Takes no
// lock, and neither creates nor changes anything.
import { Instance, MEMORY_LIMIT } from '../engine/instance.js'
import { isFull } from '../engine/module.js'
import { InvalidArgumentError, VarveError, fromEngine } from '../errors.js'
import { filesOfChunks } from '../storage/browser/chunks-reader.js'
import { databasesInIndexedDb, databasesInOpfs, pathOf } from '../storage/browser/names.js'
import { TABLE_COPIES_MAX, filesOfPool } from '../storage/browser/pool-reader.js'

/** @typedef {'opfs' | 'indexeddb'} OriginStorage */

/**
 * `inUse`: whether a page or worker has it open; false where there are no Web Locks.
 * @typedef {{ name: string, storage: OriginStorage, inUse: boolean }} OriginDatabase
 */

/**
 * One file. `isCopy`: whether `blob` is a copy in memory. If not, it is a part of a File of a table. Once the
 * table was removed and its space is used again, reading it fails in Chromium; in other browsers it then
 * has other bytes, and the checksums of its blocks are wrong.
 * `problem`: why a file has no content, or less than it should.
 *
 * @typedef {{ name: string, size: number, blob: Blob, isCopy: boolean, problem?: string }} OriginFile
 */

/**
 * The files of a database as they were at one time: `takenAt`, in ms since 1970. `sequence` is larger after
 * each change of names in OPFS, and after each write in IndexedDB. `repeated`: how many reads were
 * repeated, because the owner wrote meanwhile.
 *
 * @typedef {{ files: OriginFile[], sequence: number, takenAt: number, repeated: number }} OriginFiles
 */

/** How long reads are repeated that fail because the owner writes, in ms. */
const PATIENCE_MS = 5000

/** Options of {@link filesOfOrigin}. @typedef {{ patience?: number, copiesMax?: number }} FilesOptions */

/**
 * Lists the databases of this origin, in any order.
 * @returns {Promise<OriginDatabase[]>}
 */
export async function databasesOfOrigin() {
  const [opfs, indexeddb, held] = await Promise.all([databasesInOpfs(), databasesInIndexedDb(), heldLocks()])
  /** @param {OriginStorage} storage @returns {(name: string) => OriginDatabase} */
  const entry = (storage) => (name) => ({ name, storage, inUse: held.has(lockOf(name)) })
  return [...opfs.map(entry('opfs')), ...indexeddb.map(entry('indexeddb'))]
}

/**
 * Reads the files of a database: with them, the database is in the state after some write that is not
 * older than this call, and has nothing of later ones. Files that nothing refers to any more may be among
 * them. Logs and manifests are copied, and in IndexedDB everything; tables up to `copiesMax` bytes
 * together, the newest first, or not at all in Chromium while nobody has the database open.
 *
 * Fails with `LEVEL_INVALID_ARGUMENT` if there is no such database, with `LEVEL_SOURCE_CHANGED` if its owner
 * writes too fast to be read for `patience` ms, with `LEVEL_LIMIT_EXCEEDED` if too much has to be copied
 * (logs of 1 GiB; 2 GiB in IndexedDB), and with `LEVEL_CORRUPTION` if the names cannot be read.
 *
 * @param {string} name
 * @param {OriginStorage} storage
 * @param {FilesOptions} [options] `patience`: 5,000 ms by default; `copiesMax`: 128 MiB
 * @returns {Promise<OriginFiles>}
 */
export async function filesOfOrigin(name, storage, { patience = PATIENCE_MS, copiesMax = TABLE_COPIES_MAX } = {}) {
  if (typeof name !== 'string') throw new InvalidArgumentError("The argument 'name' must be a string")
  const path = pathOf(name)
  const decoder = await decoderOf()
  try {
    if (storage === 'indexeddb') return await filesOfChunks(lockOf(name), name, decoder, { patience })
    if (storage !== 'opfs') throw new InvalidArgumentError("The argument 'storage' must be 'opfs' or 'indexeddb'")
    const isLive = globalThis.navigator?.locks === undefined || (await heldLocks()).has(lockOf(name))
    return await filesOfPool(path, name, decoder, { isLive, patience, copiesMax })
  } catch (error) {
    throw fromEngine(error)
  }
}

/** The name of its lock, and of its database in IndexedDB. @param {string} name */
const lockOf = (name) => pathOf(name).join('/')

/** The names of all locks that somebody holds. @returns {Promise<Set<string | undefined>>} */
async function heldLocks() {
  const { held = [] } = await globalThis.navigator?.locks?.query() ?? {}
  return new Set(held.map(({ name }) => name))
}

/** @type {Promise<Instance> | undefined} */
let instance

/** The engine that reads names; one for all databases, until it fails. */
async function decoderOf() {
  if (!isFull()) throw new VarveError("Only the module of 'varve/full' reads the files of the origin", { code: 'LEVEL_NOT_SUPPORTED' })
  if (instance === undefined || (await instance.catch(() => undefined))?.trap !== undefined) {
    instance = Instance.make(MEMORY_LIMIT, () => {})
    instance.catch(() => { instance = undefined })
  }
  return (await instance).exports
}
