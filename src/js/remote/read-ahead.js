// Reads pages of an iterator ahead while the caller uses the current one: a message takes longer
// than most callers need for a page.

import { joined, payloadOf, split } from '../bytes/page.js'

/** @typedef {import('../bytes/page.js').Page} Page */

/**
 * A requested page.
 * @typedef {{ size: number, maxBytes: number, page: Promise<Page> }} Ahead
 */

/**
 * Reading ahead starts after this many rows: many callers read only the first row after a seek.
 */
const ROWS_BEFORE = 9
/** The maximum number of pages requested ahead. */
const PAGES_MAX = 2
/** Up to this size, pages are assumed to keep growing if they have grown. */
const GROWN_ROWS_MAX = 1000
export class ReadAhead {
  #ask
  /** Pages requested ahead, in order. @type {Ahead[]} */
  #pages = []
  #size = 0
  #maxBytes = 0
  #rowsAsked = 0

  /** @param {(size: number, maxBytes: number) => Promise<Page>} ask */
  constructor(ask) {
    this.#ask = ask
  }

  /**
   * As Engine.next(), with the same rows, regardless of the pages read ahead.
   * @returns {Promise<Page>}
   * @param {number} size
   * @param {number} maxBytes
   */
  next(size, maxBytes) {
    if (maxBytes !== this.#maxBytes) this.#rowsAsked = 0
    this.#maxBytes = maxBytes
    const pages = this.#take(size)
    const isOne = pages.length === 1 && pages[0].size === size && pages[0].maxBytes === maxBytes
    const page = isOne ? pages[0].page : this.#cut(pages, size, maxBytes)
    if (this.#rowsAsked >= ROWS_BEFORE && size >= this.#size) this.#goOn(size)
    this.#rowsAsked += size
    this.#size = size
    return page
  }

  /** Discards the pages requested ahead, after a seek. */
  forget() {
    this.#pages = []
    this.#rowsAsked = 0
  }

  /**
   * Returns pages with at least `size` rows together; requests those that were not yet requested.
   * @param {number} size
   */
  #take(size) {
    const pages = []
    let left = size
    while (left > 0 && this.#pages.length > 0) {
      const first = /** @type {Ahead} */ (this.#pages.shift())
      pages.push(first)
      left -= first.size
    }
    if (left > 0 || pages.length === 0) pages.push(this.#request(left))
    return pages
  }

  /**
   * Returns `size` rows; the next call continues in the same page.
   * @param {Ahead[]} pages
   * @param {number} size
   * @param {number} maxBytes
   */
  async #cut(pages, size, maxBytes) {
    const parts = []
    let part
    let count = 0
    let bytes = 0
    do {
      part = await /** @type {Ahead} */ (pages.shift()).page
      parts.push(part)
      count += part.count
      bytes += payloadOf(part)
    } while (pages.length > 0 && count < size && bytes <= maxBytes && !part.done)
    const [page, rest] = split(joined(parts), size, maxBytes)
    if (rest !== undefined) pages.unshift({ size: rest.count, maxBytes: 0, page: Promise.resolve(rest) })
    this.#pages.unshift(...pages)
    return page
  }

  /** @param {number} size */
  #goOn(size) {
    const grown = this.#size < size ? Math.round(size * size / this.#size) : size
    const ahead = Math.max(size, Math.min(grown, GROWN_ROWS_MAX))
    while (this.#pages.length < PAGES_MAX) this.#pages.push(this.#request(ahead))
  }

  /** @param {number} size */
  #request(size) {
    const page = this.#ask(size, this.#maxBytes)
    // Ignore the error: it is reported only if this page is read.
    page.catch(() => {})
    return { size, maxBytes: this.#maxBytes, page }
  }
}
