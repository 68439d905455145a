// Files that must not change, under a storage that takes all changes: new files go to it, and names
// are only edited here.
import { changed, failure } from './read-only.js'

/**
 * @typedef {import('../types/index.js').NameEdit} NameEdit
 * @typedef {import('../types/index.js').StorageFile} StorageFile
 * @typedef {import('../types/index.js').Storage} Files
 * @typedef {{ name: string, size: number, read: (offset: number, into: Uint8Array) => number | Promise<number> }} Readable
 */

/** @implements {Files} */
export class OverlayStorage {
  appendsAreExact
  durability = /** @type {const} */ ('volatile')
  /** By the names that they have now. @type {Map<string, Readable>} */
  #base
  #upper
  #max
  #written = 0
  #onRead

  /**
   * @param {Map<string, Readable>} base
   * @param {import('../types/index.js').Storage} upper
   * @param {{ max: number, onRead: (count: number) => void }} options `max`: bytes that may be written;
   *   `onRead` is told of each read, and may throw to end them
   */
  constructor(base, upper, { max, onRead }) {
    this.#base = new Map(base)
    this.#upper = upper
    this.#max = max
    this.#onRead = onRead
    this.appendsAreExact = upper.appendsAreExact
  }

  /** Bytes written so far. */
  get written() { return this.#written }

  /** @param {boolean} _create the place is this object */
  lock(_create) { return this.#upper.lock(true) }

  unlock() { return this.#upper.unlock() }

  /** Creates the place of the new files: it can be read without a lock, too. */
  async begin() {
    await this.#upper.lock(true)
    await this.#upper.unlock()
  }

  async list() {
    const names = [...this.#base.keys()].filter((name) => !name.startsWith('lost/'))
    return [...names, ...await this.#upper.list()]
  }

  /** @param {string} name @param {'read' | 'append'} access @param {number} [sizeHint] */
  open(name, access, sizeHint) {
    const source = this.#base.get(name)
    if (source !== undefined) return new BaseFile(source, this.#onRead)
    const file = this.#upper.open(name, access, sizeHint)
    return file instanceof Promise ? file.then((each) => this.#counted(each)) : this.#counted(file)
  }

  /** @param {string} name @param {'log' | 'manifest' | 'table' | 'other'} kind @param {number} sizeHint */
  async create(name, kind, sizeHint) {
    const file = await this.#upper.create(name, kind, sizeHint)
    this.#base.delete(name)
    return this.#counted(file)
  }

  /** @param {NameEdit[]} edits */
  async editNames(edits) {
    const base = new Map(this.#base)
    /** @type {NameEdit[]} */
    const others = []
    for (const edit of edits) {
      const from = edit.type === 'rename' ? edit.from : edit.name
      const source = base.get(from)
      base.delete(from)
      if (source === undefined || edit.type === 'replace') others.push(edit)
      if (edit.type !== 'rename') continue
      base.delete(edit.to)
      if (source !== undefined) base.set(edit.to, source)
    }
    await this.#upper.editNames(others)
    this.#base = base
  }

  removePlace() { return this.#upper.removePlace() }

  /** @param {StorageFile} file @returns {StorageFile} */
  #counted(file) {
    return {
      read: (offset, into) => {
        this.#onRead(0)
        return file.read(offset, into)
      },
      append: (data) => {
        this.#onRead(0)
        if (this.#written + data.length > this.#max) throw failure('ENOSPC', `more than ${this.#max} bytes would be kept meanwhile (scratchMax)`)
        this.#written += data.length
        return file.append(data)
      },
      // What is kept meanwhile need not survive a failure of power.
      sync: () => {},
      truncate: (size) => file.truncate(size),
      size: () => file.size(),
      close: () => file.close()
    }
  }
}

/** @implements {StorageFile} */
class BaseFile {
  #source
  #onRead

  /** @param {Readable} source @param {(count: number) => void} onRead */
  constructor(source, onRead) {
    this.#source = source
    this.#onRead = onRead
  }

  size() { return this.#source.size }

  /**
   * @param {number} offset
   * @param {Uint8Array} into memory of the engine, which moves while a source waits
   */
  async read(offset, into) {
    const { size, name } = this.#source
    const bytes = new Uint8Array(Math.max(0, Math.min(into.length, size - offset)))
    this.#onRead(bytes.length)
    if (bytes.length === 0) return bytes
    const count = await readOf(this.#source, offset, bytes)
    if (count !== bytes.length) throw failure('EIO', `${name}: ${count} bytes could be read at ${offset}, expected ${bytes.length}`)
    return bytes
  }

  /** @returns {never} */
  append() { throw failure('EACCES', `${this.#source.name} must not be changed`) }

  /** @returns {never} */
  truncate() { return this.append() }

  sync() {}
  close() {}
}

/** @param {Readable} source @param {number} offset @param {Uint8Array} into */
async function readOf(source, offset, into) {
  try {
    return await source.read(offset, into)
  } catch (/** @type {any} any: whatever was thrown */ error) {
    // A browser's file that was changed or removed: its old and new bytes must not be mixed.
    if (error?.name === 'NotReadableError' || error?.name === 'NotFoundError') throw changed(source.name, error.message, error)
    throw error
  }
}
