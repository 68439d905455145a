// Groups writes started together, as by Promise.all: the first is written at once, those that
// follow before its promise resolves share one write.
//
//   put  put  put  put  (end of the synchronous code and of pending microtasks)
//    |    '----'----'--> one batch, one record of the log, one promise
//    '-> written
import { WriteBatch } from '../bytes/write-batch.js'

/** Longer writes are not grouped, to avoid another copy. */
const MEMBER_SIZE_MAX = 4 << 10
/** A group of this size is written at once. */
const GROUP_SIZE_MAX = 64 << 10

/** Its then() schedules a microtask; queueMicrotask costs a tenth of a put in Node. */
const READY = Promise.resolve()

export class WriteGroup {
  #write
  #memberSizeMax
  #batch = new WriteBatch()
  /**
   * Replaces the batch while it is written: a storage may write meanwhile.
   * @type {WriteBatch | null}
   */
  #spare = null
  #size = 0
  /** Puts and deletes are not mixed: on a full disk only deletes succeed. */
  #deletes = false
  #isOpen = false
  /** @type {Promise<void> | undefined} */
  #promise
  /** @type {(value?: any) => void} any: the result of any call */
  #resolve = () => {}
  /** @type {(error: unknown) => void} */
  #reject = () => {}
  #end = () => {
    this.#isOpen = false
    this.flush()
  }

  /**
   * @param {(batch: Uint8Array) => void | Promise<void>} write
   * @param {number} [sizeMax] what the engine would refuse in a batch of several is left out of it
   */
  constructor(write, sizeMax = MEMBER_SIZE_MAX) {
    this.#write = write
    this.#memberSizeMax = Math.min(sizeMax, MEMBER_SIZE_MAX)
  }

  /** Whether a group must be written before the next operation. */
  get waits() { return this.#size > 0 }

  /** Called before a write that is not grouped; writes after it may form a group. */
  open() {
    if (this.#isOpen) return
    this.#isOpen = true
    READY.then(this.#end)
  }

  /**
   * @param {Uint8Array} key
   * @param {Uint8Array} value
   * @returns {Promise<void> | undefined} none: it must be made by itself
   */
  put(key, value) {
    if (!this.#takes(key.length + value.length, false)) return undefined
    this.#batch.put(key, value)
    return this.#joined(key.length + value.length)
  }

  /** @param {Uint8Array} key @returns {Promise<void> | undefined} */
  del(key) {
    if (!this.#takes(key.length, true)) return undefined
    this.#batch.del(key)
    return this.#joined(key.length)
  }

  /** Writes the group. An error rejects its promise. */
  flush() {
    if (this.#size === 0) return
    const [batch, resolve, reject] = [this.#batch, this.#resolve, this.#reject]
    this.#batch = this.#spare ?? new WriteBatch()
    this.#spare = null
    this.#size = 0
    this.#promise = undefined
    try {
      const done = this.#write(batch.finish())
      if (done instanceof Promise) done.then(resolve, reject)
      else resolve()
    } catch (error) {
      reject(error)
    } finally {
      batch.clear()
      this.#spare = batch
    }
  }

  /** @param {number} size @param {boolean} deletes */
  #takes(size, deletes) {
    if (!this.#isOpen || size > this.#memberSizeMax) return false
    if (deletes !== this.#deletes) {
      this.flush()
      this.#deletes = deletes
    }
    return true
  }

  /** @param {number} size */
  #joined(size) {
    const promise = this.#promise ??= new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#size += size + 1
    if (this.#size > GROUP_SIZE_MAX) this.flush()
    return promise
  }
}
