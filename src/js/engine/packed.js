// Many answers in one array of bytes, as the engine gives them (src/wasm/database.rs).
import { NativeBuffer } from '../bytes/native-buffer.js'

/** The length of a value that is not there. */
const NO_VALUE = 0xffffffff

/** A byte for each, 1 or 0. @param {Uint8Array} bytes */
export const flags = (bytes) => Array.from(bytes, (byte) => byte === 1)

/** (u32 length, value)* to values; length 0xffffffff is none. @param {Uint8Array} packed */
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
