// The requests of a client: packs them into messages, and settles their promises with the answers.
//
// Requests carry no numbers: both sides count those that have an answer.
import { revive } from './failure.js'
import { Outbox } from './messages.js'

/**
 * A pending request. `holds`: it uses an iterator or a snapshot.
 * any: results have many types, and anything may be thrown.
 * @typedef {{ verb: import('./verbs.js').Verb, holds: boolean, resolve(value: any): void,
 *             reject(error: any): void }} Waiter
 */

export class Requests {
  #out
  #asked = 0
  /** @type {Map<number, Waiter>} */
  #waiting = new Map()
  /** How many of them may wait for ever. */
  #watching = 0

  /** @param {(message: any, transfer: ArrayBuffer[]) => void} post any: see Outbox */
  constructor(post) {
    this.#out = new Outbox(post)
  }

  /** The number of pending requests. */
  get count() {
    return this.#waiting.size
  }

  /** The number of those whose answer will come. */
  get kept() {
    return this.#waiting.size - this.#watching
  }

  /** The number of the next request that has an answer. */
  get next() {
    return this.#asked
  }

  /** Pending requests by number. @returns {ReadonlyMap<number, Waiter>} */
  get waiting() {
    return this.#waiting
  }

  /**
   * @param {import('./verbs.js').Verb} verb
   * @param {any[]} args any: verbs.js defines the type for each call
   * @returns {Promise<any>}
   */
  ask(verb, args) {
    return new Promise((resolve, reject) => {
      const number = this.#asked
      this.#waiting.set(number, { verb, holds: holds(verb, args), resolve, reject })
      // Before packing, which may post a message that is large enough.
      this.#asked = (number + 1) >>> 0
      if (verb.waits) this.#watching++
      try {
        this.pack(verb, args)
      } catch (error) {
        this.#asked = number
        this.#waiting.delete(number)
        if (verb.waits) this.#watching--
        throw error
      }
    })
  }

  /**
   * @param {import('./verbs.js').Verb} verb
   * @param {any[]} args any: verbs.js defines the type for each call
   * @param {number} [handle] the id of the object that the request creates
   */
  pack(verb, args, handle) {
    const out = this.#out
    out.begin()
    try {
      out.u8(verb.code)
      if (handle !== undefined) out.u32(handle)
      for (let i = 0; i < args.length; i++) verb.args[i].write(out, args[i])
    } catch (error) {
      out.cancel()
      throw error
    }
    out.end()
  }

  flush() {
    this.#out.flush()
  }

  /**
   * Returns false if an answer has no request, so that the other side counts otherwise.
   * @param {import('./messages.js').Inbox} inbox a message of answers
   * @param {(number: number) => void} [settled]
   */
  settle(inbox, settled) {
    while (inbox.next()) {
      const number = inbox.u32()
      const waiter = this.#waiting.get(number)
      if (waiter === undefined) return false
      const { verb, resolve, reject } = waiter
      this.#waiting.delete(number)
      if (verb.waits) this.#watching--
      settled?.(number)
      try {
        if (inbox.u8() === 1) resolve(/** @type {import('./verbs.js').Codec} */ (verb.answer).read(inbox))
        else reject(revive(inbox.extra()))
      } catch (error) {
        // Out of memory, for example.
        reject(error)
      }
    }
    return true
  }

  /** @param {(waiter: Waiter) => any} failure any: errors of any class */
  rejectAll(failure) {
    const waiters = [...this.#waiting.values()]
    this.#waiting.clear()
    this.#watching = 0
    for (const waiter of waiters) waiter.reject(failure(waiter))
  }

  /**
   * Starts again with another engine, which counts from 0: packs these requests once more.
   * @param {{ entry: Uint8Array, waiter: Waiter }[]} requests
   */
  restart(requests) {
    this.#waiting.clear()
    this.#watching = 0
    this.#asked = 0
    for (const { entry, waiter } of requests) {
      this.adopt([waiter])
      this.#out.begin()
      this.#out.raw(entry)
      this.#out.end()
    }
  }

  /** Numbers requests that are packed already. @param {Waiter[]} waiters */
  adopt(waiters) {
    for (const waiter of waiters) {
      this.#waiting.set(this.#asked++, waiter)
      if (waiter.verb.waits) this.#watching++
    }
  }
}

/**
 * @param {import('./verbs.js').Verb} verb
 * @param {any[]} args any: verbs.js defines the type for each call
 */
function holds(verb, args) {
  return verb.of || snapshotOf(verb, args) !== undefined
}

/**
 * The id of the snapshot that a request reads from, if any.
 * @param {import('./verbs.js').Verb} verb
 * @param {any[]} args any: verbs.js defines the type for each call
 * @returns {number | undefined}
 */
export function snapshotOf(verb, args) {
  return verb.name === 'iterator' ? args[0].snapshot : args[verb.snapshotAt]
}
