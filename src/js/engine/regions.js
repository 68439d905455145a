// The regions of an instance's memory used to pass bytes in and out (src/wasm/regions.rs).
import { NativeBuffer } from '../bytes/native-buffer.js'
import { Pool } from './pool.js'

/** Initial size of the scratch region: most keys and values fit. */
const SCRATCH_SIZE = 4096
/** A larger region is requested for each call, so that the engine can free it. */
const SCRATCH_KEPT = 1 << 20

/** Memory grows by half more than needed, at most by this; a large memory by an eighth. */
const GROWTH = 8 << 20

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export const EMPTY = NativeBuffer ? NativeBuffer.alloc(0) : new Uint8Array(0)

export class Regions {
  /** any: wasm-bindgen's class Database, of either module @type {any} */
  #database = null
  /** @type {WebAssembly.Memory} */
  #memory = /** @type {WebAssembly.Memory} */ (/** @type {unknown} */ (undefined))
  /**
   * The whole memory, as a Buffer where there is one; replaced when the memory has grown.
   * @type {any} any: a Buffer or a view
   */
  #bytes = EMPTY
  #values = new Pool(8 << 10)
  #pages = new Pool(64 << 10)
  #scratch = 0
  #scratchSize = 0

  /**
   * Sets the database whose regions are used; null for none.
   * @param {any} database any: as #database
   * @param {WebAssembly.Memory} [memory]
   */
  use(database, memory) {
    this.#database = database
    this.#memory = /** @type {WebAssembly.Memory} */ (memory)
    this.#bytes = EMPTY
    this.#scratch = this.#scratchSize = 0
  }

  /** Writes (u32 length, key)* to scratch and returns its size. @param {Uint8Array[]} keys */
  enterMany(keys) {
    let size = 4 * keys.length
    for (const key of keys) size += key.length
    let at = this.#reserve(size)
    const view = new DataView(this.#memory.buffer)
    for (const key of keys) {
      view.setUint32(at, key.length, true)
      this.#bytes.set(key, at + 4)
      at += 4 + key.length
    }
    return size
  }

  /**
   * Writes the parts to scratch, one after another.
   * @param {Uint8Array} first
   * @param {Uint8Array} [second]
   */
  enter(first, second) {
    const at = this.#reserve(second === undefined ? first.length : first.length + second.length)
    this.#bytes.set(first, at)
    if (second !== undefined) this.#bytes.set(second, at + first.length)
  }

  /**
   * Returns the address of `size` bytes of scratch; the view of memory is valid until the next call
   * of the engine.
   * @param {number} size
   */
  #reserve(size) {
    if (size > this.#scratchSize || this.#scratchSize > SCRATCH_KEPT) {
      const room = Math.max(size, SCRATCH_SIZE)
      this.#scratch = this.#database.scratch(room)
      this.#scratchSize = room
    }
    this.#look()
    return this.#scratch
  }

  #look() {
    // A view of memory that has grown is detached.
    if (this.#bytes.length === 0) {
      // The allocator grows memory by 64 KiB, and each time all of it becomes a new ArrayBuffer,
      // which V8 counts as young: above 32 MiB it collects garbage before every further
      // ArrayBuffer.
      const size = this.#memory.buffer.byteLength
      this.#database.grow(Math.max(size >>> 3, Math.min(size >>> 1, GROWTH)))
      const { buffer } = this.#memory
      this.#bytes = NativeBuffer ? NativeBuffer.from(buffer) : new Uint8Array(buffer)
    }
  }

  /** Returns the last result, a value. @param {number} size */
  value(size) {
    const start = this.#database.out()
    this.#look()
    return this.#values.copy(this.#bytes, start, start + size)
  }

  /** Returns the last result, a page. @param {number} size */
  page(size) {
    const start = this.#database.out()
    this.#look()
    return this.#pages.copy(this.#bytes, start, start + size)
  }

  /** Returns a copy of the last result. @param {number} size */
  copy(size) {
    const start = this.#database.out()
    this.#look()
    if (!NativeBuffer) return this.#bytes.slice(start, start + size)
    const copy = NativeBuffer.allocUnsafeSlow(size)
    this.#bytes.copy(copy, 0, start, start + size)
    return copy
  }

  /** @param {number} start @param {number} end */
  string(start, end) {
    this.#look()
    return NativeBuffer ? this.#bytes.utf8Slice(start, end) : decoder.decode(this.#bytes.subarray(start, end))
  }
}
