// The bytes of a file that are on screen, read as they are needed.
import { bytesOf } from './bytes.js'

const PAGE = 64 << 10
const PAGES_MAX = 64

export class Pages {
  #given
  #onRead
  /** @type {Map<number, Uint8Array>} */
  #pages = new Map()
  /** @type {Set<number>} */
  #reading = new Set()
  /** Why bytes could not be read. @type {Error | undefined} */
  failure

  /** @param {import('./bytes.js').Given} given @param {() => void} onRead called when more bytes are there */
  constructor(given, onRead) {
    this.#given = given
    this.#onRead = onRead
  }

  /**
   * The bytes, if they were read; else `undefined`, and `onRead` is called when they are.
   * @param {number} offset
   * @param {number} length
   * @returns {Uint8Array | undefined} fewer at the end of the file
   */
  get(offset, length) {
    const end = Math.min(this.#given.size, offset + length)
    if (end <= offset) return new Uint8Array(0)
    const into = new Uint8Array(end - offset)
    let whole = true
    for (let number = Math.floor(offset / PAGE); number * PAGE < end; number++) {
      const page = this.#pages.get(number)
      if (page === undefined) {
        this.#read(number)
        whole = false
        continue
      }
      const start = number * PAGE
      const from = Math.max(offset, start)
      into.set(page.subarray(from - start, Math.min(end - start, page.length)), from - offset)
    }
    return whole ? into : undefined
  }

  /** @param {number} number */
  async #read(number) {
    if (this.#reading.has(number) || this.failure !== undefined) return
    this.#reading.add(number)
    try {
      const bytes = await bytesOf(this.#given, number * PAGE, PAGE)
      this.#pages.set(number, bytes)
      for (const oldest of this.#pages.keys()) {
        if (this.#pages.size <= PAGES_MAX) break
        this.#pages.delete(oldest)
      }
    } catch (error) {
      this.failure = /** @type {Error} */ (error)
    }
    this.#reading.delete(number)
    this.#onRead()
  }
}
