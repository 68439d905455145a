// A database as a window sees it, or a program without the full module one in IndexedDB: a worker has its
// files. A window loads this before its first database opens, so it is small.
import { isWindow, strictDurability } from './place.js'

export class Elsewhere {
  #path
  #location
  #kind
  /** Why it is in IndexedDB. */
  why

  /** @param {string[]} path @param {string} location @param {string} kind @param {string} [why] */
  constructor(path, location, kind, why) {
    this.#path = path
    this.#location = location
    this.#kind = kind
    this.why = why
  }

  /** Whether the full module is needed to open it here. */
  get needsFull() { return !isWindow() }

  get durability() { return this.#kind === 'indexeddb' ? strictDurability() : 'durable' }

  get kind() { return this.#kind }

  get lockName() { return this.#path.join('/') }

  /** See Host.storageOf. */
  get inWorker() { return { named: this.#location, storage: this.#kind } }

  /** Removes the database; does nothing if there is none. */
  async destroy() {
    const { removeAt } = await import('./remove.js')
    await removeAt(this.#path, this.#location, this.#kind)
  }
}
