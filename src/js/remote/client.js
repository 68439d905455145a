// An engine in a worker, with the methods of Engine (docs/border.md). Methods return promises,
// except those that create or free snapshots and iterators: their ids are chosen here, without a
// round trip.
import { entriesOf } from '../bytes/page.js'
import { WriteBatch } from '../bytes/write-batch.js'
import { Connection } from './connection.js'
import { ReadAhead } from './read-ahead.js'
import { VERBS } from './verbs.js'

const VERB = Object.fromEntries(VERBS.map((verb) => [verb.name, verb]))

/** Page sizes for copying a database in memory, whose entries are kept while it is closed. */
const REST_ROWS = 1 << 16
const REST_BYTES = 1 << 20

/** @typedef {import('../bytes/page.js').Page} Page */

export class WorkerEngine {
  #connection
  #options
  #makeWorker
  #handles = 0
  /** @type {Map<number, ReadAhead>} */
  #iterators = new Map()
  /** Entries while a database in memory is closed. @type {Page[]} */
  #rest = []

  /**
   * @param {object | null} storage created again in the worker (`inWorker`); null: in memory
   * @param {object} options
   * @param {(info: { cause: unknown, duration: number }) => void} [onRecovered] as Engine's
   * @param {import('./connection.js').MakeWorker} [makeWorker]
   */
  static async open(storage, options, onRecovered, makeWorker) {
    return new WorkerEngine(await Connection.open(storage, options, onRecovered, makeWorker), options, makeWorker)
  }

  /**
   * Called only by `open`.
   * @param {Connection} connection
   * @param {Record<string, any>} options any: verbs.js defines the type for each call
   * @param {import('./connection.js').MakeWorker} [makeWorker]
   */
  constructor(connection, options, makeWorker) {
    this.#makeWorker = makeWorker
    this.#connection = connection
    this.#options = options
  }

  /** Where the database is. */
  get place() {
    return this.#connection.place
  }

  /** Always false: the engine in the worker replaces itself. */
  get hasEnded() {
    return false
  }

  snapshot() {
    return this.#make(VERB.snapshot, [])
  }

  /** @param {any} range any: verbs.js defines the type for each call */
  iterator(range) {
    const id = this.#make(VERB.iterator, [range])
    this.#iterators.set(id, new ReadAhead((size, maxBytes) => this.#connection.ask(VERB.next, [id, size, maxBytes])))
    return id
  }

  /** @param {any} range any: verbs.js defines the type for each call */
  watch(range) {
    return this.#make(VERB.watch, [range])
  }

  exportStart() {
    return this.#make(VERB.exportStart, [])
  }

  /** @param {((name: string, info: object) => void) | undefined} tell */
  listen(tell) {
    this.#connection.listen(VERB.listen, tell)
  }

  /** @param {number} iterator @param {number} size @param {number} maxBytes */
  next(iterator, size, maxBytes) {
    return this.#readAhead(iterator).next(size, maxBytes)
  }

  /** @param {number} iterator @param {Uint8Array} target */
  seek(iterator, target) {
    this.#readAhead(iterator).forget()
    this.#connection.tell(VERB.seek, [iterator, target])
  }

  /** @param {number} iterator */
  closeIterator(iterator) {
    this.#iterators.delete(iterator)
    this.#connection.tell(VERB.closeIterator, [iterator])
  }

  /** @param {string} name */
  property(name) {
    return this.#connection.property(name)
  }

  /** Always false: the worker schedules its own background work. */
  hasBackgroundWork() {
    return false
  }

  /** Always false: the worker does its own maintenance. */
  tidy() {
    return false
  }

  /** Always false, as above. */
  lacksRoom() {
    return false
  }

  async close() {
    // A worker that has ended has nothing to close.
    if (!this.#connection.isAlive) return this.#connection.end()
    try {
      await this.#connection.ask(VERB.close, [])
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (error.code !== 'closed') throw error
    }
    await this.#connection.end()
  }

  /**
   * Closes a database in memory and keeps its entries, unless the engine has failed and lost them.
   */
  async rest() {
    this.#rest = this.#connection.isAlive ? await this.#allPages() : []
    await this.close()
  }

  /** Opens a database in memory again, with the kept entries. */
  async wake() {
    const connection = await Connection.open(null, this.#options, undefined, this.#makeWorker)
    const batch = new WriteBatch()
    try {
      for (const page of this.#rest) {
        for (const [key, value] of entriesOf(page)) batch.put(key, value)
        await connection.ask(VERB.write, [batch.finish(), false])
        batch.clear()
      }
    } catch (error) {
      await connection.end()
      throw error
    }
    this.#rest = []
    this.#connection = connection
  }

  /** @param {number} iterator */
  #readAhead(iterator) {
    return /** @type {ReadAhead} */ (this.#iterators.get(iterator))
  }

  async #allPages() {
    const id = this.iterator({ reverse: false, limit: -1, keys: true, values: true, fillCache: false })
    const pages = []
    try {
      do pages.push(await this.next(id, REST_ROWS, REST_BYTES))
      while (!pages[pages.length - 1].done)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (error.code === 'poisoned') return []
      throw error
    }
    this.closeIterator(id)
    return pages
  }

  /**
   * @param {import('./verbs.js').Verb} verb
   * @param {any[]} args any: verbs.js defines the type for each call
   */
  #make(verb, args) {
    const id = this.#handles = this.#handles % 0xffffffff + 1
    this.#connection.make(verb, id, args)
    return id
  }

  static {
    // All other verbs are sent in the same way.
    for (const verb of VERBS) {
      if (Object.hasOwn(WorkerEngine.prototype, verb.name)) continue
      const way = verb.answer === null ? 'tell' : 'ask'
      Object.defineProperty(WorkerEngine.prototype, verb.name, {
        configurable: true,
        writable: true,
        value(/** @type {any[]} any: verbs.js defines the type for each call */ ...args) { return this.#connection[way](verb, args) }
      })
    }
  }
}
