// Serves one client in another thread, on the side of the engine (host.js).
//
//   to the session   { open: { storage, options } }, then messages of requests (messages.js), and
//                    { property, number }
//   to the client    { opened: true } or { failed }, then messages of answers, { event, info } and
//                    { recovered }
//
// Requests start in the order in which they were made, so a snapshot or an iterator sees the state
// of that moment. They may end in another order.
import { describe } from './failure.js'
import { Inbox, Outbox } from './messages.js'
import { VERBS } from './verbs.js'

/**
 * The maximum number of pending requests of all sessions, and of their bytes; the engine would refuse more. Further
 * requests start when others have ended.
 */
const WAITING_MAX = 4096
const WAITING_BYTES_MAX = 8 << 20

/** What frees an object, by the verb that makes it. @type {Record<string, string>} */
const FREES = { snapshot: 'releaseSnapshot', iterator: 'closeIterator', exportStart: 'exportEnd', watch: 'closeWatch' }

/** A snapshot or an iterator. */
class Handle {
  /** The engine's method that frees it. */
  free = ''
  /** The engine's number. @type {number | undefined} */
  id
  /** Why it could not be created, or can no longer be used. @type {unknown} */
  error
  /** The pending request. @type {Promise<void> | undefined} */
  busy
}

const closedHandle = new Handle()
closedHandle.error = Object.assign(new Error('the iterator or snapshot was closed'), { code: 'invalid-argument' })

export class Session {
  #port
  #host
  #out
  /** @type {Map<number, Handle>} */
  #handles = new Map()
  /** Messages with requests that have not started. @type {Inbox[]} */
  #inboxes = []
  /** Whether the first message is positioned at a request that has to wait. */
  #held = false
  /** Whether background work or other tasks have the turn. */
  #paused = false
  #answered = 0
  /** Pending requests, and their bytes. @type {Set<Promise<void>>} */
  #waiting = new Set()
  #waitingBytes = 0
  /** Requests that may wait for ever. */
  #watching = 0
  #wrote = false
  #stopped = false

  /**
   * any: verbs.js defines the type for each call
   * @param {{ post(message: any, transfer?: any[]): void,
   *           listen(receive: (message: any) => void): void,
   *           answerSync?(answer: object): void }} port
   * @param {import('./host.js').Host} host
   */
  constructor(port, host) {
    this.#port = port
    this.#host = host
    host.sessions++
    this.#out = new Outbox((message, transfer) => port.post(message, transfer))
    port.listen((message) => this.#receive(message))
  }

  /** @param {any} message any: verbs.js defines the type for each call */
  #receive(message) {
    if (message instanceof ArrayBuffer || Array.isArray(message)) {
      this.#inboxes.push(new Inbox(message))
      this.#work()
    } else if (message.open !== undefined) {
      this.#open(message.open)
    } else if (message.property !== undefined) {
      this.#property(message)
    }
  }

  /** @param {{ storage: any, options: any }} place any: a Storage, or a description of one */
  async #open(place) {
    try {
      await this.#host.open(place, (info) => this.recovered(info))
      this.#port.post({ opened: this.#host.place })
    } catch (error) {
      this.#port.post({ failed: describe(error) })
    }
  }

  /** @param {{ cause: unknown, duration: number }} info */
  recovered({ cause, duration }) {
    this.#port.post({ recovered: { cause: describe(cause), duration } })
  }

  /**
   * Answers a client that is blocked until then.
   * @param {{ property: string, number: number }} question
   */
  #property({ property, number }) {
    try {
      this.#port.answerSync?.({ number, value: this.#host.engine.property(property) })
    } catch (error) {
      this.#port.answerSync?.({ number, failed: describe(error) })
    }
  }

  /**
   * Begins no further requests; resolves when those that have begun have been answered, and their
   * answers posted.
   */
  async stop() {
    this.#stopped = true
    await Promise.all(this.#waiting)
    this.#out.flush()
  }

  /** Stops, and frees the client's iterators and snapshots. */
  async release() {
    await this.stop()
    this.#host.engine.listen(undefined, this)
    for (const { id, free } of this.#handles.values()) {
      if (id === undefined) continue
      try {
        this.#host.engine[free](id)
      } catch {
        // A failed engine has freed it.
      }
    }
    this.#handles.clear()
    this.#host.sessions--
  }

  /** Tells the client. @param {object} message */
  tell(message) {
    this.#port.post(message)
  }

  // ---- Scheduling ----

  /** Starts all requests that can start. The answers available then share one message. */
  #work() {
    while (this.#inboxes.length > 0 && !this.#paused && !this.#stopped) {
      const inbox = this.#inboxes[0]
      this.#held ||= inbox.next()
      if (!this.#held) {
        this.#inboxes.shift()
        this.#giveTurns()
        continue
      }
      if (!this.#hasRoom(inbox.entrySize)) break
      this.#held = false
      this.#begin(inbox)
    }
    // A wait that a write ends is answered in the same message, after microtasks.
    if (this.#watching === 0) this.#out.flush()
  }

  /** @param {number} size */
  #hasRoom(size) {
    const { sessions } = this.#host
    return this.#waiting.size === 0 || (this.#waiting.size < WAITING_MAX / sessions && this.#waitingBytes + size <= WAITING_BYTES_MAX / sessions)
  }

  /** Gives background work its share of the thread, as for an engine without a worker. */
  #giveTurns() {
    const turn = this.#wrote ? this.#host.turns.wrote() : this.#host.turns.counted()
    this.#wrote = false
    if (turn === undefined) return
    this.#paused = true
    turn.then(() => {
      this.#paused = false
      this.#work()
    })
  }

  // ---- Requests ----

  /** @param {Inbox} inbox at a request */
  #begin(inbox) {
    const verb = VERBS[inbox.u8()]
    if (verb.makes) return this.#make(verb, inbox)
    const number = verb.answer === null ? undefined : this.#answered++ >>> 0
    const { entrySize } = inbox
    this.#wrote ||= verb.writes
    let handle
    try {
      const args = verb.args.map((codec) => codec.read(inbox, this))
      if (verb.of) handle = args[0]
      const late = args.some((arg) => arg instanceof Promise)
      const call = () => this.#endsAlone(verb, args, inbox) ? this.#callNow(verb, args) : this.#call(verb, args)
      const result = late ? Promise.all(args).then((known) => this.#call(verb, known)) : call()
      if (verb.waits) this.#watch(result, verb, number, handle)
      else if (result instanceof Promise) this.#wait(result, entrySize, verb, number, handle)
      else this.#answer(verb, number, result)
    } catch (error) {
      this.#fail(number, handle, error)
    }
  }

  /** @param {import('./verbs.js').Verb} verb @param {Inbox} inbox */
  #make(verb, inbox) {
    const handle = new Handle()
    handle.free = FREES[verb.name]
    this.#handles.set(inbox.u32(), handle)
    try {
      handle.id = this.#host.engine[verb.method](...verb.args.map((/** @type {any} any: verbs.js defines the type for each call */ codec) => codec.read(inbox, this)))
    } catch (error) {
      handle.error = error
    }
  }

  /** @param {boolean} wanted */
  #listen(wanted) {
    this.#host.engine.listen(wanted ? (/** @type {string} */ event, /** @type {object} */ info) => this.#port.post({ event, info }) : undefined, this)
  }

  /**
   * @param {import('./verbs.js').Verb} verb
   * @param {any[]} args any: verbs.js defines the type for each call
   */
  #call(verb, args) {
    if (verb.name === 'close') return this.#host.close([...this.#waiting])
    if (verb.name === 'listen') return this.#listen(args[0])
    if (!verb.of) return this.#host.engine[verb.method](...args)
    const [handle, ...rest] = args
    const act = () => {
      if (handle.error !== undefined && !verb.frees) throw handle.error
      if (handle.id !== undefined) return this.#host.engine[verb.method](handle.id, ...rest)
    }
    const result = handle.busy === undefined ? act() : handle.busy.then(act)
    if (result instanceof Promise && !verb.waits) this.#occupy(handle, result)
    return result
  }

  /**
   * Returns true for a durable write that is the only pending request: no other write could share
   * its flush, and no other request waits for it.
   * @param {any} verb any: as #call
   * @param {any[]} args any: of every verb
   * @param {Inbox} inbox
   */
  #endsAlone(verb, args, inbox) {
    return verb.inPlace !== undefined && args.at(-1) && inbox.isLast && this.#inboxes.length === 1 && this.#waiting.size === 0
  }

  /**
   * Flushes on this thread, which is faster than a round trip to another thread.
   * @param {any} verb any: as #call
   * @param {any[]} args any: of every verb
   */
  #callNow(verb, args) {
    try {
      return this.#host.engine[verb.inPlace](...args)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      // Nothing was written in these cases.
      if (error?.code !== 'busy' && error?.code !== 'not-supported') throw error
      return this.#call(verb, args)
    }
  }

  /**
   * @param {any} handle
   * @param {Promise<any>} promise any: verbs.js defines the type for each call
   */
  #occupy(handle, promise) {
    const ended = () => { if (handle.busy === busy) handle.busy = undefined }
    const busy = handle.busy = promise.then(ended, ended)
  }

  /**
   * @param {any} result any: verbs.js defines the type for each call
   * @param {number} size
   * @param {import('./verbs.js').Verb} verb
   * @param {any} number
   * @param {number} handle
   */
  #wait(result, size, verb, number, handle) {
    const settle = result.then(
      (/** @type {any} any: verbs.js defines the type for each call */ value) => this.#answer(verb, number, value),
      (/** @type {any} any: whatever was thrown */ error) => this.#fail(number, handle, error)
    )
    const ended = settle.then(() => {
      this.#waiting.delete(ended)
      this.#waitingBytes -= size
      if (verb.writes) this.#host.turns.wrote()
      if (this.#held) this.#work()
    })
    this.#waiting.add(ended)
    this.#waitingBytes += size
  }

  /**
   * @param {any} result any: as #wait
   * @param {import('./verbs.js').Verb} verb
   * @param {any} number
   * @param {any} handle
   */
  #watch(result, verb, number, handle) {
    this.#watching++
    // A session that has ended posts nothing.
    const ended = (/** @type {() => void} */ answer) => {
      this.#watching--
      if (!this.#stopped) answer()
    }
    Promise.resolve(result).then(
      (value) => ended(() => this.#answer(verb, number, value)),
      (error) => ended(() => this.#fail(number, handle, error))
    )
  }

  // ---- Answers ----

  /**
   * @param {any} verb
   * @param {any} number
   * @param {any} result any: verbs.js defines the type for each call
   */
  #answer(verb, number, result) {
    if (number === undefined) return
    const out = this.#out
    out.begin()
    try {
      out.u32(number)
      out.u8(1)
      verb.answer.write(out, result)
    } catch (error) {
      out.cancel()
      return this.#fail(number, undefined, error)
    }
    out.end()
  }

  /** @param {any} number @param {any} handle @param {any} error any: whatever was thrown */
  #fail(number, handle, error) {
    if (number === undefined) {
      if (handle !== undefined) handle.error = error
      return
    }
    const out = this.#out
    out.begin()
    out.u32(number)
    out.u8(0)
    out.extra(describe(error))
    out.end()
  }

  // ---- For verbs.js ----

  /**
   * Returns the object with this id; with `frees`, forgets it.
   * @param {number} number
   * @param {boolean} frees
   */
  handle(number, frees) {
    const handle = this.#handles.get(number)
    if (frees) this.#handles.delete(number)
    return handle ?? closedHandle
  }

  /** The engine's number of a snapshot. @param {number} number */
  idOf(number) {
    const { id, error } = this.handle(number, false)
    if (error !== undefined) throw error
    return id
  }

  /** @param {any} recipe any: a Storage, or a description of one */
  storageOf(recipe) {
    return this.#host.storageOf(recipe)
  }
}
