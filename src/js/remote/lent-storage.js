// A storage in this thread for an engine in a worker: each call becomes a remote call (calls.js).
//
//   window: lend() -> { root, durability, appendsAreExact } -> worker: LentStorage (asynchronous)

/** @typedef {import('../types/index.js').Storage} Storage */
/** @typedef {import('../types/index.js').StorageFile} StorageFile */
/** @typedef {import('./calls.js').Calls} Calls */

/**
 * What the worker needs to use the storage.
 * @typedef {{ root: number, durability: Storage['durability'], appendsAreExact: boolean }} Loan
 */

/**
 * Makes `storage` available to the other side of `calls`.
 * @param {Calls} calls
 * @param {Storage} storage
 * @returns {Loan}
 */
export function lend(calls, storage) {
  const file = (/** @type {StorageFile} */ opened) => {
    const number = calls.serve({
      async read(offset, length) {
        const into = new Uint8Array(length)
        const read = await opened.read(offset, into)
        return typeof read === 'number' ? into.subarray(0, read) : read
      },
      append: (data) => opened.append(data),
      sync: () => opened.sync(),
      truncate: (size) => opened.truncate(size),
      size: () => opened.size(),
      close() {
        calls.release(number)
        opened.close()
      }
    })
    return number
  }
  const root = calls.serve({
    lock: (create) => storage.lock(create),
    unlock: () => storage.unlock(),
    list: () => storage.list(),
    create: async (name, kind, sizeHint) => file(await storage.create(name, kind, sizeHint)),
    open: async (name, access, sizeHint) => file(await storage.open(name, access, sizeHint)),
    editNames: (edits) => storage.editNames(edits),
    removePlace: () => storage.removePlace()
  })
  return { root, durability: storage.durability, appendsAreExact: storage.appendsAreExact }
}

/** @implements {Storage} */
export class LentStorage {
  #calls
  #root
  durability
  appendsAreExact

  /** @param {Calls} calls @param {Loan} loan */
  constructor(calls, { root, durability, appendsAreExact }) {
    this.#calls = calls
    this.#root = root
    this.durability = durability
    this.appendsAreExact = appendsAreExact
  }

  /** @param {boolean} create */
  lock(create) { return this.#calls.ask(this.#root, 'lock', [create]) }

  unlock() { return this.#calls.ask(this.#root, 'unlock', []) }

  list() { return this.#calls.ask(this.#root, 'list', []) }

  /**
   * @param {string} name
   * @param {'log' | 'manifest' | 'table' | 'other'} kind
   * @param {number} sizeHint
   */
  create(name, kind, sizeHint) { return this.#file('create', name, kind, sizeHint) }

  /** @param {string} name @param {'read' | 'append'} access @param {number} [sizeHint] */
  open(name, access, sizeHint) { return this.#file('open', name, access, sizeHint) }

  /** @param {import('../types/index.js').NameEdit[]} edits */
  editNames(edits) { return this.#calls.ask(this.#root, 'editNames', [edits]) }

  removePlace() { return this.#calls.ask(this.#root, 'removePlace', []) }

  /** @param {string} method @param {unknown[]} args */
  async #file(method, ...args) {
    return new LentFile(this.#calls, await this.#calls.ask(this.#root, method, args))
  }
}

/** @implements {StorageFile} */
class LentFile {
  #calls
  #number

  /** @param {Calls} calls @param {number} number */
  constructor(calls, number) {
    this.#calls = calls
    this.#number = number
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) { return this.#calls.ask(this.#number, 'read', [offset, into.length]) }

  /**
   * Sends a copy, because the engine's memory may move before the call is made.
   * @param {Uint8Array} data
   */
  append(data) {
    const copy = data.slice()
    return this.#calls.ask(this.#number, 'append', [copy], [copy.buffer])
  }

  sync() { return this.#calls.ask(this.#number, 'sync', []) }

  /** @param {number} size */
  truncate(size) { return this.#calls.ask(this.#number, 'truncate', [size]) }

  size() { return this.#calls.ask(this.#number, 'size', []) }

  close() { this.#calls.ask(this.#number, 'close', []).catch(() => {}) }
}
