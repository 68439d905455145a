// Explains keys for the page: those of a block, of a record, and of the tables of a version. Runs in a
// worker, which decodes; the page only shows.
import { explainKeys, guessScheme, rankKeys } from 'varve/inspect'
import { walkKeys } from './model/keys.js'

/** @typedef {import('varve/inspect').KeyScheme} KeyScheme */
/** @typedef {import('varve/inspect').Span} Span */

/**
 * @typedef {object} Explained
 * @property {(Span | null)[]} [keys] of the first entries or operations; `null` where a key is not of the scheme
 * @property {KeyScheme} [guess] if no scheme was known
 */

/** Keys of one block or record that are explained, and bytes of one and of all; the others stay plain. */
const KEYS_MAX = 20_000
const KEY_MAX = 4096
const BYTES_MAX = 2 << 20
/** Keys that tell the scheme. */
const SAMPLE = 200

/** @template {import('varve/inspect').BlockView} T @param {T} view @param {KeyScheme} [scheme] @returns {Promise<T & Explained>} */
export async function keysOfBlock(view, scheme) {
  if (!['data', 'index'].includes(view.span.kind)) return view
  const keys = new Gathered()
  walkKeys(view, (_, key) => keys.add(key))
  // Keys of an index may be shortened.
  return { ...view, ...await keys.explained(scheme, view.span.kind === 'data') }
}

/** @template {import('varve/inspect').RecordView} T @param {T} view @param {KeyScheme} [scheme] @returns {Promise<T & Explained>} */
export async function keysOfRecord(view, scheme) {
  const keys = new Gathered()
  const { length, keyStart, keyEnd } = view.operations
  for (let i = 0; i < length; i++) keys.add(view.raw.subarray(keyStart[i], keyEnd[i]))
  return { ...view, ...await keys.explained(scheme, true) }
}

class Gathered {
  /** @type {Uint8Array[]} */
  keys = []
  bytes = 0

  /** @param {Uint8Array} key valid during the call only */
  add(key) {
    if (this.keys.length >= KEYS_MAX || this.bytes > BYTES_MAX) return
    // Of a longer one, nothing is asked.
    const kept = key.length > KEY_MAX ? new Uint8Array() : key.slice()
    this.bytes += kept.length
    this.keys.push(kept)
  }

  /** @param {KeyScheme | undefined} scheme @param {boolean} maySay whether the keys may tell the scheme @returns {Promise<Explained>} */
  async explained(scheme, maySay) {
    const guess = scheme === undefined && maySay && this.keys.length > 0 ? await guessScheme(this.keys.slice(0, SAMPLE)) : undefined
    const known = scheme ?? guess
    if (known === undefined) return {}
    return { keys: await explainKeys(known, this.keys), ...guess && { guess } }
  }
}

/** Adds the ranks of the keys that bound tables, in the order of the comparator. @param {import('varve/inspect').VersionState} state */
export async function ranked(state) {
  const bytes = (/** @type {string} */ digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16))
  const comparator = new TextDecoder().decode(bytes(state.comparator ?? ''))
  const bounds = state.tables.flatMap(({ smallest, largest }) => [bytes(smallest.key), bytes(largest.key)])
  return { ...state, ranks: await rankKeys(comparator, bounds) }
}
