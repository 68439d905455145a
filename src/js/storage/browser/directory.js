// Databases that a name tells: in the origin private file system (OPFS), below the directory `varve`,
// or in IndexedDB.
import { VarveError } from '../../errors.js'
import { choose } from './choose.js'
import { databaseExists, removeDatabase, strictDurability } from './idb-open.js'
import { databasesInIndexedDb, databasesInOpfs, isRefused, pathOf } from './names.js'
import { OpfsFiles } from './opfs.js'
import { isDedicatedWorker, isWindow } from './place.js'
import { WebLock } from './web-lock.js'

/** The names of all databases, in any order. @returns {Promise<string[]>} */
export async function databases() {
  const [files, chunks] = await Promise.all([databasesInOpfs(), databasesInIndexedDb()])
  return [...new Set([...files, ...chunks])]
}

/**
 * Makes storages in IndexedDB; only programs with the full module can.
 * @type {((path: string[], location: string) => object) | undefined}
 */
let databaseAt

/** @param {(path: string[], location: string) => object} make */
export function provideDatabases(make) {
  databaseAt = make
}

/**
 * The storage of the database `location`: its files in a worker; in a window, what tells a worker where
 * they are. A promise if it has to be looked for.
 * @param {string} location
 * @param {unknown} [_base] a directory of Node
 * @param {string} [kind] 'opfs', 'indexeddb', or 'auto': see choose.js
 */
export function directoryAt(location, _base, kind = 'auto') {
  const path = pathOf(location)
  if (isWindow()) return new Elsewhere(path, location, kind)
  if (kind === 'indexeddb') return inIndexedDb(path, location)
  if (!isDedicatedWorker()) {
    throw new VarveError('The files of a database can be opened in a window or a dedicated worker only', { code: 'LEVEL_NOT_SUPPORTED' })
  }
  if (kind === 'opfs') return new OpfsFiles(path, location)
  return choose(path).then((choice) => choice.storage === 'opfs' ? new OpfsFiles(path, location) : inIndexedDb(path, location, choice.why))
}

/** @param {string[]} path @param {string} location @param {string} [why] */
const inIndexedDb = (path, location, why) => databaseAt === undefined ? new Elsewhere(path, location, 'indexeddb', why) : Object.assign(databaseAt(path, location), { why })

/** A database as a window sees it, or a program without the full module one in IndexedDB. */
class Elsewhere {
  #path
  #location
  #kind
  /** Why it is in IndexedDB. */
  why

  /** @param {string[]} path @param {string} location @param {string} kind @param {string} [why] */
  constructor(path, location, kind, why) {
    this.#path = path
    this.#location = location
    this.#kind = kind
    this.why = why
  }

  /** Whether the full module is needed to open it here. */
  get needsFull() { return !isWindow() }

  get durability() { return this.#kind === 'indexeddb' ? strictDurability() : 'durable' }

  get kind() { return this.#kind }

  get lockName() { return this.#path.join('/') }

  /** See Host.storageOf. */
  get inWorker() { return { named: this.#location, storage: this.#kind } }

  /** Removes the database; does nothing if there is none. */
  async destroy() {
    const files = new OpfsFiles(this.#path, this.#location)
    const lock = new WebLock(this.lockName, this.#location)
    await lock.acquire()
    try {
      if (this.#kind !== 'indexeddb') await files.removeAll().catch((error) => this.#isNothing(error))
      if (this.#kind === 'indexeddb' || (this.#kind === 'auto' && globalThis.indexedDB !== undefined)) await removeDatabase(this.lockName, lock, true)
    } finally {
      lock.letIn()
    }
  }

  /** @param {any} error any: whatever was thrown */
  #isNothing(error) {
    if (error?.name !== 'NotFoundError' && !(this.#kind === 'auto' && isRefused(error))) throw error
  }
}

/**
 * Whether there is a database of this name in IndexedDB. Never makes one.
 * @param {string} location
 */
export function existsInIndexedDb(location) {
  return databaseExists(pathOf(location).join('/'))
}
