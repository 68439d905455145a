// Pages of one iterator, the next of which are on their way while the caller uses the one before. A message takes longer than
// most callers need for a page.

import { allocate } from './messages.js'

/** @typedef {import('../engine.js').Page} Page */

/** Who has asked for so many rows will want more: before, most only look at the first after a seek. */
const ROWS_BEFORE = 9
/** Pages on their way at most. */
const PAGES_MAX = 2
/** Up to so many rows a caller whose pages grow is taken to go on growing. */
const GROWN_ROWS_MAX = 1000

export class ReadAhead {
  #ask
  /** On their way, in order, with the rows that were asked for. @type {{ size: number, page: Promise<Page> }[]} */
  #pages = []
  #size = 0
  #maxBytes = 0
  #rowsAsked = 0

  /** @param {(size: number, maxBytes: number) => Promise<Page>} ask */
  constructor(ask) {
    this.#ask = ask
  }

  /**
   * As Engine.next(), but there may be more rows than `size`: those that a caller whose pages grew was thought to want.
   * @returns {Promise<Page>}
   * @param {number} size
   * @param {number} maxBytes
   */
  next(size, maxBytes) {
    if (maxBytes !== this.#maxBytes) this.#rowsAsked = 0
    this.#maxBytes = maxBytes
    const pages = this.#take(size)
    const page = pages.length === 1 ? pages[0].page : this.#together(pages)
    if (this.#rowsAsked >= ROWS_BEFORE && size >= this.#size) this.#goOn(size)
    this.#rowsAsked += size
    this.#size = size
    return page
  }

  /** The iterator was moved: what is on its way is of no use. */
  forget() {
    this.#pages = []
    this.#rowsAsked = 0
  }

  /** Pages with at least `size` rows together, asked for now as far as they were not. @param {number} size */
  #take(size) {
    const pages = []
    let left = size
    while (left > 0 && this.#pages.length > 0) {
      const first = /** @type {{ size: number, page: any }} */ (this.#pages.shift())
      pages.push(first)
      left -= first.size
    }
    if (left > 0 || pages.length === 0) pages.push(this.#request(left))
    return pages
  }

  /** One page of several. One that its bytes or the end cut short is the last. @param {any[]} pages */
  async #together(pages) {
    const parts = []
    for (let isWhole = true; isWhole && pages.length > 0;) {
      const { size, page } = pages.shift()
      const part = await page
      parts.push(part)
      isWhole = part.count >= size && !part.done
    }
    this.#pages.unshift(...pages)
    return joined(parts)
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
    // Who never comes to this page need not know.
    page.catch(() => {})
    return { size, page }
  }
}

/** @param {Page[]} pages @returns {Page} */
function joined(pages) {
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
