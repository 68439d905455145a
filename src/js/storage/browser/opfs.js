// The files of a database in the origin private file system (OPFS), for src/env/web/opfs.rs in a
// dedicated worker.
import { VarveError } from '../../errors.js'
import { forget, isKnown, remember } from './known.js'
import { isFirefox } from './place.js'
import { probeOpfs } from './probe.js'
import { RawFiles } from './raw-files.js'
import { WebLock } from './web-lock.js'

/** Errors that mean that another page or worker has the database open. */
const BUSY = ['NoModificationAllowedError', 'InvalidStateError']

/** Errors that may mean that files cannot be opened here at all. */
const MISSING = ['TypeError', 'NotSupportedError', 'SecurityError', 'UnknownError']

/** How long opening waits until a new database is remembered, in ms. */
const REMEMBERED_MAX_MS = 2000

export class OpfsFiles extends RawFiles {
  #location
  #lock
  /** Whether the directory had no files when it was listed last. */
  #isNew = false

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

  /**
   * Whether a file that grows takes a power of two of the quota until it is closed: not in Firefox. A
   * wrong guess costs space near the quota, or time.
   */
  get reserves() { return !isFirefox() }

  get kind() { return 'opfs' }

  /** The name of the Web Lock of the files, which tabs share (src/js/tabs/protocol.js). */
  get lockName() { return this.#lock.name }

  /** See Host.storageOf. */
  get inWorker() { return { named: this.#location, storage: 'opfs' } }

  // ---- For the engine in WebAssembly ----

  /**
   * Takes the Web Lock. Where there are none, open files exclude others as well.
   * @param {number} [patience] how long to wait, in ms; Infinity: until it is free
   */
  async acquire(patience) {
    try {
      await this.#lock.acquire(patience)
    } catch (error) {
      throw error instanceof VarveError ? error : await this.#explained(error)
    }
  }

  /** Releases the lock, or stops waiting for it. */
  letIn() { this.#lock.letIn() }

  /**
   * Rejects with LEVEL_EVICTED if there is no file of a database that existed, and with
   * LEVEL_NOT_SUPPORTED if there are no private files here.
   * @param {boolean} create
   * @override
   */
  async list(create) {
    /** @type {string[]} */
    let names = []
    let missing
    try {
      names = await super.list(false)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (error?.name !== 'NotFoundError') throw await this.#explained(error)
      missing = error
    }
    this.#isNew = names.length === 0
    if (!this.#isNew) return names
    if (await isKnown(this.#lock.name)) {
      const message = `The files of the database '${this.#location}' are gone: the browser, its user or a page has removed them. Varve.destroy() lets it begin anew`
      throw new VarveError(message, { code: 'LEVEL_EVICTED' })
    }
    if (missing !== undefined && !create) throw missing
    try {
      return await super.list(create)
    } catch (error) {
      throw await this.#explained(error)
    }
  }

  /**
   * Called when the database is open; of a new one resolves when it is noted that it exists, since its
   * worker may end at any time. An IndexedDB that does not answer must not keep it from opening.
   */
  async opened() {
    if (!this.#isNew) return
    this.#isNew = false
    await Promise.race([remember(this.#lock.name), new Promise((resolve) => setTimeout(resolve, REMEMBERED_MAX_MS))])
  }

  /** @param {unknown} error */
  async #explained(error) {
    const probe = await probeOpfs()
    if (probe.ok) return error
    return new VarveError(`The database '${this.#location}' cannot be kept here: ${probe.why}`, { code: 'LEVEL_NOT_SUPPORTED', cause: probe.cause ?? error })
  }

  /** @param {string} name @param {boolean} create @override */
  open(name, create) { return this.#unlessLocked(super.open(name, create)) }

  /** @override */
  async removeAll() {
    try {
      await this.#unlessLocked(super.removeAll())
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (error?.name === 'NotFoundError') await forget(this.#lock.name)
      throw error
    }
    await forget(this.#lock.name)
  }

  /** @template T @param {Promise<T>} call */
  async #unlessLocked(call) {
    try {
      return await call
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (MISSING.includes(error?.name)) throw await this.#explained(error)
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
