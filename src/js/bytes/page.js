// Pages: rows in key order as the engine packs them (src/wasm/database.rs).
//
//   page = row*        row = key length u32le, key, value length u32le, value
//
//   a=b, c=d   01 00 00 00 61  01 00 00 00 62   01 00 00 00 63  01 00 00 00 64
//
// Pages of a key iterator have empty values, those of a value iterator empty keys.
import { allocate } from './bytes.js'

/** `done`: no rows follow. @typedef {{ rows: Uint8Array, count: number, done: boolean }} Page */

/**
 * @template T
 * @typedef {(bytes: Uint8Array, start: number, end: number) => T} Cut decodes a key or value of a
 *   page
 */

const EMPTY = new Uint8Array(0)

/** Bytes of a row in addition to its key and value. */
const LENGTHS_SIZE = 8

/** @param {Uint8Array} page @param {number} at */
function lengthAt(page, at) {
  return (page[at] | page[at + 1] << 8 | page[at + 2] << 16 | page[at + 3] << 24) >>> 0
}

/** Reads a page, row by row. */
export class PageReader {
  /** @type {Uint8Array} */
  #page = EMPTY
  #at = 0
  #left = 0

  /** The number of unread rows. */
  get left() { return this.#left }

  /** @param {Page} page */
  set({ rows, count }) {
    this.#page = rows
    this.#at = 0
    this.#left = count
  }

  /** Releases the page. */
  clear() {
    this.#page = EMPTY
    this.#left = 0
  }

  /** Reads the key of the next row, which must exist. @template T @param {Cut<T>} cut */
  key(cut) {
    const page = this.#page
    const start = this.#at + 4
    const end = start + lengthAt(page, this.#at)
    const key = cut(page, start, end)
    this.#at = end + 4 + lengthAt(page, end)
    this.#left--
    return key
  }

  /** Reads the value of the next row. @template T @param {Cut<T>} cut */
  value(cut) {
    const page = this.#page
    const start = this.#at + 8 + lengthAt(page, this.#at)
    const end = start + lengthAt(page, start - 4)
    const value = cut(page, start, end)
    this.#at = end
    this.#left--
    return value
  }

  /**
   * Returns key and value; undefined for the one that is not requested.
   * @template K, V
   * @param {Cut<K> | undefined} cutKey
   * @param {Cut<V> | undefined} cutValue
   * @returns {[K | undefined, V | undefined]}
   */
  entry(cutKey, cutValue) {
    const page = this.#page
    const keyStart = this.#at + 4
    const keyEnd = keyStart + lengthAt(page, this.#at)
    const valueStart = keyEnd + 4
    const valueEnd = valueStart + lengthAt(page, keyEnd)
    this.#at = valueEnd
    this.#left--
    return [
      cutKey === undefined ? undefined : cutKey(page, keyStart, keyEnd),
      cutValue === undefined ? undefined : cutValue(page, valueStart, valueEnd)
    ]
  }
}

/** @type {Cut<Uint8Array>} */
const view = (page, start, end) => page.subarray(start, end)

/** Yields the keys of a page. @param {Page} page */
export function * keysOf(page) {
  const reader = new PageReader()
  reader.set(page)
  while (reader.left > 0) yield reader.key(view)
}

/** Yields the entries of a page that has keys and values. @param {Page} page */
export function * entriesOf(page) {
  const reader = new PageReader()
  reader.set(page)
  while (reader.left > 0) yield /** @type {[Uint8Array, Uint8Array]} */ (reader.entry(view, view))
}

/**
 * Returns the size of keys and values, as the engine's limit of a page counts it.
 * @param {{ rows: Uint8Array, count: number }} page
 */
export const payloadOf = ({ rows, count }) => rows.length - LENGTHS_SIZE * count

/** Concatenates pages. @param {Page[]} pages @returns {Page} */
export function joined(pages) {
  if (pages.length === 1) return pages[0]
  const rows = allocate(pages.reduce((size, page) => size + page.rows.length, 0))
  let at = 0
  let count = 0
  for (const page of pages) {
    rows.set(page.rows, at)
    at += page.rows.length
    count += page.count
  }
  return { rows, count, done: pages[pages.length - 1].done }
}

/**
 * Splits a page after as many rows as the engine would have returned.
 * @param {Page} page
 * @param {number} size
 * @param {number} maxBytes
 * @returns {[Page, Page?]}
 */
export function split({ rows, count, done }, size, maxBytes) {
  if (count <= size && payloadOf({ rows, count }) <= maxBytes) return [{ rows, count, done }]
  let taken = 0
  let at = 0
  do {
    at += 4 + lengthAt(rows, at)
    at += 4 + lengthAt(rows, at)
    taken++
  } while (taken < size && taken < count && at - LENGTHS_SIZE * taken <= maxBytes)
  if (taken === count) return [{ rows, count, done }]
  return [{ rows: rows.subarray(0, at), count: taken, done: false }, { rows: rows.subarray(at), count: count - taken, done }]
}
