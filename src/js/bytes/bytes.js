// Converts keys, values and ranges to bytes.
import { InvalidArgumentError } from '../errors.js'
import { NativeBuffer } from './native-buffer.js'
import { textSizeBound, writeText } from './text.js'

/** Allocates uninitialized bytes with a buffer of their own. @param {number} size */
export const allocate = (size) => NativeBuffer !== undefined ? NativeBuffer.allocUnsafeSlow(size) : new Uint8Array(size)

/** The getter of any typed array's length: throws if its buffer is detached. */
const checkView = Object.getPrototypeOf(Uint8Array.prototype).keys

/**
 * Returns the bytes of a value encoded as 'view' or 'buffer': any view is accepted, as in
 * abstract-level.
 * @param {unknown} data
 * @param {string} what key, value or target, for the message
 * @returns {Uint8Array}
 */
export function viewOf(data, what) {
  if (data instanceof Uint8Array && data.length > 0) return data
  if (!ArrayBuffer.isView(data)) {
    throw new InvalidArgumentError(`The encoding of the ${what} returned neither a string nor a view of bytes`)
  }
  try {
    // A detached buffer, and a view past the end of a resized one, look empty. Writing an empty
    // value instead would silently lose data, so they throw.
    if (data.byteLength === 0 && !(data instanceof DataView)) checkView.call(data)
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  } catch (cause) {
    throw new InvalidArgumentError(`The ${what} is a view of a buffer that was detached or made smaller`, { cause })
  }
}

/**
 * Returns an encoded key or value as bytes.
 * @param {unknown} data
 * @param {string} what
 */
export function bytesOf(data, what) {
  if (typeof data !== 'string') return viewOf(data, what)
  const bytes = new Uint8Array(textSizeBound(data))
  return bytes.subarray(0, writeText(bytes, 0, data))
}

/**
 * Returns the bounds of a range as bytes, at most one per side: gte and lte take precedence over gt
 * and lt.
 * @param {Record<string, any>} options any: keys, values and bounds may be strings or views
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

/** Returns the key right after `key`. @param {Uint8Array} key */
export function following(key) {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}
