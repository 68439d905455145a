// Databases that a name tells: in the origin private file system (OPFS), below the directory `varve`.
import { InvalidArgumentError, VarveError } from '../../errors.js'
import { OpfsFiles } from './opfs.js'
import { isDedicatedWorker, isWindow } from './place.js'

/** Characters that no file system changes or confuses; others become % and two digits. */
const PLAIN = /[a-z0-9_-]/

/** Longer names are refused by some file systems. */
const NAME_MAX = 240

/** The directory of all databases. */
const ALL = 'varve'

/** The names of all databases, in any order. @returns {Promise<string[]>} */
export async function databases() {
  const names = []
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
 * The storage of the database `location`: its files in a dedicated worker; in a window, what tells a
 * worker where they are.
 * @param {string} location
 */
export function directoryAt(location) {
  const path = pathOf(location)
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
