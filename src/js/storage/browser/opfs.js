// The files of a database in the origin private file system (OPFS), for src/env/web/opfs.rs in a
// dedicated worker.
import { RawFiles } from './raw-files.js'
import { WebLock } from './web-lock.js'

/** Errors that mean that another page or worker has the database open. */
const BUSY = ['NoModificationAllowedError', 'InvalidStateError']

export class OpfsFiles extends RawFiles {
  #location
  #lock

  /**
   * @param {string[]} path names of directories, from the root
   * @param {string} location as the user wrote it
   */
  constructor(path, location) {
    super(path)
    this.#location = location
    this.#lock = new WebLock(path.join('/'), location)
  }

  /** Whether the engine gets raw files, and manages their names itself. */
  get isRaw() { return true }

  get durability() { return 'durable' }

  get kind() { return 'opfs' }

  /** The name of the Web Lock of the files, which tabs share (src/js/tabs/protocol.js). */
  get lockName() { return this.#lock.name }

  /** See Host.storageOf. */
  get inWorker() { return { named: this.#location } }

  // ---- For the engine in WebAssembly ----

  /**
   * Takes the Web Lock. Where there are none, open files exclude others as well.
   * @param {number} [patience] how long to wait, in ms; Infinity: until it is free
   */
  acquire(patience) { return this.#lock.acquire(patience) }

  /** Releases the lock, or stops waiting for it. */
  letIn() { this.#lock.letIn() }

  /** @param {string} name @param {boolean} create @override */
  open(name, create) { return this.#unlessLocked(super.open(name, create)) }

  /** @override */
  removeAll() { return this.#unlessLocked(super.removeAll()) }

  /** @template T @param {Promise<T>} call */
  async #unlessLocked(call) {
    try {
      return await call
    } catch (/** @type {any} any: whatever was thrown */ error) {
      throw BUSY.includes(error?.name) ? this.#lock.refusal(error) : error
    }
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
