// Databases that a name tells: in the origin private file system (OPFS), below the directory `varve`,
// or in IndexedDB.
import { InvalidArgumentError, VarveError } from '../../errors.js'
import { databaseExists, listDatabases, removeDatabase, strictDurability } from './idb-open.js'
import { OpfsFiles } from './opfs.js'
import { isDedicatedWorker, isWindow } from './place.js'
import { WebLock } from './web-lock.js'

/** Characters that no file system changes or confuses; others become % and two digits. */
const PLAIN = /[a-z0-9_-]/

/** Longer names are refused by some file systems. */
const NAME_MAX = 240

/** The directory of all databases. */
const ALL = 'varve'

/** The names of all databases, in any order. @returns {Promise<string[]>} */
export async function databases() {
  const prefix = `${ALL}/`
  const names = (await listDatabases() ?? []).filter((name) => name.startsWith(prefix)).map((name) => decodeURIComponent(name.slice(prefix.length)))
  try {
    const root = await navigator.storage.getDirectory()
    for await (const [name, { kind }] of (await root.getDirectoryHandle(ALL)).entries()) {
      if (kind === 'directory') names.push(decodeURIComponent(name))
    }
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error?.name !== 'NotFoundError') throw error
  }
  return names
}

/** @param {string} location */
function pathOf(location) {
  const bytes = [...new TextEncoder().encode(location)]
  const name = bytes.map((byte) => {
    const character = String.fromCharCode(byte)
    return PLAIN.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`
  }).join('')
  if (name.length > NAME_MAX) {
    throw new InvalidArgumentError(`The name of the database is too long: it takes ${name.length} characters of a file's name, at most ${NAME_MAX} are allowed`)
  }
  return [ALL, name]
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
 * The storage of the database `location`: its files in a worker; elsewhere, what tells a worker where
 * they are.
 * @param {string} location
 * @param {unknown} [_base] a directory of Node
 * @param {string} [kind] 'indexeddb', or else OPFS
 */
export function directoryAt(location, _base, kind) {
  const path = pathOf(location)
  if (kind === 'indexeddb') {
    return !isWindow() && databaseAt !== undefined ? databaseAt(path, location) : new ElsewhereDatabase(path, location)
  }
  if (isWindow()) return new ElsewhereStorage(path, location)
  if (!isDedicatedWorker()) {
    throw new VarveError('The files of a database can be opened in a window or a dedicated worker only', { code: 'LEVEL_NOT_SUPPORTED' })
  }
  return new OpfsFiles(path, location)
}

/** The files of a database as a window sees them. */
class ElsewhereStorage {
  #path
  #location

  /** @param {string[]} path @param {string} location */
  constructor(path, location) {
    this.#path = path
    this.#location = location
  }

  get durability() { return 'durable' }

  get kind() { return 'opfs' }

  get lockName() { return this.#path.join('/') }

  /** See Host.storageOf. */
  get inWorker() { return { named: this.#location } }

  /** Removes the database; does nothing if there is none. */
  async destroy() {
    const files = new OpfsFiles(this.#path, this.#location)
    await files.acquire()
    try {
      await files.removeAll()
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (error?.name !== 'NotFoundError') throw error
    } finally {
      files.letIn()
    }
  }
}

/**
 * Whether there is a database of this name in IndexedDB. Never makes one.
 * @param {string} location
 */
export function existsInIndexedDb(location) {
  return databaseExists(pathOf(location).join('/'))
}

/** A database in IndexedDB as a program without the full module sees it, or a window. */
class ElsewhereDatabase {
  #name
  #location

  /** @param {string[]} path @param {string} location */
  constructor(path, location) {
    this.#name = path.join('/')
    this.#location = location
  }

  get durability() { return strictDurability() }

  get kind() { return 'indexeddb' }

  get lockName() { return this.#name }

  /** See Host.storageOf. */
  get inWorker() { return { named: this.#location, storage: 'indexeddb' } }

  /** Removes the database; does nothing if there is none. */
  destroy() {
    return removeDatabase(this.#name, new WebLock(this.#name, this.#location))
  }
}
