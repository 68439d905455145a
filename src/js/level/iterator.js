// Iterators read packed pages and cut rows out of them when they are asked for:
//
//   page = row*        row = key length u32le, key, value length u32le, value
//
//   a=b, c=d   01 00 00 00 61  01 00 00 00 62   01 00 00 00 63  01 00 00 00 64
//
// Views and Buffers that come out are windows into their page: one that is kept keeps its page, at most highWaterMarkBytes
// and one row. Strings are copies.
import { AbstractIterator, AbstractKeyIterator, AbstractValueIterator } from 'abstract-level'
import { ROUNDS } from './answers.js'
import { AbortError, InvalidArgumentError, fromEngine, rethrow } from '../errors.js'
import { NativeBuffer } from '../bytes/native-buffer.js'
import { Snapshot } from './snapshot.js'
import { viewOf, writeText, textSizeBound } from '../bytes/write-batch.js'
import { readText } from '../bytes/text.js'

const PAGE_BYTES = 64 * 1024
const PAGE_ROWS_MAX = 1000
/** Who takes a row after another gets ever more at once: many only want the first after a seek. */
const PAGE_GROWTH = 8
/** The engine counts rows in 32 bits. */
const ROWS_MAX = 0x7fffffff
/** Larger pages are no faster, and would take the engine's memory up. */
const PAGE_BYTES_MAX = 64 << 20

/** Microtasks that abstract-level's all() takes from the last page to its answer: 6. */
const ALL_ROUNDS = 8

const EMPTY = new Uint8Array(0)

/** @param {Uint8Array} bytes @param {number} start @param {number} end */
const cutView = (bytes, start, end) => new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
/** @param {Uint8Array} bytes @param {number} start @param {number} end */
const cutBuffer = (bytes, start, end) => NativeBuffer.from(bytes.buffer, bytes.byteOffset + start, end - start)

/** How a side of a row is cut out of a page, by the format of its encoding. */
/** @type {Record<string, (bytes: Uint8Array, start: number, end: number) => any>} */
const CUTS = { utf8: readText, view: cutView, buffer: cutBuffer }

/**
 * What an encoding made, as bytes that last.
 * @param {unknown} data
 * @param {string} what
 */
export function bytesOf(data, what) {
  if (typeof data !== 'string') return viewOf(data, what)
  const bytes = new Uint8Array(textSizeBound(data))
  return bytes.subarray(0, writeText(bytes, 0, data))
}

/**
 * The bounds of a range as bytes, at most one a side: gte and lte go before gt and lt.
 * @param {Record<string, any>} options
 * @returns {{ gt?: Uint8Array, gte?: Uint8Array, lt?: Uint8Array, lte?: Uint8Array }}
 */
export function boundsOf({ gt, gte, lt, lte }) {
  return {
    gt: gt === undefined || gte !== undefined ? undefined : bytesOf(gt, 'gt'),
    gte: gte === undefined ? undefined : bytesOf(gte, 'gte'),
    lt: lt === undefined || lte !== undefined ? undefined : bytesOf(lt, 'lt'),
    lte: lte === undefined ? undefined : bytesOf(lte, 'lte')
  }
}

/**
 * Refuses nothing, as classic-level does not, which reads a number as 32 bits without a sign: fractions are cut off, NaN is 0 and a
 * negative number has no bound. Unlike there, Infinity has none either, and other kinds of values are the default.
 * @param {{ highWaterMarkBytes?: any }} options
 */
function pageBytesOf({ highWaterMarkBytes }) {
  if (typeof highWaterMarkBytes !== 'number') return PAGE_BYTES
  const bytes = Math.trunc(highWaterMarkBytes)
  if (Number.isNaN(bytes) || bytes === -Infinity) return 0
  return bytes < 0 ? PAGE_BYTES_MAX : Math.min(bytes, PAGE_BYTES_MAX)
}

/** @param {{ signal?: any }} options */
function signalOf({ signal }) {
  if (signal === undefined || signal === null) return null
  // Anything else would never be aborted.
  if (typeof signal === 'object' && typeof signal.aborted === 'boolean') return signal
  throw new InvalidArgumentError("The option 'signal' must be an AbortSignal")
}

/** Whoever says nothing has the blocks that a seek comes to kept. @param {unknown} fillCache */
const fillCacheOf = (fillCache) => typeof fillCache === 'boolean' ? fillCache : undefined

/**
 * What the three iterators share: the engine's iterator, the page at hand and the place in it.
 *
 * 1. #left rows of #page, from #at on, have not been given out.
 * 2. With #done set there is nothing behind #page.
 */
class Rows {
  #engine
  #answers
  #id
  #cutKey
  #cutValue
  #pageBytes
  #signal
  /** Microtasks that its answers take, beyond a plain call's. */
  #rounds
  #pageRows = 1
  /** @type {Uint8Array} */
  #page = EMPTY
  #at = 0
  #left = 0
  #done = false

  /**
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('./answers.js').Answers} answers
   * @param {any} options
   * @param {boolean} keys
   * @param {boolean} values
   */
  constructor(engine, answers, options, keys, values) {
    this.#engine = engine
    this.#answers = answers
    this.#cutKey = /** @type {any} */ (keys ? CUTS[options.keyEncoding] : undefined)
    this.#cutValue = /** @type {any} */ (values ? CUTS[options.valueEncoding] : undefined)
    this.#pageBytes = pageBytesOf(options)
    this.#signal = signalOf(options)
    this.#rounds = this.#signal === null ? answers.rounds : ROUNDS
    const { gt, gte, lt, lte } = boundsOf(options)
    const { reverse, verifyChecksums } = options
    const fillCache = fillCacheOf(options.fillCache)
    const snapshot = Snapshot.idOf(options.snapshot, engine)
    try {
      // No limit: rows that a seek throws away would count for the engine, and do not for the caller.
      this.#id = engine.iterator({ gt, gte, lt, lte, reverse, limit: -1, keys, values, fillCache, verifyChecksums, snapshot })
    } catch (error) {
      throw fromEngine(error)
    }
  }

  get cached() { return this.#left }

  /**
   * The next row, by one of the three ways below.
   * @template T
   * @param {number} wanted rows that may still be given out
   * @param {(rows: Rows) => T} cut
   * @returns {T | undefined | Promise<T | undefined>}
   */
  next(wanted, cut) {
    if (this.#signal !== null) return this.#nextUnlessAborted(wanted, cut)
    if (this.#left > 0) return cut(this)
    if (this.#done) return undefined
    return this.#answer(this.#loadAhead(wanted), cut, 0)
  }

  /** At most `size` rows: what is left of the page at hand, else one page. @param {number} size @param {(rows: any) => any} cut */
  nextv(size, cut) {
    if (this.#signal !== null) return this.#nextvUnlessAborted(size, cut)
    if (this.#left > 0 || this.#done) return this.#take(size, cut)
    return this.#answer(this.#load(size), cut, size)
  }

  /** All rows, at most `wanted`. @param {number} wanted @param {(rows: any) => any} cut */
  all(wanted, cut) {
    if (this.#signal !== null) return this.#allUnlessAborted(wanted, cut)
    /** @type {any[]} */
    const all = []
    const wait = this.#fill(all, wanted, cut)
    return wait === undefined ? this.#answers.long(all, Math.max(this.#rounds, ALL_ROUNDS)) : this.#allLater(all, wait, wanted, cut)
  }

  /** @param {any} target */
  seek(target) {
    this.#page = EMPTY
    this.#left = 0
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
    this.#page = EMPTY
    this.#left = 0
    this.#done = true
    try {
      this.#engine.closeIterator(this.#id)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  // ---- One row: a key, a value or both; there must be one ---------------------------------------------------------

  key() {
    const start = this.#at + 4
    const end = start + this.#length(this.#at)
    const key = this.#cutKey(this.#page, start, end)
    this.#at = end + 4 + this.#length(end)
    this.#left--
    return key
  }

  value() {
    const start = this.#at + 8 + this.#length(this.#at)
    const end = start + this.#length(start - 4)
    const value = this.#cutValue(this.#page, start, end)
    this.#at = end
    this.#left--
    return value
  }

  entry() {
    const page = this.#page
    const keyStart = this.#at + 4
    const keyEnd = keyStart + this.#length(this.#at)
    const valueStart = keyEnd + 4
    const valueEnd = valueStart + this.#length(keyEnd)
    this.#at = valueEnd
    this.#left--
    return [
      this.#cutKey === undefined ? undefined : this.#cutKey(page, keyStart, keyEnd),
      this.#cutValue === undefined ? undefined : this.#cutValue(page, valueStart, valueEnd)
    ]
  }

  /** @param {number} at */
  #length(at) {
    const page = this.#page
    return (page[at] | page[at + 1] << 8 | page[at + 2] << 16 | page[at + 3] << 24) >>> 0
  }

  // ---- Pages ------------------------------------------------------------------------------------------------------

  /** A row if there is one, or at most `size`. @param {(rows: any) => any} cut @param {number} size 0: one, not in an array */
  #cut(cut, size) {
    if (size > 0) return this.#take(size, cut)
    return this.#left > 0 ? cut(this) : undefined
  }

  /** @param {number} size @param {(rows: any) => any} cut */
  #take(size, cut) {
    const count = Math.min(size, this.#left)
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
   * Moves rows to `all` until there are none, or enough: answers nothing then, or what to wait for before going on.
   * @param {any[]} all @param {number} wanted @param {(rows: any) => any} cut
   */
  #fill(all, wanted, cut) {
    for (let isFirst = true; ; isFirst = false) {
      if (this.#left > 0) all.push.apply(all, this.#take(wanted - all.length, cut))
      if (this.#done || all.length >= wanted) return undefined
      // Pages that come at once could go on for ever without a turn for anybody else.
      const wait = (isFirst ? undefined : this.#answers.pause()) ?? this.#load(Math.min(wanted - all.length, PAGE_ROWS_MAX))
      if (wait !== undefined) return wait
    }
  }

  /** @param {any[]} all @param {Promise<any>} wait @param {number} wanted @param {(rows: any) => any} cut */
  async #allLater(all, wait, wanted, cut) {
    try {
      for (let before = /** @type {Promise<any> | undefined} */ (wait); before !== undefined; before = this.#fill(all, wanted, cut)) {
        const page = await before
        if (page !== undefined) this.#set(page)
      }
    } catch (error) {
      throw fromEngine(error)
    }
    return this.#answers.late(all, Math.max(this.#rounds, ALL_ROUNDS))
  }

  /** Nothing, or what to wait for if the page does not come at once. @param {number} size @returns {Promise<any> | undefined} */
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
   * What a page was asked for, when it is there.
   * @param {Promise<any> | undefined} loading
   * @param {(rows: any) => any} cut
   * @param {number} size 0: one row, as it is
   */
  #answer(loading, cut, size) {
    if (loading === undefined) return this.#answers.long(this.#cut(cut, size), this.#rounds)
    return loading.then((page) => {
      this.#set(page)
      return this.#answers.late(this.#cut(cut, size), this.#rounds)
    }, rethrow)
  }

  /** @param {import('../engine/engine.js').Page} page */
  #set({ rows, count, done }) {
    this.#page = rows
    this.#at = 0
    this.#left = count
    this.#done = done
  }

  // ---- With a signal, which may be aborted right after the call that it should end --------------------------------

  /** @param {number} wanted @param {(rows: any) => any} cut */
  async #nextUnlessAborted(wanted, cut) {
    if (this.#left === 0 && !this.#done) await this.#answer(this.#loadAhead(wanted), nothing, 0)
    else await undefined
    this.#throwIfAborted()
    return this.#cut(cut, 0)
  }

  /** @param {number} size @param {(rows: any) => any} cut */
  async #nextvUnlessAborted(size, cut) {
    if (this.#left === 0 && !this.#done) await this.#answer(this.#load(size), nothing, 0)
    else await undefined
    this.#throwIfAborted()
    return this.#take(size, cut)
  }

  /** @param {number} wanted @param {(rows: any) => any} cut */
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
/** @param {Rows} rows */
const entry = (rows) => rows.entry()
/** @param {Rows} rows */
const key = (rows) => rows.key()
/** @param {Rows} rows */
const value = (rows) => rows.value()

/**
 * Entries in key order, of the moment when it was made or of an explicit snapshot.
 * @extends {AbstractIterator<any, any, any>}
 */
export class Iterator extends AbstractIterator {
  #rows

  /**
   * @param {import('./varve.js').Varve} db
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('./answers.js').Answers} answers
   * @param {Record<string, any>} options abstract-level's, encoded
   */
  constructor(db, engine, answers, options) {
    // Before super: what fails here must not be attached to the database.
    const rows = new Rows(engine, answers, options, options.keys, options.values)
    super(db, options)
    this.#rows = rows
  }

  /** Rows read ahead: for tests. */
  get cached() { return this.#rows.cached }

  _next() { return this.#rows.next(this.limit - this.count, entry) }

  /** @param {number} size */
  _nextv(size) { return this.#rows.nextv(size, entry) }

  _all() { return this.#rows.all(this.limit - this.count, entry) }

  /** @param {any} target */
  _seek(target) { this.#rows.seek(target) }

  _close() { this.#rows.close() }
}

/**
 * Keys only: values are not even copied.
 * @extends {AbstractKeyIterator<any, any>}
 */
export class KeyIterator extends AbstractKeyIterator {
  #rows

  /**
   * As Iterator's.
   * @param {import('./varve.js').Varve} db
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('./answers.js').Answers} answers
   * @param {any} options
   */
  constructor(db, engine, answers, options) {
    const rows = new Rows(engine, answers, options, true, false)
    super(db, options)
    this.#rows = rows
  }

  get cached() { return this.#rows.cached }

  _next() { return this.#rows.next(this.limit - this.count, key) }

  /** @param {number} size */
  _nextv(size) { return this.#rows.nextv(size, key) }

  _all() { return this.#rows.all(this.limit - this.count, key) }

  /** @param {any} target */
  _seek(target) { this.#rows.seek(target) }

  _close() { this.#rows.close() }
}

/**
 * Values only, in the order of their keys.
 * @extends {AbstractValueIterator<any, any, any>}
 */
export class ValueIterator extends AbstractValueIterator {
  #rows

  /**
   * As Iterator's.
   * @param {import('./varve.js').Varve} db
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('./answers.js').Answers} answers
   * @param {any} options
   */
  constructor(db, engine, answers, options) {
    const rows = new Rows(engine, answers, options, false, true)
    super(db, options)
    this.#rows = rows
  }

  get cached() { return this.#rows.cached }

  _next() { return this.#rows.next(this.limit - this.count, value) }

  /** @param {number} size */
  _nextv(size) { return this.#rows.nextv(size, value) }

  _all() { return this.#rows.all(this.limit - this.count, value) }

  /** @param {any} target */
  _seek(target) { this.#rows.seek(target) }

  _close() { this.#rows.close() }
}
