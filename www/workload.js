// Operations in an order that a seed decides: the same seed gives the same operations.

/** @typedef {'sequential' | 'random' | 'overwrite' | 'deletes'} Kind */
/** @typedef {{ kind: Kind, seed: number, keys: number, operations: number, valueSize: number }} Settings */

/** @type {Record<Kind, { title: string, says: string }>} */
export const KINDS = {
  sequential: { title: 'in order', says: 'keys one after another, again from the first after the last' },
  random: { title: 'random', says: 'any of the keys' },
  overwrite: { title: 'overwrite', says: 'nine of ten writes go to a tenth of the keys' },
  deletes: { title: 'deletes', says: 'half of the operations delete a key' }
}

const encoder = new TextEncoder()

export class Workload {
  #settings
  #state
  /** Operations that were given. */
  done = 0

  /** @param {Settings} settings */
  constructor(settings) {
    this.#settings = settings
    this.#state = settings.seed >>> 0
  }

  get isDone() {
    return this.done >= this.#settings.operations
  }

  /** Numbers below 2^32 (mulberry32). */
  #random() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** The next operation; a delete has no value. @returns {{ key: Uint8Array, value?: Uint8Array }} */
  next() {
    const { kind, keys, valueSize } = this.#settings
    const chosen = this.#random()
    let number = chosen % keys
    if (kind === 'sequential') number = this.done % keys
    if (kind === 'overwrite' && this.#random() % 10 > 0) number = chosen % Math.max(1, Math.floor(keys / 10))
    const deletes = kind === 'deletes' && this.#random() % 2 === 0
    const key = encoder.encode(`user:${String(number).padStart(8, '0')}`)
    this.done++
    return deletes ? { key } : { key, value: this.#value(number, valueSize) }
  }

  /** JSON about half of which compresses. @param {number} id @param {number} size */
  #value(id, size) {
    const head = `{"id":${id},"r":${this.#random()},"pad":"`
    const room = Math.max(0, size - head.length - 2)
    let text = ''
    while (text.length < room / 2) text += this.#random().toString(36)
    return encoder.encode(`${head}${text.slice(0, Math.ceil(room / 2))}${'x'.repeat(Math.floor(room / 2))}"}`)
  }
}
