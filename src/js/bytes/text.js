// Strings out of bytes.
import { NativeBuffer } from './native-buffer.js'

/** Up to here looking for a byte beyond ASCII and reading Latin-1 is faster than reading UTF-8. */
const SHORT_SIZE_MAX = 24

const prototype = NativeBuffer?.prototype
const latin1Slice = prototype?.latin1Slice
const utf8Slice = prototype?.utf8Slice
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * The string that stands in `bytes` from `start` to `end`.
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} end
 */
export function readText(bytes, start, end) {
  if (utf8Slice === undefined || latin1Slice === undefined) return decoder.decode(bytes.subarray(start, end))
  if (end - start > SHORT_SIZE_MAX) return utf8Slice.call(bytes, start, end)
  for (let i = start; i < end; i++) {
    if (bytes[i] > 0x7f) return utf8Slice.call(bytes, start, end)
  }
  return latin1Slice.call(bytes, start, end)
}
