// The Web Lock of a database: held by the thread that has its files open, so that a frozen page keeps
// both or neither. Where there are no Web Locks, as on plain http, it is asked for over a channel; a
// holder that does not answer loses it, and its writes are refused by the storage.
import { VarveError } from '../../errors.js'

/** How long to wait for the lock of a page that was closed or reloaded, in ms. */
const PATIENCE_MS = 2000

/** How long to wait for the answer of a holder, in ms. */
const ANSWER_MS = 250

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
   * Takes it. Does nothing if it is held.
   * @param {number} [patience] how long to wait, in ms; Infinity: until it is free
   */
  async acquire(patience = PATIENCE_MS) {
    const locks = globalThis.navigator?.locks
    if (this.isHeld) return
    if (locks === undefined) return this.#claim(performance.now() + patience)
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

  /** Takes it without Web Locks. @param {number} until on the clock of `performance` */
  async #claim(until) {
    if (globalThis.BroadcastChannel === undefined) return
    const { signal } = this.#waiting = new AbortController()
    const channel = new BroadcastChannel(`${this.name} lock`)
    // Of two that ask at the same time, the one with the greater number gets it.
    const number = Math.random()
    let isTaken
    do {
      isTaken = await new Promise((resolve) => {
        const timer = setTimeout(resolve, ANSWER_MS, false)
        channel.onmessage = ({ data }) => {
          if (data < number) channel.postMessage('held')
          if (data !== 'held') return
          clearTimeout(timer)
          resolve(true)
        }
        channel.postMessage(number)
      })
      if (isTaken && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, ANSWER_MS))
    } while (isTaken && !signal.aborted && performance.now() < until)
    if (isTaken || signal.aborted) {
      channel.close()
      throw this.refusal()
    }
    channel.onmessage = ({ data }) => { if (data !== 'held') channel.postMessage('held') }
    this.#letGo = () => channel.close()
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
