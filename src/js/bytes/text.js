// Converts between strings and bytes.
import { NativeBuffer } from './native-buffer.js'

/** Up to this size, checking for ASCII and decoding Latin-1 is faster than decoding UTF-8. */
const SHORT_SIZE_MAX = 24
/** Up to this size, without Node's Buffer, spelling ASCII out is faster than decoding it. */
const SPELLED_SIZE_MAX = 40
/**
 * Up to this length, three bytes per character are reserved instead of computing the exact size.
 */
const GUESSED_LENGTH_MAX = 1 << 16
/** Up to this length, a loop is faster than a platform call. */
const SHORT_LENGTH_MAX = 12

const prototype = NativeBuffer?.prototype
const latin1Slice = prototype?.latin1Slice
const utf8Slice = prototype?.utf8Slice
const utf8Write = prototype?.utf8Write
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/**
 * Returns the string in `bytes` from `start` to `end`.
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} end
 */
export function readText(bytes, start, end) {
  if (utf8Slice === undefined || latin1Slice === undefined) {
    return (end - start <= SPELLED_SIZE_MAX ? asciiText(bytes, start, end) : undefined) ?? decoder.decode(bytes.subarray(start, end))
  }
  if (end - start > SHORT_SIZE_MAX) return utf8Slice.call(bytes, start, end)
  for (let i = start; i < end; i++) {
    if (bytes[i] > 0x7f) return utf8Slice.call(bytes, start, end)
  }
  return latin1Slice.call(bytes, start, end)
}

/**
 * Returns the string in `bytes`, or undefined if it is not ASCII. A TextDecoder takes three times as
 * long for a short one.
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} end
 */
function asciiText(bytes, start, end) {
  let text = ''
  let at = start
  for (; at + 8 <= end; at += 8) {
    const a = bytes[at]
    const b = bytes[at + 1]
    const c = bytes[at + 2]
    const d = bytes[at + 3]
    const e = bytes[at + 4]
    const f = bytes[at + 5]
    const g = bytes[at + 6]
    const h = bytes[at + 7]
    if ((a | b | c | d | e | f | g | h) > 0x7f) return undefined
    text += String.fromCharCode(a, b, c, d, e, f, g, h)
  }
  for (; at < end; at++) {
    const unit = bytes[at]
    if (unit > 0x7f) return undefined
    text += String.fromCharCode(unit)
  }
  return text
}

/**
 * Writes `text` at offset `at`; the caller provides enough space.
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
 * Returns an upper bound of the size of `text` in UTF-8; exact for long strings, to save memory.
 * @param {string} text
 */
export function textSizeBound(text) {
  if (text.length <= GUESSED_LENGTH_MAX) return text.length * 3
  return NativeBuffer !== undefined ? NativeBuffer.byteLength(text) : text.length * 3
}
