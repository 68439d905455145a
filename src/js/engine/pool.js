// Where small answers are put: an ArrayBuffer of its own costs a value more than being looked up does.
//
//   slab = bytes, bytes, ...    what is kept of a slab keeps all of it, as with Node's own Buffers
//
// Only where a slab can be kept from being transferred: the bytes of others would go with it.
import { makeSlab } from '#wasm'

/** Copies of bytes, as views. */
export class Pool {
  #size
  #slab = new ArrayBuffer(0)
  #used

  /** @param {number} size bytes of a slab; what is larger than an eighth of it gets memory of its own */
  constructor(size) {
    this.#size = size
    this.#used = Infinity
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} start
   * @param {number} end
   * @returns {Uint8Array} never a Buffer
   */
  copy(bytes, start, end) {
    const size = end - start
    const source = bytes.subarray(start, end)
    if (makeSlab === undefined || size > this.#size >>> 3) return new Uint8Array(source)
    if (this.#used + size > this.#size) {
      this.#slab = makeSlab(this.#size)
      this.#used = 0
    }
    const copy = new Uint8Array(this.#slab, this.#used, size)
    copy.set(source)
    this.#used += (size + 7) & ~7
    return copy
  }
}
