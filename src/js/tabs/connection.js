// The way of a page to the engine of a database that tabs share: to its own worker, if that has the
// files open, else to the tab that has (protocol.js). It changes when the owner changes: calls that
// were not begun go to the next owner, and all others settle.
import { revive } from '../remote/failure.js'
import { Inbox } from '../remote/messages.js'
import { Requests, snapshotOf } from '../remote/requests.js'
import { VERBS } from '../remote/verbs.js'
import { stayAlive, whenGone } from './alive.js'
import { PROTOCOL, newId } from './protocol.js'
import { Unanswered } from './unanswered.js'
import { onVisit } from './visit.js'

const LISTEN = /** @type {import('../remote/verbs.js').Verb} */ (VERBS.find(({ name }) => name === 'listen'))

/** Calls that end with their owner, though they only read. */
const NOT_REPEATED = ['checkpoint', 'close']

/** Codes of a worker that could not be started. */
const NOT_STARTED = ['not-supported', 'LEVEL_ENGINE_UNAVAILABLE']

/** After this many failures of the own worker in this many ms, the connection ends. */
const FAILURES_MAX = 3
const FAILURES_MS = 60_000

/** @param {string} message @param {string} code @param {object} [details] */
const failure = (message, code, details) => Object.assign(new Error(message), { code }, details)

/**
 * any: messages are defined elsewhere
 * @typedef {{ post(message: any): void, close(): void }} Way
 */

/**
 * any: as startThread in #thread
 * @typedef {(to: { receive(message: any): void, ended(cause: unknown): void }, needsFull: boolean) => { post(message: any, transfer: any[]): void, end(): void }} StartMember
 */

/**
 * @typedef {object} Listeners
 * @property {(info: { cause: unknown, duration: number }) => void} onRecovered
 * @property {(event: string, info: object) => void} onTab `blocked` and `versionchange`
 */

export class TabConnection {
  #storage
  #options
  #listeners
  #start
  #requests = new Requests((message) => this.#post(message))
  #unanswered = new Unanswered()
  /** The number of requests in messages. */
  #posted = 0
  /** To the owner; null while there is none. @type {Way | null} */
  #way = null
  #stopWatching = () => {}

  /** What ends this visit: everything below is made anew when the page comes back. */
  #visit = { isOver: true }
  #thread = /** @type {ReturnType<StartMember> | null} */ (null)
  /** The id of the own worker, and whether it has the full module. */
  #member = ''
  #needsFull = false
  #channel = /** @type {BroadcastChannel | null} */ (null)
  /** Of the session that was asked for, or is used. */
  #session = /** @type {{ name: string, channel: BroadcastChannel } | null} */ (null)
  /** The session before, which must end first. @type {string | undefined} */
  #before
  /** The lock that shows that this client lives. */
  #client = /** @type {{ id: string, letGo(): void } | null} */ (null)
  /** When the own worker failed. @type {number[]} */
  #failures = []
  #isBlocked = false
  /** The last owner with another protocol. @type {string | undefined} */
  #foreign
  /** Where the database is, once that is known. @type {import('./owner.js').Place} */
  place = {}
  /** Whether the end of the owner is expected. */
  #isClosing = false

  /** The last id of an iterator or snapshot: made, sent to the owner, and lost with an owner. */
  #made = 0
  #sent = 0
  #lost = 0
  /** Later ids, of iterators on a lost snapshot. @type {Set<number>} */
  #lostIds = new Set()
  /** any: whatever was thrown @type {{ resolve(): void, reject(error: any): void } | null} */
  #opening = null
  #hasOpened = false
  #end = /** @type {{ failure: any } | null} any: whatever was thrown */ (null)
  /** @type {((name: string, info: object) => void) | undefined} */
  #listener
  #stopVisits

  /**
   * Resolves when there is an owner.
   * @param {any} storage any: describes the files to a worker
   * @param {any} options any: the engine's, and `multiTab`
   * @param {Listeners} listeners
   * @param {StartMember} start starts the own worker (worker.js)
   */
  static async open(storage, options, listeners, start) {
    const connection = new TabConnection(storage, options, listeners, start)
    try {
      await new Promise((/** @type {(value?: any) => void} any: nothing */ resolve, reject) => {
        connection.#opening = { resolve, reject }
        connection.#begin()
      })
      return connection
    } catch (error) {
      await connection.end()
      throw error
    }
  }

  /**
   * Called only by `open`.
   * @param {any} storage any: as open()
   * @param {any} options any: as open()
   * @param {Listeners} listeners
   * @param {StartMember} start
   */
  constructor(storage, options, listeners, start) {
    this.#start = start
    this.#storage = storage
    this.#options = options
    this.#listeners = listeners
    this.#stopVisits = onVisit(() => this.#suspend(), () => this.#begin())
  }

  // ---- For WorkerEngine ----

  get isAlive() {
    return this.#end === null
  }

  /**
   * @param {import('../remote/verbs.js').Verb} verb
   * @param {any[]} args any: verbs.js defines the type for each call
   * @returns {Promise<any>}
   */
  ask(verb, args) {
    if (this.#end !== null) return Promise.reject(this.#end.failure)
    if (this.#isLost(verb, args)) return Promise.reject(lostHandle())
    // The owner may be one that writes.
    if (verb.writes && this.#options.readOnly) return Promise.reject(failure('the database is open read-only', 'not-supported'))
    // Nothing is open, and nothing waits.
    if (verb.name === 'close' && this.#way === null && (this.#requests.kept === 0 || this.#isBlocked)) return Promise.resolve()
    const answer = this.#requests.ask(verb, args)
    if (this.#isStranded) this.#startMember()
    if (verb.name === 'close') {
      this.#isClosing = true
      answer.catch(() => { this.#isClosing = false })
    }
    return answer
  }

  /**
   * @param {import('../remote/verbs.js').Verb} verb
   * @param {any[]} args any: verbs.js defines the type for each call
   */
  tell(verb, args) {
    const isLost = this.#isLost(verb, args)
    if (verb.frees) this.#lostIds.delete(args[0])
    if (this.#end === null && !isLost) this.#requests.pack(verb, args)
  }

  /**
   * @param {import('../remote/verbs.js').Verb} verb
   * @param {((name: string, info: object) => void) | undefined} tell
   */
  listen(verb, tell) {
    this.#listener = tell
    this.tell(verb, [tell !== undefined])
  }

  /**
   * @param {import('../remote/verbs.js').Verb} verb
   * @param {number} handle
   * @param {any[]} args any: verbs.js defines the type for each call
   */
  make(verb, handle, args) {
    if (this.#end !== null) throw this.#end.failure
    this.#made = handle
    if (this.#isLost(verb, args)) this.#lostIds.add(handle)
    else this.#requests.pack(verb, args, handle)
  }

  property() {
    throw failure('getProperty() is not supported in a page: use info()', 'not-supported')
  }

  /** Whether the own worker has the files open. */
  get isOwner() {
    return this.#way !== null && this.#session === null
  }

  /**
   * Lets the own worker go on without this connection, which hears no more than its events.
   */
  detach() {
    this.#stopVisits()
    this.#stopWatching()
    this.#channel?.close()
    this.#client?.letGo()
    // Also if it is not there yet.
    this.#visit.isOver = true
  }

  /** Leaves; rejects pending requests. */
  async end() {
    this.#fail(failure('The database was closed', 'closed'))
  }

  // ---- Requests ----

  /**
   * Whether it uses an iterator or a snapshot of an earlier owner.
   * @param {import('../remote/verbs.js').Verb} verb
   * @param {any[]} args any: verbs.js defines the type for each call
   */
  #isLost(verb, args) {
    const isLost = (/** @type {number} */ id) => id <= this.#lost || this.#lostIds.has(id)
    return isLost(verb.of ? args[0] : snapshotOf(verb, args) ?? Infinity)
  }

  /** @param {any} message any: see Outbox */
  #post(message) {
    const first = this.#posted
    this.#posted = this.#requests.next
    this.#unanswered.add(message, first, this.#posted, this.#way !== null)
    if (this.#way === null) return
    this.#sent = this.#made
    this.#way.post(message)
  }

  // ---- The visit: from the page's opening to its end, or to the back/forward cache ----

  #begin() {
    if (this.#end !== null || !this.#visit.isOver) return
    const visit = this.#visit = { isOver: false }
    this.#startMember()
    if (visit.isOver) return
    const { lockName } = this.#storage
    this.#channel = new BroadcastChannel(lockName)
    this.#channel.onmessage = ({ data }) => this.#hear(data)
    const id = newId(lockName)
    stayAlive(id).then((letGo) => {
      if (visit.isOver) return letGo()
      this.#client = { id, letGo }
      this.#hello()
    }, (cause) => { if (!visit.isOver) this.#fail(failure('The database cannot be shared between tabs: there are no locks', 'io', { cause })) })
  }

  #suspend() {
    if (this.#visit.isOver) return
    this.#visit.isOver = true
    if (this.#way !== null) this.#leaveOwner(false)
    this.#endMember()
    this.#channel?.close()
    this.#channel = null
    this.#session?.channel.close()
    this.#session = null
    this.#client?.letGo()
    this.#client = null
  }

  // ---- The own worker, which waits to be the owner ----

  #startMember() {
    const { lockName, inWorker } = this.#storage
    const storage = this.place.storage ?? inWorker.storage
    const { multiTab, ...options } = this.#options
    const id = this.#member = newId(lockName)
    this.#needsFull = storage === 'indexeddb'
    const existing = this.#hasOpened ? { createIfMissing: false, errorIfExists: false } : {}
    const mine = (/** @type {(value: any) => void} any: as startThread */ act) => (/** @type {any} any: as startThread */ value) => { if (this.#member === id) act(value) }
    const ended = (/** @type {any} any: whatever was thrown */ cause) => this.#memberFailed(NOT_STARTED.includes(cause?.code) ? cause : failure('The worker of the database has ended', 'poisoned', { cause }))
    try {
      this.#thread = this.#start({ receive: mine((message) => this.#fromMember(message)), ended: mine(ended) }, this.#needsFull)
    } catch (/** @type {any} any: whatever was thrown */ cause) {
      return ended(cause)
    }
    this.#thread.post({ member: { named: inWorker.named, storage, why: this.place.why, options: { ...options, ...existing }, id, isExclusive: multiTab === false } }, [])
  }

  /** @param {any} message any: see worker.js */
  #fromMember(message) {
    if (message.opened) {
      // The owner before has lost its files, whether or not that is known here.
      if (this.#way !== null) this.#leaveOwner(false)
      this.place = message.opened
      this.#use({ post: (each) => this.#thread?.post(each, []), close() {} }, this.#member)
    } else if (message.needsFull) {
      this.#endMember()
      if (this.#needsFull) return this.#fail(failure('The worker with the full module has another', 'not-supported'))
      this.place = { ...this.place, ...message.needsFull }
      this.#startMember()
    } else if (message.failed !== undefined) {
      this.#memberFailed(revive(message.failed))
    } else {
      this.#receive(message)
    }
  }

  /** @param {any} error any: whatever was thrown */
  #memberFailed(error) {
    const { isOwner } = this
    this.#endMember()
    if (isOwner) return this.#ownerIsGone(false, error)
    // Another tab has the database open: this one cannot succeed it, but work with it.
    if (this.#way !== null) return
    if (this.#hasOpened && error?.code === 'LEVEL_ENGINE_UNAVAILABLE') this.#strand(error)
    else this.#fail(error)
  }

  /** Whether there is neither an owner nor an own worker that waits to be one. */
  get #isStranded() {
    return this.#hasOpened && this.#way === null && this.#thread === null && !this.#visit.isOver && this.#end === null
  }

  /**
   * Fails all requests: the own worker cannot succeed the owner, as its script or the engine could not be
   * loaded. The next request tries again, and another tab may become the owner.
   * @param {any} error any: whatever was thrown
   */
  #strand(error) {
    this.#requests.flush()
    this.#requests.rejectAll(() => error)
    this.#unanswered = new Unanswered()
    this.#requests.restart([])
    this.#posted = 0
    this.#lost = this.#made
  }

  #endMember() {
    this.#thread?.end()
    this.#thread = null
    this.#member = ''
  }

  // ---- The owner ----

  /** @param {any} message any: see protocol.js */
  #hear({ owner, protocol }) {
    if (owner === undefined || owner === this.#member || this.#way !== null) return
    if (protocol === PROTOCOL) return this.#hello()
    // So that this owner tells its tabs.
    if (owner !== this.#foreign) {
      this.#foreign = owner
      this.#hello()
    }
    if (this.#isBlocked) return
    this.#isBlocked = true
    this.#listeners.onTab('blocked', { protocol })
  }

  /** Asks for a session; the owner, if there is one, answers. */
  #hello() {
    if (this.#client === null || this.#channel === null || this.#way !== null || this.#options.multiTab === false) return
    const name = this.#session?.name ?? this.#openSession()
    this.#channel.postMessage({ hello: name, after: this.#before, client: this.#client.id, member: this.#member, protocol: PROTOCOL, readOnly: this.#options.readOnly === true, storage: this.#storage.inWorker.storage })
  }

  #openSession() {
    const name = newId(this.#storage.lockName)
    const channel = new BroadcastChannel(name)
    channel.onmessage = ({ data }) => { if (this.#session?.channel === channel) this.#fromOwner(data, channel) }
    // Answers are counted: after one that cannot be read, the others mean nothing.
    channel.onmessageerror = () => { if (this.#session?.channel === channel) this.#ownerIsGone(false) }
    this.#session = { name, channel }
    return name
  }

  /** @param {any} message any: see protocol.js @param {BroadcastChannel} channel */
  #fromOwner(message, channel) {
    if (message.joined !== undefined) {
      if (this.#way === null) this.#join(message.joined, message.place, channel)
    } else if (message.refused !== undefined) {
      this.#fail(failure(`The database is open in another page or worker: ${message.refused}`, 'locked'))
    } else {
      this.#receive(message)
    }
  }

  /** @param {string} owner @param {import('./owner.js').Place} place @param {BroadcastChannel} channel */
  #join(owner, place, channel) {
    if (!this.#hasOpened && this.#options.errorIfExists) {
      return this.#fail(failure('the database exists already (error_if_exists is set)', 'invalid-argument'))
    }
    this.place = place
    this.#thread?.post({ joined: true }, [])
    this.#use({ post: (message) => channel.postMessage(message), close: () => channel.close() }, owner)
  }

  /** @param {Way} way @param {string} owner */
  #use(way, owner) {
    if (owner === this.#member) {
      this.#session?.channel.close()
      this.#session = null
    }
    this.#way = way
    this.#isBlocked = false
    this.#hasOpened = true
    this.#stopWatching = whenGone(owner, () => this.#ownerIsGone(false))
    this.#sent = this.#made
    this.#unanswered.send((message) => way.post(message))
    if (this.#listener !== undefined) this.#requests.pack(LISTEN, [true])
    this.#opening?.resolve()
    this.#opening = null
  }

  /** @param {any} message any: see session.js */
  #receive(message) {
    if (message instanceof ArrayBuffer || Array.isArray(message)) {
      if (this.#way !== null) this.#settle(new Inbox(message))
    } else if (message.event !== undefined) {
      this.#listener?.(message.event, message.info)
    } else if (message.recovered !== undefined) {
      this.#listeners.onRecovered({ ...message.recovered, cause: revive(message.recovered.cause) })
    } else if (message.tab !== undefined) {
      this.#listeners.onTab(message.tab, message.info)
    } else if (message.left) {
      this.#ownerIsGone(true)
    } else if (message.lost) {
      this.#ownerIsGone(false)
    }
  }

  /** @param {Inbox} inbox */
  #settle(inbox) {
    if (!this.#requests.settle(inbox, (number) => this.#unanswered.answered(number))) this.#ownerIsGone(false)
  }

  /**
   * @param {boolean} hasAnswered whether the owner has answered all that it had begun
   * @param {unknown} [cause]
   */
  #ownerIsGone(hasAnswered, cause) {
    if (this.#way === null) return
    const wasOwn = this.isOwner
    this.#leaveOwner(hasAnswered, cause)
    if (this.#end !== null || this.#isClosing) return
    if (wasOwn) {
      this.#endMember()
      const now = performance.now()
      if (!hasAnswered) this.#failures = [...this.#failures.filter((time) => now - time < FAILURES_MS), now]
      if (!hasAnswered && this.#failures.length > FAILURES_MAX) return this.#fail(failure('The worker of the database fails again and again', 'poisoned', { cause }))
    }
    if (this.#thread === null) this.#startMember()
    this.#hello()
  }

  /** @param {boolean} hasAnswered see #ownerIsGone @param {unknown} [cause] */
  #leaveOwner(hasAnswered, cause) {
    this.#stopWatching()
    this.#way?.close()
    this.#way = null
    if (this.#session !== null) {
      this.#before = this.#session.name
      this.#session.channel.close()
      this.#session = null
    }
    this.#requests.flush()
    this.#lost = this.#sent
    this.#posted = 0
    this.#unanswered.restart(this.#requests, (waiter) => this.#isRepeated(waiter, hasAnswered, cause))
    this.#posted = this.#requests.next
  }

  /**
   * Whether a request goes to the next owner; if not, settles it.
   * @param {import('../remote/requests.js').Waiter} waiter
   * @param {boolean} hasAnswered see #ownerIsGone
   * @param {unknown} cause
   */
  #isRepeated({ verb, holds, resolve, reject }, hasAnswered, cause) {
    if (verb.name === 'close') resolve(undefined)
    else if (holds) reject(lostHandle())
    else if (verb.writes && !hasAnswered) reject(failure('The worker that had the database open has ended: the write may have been applied', 'fenced', { maybeApplied: true, cause }))
    else if (NOT_REPEATED.includes(verb.name)) reject(failure('The worker that had the database open has ended', 'fenced', { cause }))
    else return true
    return false
  }

  /** @param {any} failed any: whatever was thrown */
  #fail(failed) {
    if (this.#end !== null) return
    this.#end = { failure: failed }
    this.#stopVisits()
    this.#suspend()
    this.#opening?.reject(failed)
    this.#opening = null
    this.#requests.rejectAll(() => failed)
  }
}

const lostHandle = () => failure('Another page or worker has the database open now: iterators and snapshots have ended', 'fenced')
