// Pages of committed changes, as src/db/watch.rs packs them and describes them.

const HEADER_SIZE = 8
const NO_BOUND = 0xffffffff
const [DELETE, PUT] = [0, 1]

/** @typedef {import('./page.js').Cut<any>} Cut any: keys and values have the types of their encodings */

/** Reads a page, item by item. */
export class ChangeReader {
  /** @type {Uint8Array} */
  #page = new Uint8Array(0)
  /** @type {DataView} */
  #view = new DataView(new ArrayBuffer(0))
  #at = 0
  #left = 0

  /** The number of unread items. */
  get left() { return this.#left }

  /**
   * Returns the page's position: all changes up to it were told once this page is read.
   * @param {import('./page.js').Page} page
   */
  set({ rows, count }) {
    this.#page = rows
    this.#view = new DataView(rows.buffer, rows.byteOffset, rows.length)
    this.#at = HEADER_SIZE
    this.#left = count
    return this.#sequence(0)
  }

  /** Releases the page. */
  clear() {
    this.#page = new Uint8Array(0)
    this.#left = 0
  }

  /**
   * Returns the next item, which must exist; a gap has no changes.
   * @param {Cut} key
   * @param {Cut} value
   */
  item(key, value) {
    const sequence = this.#sequence(this.#at)
    let left = this.#view.getUint32(this.#at + 8, true)
    this.#at += 12
    this.#left--
    const changes = []
    while (left-- > 0) changes.push(this.#change(key, value))
    return { sequence, changes }
  }

  /** @param {Cut} key @param {Cut} value */
  #change(key, value) {
    const kind = this.#page[this.#at++]
    if (kind === DELETE) return { type: 'del', key: this.#cut(key) }
    if (kind === PUT) return { type: 'put', key: this.#cut(key), value: this.#cut(value) }
    return { type: 'clear', ...this.#bound('gt', 'gte', key), ...this.#bound('lte', 'lt', key) }
  }

  /** @param {Cut} cut */
  #cut(cut) {
    const start = this.#at + 4
    this.#at = start + this.#view.getUint32(this.#at, true)
    return cut(this.#page, start, this.#at)
  }

  /**
   * Reads the start or the end of a range. The key after x is x with a zero byte.
   * @param {string} after the name of a bound right after a key
   * @param {string} at the name of a bound at a key
   * @param {Cut} key
   */
  #bound(after, at, key) {
    if (this.#view.getUint32(this.#at, true) === NO_BOUND) {
      this.#at += 4
      return {}
    }
    return this.#cut((page, start, end) => {
      const isAfter = end > start && page[end - 1] === 0
      return { [isAfter ? after : at]: key(page, start, isAfter ? end - 1 : end) }
    })
  }

  /** @param {number} at */
  #sequence(at) {
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32
  }
}
