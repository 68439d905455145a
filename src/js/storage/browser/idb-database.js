// The database of a name in IndexedDB, for src/env/web/indexed_db.rs. Each call is one transaction,
// which makes all its requests at once: none stays open across a pause, in which it would block
// every other writer.
//
//   store    key                      value, always bytes (src/env/chunks/layout.rs)
//   head     0                        checked and replaced by every transaction that writes
//   files    number of the file
//   chunks   [file, chunk] or [file, chunk, offset]
import { VarveError } from '../../errors.js'
import { openDatabase, removeDatabase } from './idb-open.js'
import { strictDurability } from './place.js'
import { WebLock } from './web-lock.js'

/**
 * any: values are whatever the database has; Rust checks them.
 * @typedef {['file', number, Uint8Array] | ['remove', number] | ['cut', number, number] |
 *           ['chunk', number, number, Uint8Array, number | undefined]} Change
 * @typedef {any} Value
 */

/** A DOMException of these names tells the engine to connect again and to look. @param {string} message */
const aborted = (message) => new DOMException(message, 'AbortError')

export class IdbDatabase {
  #name
  #location
  #lock
  /** @type {IDBDatabase | undefined} */
  #connection
  /** @type {Promise<void> | undefined} */
  #opening
  /** Rejects transactions that are not complete. @type {Set<(reason: unknown) => void>} */
  #pending = new Set()
  /** Aborted when the connection is closed for good; then replaced. */
  #round = new AbortController()

  /**
   * @param {string[]} path
   * @param {string} location as the user wrote it
   */
  constructor(path, location) {
    this.#name = path.join('/')
    this.#location = location
    this.#lock = new WebLock(this.#name, location)
  }

  /** Whether the engine keeps files as chunks here, and manages their names itself. */
  get isChunks() { return true }

  get durability() { return strictDurability() }

  get kind() { return 'indexeddb' }

  get lockName() { return this.#name }

  /** See Host.storageOf. */
  get inWorker() { return { named: this.#location, storage: 'indexeddb' } }

  /** Removes the database; does nothing if there is none. */
  destroy() {
    return removeDatabase(this.#name, this.#lock)
  }

  // ---- For the engine in WebAssembly ----

  /** @param {number} [patience] as WebLock's */
  acquire(patience) { return this.#lock.acquire(patience) }

  letIn() { this.#lock.letIn() }

  /**
   * Connects, unless there is a connection.
   * @param {Uint8Array | undefined} head that of a new database, if one may be made
   */
  connect(head) {
    if (this.#connection !== undefined) return undefined
    this.#opening ??= this.#open(head).finally(() => { this.#opening = undefined })
    return this.#opening
  }

  /** @param {Uint8Array | undefined} head */
  async #open(head) {
    const { signal } = this.#round
    const connection = await openDatabase(this.#name, head)
    if (signal.aborted) {
      connection.close()
      throw aborted('the database was closed meanwhile')
    }
    connection.onclose = () => this.#end(connection)
    // A reader gives way to a removal; the owner goes on, and whoever removes takes its lock first.
    connection.onversionchange = () => { if (!this.#lock.isHeld) this.#end(connection) }
    this.#connection = connection
  }

  /** Ends the connection; calls that have no result reject. */
  disconnect() {
    if (this.#connection !== undefined) this.#end(this.#connection)
  }

  /** @param {IDBDatabase} connection */
  #end(connection) {
    if (this.#connection !== connection) return
    this.#connection = undefined
    connection.close()
    // They may be complete, or become so: the engine finds out by the head.
    for (const reject of this.#pending) reject(aborted('the connection was lost'))
    this.#pending.clear()
  }

  /** @returns {Promise<[Value, Value[], Value[]]>} the head, the keys of files and their rows */
  load() {
    return this.#transact(['head', 'files'], 'readonly', 'relaxed', (transaction) => {
      const files = transaction.objectStore('files')
      const requests = [transaction.objectStore('head').get(0), files.getAllKeys(), files.getAll()]
      return () => /** @type {any} any: as the requests are */ (requests.map(({ result }) => result))
    })
  }

  /**
   * The values of the chunks of a file, from `first` on up to but without `end`.
   * @param {number} file
   * @param {number} first
   * @param {number} end
   * @returns {Promise<Value[]>}
   */
  read(file, first, end) {
    return this.#transact(['chunks'], 'readonly', 'relaxed', (transaction) => {
      const request = transaction.objectStore('chunks').getAll(IDBKeyRange.bound([file, first], [file, end], false, true))
      return () => request.result
    })
  }

  /**
   * Makes changes if the head is `expected`, and replaces it. Returns the other head, in an array, if
   * it is not.
   * @param {Uint8Array} expected
   * @param {Uint8Array} head
   * @param {Change[]} changes
   * @param {boolean} isStrict whether it is flushed
   * @returns {Promise<[Value] | undefined>}
   */
  write(expected, head, changes, isStrict) {
    return this.#transact(['head', 'files', 'chunks'], 'readwrite', isStrict ? 'strict' : 'relaxed', (transaction, fail) => {
      const heads = transaction.objectStore('head')
      /** @type {[Value] | undefined} */
      let refused
      const found = heads.get(0)
      found.onsuccess = () => {
        try {
          if (isSame(found.result, expected)) {
            for (const change of changes) apply(transaction, change)
            heads.put(head, 0)
          } else {
            refused = [found.result]
          }
          transaction.commit?.()
        } catch (error) {
          fail(error)
        }
      }
      return () => refused
    })
  }

  removeAll() {
    this.disconnect()
    return removeDatabase(this.#name, this.#lock, true)
  }

  /** Waits; rejects when the storage is closed. @param {number} ms @returns {Promise<void>} */
  pause(ms) {
    const { signal } = this.#round
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', stop)
        resolve()
      }, ms)
      function stop() {
        clearTimeout(timer)
        reject(signal.reason)
      }
      signal.addEventListener('abort', stop, { once: true })
    })
  }

  /**
   * Resolves when the transaction is complete. `ask` makes its requests, and returns what reads their
   * results.
   * @template T
   * @param {string[]} stores
   * @param {IDBTransactionMode} mode
   * @param {IDBTransactionDurability} durability
   * @param {(transaction: IDBTransaction, fail: (reason: unknown) => void) => () => T} ask
   * @returns {Promise<T>}
   */
  #transact(stores, mode, durability, ask) {
    return new Promise((resolve, reject) => {
      if (this.#connection === undefined) throw aborted('there is no connection')
      const transaction = this.#connection.transaction(stores, mode, { durability })
      const failed = (/** @type {unknown} */ reason) => {
        this.#pending.delete(failed)
        reject(reason)
      }
      this.#pending.add(failed)
      const answer = ask(transaction, (reason) => {
        failed(reason)
        transaction.abort()
      })
      transaction.oncomplete = () => {
        this.#pending.delete(failed)
        resolve(answer())
      }
      transaction.onabort = () => failed(transaction.error ?? aborted('the transaction was aborted'))
    })
  }

  // ---- For engine.js and supervisor.js, as GuardedStorage ----

  /** Closes the connection; the lock is kept. */
  async settle() {
    this.#round.abort(aborted('the database was closed'))
    this.#round = new AbortController()
    this.disconnect()
    // A connection that is being made closes itself.
    await this.#opening?.catch(() => {})
  }

  async release() {
    await this.settle()
    this.letIn()
  }

  /** @template T @param {() => T} call @returns {T} */
  now(call) { return call() }

  answersInPlace() { return false }
}

/** @param {IDBTransaction} transaction @param {Change} change */
function apply(transaction, change) {
  const [files, chunks] = [transaction.objectStore('files'), transaction.objectStore('chunks')]
  const [what, file] = change
  if (what === 'file') {
    files.put(change[2], file)
  } else if (what === 'remove') {
    files.delete(file)
    chunks.delete(IDBKeyRange.bound([file], [file + 1], false, true))
  } else if (what === 'cut') {
    chunks.delete(IDBKeyRange.bound([file, change[2]], [file + 1], false, true))
  } else if (what === 'chunk') {
    const [, , chunk, data, offset] = change
    chunks.put(data, offset === undefined ? [file, chunk] : [file, chunk, offset])
  } else {
    throw new VarveError(`unknown change ${what}`, { code: 'LEVEL_NOT_SUPPORTED' })
  }
}

/** @param {Value} found @param {Uint8Array} expected */
function isSame(found, expected) {
  return found instanceof Uint8Array && found.length === expected.length && expected.every((byte, i) => byte === found[i])
}
