// Feeds an inspector the bytes that it requests.
import { fromEngine } from '../errors.js'
import { inNextTurn } from '../engine/event-loop.js'
import { bytesAt } from './source.js'

/** @typedef {import('../types/inspect.js').Source} Source */

/**
 * The inspectors of src/wasm/inspect.rs.
 * @typedef {object} Inspector
 * @property {() => number} offset of the bytes to feed next; -1 at the end
 * @property {() => number} length 0: to continue with those it has
 * @property {(bytes: Uint8Array) => void} feed
 */

/** Longest time in ms without letting other tasks run: sources may answer at once, and reads ahead go on only then. */
const HELD_MS = 8

/**
 * Feeds `inspector` until the end, at least `ahead` bytes at once. Yields after each step how many
 * bytes of the file were read.
 * @param {Source} source
 * @param {Inspector} inspector
 * @param {number} ahead
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<number, void>}
 */
export async function * feedAll(source, inspector, ahead, signal) {
  const held = new Held()
  let done = 0
  for (;;) {
    signal?.throwIfAborted()
    const offset = inspector.offset()
    if (offset < 0) return
    const length = inspector.length()
    const bytes = length === 0 ? NOTHING : await bytesAt(source, offset, length, ahead)
    done = Math.min(source.size, done + bytes.length)
    try {
      inspector.feed(bytes)
    } catch (error) {
      throw fromEngine(error)
    }
    yield done
    await held.yield()
  }
}

/** Lets other tasks run from time to time. */
export class Held {
  #since = performance.now()

  async yield() {
    if (performance.now() - this.#since <= HELD_MS) return
    await new Promise((resolve) => inNextTurn(() => resolve(undefined)))
    this.#since = performance.now()
  }
}

const NOTHING = new Uint8Array(0)

/** Parses lines of JSON. @param {string} lines @returns {any[]} any: each kind of line has its type */
export const parsed = (lines) => lines === '' ? [] : JSON.parse(`[${lines.trimEnd().replaceAll('\n', ',')}]`)

/** The names in lines of JSON. @param {string} lines @returns {import('../types/inspect.js').KeyName[]} */
export const namesOf = (lines) => parsed(lines).map(({ facts: { database, store, index, sequence, text } }) => ({
  database: Number(database), store: Number(store), index: Number(index), sequence: Number(sequence), name: new TextDecoder().decode(Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16)))
}))
