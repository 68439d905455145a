// Explains the bytes of a table file without a database: the inspector (src/inspect) requests bytes
// and returns spans. Damage is reported as findings.
import { Instance, MEMORY_LIMIT } from '../engine/instance.js'
import { isFull } from '../engine/module.js'
import { VarveError } from '../errors.js'

/** Bytes read at once, so that consecutive blocks need few reads. */
const READ_AHEAD = 1 << 20

/**
 * An explained range of bytes.
 *
 * @typedef {object} Span
 * @property {string} kind `footer`, `metaindex`, `index`, `filter`, `meta`, `data`, `entry`, `gap`;
 *   the last span is `table`, for the whole file
 * @property {number | string} offset in the file; of an entry, in its decompressed block
 * @property {number | string} length a number that is not exact as one is a string of digits
 * @property {Record<string, any>} facts bytes are in hexadecimal; any: each kind has other facts
 * @property {{ code: string, severity: 'info' | 'warn' | 'bad', offset: number | string,
 *              reason: string }[]} findings
 * @property {Span[]} spans
 */

/**
 * @typedef {object} Source
 * @property {number} size bytes of the file
 * @property {(offset: number, into: Uint8Array) => number | Promise<number>} read fills `into` and
 *   returns the number of bytes read
 */

/**
 * Yields the spans of a table file.
 *
 * @param {Source} source
 * @param {{ entries?: boolean }} [options] `entries`: whether blocks list theirs
 * @returns {AsyncGenerator<Span, void>}
 */
export async function * inspectTable(source, { entries = false } = {}) {
  if (!isFull()) throw new VarveError("Only the module of 'varve/full' explains tables", { code: 'LEVEL_NOT_SUPPORTED' })
  const instance = await Instance.make(MEMORY_LIMIT, () => {})
  const inspector = instance.exports.inspectTable(source.size, entries)
  const window = new Window(source)
  for (let offset = inspector.offset(); offset >= 0; offset = inspector.offset()) {
    const lines = inspector.supply(await window.bytes(offset, inspector.length()))
    for (const line of lines.split('\n')) {
      if (line !== '') yield JSON.parse(line)
    }
  }
}

/** A file with a buffer of the last read. */
class Window {
  #source
  #start = 0
  #bytes = new Uint8Array(0)

  /** @param {Source} source */
  constructor(source) {
    this.#source = source
  }

  /**
   * Returns `length` bytes, or those up to the end.
   * @param {number} offset
   * @param {number} length
   */
  async bytes(offset, length) {
    if (length === 0) return new Uint8Array(0)
    if (offset < this.#start || offset + length > this.#start + this.#bytes.length) await this.#move(offset, length)
    return this.#bytes.subarray(offset - this.#start, offset - this.#start + length)
  }

  /** @param {number} offset @param {number} length */
  async #move(offset, length) {
    const into = new Uint8Array(Math.max(length, Math.min(READ_AHEAD, this.#source.size - offset)))
    this.#start = offset
    let count = await this.#try(offset, into)
    // Only the bytes after the wanted ones may be unreadable: retry without them.
    if (count < length && into.length > length) count = await this.#try(offset, into.subarray(0, length))
    this.#bytes = into.subarray(0, count)
  }

  /** @param {number} offset @param {Uint8Array} into */
  async #try(offset, into) {
    try {
      return await this.#source.read(offset, into)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      // The inspector reports unreadable bytes and continues.
      if (error.code === 'EIO') return 0
      throw error
    }
  }
}
