// The files of a database in the origin private file system (OPFS), for src/env/web/opfs.rs in a
// dedicated worker.
import { VarveError } from '../../errors.js'
import { RawFiles } from './raw-files.js'

/** How long to wait for the lock of a page that was closed or reloaded, in ms. */
const PATIENCE_MS = 2000

/** Errors that mean that another page or worker has the database open. */
const BUSY = ['NoModificationAllowedError', 'InvalidStateError']

export class OpfsFiles extends RawFiles {
  #name
  #location
  /** Releases the Web Lock, while it is held. @type {(() => void) | undefined} */
  #letGo
  /** Stops the wait for it. @type {AbortController | undefined} */
  #waiting

  /**
   * @param {string[]} path names of directories, from the root
   * @param {string} location as the user wrote it
   */
  constructor(path, location) {
    super(path)
    this.#name = path.join('/')
    this.#location = location
  }

  /** Whether the engine gets raw files, and manages their names itself. */
  get isRaw() { return true }

  get durability() { return 'durable' }

  get kind() { return 'opfs' }

  /** The name of the Web Lock of the files, which tabs share (src/js/tabs/protocol.js). */
  get lockName() { return this.#name }

  /** See Host.storageOf. */
  get inWorker() { return { named: this.#location } }

  // ---- For the engine in WebAssembly ----

  /**
   * Takes the Web Lock. It is held by the worker that has the files open, so that a frozen page keeps
   * both or neither. Does nothing where there are no Web Locks: open files exclude others as well.
   * @param {number} [patience] how long to wait, in ms; Infinity: until it is free
   */
  async acquire(patience = PATIENCE_MS) {
    const locks = globalThis.navigator?.locks
    if (this.#letGo !== undefined || locks === undefined) return
    const waiting = this.#waiting = new AbortController()
    const timer = patience === Infinity ? undefined : setTimeout(() => waiting.abort(), patience)
    try {
      await new Promise((resolve, reject) => {
        const held = () => new Promise((/** @type {(value?: unknown) => void} */ letGo) => {
          this.#letGo = letGo
          resolve(undefined)
        })
        locks.request(this.#name, { signal: waiting.signal }, held).catch(reject)
      })
    } catch (/** @type {any} any: whatever was thrown */ cause) {
      throw cause?.name === 'AbortError' ? this.#locked(cause) : cause
    } finally {
      clearTimeout(timer)
    }
  }

  /** Releases the lock, or stops waiting for it. */
  letIn() {
    this.#waiting?.abort()
    this.#letGo?.()
    this.#letGo = undefined
  }

  /** @param {string} name @param {boolean} create @override */
  open(name, create) { return this.#unlessLocked(super.open(name, create)) }

  /** @override */
  removeAll() { return this.#unlessLocked(super.removeAll()) }

  /** @template T @param {Promise<T>} call */
  async #unlessLocked(call) {
    try {
      return await call
    } catch (/** @type {any} any: whatever was thrown */ error) {
      throw BUSY.includes(error?.name) ? this.#locked(error) : error
    }
  }

  /** @param {unknown} cause */
  #locked(cause) {
    return new VarveError(`The database '${this.#location}' is open in another page or worker`, { code: 'LEVEL_LOCKED', cause })
  }

  // ---- For engine.js and supervisor.js, as GuardedStorage ----

  settle() { return this.closeAll() }

  async release() {
    await this.closeAll()
    this.letIn()
  }

  /** Every call is done in place. @template T @param {() => T} call @returns {T} */
  now(call) { return call() }

  answersInPlace() { return true }
}
