// Write batches as LevelDB writes them to its log, in which form they cross to the engine at once:
//
//   batch  = sequence u64 (0: the engine's to choose), count u32le, record*
//   record = 1, varint32 length, key, varint32 length, value      a put
//          | 0, varint32 length, key                              a delete
//
//   put a=b, del c   00 00 00 00 00 00 00 00  02 00 00 00  01 01 61 01 62  00 01 63
import { InvalidArgumentError, VarveError } from '../errors.js'
import { NativeBuffer } from './native-buffer.js'

const HEADER_SIZE = 12
const COUNT_OFFSET = 8
const DELETE = 0
const PUT = 1
const VARINT_SIZE_MAX = 5

const SIZE_INITIAL = 4096
/** A batch that grew beyond this gives its memory back. */
const SIZE_KEPT_MAX = 1 << 20
/** Up to here a string gets three bytes a character without asking how many it takes. */
const GUESSED_LENGTH_MAX = 1 << 16
/** Up to here a loop is faster than a call into the platform. */
const SHORT_LENGTH_MAX = 12

const encoder = new TextEncoder()
const utf8Write = NativeBuffer?.prototype.utf8Write

/**
 * Writes `text` at `at`, where there is room for it.
 * @param {Uint8Array} into
 * @param {number} at
 * @param {string} text
 * @returns {number} bytes written
 */
export function writeText(into, at, text) {
  const { length } = text
  if (length > SHORT_LENGTH_MAX) return writeLongText(into, at, text)
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return writeLongText(into, at, text)
    into[at + i] = unit
  }
  return length
}

/** @param {Uint8Array} into @param {number} at @param {string} text */
function writeLongText(into, at, text) {
  if (at === 0) return encoder.encodeInto(text, into).written
  if (utf8Write !== undefined) return utf8Write.call(into, text, at)
  return encoder.encodeInto(text, into.subarray(at)).written
}

/**
 * At least as many bytes as `text` takes in UTF-8: exact where a guess would cost memory.
 * @param {string} text
 */
export function textSizeBound(text) {
  if (text.length <= GUESSED_LENGTH_MAX) return text.length * 3
  return NativeBuffer !== undefined ? NativeBuffer.byteLength(text) : text.length * 3
}

/** Of any typed array: throws if its bytes are gone. */
const checkView = Object.getPrototypeOf(Uint8Array.prototype).keys

/**
 * The bytes of what an encoding of format 'view' or 'buffer' made: any view counts, as in abstract-level.
 * @param {unknown} data
 * @param {string} what key, value or target, for the message
 * @returns {Uint8Array}
 */
export function viewOf(data, what) {
  if (data instanceof Uint8Array && data.length > 0) return data
  if (!ArrayBuffer.isView(data)) {
    throw new InvalidArgumentError(`The encoding of the ${what} made neither a string nor a view of bytes`)
  }
  try {
    // A detached buffer looks like an empty one, and so does a view of what was cut off; here they fail. An empty value in their
    // place would be silent loss.
    if (data.byteLength === 0 && !(data instanceof DataView)) checkView.call(data)
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  } catch (cause) {
    throw new InvalidArgumentError(`The ${what} is a view of bytes that are gone: its buffer was detached or made smaller`, { cause })
  }
}

/** @param {number} n */
const varintSize = (n) => n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x200000 ? 3 : n < 0x10000000 ? 4 : 5

/** The bytes of one write batch, growing. Memory is kept from one batch to the next. */
export class WriteBatch {
  #bytes = WriteBatch.#allocate(SIZE_INITIAL)
  #size = HEADER_SIZE
  #count = 0

  /** A Buffer where there is one: its methods write strings in place. @param {number} size */
  static #allocate(size) {
    try {
      return NativeBuffer !== undefined ? NativeBuffer.allocUnsafeSlow(size) : new Uint8Array(size)
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
    // Only now does the record count: what failed half-way is written over by the next.
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

  /** The batch as it is now: a view, good until the next change. */
  finish() {
    const bytes = this.#bytes
    bytes.fill(0, 0, COUNT_OFFSET)
    for (let i = 0; i < 4; i++) bytes[COUNT_OFFSET + i] = this.#count >>> (8 * i)
    return new Uint8Array(bytes.buffer, bytes.byteOffset, this.#size)
  }

  /** @param {number} at @param {any} data @param {string} what */
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
   * The length stands before the text and is known after it: room is left for that of an ASCII text, which mostly fits.
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

  /** Room for `extra` bytes after those that count; what was written there stays. @param {number} extra */
  #reserve(extra) {
    const needed = this.#size + extra
    if (needed <= this.#bytes.length) return
    const larger = WriteBatch.#allocate(Math.max(needed, this.#bytes.length * 2))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}
