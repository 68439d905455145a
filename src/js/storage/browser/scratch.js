// Files in the origin private file system that last as long as an operation of a worker. Names are
// kept here; on the disk the files are numbers in a folder of their own. What a worker that ended
// left behind is removed by the next: each folder has a Web Lock while it is used.
import { failure } from '../read-only.js'

/** @typedef {import('../../types/index.js').NameEdit} NameEdit */
/** @typedef {import('../../types/index.js').Storage} Files */

const FOLDER = 'varve-scratch'

/** Whether this is a worker that can keep files. */
export const canKeepFiles = () => 'createSyncAccessHandle' in (globalThis.FileSystemFileHandle?.prototype ?? {}) && globalThis.navigator?.storage?.getDirectory !== undefined && globalThis.navigator.locks !== undefined

/** @implements {Files} */
export class ScratchStorage {
  durability = /** @type {const} */ ('volatile')
  appendsAreExact = /** @type {const} */ (true)
  /** any: FileSystemSyncAccessHandle @type {Map<string, { access: any }>} */
  #files = new Map()
  #all = /** @type {{ access: any }[]} any: as above */ ([])
  #parent
  #name
  #folder
  #release

  /** @param {FileSystemDirectoryHandle} parent @param {FileSystemDirectoryHandle} folder @param {string} name @param {() => void} release */
  constructor(parent, folder, name, release) {
    this.#parent = parent
    this.#folder = folder
    this.#name = name
    this.#release = release
  }

  static async make() {
    const root = await navigator.storage.getDirectory()
    const parent = await root.getDirectoryHandle(FOLDER, { create: true })
    await removeLeft(parent)
    const name = crypto.randomUUID()
    const release = await held(name)
    try {
      return new ScratchStorage(parent, await parent.getDirectoryHandle(name, { create: true }), name, release)
    } catch (error) {
      release()
      throw error
    }
  }

  /** @param {boolean} _create */
  lock(_create) { return 0 }

  unlock() {}
  list() { return [...this.#files.keys()].filter((name) => !name.startsWith('lost/')) }

  /** @param {string} name @param {'read' | 'append'} _access */
  open(name, _access) { return new ScratchFile(this.#files.get(name) ?? missing(name)) }

  /** @param {string} name */
  async create(name) {
    const handle = await this.#folder.getFileHandle(String(this.#all.length), { create: true })
    const file = { access: await /** @type {any} any: of workers only */ (handle).createSyncAccessHandle() }
    this.#all.push(file)
    this.#files.set(name, file)
    return new ScratchFile(file)
  }

  /** @param {NameEdit[]} edits */
  async editNames(edits) {
    for (const edit of edits) {
      if (edit.type === 'rename') {
        const file = this.#files.get(edit.from) ?? missing(edit.from)
        this.#files.delete(edit.from)
        this.#files.set(edit.to, file)
      } else if (edit.type === 'replace') {
        (await this.create(edit.name)).append(edit.content)
        this.#files.delete(edit.via)
      } else {
        const file = this.#files.get(edit.name)
        this.#files.delete(edit.name)
        // Its space is needed; open files of it are not read again.
        file?.access.truncate(0)
      }
    }
  }

  removePlace() {}

  /** Removes everything. */
  async remove() {
    for (const { access } of this.#all) access.close()
    this.#all = []
    this.#files.clear()
    await this.#parent.removeEntry(this.#name, { recursive: true }).catch(() => {})
    this.#release()
  }
}

class ScratchFile {
  #file

  /** @param {{ access: any }} file any: FileSystemSyncAccessHandle */
  constructor(file) { this.#file = file }

  size() { return this.#file.access.getSize() }
  sync() {}
  close() {}
  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) { return this.#file.access.read(into, { at: offset }) }
  /** @param {Uint8Array} data */
  append(data) { return this.#file.access.write(data, { at: this.#file.access.getSize() }) }
  /** @param {number} size */
  truncate(size) { this.#file.access.truncate(size) }
}

/** Removes the folders that no worker uses. @param {FileSystemDirectoryHandle} parent */
async function removeLeft(parent) {
  const names = []
  for await (const name of /** @type {any} any: not in the types of all libraries */ (parent).keys()) names.push(name)
  for (const name of names) {
    await navigator.locks.request(lockOf(name), { ifAvailable: true }, async (lock) => {
      if (lock !== null) await parent.removeEntry(name, { recursive: true }).catch(() => {})
    })
  }
}

/** Takes the lock of a folder; returns what releases it. @param {string} name @returns {Promise<() => void>} */
function held(name) {
  return new Promise((resolve, reject) => {
    navigator.locks.request(lockOf(name), () => new Promise((release) => resolve(() => release(undefined)))).catch(reject)
  })
}

/** @param {string} name */
const lockOf = (name) => `${FOLDER}/${name}`

/** @param {string} name @returns {never} */
const missing = (name) => { throw failure('ENOENT', `file ${name} does not exist`) }
