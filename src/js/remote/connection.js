// The caller's side of a worker: sends requests, receives replies, and settles every promise even
// if the worker dies.
import { startThread } from '#thread'
import { isFull } from '../engine/module.js'
import { NEEDS_FULL, revive } from './failure.js'
import { Inbox } from './messages.js'
import { Requests } from './requests.js'
import { recipeOf } from './verbs.js'

/**
 * Returns an error with the engine's code, which errors.js converts to LEVEL_POISONED.
 * @param {string} message
 * @param {unknown} cause
 * @param {boolean} maybeApplied
 */
function poisoned(message, cause, maybeApplied) {
  return Object.assign(new Error(message, { cause }), { code: 'poisoned', ...(maybeApplied ? { maybeApplied } : {}) })
}

/**
 * Whether a worker that opens this storage needs the full module.
 * @param {any} storage any: a Storage, or what describes one
 */
export const needsFull = (storage) => isFull() || storage?.kind === 'indexeddb'

/** Makes a worker of a page. @typedef {(needs: { full: boolean }) => Worker} MakeWorker */

/**
 * One worker with one engine.
 *
 * 1. While the worker lives, each request gets one reply.
 * 2. Once #end is set, the worker has ended or will end, and no request waits.
 */
export class Connection {
  #thread
  #requests
  #end = /** @type {{ cause: unknown } | null} */ (null)
  /** @type {{ resolve(): void, reject(error: any): void } | null} any: whatever was thrown */
  #opening = null
  /** @type {((name: string, info: object) => void) | undefined} */
  #listener
  #onRecovered
  /** @type {import('./host.js').Place} */
  place = {}

  /**
   * Starts a worker and opens an engine in it.
   * @param {object | null} storage
   * @param {object} options
   * @param {(info: { cause: unknown, duration: number }) => void} [onRecovered]
   * @param {MakeWorker} [makeWorker]
   * @param {boolean} [isFullNeeded] whether the worker needs the full module
   * @returns {Promise<Connection>}
   */
  static async open(storage, options, onRecovered, makeWorker, isFullNeeded = needsFull(storage)) {
    const connection = new Connection(onRecovered, isFullNeeded, makeWorker)
    try {
      await connection.#open({ storage: recipeOf(storage), options })
      return connection
    } catch (/** @type {any} any: whatever was thrown */ error) {
      await connection.end()
      if (error?.code === NEEDS_FULL && !isFullNeeded) return Connection.open(storage, options, onRecovered, makeWorker, true)
      throw error
    }
  }

  /**
   * Called only by `open`.
   * @param {((info: { cause: unknown, duration: number }) => void) | undefined} onRecovered
   * @param {boolean} isFull whether the worker has the full module
   * @param {MakeWorker | undefined} makeWorker
   */
  constructor(onRecovered, isFull, makeWorker) {
    this.#onRecovered = onRecovered
    this.#thread = startThread({
      receive: (message) => this.#receive(message),
      ended: (cause) => this.#ended(cause)
    }, isFull, makeWorker)
    this.#requests = new Requests((message, transfer) => this.#thread.post(message, transfer))
  }

  /** @param {any} place any: verbs.js defines the type for each call */
  #open(place) {
    return new Promise((/** @type {(value?: any) => void} any: verbs.js defines the type for each call */ resolve, reject) => {
      try {
        this.#thread.post({ open: place }, [])
      } catch (/** @type {any} any: whatever was thrown */ cause) {
        throw Object.assign(new Error(`The storage cannot be created in a worker: ${cause.message}`, { cause }), { code: 'invalid-argument' })
      }
      this.#opening = { resolve, reject }
    })
  }

  get isAlive() {
    return this.#end === null
  }

  /**
   * @param {import('./verbs.js').Verb} verb
   * @param {any[]} args any: verbs.js defines the type for each call
   * @returns {Promise<any>}
   */
  ask(verb, args) {
    if (this.#end !== null) return Promise.reject(this.#failure(false))
    const answer = this.#requests.ask(verb, args)
    // A pending request keeps the process alive; an open database, or a watch, does not.
    if (!verb.waits && this.#requests.kept === 1) this.#thread.ref()
    return answer
  }

  /**
   * Sends a request without a reply; does nothing if the worker has ended.
   * @param {import('./verbs.js').Verb} verb
   * @param {any[]} args any: verbs.js defines the type for each call
   */
  tell(verb, args) {
    if (this.#end === null) this.#requests.pack(verb, args)
  }

  /**
   * Passes the engine's events to `tell`; undefined turns them off.
   * @param {import('./verbs.js').Verb} verb
   * @param {((name: string, info: object) => void) | undefined} tell
   */
  listen(verb, tell) {
    this.#listener = tell
    this.tell(verb, [tell !== undefined])
  }

  /**
   * Sends a request that creates an object with the id `handle`.
   * @param {import('./verbs.js').Verb} verb
   * @param {number} handle
   * @param {any[]} args any: verbs.js defines the type for each call
   */
  make(verb, handle, args) {
    if (this.#end !== null) throw this.#failure(false)
    this.#requests.pack(verb, args, handle)
  }

  /**
   * Returns a property synchronously: blocks the thread until the worker replies.
   * @param {string} name
   */
  property(name) {
    if (this.#end !== null) throw this.#failure(false)
    this.#requests.flush()
    const { value, failed } = this.#thread.askSync({ property: name })
    if (failed !== undefined) throw revive(failed)
    return value
  }

  /** Ends the worker and rejects pending requests. Resolves when the worker has ended. */
  async end() {
    this.#ended(undefined)
    await this.#thread.end()
  }

  /** @param {any} message any: verbs.js defines the type for each call */
  #receive(message) {
    if (message instanceof ArrayBuffer || Array.isArray(message)) return this.#settle(new Inbox(message))
    if (message.event !== undefined) return this.#listener?.(message.event, message.info)
    if (message.recovered) return this.#onRecovered?.({ ...message.recovered, cause: revive(message.recovered.cause) })
    if (message.opened) {
      this.place = message.opened
      this.#opening?.resolve()
    } else this.#opening?.reject(revive(message.failed))
    this.#opening = null
    this.#thread.unref()
  }

  /** @param {Inbox} inbox */
  #settle(inbox) {
    // A message sent before the worker was ended.
    if (this.#end !== null) return
    this.#requests.settle(inbox)
    if (this.#requests.kept === 0) this.#thread.unref()
  }

  /** @param {unknown} cause */
  #ended(cause) {
    if (this.#end !== null) return
    this.#end = { cause }
    this.#opening?.reject(this.#failure(false))
    this.#requests.rejectAll(({ verb }) => this.#failure(verb.writes))
  }

  /** @param {boolean} maybeApplied */
  #failure(maybeApplied) {
    const cause = /** @type {any} any: whatever was thrown */ (this.#end?.cause)
    if (cause?.code === 'LEVEL_ENGINE_UNAVAILABLE') return cause
    return poisoned('The worker of the database has ended; close the database and open it again', cause, maybeApplied)
  }
}
