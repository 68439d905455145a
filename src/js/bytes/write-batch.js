// Write batches in the format of LevelDB's log, passed to the engine in one call:
//
//   batch  = sequence u64 (0: the engine's to choose), count u32le, record*
//   record = 1, varint32 length, key, varint32 length, value      a put
//          | 0, varint32 length, key                              a delete
//
//   put a=b, del c   00 00 00 00 00 00 00 00  02 00 00 00  01 01 61 01 62  00 01 63
import { VarveError } from '../errors.js'
import { allocate, viewOf } from './bytes.js'
import { textSizeBound, writeText } from './text.js'

const HEADER_SIZE = 12
const COUNT_OFFSET = 8
const DELETE = 0
const PUT = 1
const VARINT_SIZE_MAX = 5

const SIZE_INITIAL = 4096
/** A batch larger than this releases its memory. */
const SIZE_KEPT_MAX = 1 << 20
/** @param {number} n */
const varintSize = (n) => n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x200000 ? 3 : n < 0x10000000 ? 4 : 5

/** The growing bytes of one write batch. The memory is reused for the next batch. */
export class WriteBatch {
  #bytes = WriteBatch.#allocate(SIZE_INITIAL)
  #size = HEADER_SIZE
  #count = 0

  /** A Buffer where there is one: its methods write strings in place. @param {number} size */
  static #allocate(size) {
    try {
      return allocate(size)
    } catch (cause) {
      throw new VarveError(`A batch of ${size} bytes is too large`, { code: 'LEVEL_LIMIT_EXCEEDED', cause })
    }
  }

  /**
   * @param {string | ArrayBufferView} key
   * @param {string | ArrayBufferView} value
   */
  put(key, value) {
    this.#reserve(1)
    this.#bytes[this.#size] = PUT
    const at = this.#append(this.#size + 1, key, 'key')
    // Count the record only now: a record that failed half-way is overwritten by the next.
    this.#size = this.#append(at, value, 'value')
    this.#count++
  }

  /** @param {string | ArrayBufferView} key */
  del(key) {
    this.#reserve(1)
    this.#bytes[this.#size] = DELETE
    this.#size = this.#append(this.#size + 1, key, 'key')
    this.#count++
  }

  clear() {
    this.#size = HEADER_SIZE
    this.#count = 0
    if (this.#bytes.length > SIZE_KEPT_MAX) this.#bytes = WriteBatch.#allocate(SIZE_INITIAL)
  }

  /** Returns a view of the batch, valid until the next change. */
  finish() {
    const bytes = this.#bytes
    bytes.fill(0, 0, COUNT_OFFSET)
    for (let i = 0; i < 4; i++) bytes[COUNT_OFFSET + i] = this.#count >>> (8 * i)
    return new Uint8Array(bytes.buffer, bytes.byteOffset, this.#size)
  }

  /**
   * @param {number} at
   * @param {any} data any: keys, values and bounds may be strings or views
   * @param {string} what
   */
  #append(at, data, what) {
    return typeof data === 'string' ? this.#appendText(at, data) : this.#appendView(at, viewOf(data, what))
  }

  /** @param {number} at @param {Uint8Array} view */
  #appendView(at, view) {
    this.#reserve(at - this.#size + VARINT_SIZE_MAX + view.length)
    const start = this.#writeVarint(at, view.length)
    this.#bytes.set(view, start)
    return start + view.length
  }

  /**
   * The length precedes the text but is known only afterwards: reserve the space that the length of
   * an ASCII text needs, which usually fits.
   * @param {number} at
   * @param {string} text
   */
  #appendText(at, text) {
    this.#reserve(at - this.#size + VARINT_SIZE_MAX + textSizeBound(text))
    const guess = at + varintSize(text.length)
    const size = writeText(this.#bytes, guess, text)
    const start = at + varintSize(size)
    if (start !== guess) this.#bytes.copyWithin(start, guess, guess + size)
    this.#writeVarint(at, size)
    return start + size
  }

  /** @param {number} at @param {number} value */
  #writeVarint(at, value) {
    const bytes = this.#bytes
    while (value > 0x7f) {
      bytes[at++] = (value & 0x7f) | 0x80
      value >>>= 7
    }
    bytes[at++] = value
    return at
  }

  /**
   * Makes room for `extra` bytes after the batch, keeping bytes already written there.
   * @param {number} extra
   */
  #reserve(extra) {
    const needed = this.#size + extra
    if (needed <= this.#bytes.length) return
    const larger = WriteBatch.#allocate(Math.max(needed, this.#bytes.length * 2))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}
