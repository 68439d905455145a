// Keeps a database open: replaces its instance when it fails.
//
//   open --- trap ---> replacing ---> open, in a new instance, from the files of the storage
//                          \--------> failed: three traps in a minute, or a database in memory
//
// Calls made during the replacement are queued.
import { Instance } from './instance.js'

/** After this many traps in this many ms, the instance is not replaced again. */
const TRAPS_MAX = 3
const TRAPS_MS = 60_000

/**
 * The user of the instance.
 * @typedef {object} User
 * @property {(instance: Instance, database: any) => void} begin any: as Supervisor's #fresh
 * @property {() => void} end the instance has failed; called inside a call, with the stack maybe
 *   full
 */

export class Supervisor {
  #user
  #storage
  #options
  #memoryLimit
  #onRecovered
  /** @type {Instance | null} */
  #instance = null
  /** Whether calls go to the instance. */
  #isUsed = false
  /** @param {Error} trap */
  #onTrap = (trap) => this.onTrap(trap)
  /** Resolves when the engine is replaced or has failed. @type {Promise<void> | undefined} */
  #replacing
  /**
   * any: wasm-bindgen's class Database. Opened in a new instance, not yet in use until the queued
   * calls are made.
   * @type {any}
   */
  #fresh = null
  /** Queued calls. @type {(() => void)[]} */
  #waiting = []
  /** The error of all further calls. @type {Error | undefined} */
  #failure
  /** The last trap. @type {Error | undefined} */
  #trap
  /** Times of recent traps. @type {number[]} */
  #traps = []

  /**
   * @param {import('./guarded-storage.js').GuardedStorage | undefined} storage undefined: in memory
   * @param {Record<string, unknown>} options
   * @param {number} memoryLimit in bytes
   * @param {((info: { cause: unknown, duration: number }) => void) | undefined} onRecovered
   * @param {User} user
   */
  constructor(storage, options, memoryLimit, onRecovered, user) {
    this.#storage = storage
    this.#options = options
    this.#memoryLimit = memoryLimit
    this.#onRecovered = onRecovered
    this.#user = user
  }

  /** Whether calls wait for a new instance. */
  get isReplacing() {
    return !this.#isUsed && this.#failure === undefined
  }

  get failure() { return this.#failure }

  /** The last trap. */
  get trap() { return this.#trap }

  /** Makes all further calls fail with this error. @param {Error} failure */
  stop(failure) {
    this.#instance?.leave(this.#onTrap)
    this.#instance = null
    this.#isUsed = false
    this.#failure = failure
  }

  /**
   * Opens the database in a new instance; if that traps, in another.
   * @param {Record<string, unknown>} options
   */
  async start(options = this.#options, isFresh = false) {
    for (;;) {
      /** @type {Instance | undefined} */
      let instance
      try {
        const made = instance = await Instance.make(this.#memoryLimit, this.#onTrap)
        return await this.adopt(made, () => made.exports.openDatabase(this.#storage, options), isFresh)
      } catch (error) {
        instance?.leave(this.#onTrap)
        if (error === instance?.trap && this.#mayTryAgain() && !options.errorIfExists) await this.#storage?.settle()
        else return this.#giveUp(error)
      }
    }
  }

  /**
   * @param {Instance} instance
   * @param {(options: Record<string, any>) => any} open any: returns wasm-bindgen's class Database
   * @param {boolean} [isFresh]
   */
  async adopt(instance, open, isFresh = false) {
    const database = await instance.settled(open(this.#options))
    if (instance.trap !== undefined) throw instance.trap
    instance.join(this.#onTrap)
    this.#instance = instance
    if (isFresh) this.#fresh = database
    else this.#begin(database)
  }

  /**
   * Called inside the call that trapped, with the stack maybe full: starts the replacement, or
   * leaves that to the next call. A trap in an instance that is not in use is ignored.
   * @param {Error} trap
   */
  onTrap(trap) {
    if (this.#instance === null || this.#instance.trap !== trap) return
    this.#trap = trap
    this.#instance = this.#fresh = null
    this.#isUsed = false
    this.#user.end()
    try {
      this.replaced()
    } catch {
      // See above.
    }
  }

  /** Resolves when there is an instance again, or when replacing it failed. */
  replaced() {
    if (this.#replacing === undefined) {
      let done = () => {}
      const promise = new Promise((/** @type {(value?: any) => void} any: the result of any call */ resolve) => { done = resolve })
      queueMicrotask(() => this.#replace().then((info) => {
        this.#goOn()
        done()
        // Make queued calls in order, before any call of a listener.
        if (info !== undefined) queueMicrotask(() => this.#onRecovered?.(info))
      }))
      this.#replacing = promise
    }
    return this.#replacing
  }

  /** @param {any} database any: as #fresh */
  #begin(database) {
    this.#isUsed = true
    this.#user.begin(/** @type {Instance} */ (this.#instance), database)
  }

  /** Makes all queued calls synchronously, so that no new call comes in between. */
  #goOn() {
    const database = this.#fresh
    this.#fresh = null
    if (database !== null) this.#begin(database)
    const waiting = this.#waiting
    this.#waiting = []
    for (const call of waiting) call()
  }

  /** Returns the argument of the event `recovered`, if the instance is replaced. */
  async #replace() {
    const trap = /** @type {Error} */ (this.#trap)
    let info
    try {
      info = await this.#recover(trap)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      const message = `${trap.message}, and was not replaced: ${error === trap ? 'close the database and open it again' : error.message}`
      this.#failure = Object.assign(new Error(message, { cause: error === trap ? trap.cause : error }), { code: 'poisoned' })
    }
    this.#replacing = undefined
    return info
  }

  #mayTryAgain() {
    const now = performance.now()
    this.#traps = [...this.#traps.filter((time) => now - time < TRAPS_MS), now]
    return this.#storage !== undefined && this.#traps.length < TRAPS_MAX
  }

  /** @param {unknown} error @returns {Promise<never>} */
  async #giveUp(error) {
    await this.#storage?.release()
    throw error
  }

  /** @param {Error} trap */
  async #recover(trap) {
    const start = performance.now()
    if (!this.#mayTryAgain()) return this.#giveUp(trap)
    await this.#storage?.settle()
    await this.start({ ...this.#options, createIfMissing: false, errorIfExists: false }, true)
    return { cause: trap.cause, duration: performance.now() - start }
  }

  /**
   * Queues a call until there is an instance, and returns a promise of its result.
   * @template T
   * @param {() => T} call
   * @returns {Promise<T>}
   */
  whenBack(call) {
    if (this.#failure !== undefined) throw this.#failure
    this.replaced()
    return new Promise((resolve, reject) => this.#waiting.push(() => {
      try {
        resolve(call())
      } catch (error) {
        reject(error)
      }
    }))
  }
}
