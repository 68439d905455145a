// Reads raw files of the origin private file system (OPFS) that another page or worker has open, and
// writes. Takes no lock, opens no handle, creates nothing.
//
// A File is what the file was when getFile() returned it. In Chromium every read of it fails after any
// write since (NotReadableError): between two appends to a log there is hardly time for one. Firefox and
// WebKit read what is there now. So a read that fails is repeated, and if that does not help, Chromium's
// older address of the same file is used, whose reads do not compare times.
import { SourceChangedError } from '../../errors.js'
import { isChromium } from './place.js'

/** The error of a File whose file was written, or emptied, since. */
const CHANGED = 'NotReadableError'

/** So many attempts are made before the other address is used. */
const DIRECT = 2

/** So often the other address may fail: where a policy forbids it, the browser reports each attempt. */
const REFUSED_MAX = 2

let refused = 0

/** Between two attempts, at most, in ms: at random, so that they do not follow the rhythm of the writer. */
const PAUSE_MS = 6

/** Whether a File stays the content of its file, or its reads fail. */
export const filesAreSnapshots = isChromium

export class RawReader {
  #path
  #patience
  /** @type {FileSystemDirectoryHandle | undefined} */
  #directory
  /** @type {Map<string, Promise<FileSystemFileHandle>>} */
  #handles = new Map()
  /** @type {Promise<any> | undefined} any: the older interface, which lib.dom does not declare */
  #older
  /** Files that are written all the time. @type {Set<string>} */
  #hot = new Set()
  /** Attempts that were repeated. */
  repeated = 0

  /**
   * @param {string[]} path names of directories, from the root
   * @param {number} patience how long to repeat a read that fails, in ms
   */
  constructor(path, patience) {
    this.#path = path
    this.#patience = patience
  }

  /** Finds the directory; rejects with a NotFoundError if there is none. */
  async open() {
    let directory = await navigator.storage.getDirectory()
    for (const name of this.#path) directory = await directory.getDirectoryHandle(name)
    this.#directory = directory
  }

  /** The names of all files. */
  async list() {
    const names = []
    for await (const [name, { kind }] of this.#place.entries()) if (kind === 'file') names.push(name)
    return names
  }

  get #place() { return /** @type {FileSystemDirectoryHandle} */ (this.#directory) }

  /** @param {string} name @returns {Promise<File>} */
  async #file(name) {
    const handle = this.#handles.get(name) ?? this.#place.getFileHandle(name)
    this.#handles.set(name, handle)
    try {
      return await (await handle).getFile()
    } catch (error) {
      this.#handles.delete(name)
      throw error
    }
  }

  /**
   * The bytes of a file, or its first `length`, as one reading found them: later ones may have been
   * added meanwhile. Undefined if there is no such file.
   * @param {string} name
   * @param {number} [length]
   * @returns {Promise<Uint8Array<ArrayBuffer> | undefined>}
   */
  async read(name, length = Infinity) {
    const found = await this.#repeatedly(name, async (file) => {
      const size = Math.min(file.size, length)
      const bytes = new Uint8Array(await file.slice(0, size).arrayBuffer())
      return bytes.length === size ? bytes : undefined
    }, () => this.#readOlder(name, length))
    return found
  }

  /**
   * A file and its first `length` bytes.
   * @param {string} name
   * @param {number} length
   */
  async begin(name, length) {
    return this.#repeatedly(name, async (file) => {
      const size = Math.min(file.size, length)
      const bytes = new Uint8Array(await file.slice(0, size).arrayBuffer())
      return bytes.length === size ? { file, bytes } : undefined
    })
  }

  /** The size of a file; undefined if there is none. @param {string} name */
  size(name) {
    return this.#repeatedly(name, (file) => Promise.resolve(file.size))
  }

  /**
   * Repeats `act` on the file until it has a result.
   * @template T
   * @param {string} name
   * @param {(file: File) => Promise<T | undefined>} act
   * @param {() => Promise<T | undefined>} [otherwise] another way
   * @returns {Promise<T | undefined>}
   */
  async #repeatedly(name, act, otherwise) {
    const until = performance.now() + this.#patience
    for (let attempt = 1; ; attempt++) {
      /** @type {unknown} */
      let cause
      try {
        const done = await act(await this.#file(name))
        if (done !== undefined) return done
      } catch (/** @type {any} any: whatever was thrown */ error) {
        if (error?.name === 'NotFoundError') return undefined
        if (error?.name !== CHANGED) throw error
        cause = error
      }
      if (performance.now() >= until) throw changing(cause)
      this.repeated++
      if (otherwise !== undefined && (attempt >= DIRECT || this.#hot.has(name))) {
        const done = await otherwise().catch(() => undefined)
        if (done !== undefined) {
          this.#hot.add(name)
          return done
        }
      }
      await new Promise((resolve) => setTimeout(resolve, Math.random() * PAUSE_MS))
    }
  }

  /**
   * The same by the address that Chromium's older interface gives a file; undefined where there is none,
   * or the page's policy forbids the address (`connect-src filesystem:`).
   * @param {string} name
   * @param {number} length
   * @returns {Promise<Uint8Array<ArrayBuffer> | undefined>}
   */
  async #readOlder(name, length) {
    const { webkitRequestFileSystem, XMLHttpRequest: Request } = /** @type {any} any: see above */ (globalThis)
    if (webkitRequestFileSystem === undefined || Request === undefined || refused >= REFUSED_MAX) return undefined
    this.#older ??= new Promise((resolve, reject) => webkitRequestFileSystem.call(globalThis, 0, 0, resolve, reject))
    const { root } = await this.#older
    const path = [...this.#path, name].join('/')
    /** @type {{ toURL(): string }} */
    const entry = await new Promise((resolve, reject) => root.getFile(path, { create: false }, resolve, reject))
    return new Promise((resolve) => {
      const request = new XMLHttpRequest()
      request.open('GET', entry.toURL())
      if (length !== Infinity) request.setRequestHeader('range', `bytes=0-${length - 1}`)
      request.responseType = 'arraybuffer'
      request.onload = () => resolve(new Uint8Array(request.response))
      request.onerror = () => {
        refused++
        resolve(undefined)
      }
      request.send()
    })
  }
}

/** @param {unknown} [cause] */
export function changing(cause) {
  return new SourceChangedError('The database is written faster than it can be read: try again, or pause what writes to it', { code: 'LEVEL_SOURCE_CHANGED', cause })
}
