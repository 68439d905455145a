// The iterable that rangeSync() returns.
import { VarveError } from '../errors.js'

/** @typedef {import('./options.js').Encoded} Encoded */

/** The prototype with the iterator helpers (map, filter, take ...), in runtimes that have them. */
const ITERATOR = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()))

/** Closes the engine's iterator of an unfinished range that was garbage collected. */
const abandoned = new FinalizationRegistry((/** @type {{ close(): Promise<void> }} */ iterator) => { iterator.close().catch(() => {}) })

/**
 * A consistent view of a range. Pages are read as needed. The end, `return()` and an error close
 * it.
 * @implements {IterableIterator<[unknown, unknown]>}
 */
export class EntriesSync {
  #iterator
  #keyEncoding
  #valueEncoding
  #prefixed

  /**
   * @param {import('./iterator.js').Iterator} iterator
   * @param {{ decode(data: unknown): unknown }} keyEncoding
   * @param {{ decode(data: unknown): unknown }} valueEncoding
   * @param {number} prefixed the length of the prefix of keys that is left out
   */
  constructor(iterator, keyEncoding, valueEncoding, prefixed) {
    this.#iterator = /** @type {import('./iterator.js').Iterator | null} */ (iterator)
    this.#keyEncoding = keyEncoding
    this.#valueEncoding = valueEncoding
    this.#prefixed = prefixed
    abandoned.register(this, iterator, this)
  }

  /** @returns {IteratorResult<[Encoded, Encoded], undefined>} */
  next() {
    if (this.#iterator === null) return { done: true, value: undefined }
    try {
      const entry = this.#iterator.nextSync()
      if (entry !== undefined) {
        const [prefixedKey, value] = entry
        const key = this.#prefixed === 0 ? prefixedKey : prefixedKey?.slice(this.#prefixed)
        return { done: false, value: [decoded(this.#keyEncoding, key, 'key'), decoded(this.#valueEncoding, value, 'value')] }
      }
    } catch (error) {
      this.#close()
      throw error
    }
    this.#close()
    return { done: true, value: undefined }
  }

  /** @param {any} [value] any: handed back as it is @returns {IteratorResult<[any, any], any>} */
  return(value) {
    this.#close()
    return { done: true, value }
  }

  [Symbol.iterator]() { return this }

  #close() {
    const iterator = this.#iterator
    this.#iterator = null
    if (iterator === null) return
    abandoned.unregister(this)
    iterator.close().catch(() => {})
  }
}

Object.setPrototypeOf(EntriesSync.prototype, ITERATOR)

/**
 * @param {{ decode(data: unknown): unknown }} encoding
 * @param {unknown} data undefined: there is none
 * @param {'key' | 'value'} what
 */
export function decoded(encoding, data, what) {
  if (data === undefined) return undefined
  try {
    return encoding.decode(data)
  } catch (cause) {
    throw new VarveError(`Could not decode ${what}`, { code: 'LEVEL_DECODE_ERROR', cause })
  }
}
