// Pages of one iterator, the next of which are on their way while the caller uses the one before. A message takes longer than
// most callers need for a page.

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
   */
  next(size, maxBytes) {
    if (maxBytes !== this.#maxBytes) this.#rowsAsked = 0
    this.#maxBytes = maxBytes
    const first = this.#pages.shift()
    const page = first === undefined ? this.#ask(size, maxBytes) : this.#atLeast(size, first)
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

  #goOn(size) {
    const grown = this.#size < size ? Math.round(size * size / this.#size) : size
    const ahead = Math.max(size, Math.min(grown, GROWN_ROWS_MAX))
    while (this.#pages.length < PAGES_MAX) {
      const page = this.#ask(ahead, this.#maxBytes)
      // Who never comes to this page need not know.
      page.catch(() => {})
      this.#pages.push({ size: ahead, page })
    }
  }

  /** Pages that were asked for with fewer rows than are wanted now are put together, up to one that its bytes or the end cut short. */
  async #atLeast(size, { size: asked, page }) {
    const pages = [await page]
    const last = () => pages[pages.length - 1]
    let count = last().count
    while (count < size && last().count >= asked && !last().done && this.#pages.length > 0) {
      const next = this.#pages.shift()
      asked = next.size
      pages.push(await next.page)
      count += last().count
    }
    return pages.length === 1 ? pages[0] : { rows: joined(pages), count, done: last().done }
  }
}

function joined(pages) {
  const rows = new Uint8Array(pages.reduce((size, page) => size + page.rows.length, 0))
  let at = 0
  for (const page of pages) {
    rows.set(page.rows, at)
    at += page.rows.length
  }
  return rows
}
