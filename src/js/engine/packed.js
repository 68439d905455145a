// Decodes several results packed in one array (src/wasm/database.rs).
import { NativeBuffer } from '../bytes/native-buffer.js'

/** The length that marks a missing value. */
const NO_VALUE = 0xffffffff

/** Decodes booleans: one byte each, 1 or 0. @param {Uint8Array} bytes */
export const flags = (bytes) => Array.from(bytes, (byte) => byte === 1)

/**
 * Decodes (u32 length, value)* to values; length 0xffffffff means none.
 * @param {Uint8Array} packed
 */
export function unpack(packed) {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length)
  const values = []
  let at = 0
  while (at < packed.length) {
    const length = view.getUint32(at, true)
    at += 4
    if (length === NO_VALUE) {
      values.push(undefined)
    } else {
      values.push(asBuffer(packed.subarray(at, at + length)))
      at += length
    }
  }
  return values
}

/** @param {Uint8Array} bytes */
function asBuffer(bytes) {
  return NativeBuffer ? NativeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : bytes
}
