// The worker that has the files of a database open, as other tabs see it: each of them is a guest,
// with a session and a channel of its own.
import { Session } from '../remote/session.js'
import { whenGone } from './alive.js'
import { PROTOCOL } from './protocol.js'

/** @typedef {import('../remote/host.js').Place} Place */

/** @typedef {{ session: Session, channel: BroadcastChannel, forget(): void, end(): Promise<void> }} Guest */

/**
 * any: the engine's info, and messages
 * @typedef {object} Choices
 * @property {string} name
 * @property {string} id
 * @property {Place} place
 * @property {boolean} isExclusive whether guests are refused
 * @property {boolean} isReadOnly whether the files cannot be written by this owner
 * @property {() => void} letGo shows that this owner has ended
 * @property {(() => void) | undefined} yieldTo called when a guest wants to write, and this owner
 *   cannot; undefined: it is refused
 * @property {(event: string, info: object) => void} tell tells the owner's own page
 */

/** Enough for messages to arrive, in ms. */
const LATER_MS = 1000

export class Owner {
  #host
  #choices
  #channel
  /** @type {Map<string, Guest>} */
  #guests = new Map()
  #isStopped = false
  /** The protocol of a tab that waits. @type {number | undefined} */
  #foreign

  /** @param {import('../remote/host.js').Host} host whose engine is open @param {Choices} choices */
  constructor(host, choices) {
    this.#host = host
    this.#choices = choices
    this.#channel = new BroadcastChannel(choices.name)
    this.#channel.onmessage = ({ data }) => { if (data?.hello !== undefined) this.#hear(data) }
    host.serve(this)
    this.#announce()
  }

  /** @param {{ cause: unknown, duration: number }} info */
  recovered(info) {
    for (const { session } of this.#guests.values()) session.recovered(info)
  }

  // ---- For host.js: before, and after, the engine is closed ----

  /** Resolves when all requests that have begun have been answered; no other begins. */
  async stop() {
    this.#isStopped = true
    await Promise.all([...this.#guests.values()].map(({ session }) => session.stop()))
  }

  /** Guests send to the next owner what was not answered. */
  gone() {
    for (const { session, channel, forget } of this.#guests.values()) {
      forget()
      session.tell({ left: true })
      channel.close()
    }
    this.#guests.clear()
    this.#channel.close()
    // After the messages before, which take another way.
    setTimeout(this.#choices.letGo, LATER_MS)
  }

  // ---- Guests ----

  #announce() {
    this.#channel.postMessage({ owner: this.#choices.id, protocol: PROTOCOL })
  }

  /** @param {{ hello: string, after?: string, client: string, member: string, protocol: number, readOnly: boolean, storage: string }} message */
  #hear({ hello, after, client, member, protocol, readOnly, storage }) {
    const { id, place, isExclusive, isReadOnly, yieldTo } = this.#choices
    // The page of this owner, which has a shorter way.
    if (member === id || this.#isStopped) return
    if (protocol !== PROTOCOL) return this.#meet(protocol)
    if (isExclusive) return this.#refuse(hello, 'it is open with multiTab: false')
    if (storage !== 'auto' && storage !== place.storage) return this.#refuse(hello, `it is in ${place.storage}`)
    if (isReadOnly && !readOnly) return yieldTo === undefined ? this.#refuse(hello, 'it is open with readOnly: true') : yieldTo()
    // Who comes now may have closed and opened the database because of that.
    if (this.#host.engine.hasEnded) return yieldTo === undefined ? this.#refuse(hello, 'its engine has failed') : yieldTo()
    this.#admit(hello, after, client)
  }

  /**
   * @param {string} name of the session
   * @param {string | undefined} before the client's session before: none of its writes may come later
   * @param {string} client
   */
  async #admit(name, before, client) {
    const { id, place } = this.#choices
    const known = this.#guests.get(name)
    if (known !== undefined) return known.session.tell({ joined: id, place })
    if (before !== undefined) await this.#guests.get(before)?.end()
    if (this.#isStopped || this.#guests.has(name)) return
    const channel = new BroadcastChannel(name)
    let isOpen = true
    const end = () => {
      isOpen = false
      forget()
      channel.close()
      this.#guests.delete(name)
      return session.release()
    }
    const session = new Session({
      post: (message) => { if (isOpen) channel.postMessage(message) },
      listen: (receive) => { channel.onmessage = ({ data }) => receive(data) }
    }, this.#host.forGuest())
    // Requests are counted: after one that cannot be read, the others mean nothing.
    channel.onmessageerror = () => {
      session.tell({ lost: true })
      end()
    }
    const forget = whenGone(client, end)
    this.#guests.set(name, { session, channel, forget, end })
    session.tell({ joined: id, place })
    if (this.#foreign !== undefined) session.tell({ tab: 'versionchange', info: { protocol: this.#foreign } })
  }

  /** @param {string} name of the session @param {string} refused the reason */
  #refuse(name, refused) {
    const channel = new BroadcastChannel(name)
    channel.postMessage({ refused })
    channel.close()
  }

  /** A tab of another protocol waits. @param {number} protocol */
  #meet(protocol) {
    this.#foreign = protocol
    this.#announce()
    this.#choices.tell('versionchange', { protocol })
    for (const { session } of this.#guests.values()) session.tell({ tab: 'versionchange', info: { protocol } })
  }
}
