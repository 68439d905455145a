// The rows of one iterator, read page by page (bytes/page.js) and decoded on demand.
//
// Views and Buffers point into their page: one that is kept keeps the page alive, at most
// highWaterMarkBytes and one row. Strings are copies.
import { AbortError, InvalidArgumentError, VarveError, fromEngine, rethrow } from '../errors.js'
import { boundsOf, bytesOf } from '../bytes/bytes.js'
import { NativeBuffer } from '../bytes/native-buffer.js'
import { PageReader } from '../bytes/page.js'
import { readText } from '../bytes/text.js'
import { ROUNDS } from './answers.js'
import { Snapshot } from './snapshot.js'

/** @typedef {import('./options.js').Options} Options */
/** @typedef {import('./options.js').Encoded} Encoded */

const PAGE_BYTES = 64 * 1024
const PAGE_ROWS_MAX = 1000
/**
 * Pages grow with each call of next(), because many callers only want the first row after a seek.
 */
const PAGE_GROWTH = 8
/** The engine counts rows with 32 bits. */
const ROWS_MAX = 0x7fffffff
/** Larger pages are no faster and would use up the engine's memory. */
const PAGE_BYTES_MAX = 64 << 20

/** abstract-level's all() resolves 6 microtasks after the last page. */
const ALL_ROUNDS = 8

/** @param {Uint8Array} bytes @param {number} start @param {number} end */
const cutView = (bytes, start, end) => new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
/** @param {Uint8Array} bytes @param {number} start @param {number} end */
const cutBuffer = (bytes, start, end) => NativeBuffer.from(bytes.buffer, bytes.byteOffset + start, end - start)

/** Functions that read a key or value out of a page, by encoding format. */
/**
 * any: keys and values have the types of their encodings.
 * @type {Record<string, (bytes: Uint8Array, start: number, end: number) => any>}
 */
export const CUTS = { utf8: readText, view: cutView, buffer: cutBuffer }

/**
 * Accepts any value, as classic-level does, which converts it to an unsigned 32-bit number:
 * fractions are truncated, NaN is 0, a negative number means no bound. Unlike there, so does
 * Infinity, and values of other types mean the default.
 * @param {{ highWaterMarkBytes?: any }} options any: user input, checked here
 */
function pageBytesOf({ highWaterMarkBytes }) {
  if (typeof highWaterMarkBytes !== 'number') return PAGE_BYTES
  const bytes = Math.trunc(highWaterMarkBytes)
  if (Number.isNaN(bytes) || bytes === -Infinity) return 0
  return bytes < 0 ? PAGE_BYTES_MAX : Math.min(bytes, PAGE_BYTES_MAX)
}

/** @param {{ signal?: any }} options any: user input, checked here */
export function signalOf({ signal }) {
  if (signal === undefined || signal === null) return null
  // Any other value could never abort.
  if (typeof signal === 'object' && typeof signal.aborted === 'boolean') return signal
  throw new InvalidArgumentError("The option 'signal' must be an AbortSignal")
}

/** Default: cache the blocks read by a seek. @param {unknown} fillCache */
const fillCacheOf = (fillCache) => typeof fillCache === 'boolean' ? fillCache : undefined

/**
 * The part that the three iterators share: the engine's iterator and the current page. With #done
 * set it is the last page.
 */
export class Rows {
  #engine
  #answers
  #id
  #cutKey
  #cutValue
  #pageBytes
  #signal
  /** Extra microtasks of its results, compared with a plain call. */
  #rounds
  #pageRows = 1
  #reader = new PageReader()
  #done = false

  /**
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('./answers.js').Answers} answers
   * @param {Options} options
   * @param {boolean} keys
   * @param {boolean} values
   */
  constructor(engine, answers, options, keys, values) {
    this.#engine = engine
    this.#answers = answers
    this.#cutKey = /** @type {any} any: keys and values have the types of their encodings */ (keys ? CUTS[options.keyEncoding] : undefined)
    this.#cutValue = /** @type {any} any: keys and values have the types of their encodings */ (values ? CUTS[options.valueEncoding] : undefined)
    this.#pageBytes = pageBytesOf(options)
    this.#signal = signalOf(options)
    this.#rounds = this.#signal === null ? answers.rounds : ROUNDS
    const { gt, gte, lt, lte } = boundsOf(options)
    const { reverse, verifyChecksums } = options
    const fillCache = fillCacheOf(options.fillCache)
    const snapshot = Snapshot.idOf(options.snapshot, engine)
    try {
      // No limit: the engine would count rows that a seek discards, the caller does not.
      this.#id = engine.iterator({ gt, gte, lt, lte, reverse, limit: -1, keys, values, fillCache, verifyChecksums, snapshot })
    } catch (error) {
      throw fromEngine(error)
    }
  }

  get cached() { return this.#reader.left }

  /**
   * Returns the next row, read by one of the three functions below.
   * @template T
   * @param {number} wanted the number of rows that may still be returned
   * @param {(rows: Rows) => T} cut
   * @returns {T | undefined | Promise<T | undefined>}
   */
  next(wanted, cut) {
    if (this.#signal !== null) return this.#nextUnlessAborted(wanted, cut)
    if (this.#reader.left > 0) return cut(this)
    if (this.#done) return undefined
    return this.#answer(this.#loadAhead(wanted), cut, 0)
  }

  /**
   * As `next`, for a synchronous caller.
   * @template T
   * @param {number} wanted
   * @param {(rows: Rows) => T} cut
   */
  nextSync(wanted, cut) {
    if (this.#signal !== null) this.#throwIfAborted()
    if (this.#reader.left === 0 && !this.#done) {
      const loading = this.#loadAhead(wanted)
      if (loading !== undefined) {
        loading.catch(() => {})
        throw new VarveError('The storage of this database cannot be read synchronously', { code: 'LEVEL_NOT_SUPPORTED' })
      }
    }
    return this.#reader.left > 0 ? cut(this) : undefined
  }

  /**
   * Returns at most `size` rows: the rest of the current page, or else the next page.
   * @param {number} size
   * @param {(rows: Rows) => Encoded} cut
   */
  nextv(size, cut) {
    if (this.#signal !== null) return this.#nextvUnlessAborted(size, cut)
    if (this.#reader.left > 0 || this.#done) return this.#take(size, cut)
    return this.#answer(this.#load(size), cut, size)
  }

  /**
   * Returns all rows, at most `wanted`.
   * @param {number} wanted
   * @param {(rows: Rows) => Encoded} cut
   */
  all(wanted, cut) {
    if (this.#signal !== null) return this.#allUnlessAborted(wanted, cut)
    /** @type {any[]} any: keys and values have the types of their encodings */
    const all = []
    const wait = this.#fill(all, wanted, cut)
    return wait === undefined ? this.#answers.long(all, Math.max(this.#rounds, ALL_ROUNDS)) : this.#allLater(all, wait, wanted, cut)
  }

  /** @param {Encoded} target */
  seek(target) {
    this.#reader.clear()
    this.#pageRows = 1
    this.#done = false
    try {
      this.#engine.seek(this.#id, bytesOf(target, 'target'))
    } catch (error) {
      this.#done = true
      throw fromEngine(error)
    }
  }

  close() {
    this.#reader.clear()
    this.#done = true
    try {
      this.#engine.closeIterator(this.#id)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  // ---- One row, which must exist: a key, a value or both ----

  key() { return this.#reader.key(this.#cutKey) }

  value() { return this.#reader.value(this.#cutValue) }

  entry() { return this.#reader.entry(this.#cutKey, this.#cutValue) }

  // ---- Pages ----

  /**
   * Returns one row, or an array of at most `size`.
   * @param {(rows: Rows) => Encoded} cut
   * @param {number} size 0: one, not in an array
   */
  #cut(cut, size) {
    if (size > 0) return this.#take(size, cut)
    return this.#reader.left > 0 ? cut(this) : undefined
  }

  /** @param {number} size @param {(rows: Rows) => Encoded} cut */
  #take(size, cut) {
    const count = Math.min(size, this.#reader.left)
    const rows = new Array(count)
    for (let i = 0; i < count; i++) rows[i] = cut(this)
    return rows
  }

  /** @param {number} wanted */
  #loadAhead(wanted) {
    const size = Math.min(this.#pageRows, wanted)
    this.#pageRows = Math.min(this.#pageRows * PAGE_GROWTH, PAGE_ROWS_MAX)
    return this.#load(size)
  }

  /**
   * Moves rows to `all` until the end, or until there are enough. Returns undefined, or a promise
   * to await before continuing.
   * @param {Encoded[]} all @param {number} wanted @param {(rows: Rows) => Encoded} cut
   */
  #fill(all, wanted, cut) {
    for (let isFirst = true; ; isFirst = false) {
      if (this.#reader.left > 0) all.push.apply(all, this.#take(wanted - all.length, cut))
      if (this.#done || all.length >= wanted) return undefined
      // Pages that need no waiting could block the event loop for a long time.
      const wait = (isFirst ? undefined : this.#answers.pause()) ?? this.#load(Math.min(wanted - all.length, PAGE_ROWS_MAX))
      if (wait !== undefined) return wait
    }
  }

  /**
   * @param {Encoded[]} all
   * @param {Promise<any>} wait any: the page, which is not used
   * @param {number} wanted
   * @param {(rows: Rows) => Encoded} cut
   */
  async #allLater(all, wait, wanted, cut) {
    try {
      for (let before = /** @type {Promise<any> | undefined} any: the page, which is not used */ (wait); before !== undefined; before = this.#fill(all, wanted, cut)) {
        const page = await before
        if (page !== undefined) this.#set(page)
      }
    } catch (error) {
      throw fromEngine(error)
    }
    return this.#answers.late(all, Math.max(this.#rounds, ALL_ROUNDS))
  }

  /**
   * Loads a page. Returns a promise if that has to wait.
   * @param {number} size
   * @returns {Promise<any> | undefined} any: the page, which callers do not use
   */
  #load(size) {
    try {
      const page = this.#engine.next(this.#id, Math.min(size, ROWS_MAX), this.#pageBytes)
      if (page instanceof Promise) return page
      this.#set(page)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /**
   * Returns the requested rows once the page is loaded.
   * @param {Promise<any> | undefined} loading any: the page, which is not used
   * @param {(rows: Rows) => Encoded} cut
   * @param {number} size 0: one row, not in an array
   */
  #answer(loading, cut, size) {
    if (loading === undefined) return this.#answers.long(this.#cut(cut, size), this.#rounds)
    return loading.then((page) => {
      this.#set(page)
      return this.#answers.late(this.#cut(cut, size), this.#rounds)
    }, rethrow)
  }

  /** @param {import('../bytes/page.js').Page} page */
  #set(page) {
    this.#reader.set(page)
    this.#done = page.done
  }

  // ---- With a signal ----

  /** @param {number} wanted @param {(rows: Rows) => Encoded} cut */
  async #nextUnlessAborted(wanted, cut) {
    if (this.#reader.left === 0 && !this.#done) await this.#answer(this.#loadAhead(wanted), nothing, 0)
    else await undefined
    this.#throwIfAborted()
    return this.#cut(cut, 0)
  }

  /** @param {number} size @param {(rows: Rows) => Encoded} cut */
  async #nextvUnlessAborted(size, cut) {
    if (this.#reader.left === 0 && !this.#done) await this.#answer(this.#load(size), nothing, 0)
    else await undefined
    this.#throwIfAborted()
    return this.#take(size, cut)
  }

  /** @param {number} wanted @param {(rows: Rows) => Encoded} cut */
  async #allUnlessAborted(wanted, cut) {
    const all = []
    while (all.length < wanted) {
      const rows = await this.#nextvUnlessAborted(Math.min(wanted - all.length, PAGE_ROWS_MAX), cut)
      if (rows.length === 0) break
      for (const row of rows) all.push(row)
    }
    return all
  }

  #throwIfAborted() {
    if (this.#signal.aborted) throw new AbortError(this.#signal.reason)
  }
}

const nothing = () => undefined
