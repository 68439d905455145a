// Allocates small results from slabs: creating an ArrayBuffer costs more than looking a value up.
//
//   slab = bytes, bytes, ...    one kept value keeps its whole slab alive, as with Node's Buffers
//
// Used only where a slab can be marked as untransferable: a transfer would detach the other values.
import { makeSlab } from '#wasm'

/** Copies bytes into slabs and returns views. */
export class Pool {
  #size
  #slab = new ArrayBuffer(0)
  #used

  /**
   * @param {number} size bytes of a slab; values of more than an eighth of it get their own memory
   */
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
