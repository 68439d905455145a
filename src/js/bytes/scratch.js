// Encodes strings as bytes for one call.
import { allocate, bytesOf, viewOf } from './bytes.js'
import { textSizeBound, writeText } from './text.js'

const SCRATCH_SIZE_MAX = 256 << 10

/** A reused buffer for encoded strings: the engine copies them before the call returns. */
export class Scratch {
  #bytes = new Uint8Array(1024)

  /**
   * @param {unknown} data
   * @param {string} what
   */
  bytesOf(data, what) {
    if (typeof data !== 'string') return viewOf(data, what)
    if (data.length * 3 > this.#bytes.length && !this.#grow(data.length * 3)) return bytesOf(data, what)
    const size = writeText(this.#bytes, 0, data)
    return new Uint8Array(this.#bytes.buffer, 0, size)
  }

  /** @param {number} size */
  #grow(size) {
    if (size > SCRATCH_SIZE_MAX) return false
    this.#bytes = new Uint8Array(Math.min(size * 2, SCRATCH_SIZE_MAX))
    return true
  }
}

/** Returns the keys of getMany() as bytes, strings in one buffer. @param {unknown[]} keys */
export function manyBytesOf(keys) {
  let bound = 0
  for (const key of keys) {
    if (typeof key !== 'string') return keys.map((/** @type {unknown} */ data) => bytesOf(data, 'key'))
    bound += textSizeBound(key)
  }
  const bytes = allocate(bound)
  let at = 0
  return keys.map((/** @type {any} any: keys, values and bounds may be strings or views */ key) => {
    const start = at
    at += writeText(bytes, start, key)
    return bytes.subarray(start, at)
  })
}
