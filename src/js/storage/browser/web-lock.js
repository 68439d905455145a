// The Web Lock of a database: held by the thread that has its files open, so that a frozen page keeps
// both or neither.
import { VarveError } from '../../errors.js'

/** How long to wait for the lock of a page that was closed or reloaded, in ms. */
const PATIENCE_MS = 2000

export class WebLock {
  /** @readonly Tabs use it too (src/js/tabs/protocol.js). */
  name
  #location
  /** Releases it, while it is held. @type {(() => void) | undefined} */
  #letGo
  /** Stops the wait for it. @type {AbortController | undefined} */
  #waiting

  /**
   * @param {string} name one for each database, whatever it is stored in
   * @param {string} location as the user wrote it
   */
  constructor(name, location) {
    this.name = name
    this.#location = location
  }

  get isHeld() { return this.#letGo !== undefined }

  /**
   * Takes it. Does nothing if it is held, nor where there are no Web Locks.
   * @param {number} [patience] how long to wait, in ms; Infinity: until it is free
   */
  async acquire(patience = PATIENCE_MS) {
    const locks = globalThis.navigator?.locks
    if (this.isHeld || locks === undefined) return
    const waiting = this.#waiting = new AbortController()
    const timer = patience === Infinity ? undefined : setTimeout(() => waiting.abort(), patience)
    try {
      await new Promise((resolve, reject) => {
        const held = () => new Promise((/** @type {(value?: unknown) => void} */ letGo) => {
          this.#letGo = letGo
          resolve(undefined)
        })
        locks.request(this.name, { signal: waiting.signal }, held).catch(reject)
      })
    } catch (/** @type {any} any: whatever was thrown */ cause) {
      throw cause?.name === 'AbortError' ? this.refusal(cause) : cause
    } finally {
      clearTimeout(timer)
    }
  }

  /** Releases it, or stops waiting for it. */
  letIn() {
    this.#waiting?.abort()
    this.#letGo?.()
    this.#letGo = undefined
  }

  /** The error of a database that another owner has open. @param {unknown} [cause] */
  refusal(cause) {
    return new VarveError(`The database '${this.#location}' is open in another page or worker`, { code: 'LEVEL_LOCKED', cause })
  }
}
