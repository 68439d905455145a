// The threads of a page's databases. Each database has a worker of its own, so that one that is busy or
// fails does not touch the others; beyond a number of them, databases share workers, since a process has
// address space for some hundred memories of WebAssembly only.
import { startThread } from '#thread'

/** Enough for a program that opens a database for each of a few things. */
const WORKERS_MAX = 64

/**
 * any: as startThread in #thread
 * @typedef {{ receive(message: any): void, ended(cause: unknown): void }} User
 * @typedef {{ post(message: any, transfer: any[]): void, end(): void }} Thread
 */

/** Those that run. @type {Set<PageWorker>} */
const workers = new Set()

/**
 * Starts a worker for a database, or shares one that runs.
 * @param {User} user
 * @param {boolean} isFull whether it needs the full module
 * @param {import('../remote/connection.js').MakeWorker} [make] makes workers
 * @returns {Thread}
 */
export function threadFor(user, isFull, make) {
  const alike = [...workers].filter((worker) => worker.isFull === isFull && worker.make === make)
  if (alike.length < WORKERS_MAX) return new PageWorker(user, isFull, make).first
  return alike.reduce((least, each) => each.count < least.count ? each : least).enter(user)
}

class PageWorker {
  isFull
  make
  /** As its first user sees it. @type {Thread} */
  first
  #thread
  /** @type {Set<User>} */
  #users = new Set()

  /** @param {User} user @param {boolean} isFull @param {import('../remote/connection.js').MakeWorker} [make] */
  constructor(user, isFull, make) {
    this.isFull = isFull
    this.make = make
    this.#thread = startThread({ receive: (message) => { if (this.#users.has(user)) user.receive(message) }, ended: (cause) => this.#ended(cause) }, isFull, make)
    this.#users.add(user)
    workers.add(this)
    this.first = {
      post: (message, transfer) => this.#thread.post(message, transfer),
      end: () => this.#leave(user, () => this.#thread.post({ leave: true }, []))
    }
  }

  /** How many databases use it. */
  get count() { return this.#users.size }

  /** A further database, which it serves over a port. @param {User} user @returns {Thread} */
  enter(user) {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = ({ data }) => { if (this.#users.has(user)) user.receive(data) }
    this.#thread.post({ room: port2 }, [port2])
    this.#users.add(user)
    return {
      post: (message, transfer) => port1.postMessage(message, transfer),
      end: () => this.#leave(user, () => port1.postMessage({ leave: true }))
    }
  }

  /** @param {User} user @param {() => void} tell tells the worker, if it goes on */
  #leave(user, tell) {
    if (!this.#users.delete(user)) return
    if (this.#users.size > 0) return tell()
    workers.delete(this)
    this.#thread.end()
  }

  /** @param {unknown} cause */
  #ended(cause) {
    workers.delete(this)
    const users = [...this.#users]
    this.#users.clear()
    for (const user of users) user.ended(cause)
  }
}
