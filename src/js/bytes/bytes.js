// What callers give, as bytes.
import { InvalidArgumentError } from '../errors.js'
import { NativeBuffer } from './native-buffer.js'
import { textSizeBound, writeText } from './text.js'

/** Bytes of their own, not yet written. @param {number} size */
export const allocate = (size) => NativeBuffer !== undefined ? NativeBuffer.allocUnsafeSlow(size) : new Uint8Array(size)

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

/**
 * What an encoding made, as bytes that last.
 * @param {unknown} data
 * @param {string} what
 */
export function bytesOf(data, what) {
  if (typeof data !== 'string') return viewOf(data, what)
  const bytes = new Uint8Array(textSizeBound(data))
  return bytes.subarray(0, writeText(bytes, 0, data))
}

/**
 * The bounds of a range as bytes, at most one a side: gte and lte go before gt and lt.
 * @param {Record<string, any>} options
 * @returns {{ gt?: Uint8Array, gte?: Uint8Array, lt?: Uint8Array, lte?: Uint8Array }}
 */
export function boundsOf({ gt, gte, lt, lte }) {
  return {
    gt: gt === undefined || gte !== undefined ? undefined : bytesOf(gt, 'gt'),
    gte: gte === undefined ? undefined : bytesOf(gte, 'gte'),
    lt: lt === undefined || lte !== undefined ? undefined : bytesOf(lt, 'lt'),
    lte: lte === undefined ? undefined : bytesOf(lte, 'lte')
  }
}

/** The key right after `key`. @param {Uint8Array} key */
export function following(key) {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}
