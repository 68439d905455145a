// What is searched for, and in which blocks it can be.
import { keyOf, PATTERN_MAX } from 'varve/inspect'

/**
 * What is looked for.
 *
 * @typedef {object} Query
 * @property {'prefix' | 'bytes'} kind the beginning of a key, or bytes anywhere in keys and values
 * @property {Uint8Array} bytes
 * @property {Uint8Array} [mask] of `bytes`: 0 where any byte fits
 * @property {'both' | 'keys' | 'values'} where
 */

/** Matches that are listed; more are only counted. */
export const LISTED_MAX = 1_000_000

/**
 * A query as somebody typed it: `prefix:user:1`, `key:x`, `value:x`, `hex:6b 65 ?? 31`, or text.
 *
 * @param {string} text
 * @returns {Query | undefined}
 */
export function parseQuery(text) {
  const query = queryOf(text)
  return query !== undefined && query.bytes.length <= PATTERN_MAX ? query : undefined
}

/** @param {string} text @returns {Query | undefined} */
function queryOf(text) {
  const match = /^(prefix|key|value|hex):/.exec(text)
  const rest = match === null ? text : text.slice(match[0].length)
  if (rest === '') return undefined
  if (match?.[1] === 'hex') {
    const digits = rest.replace(/\s+/g, '').toLowerCase()
    if (!/^([0-9a-f]{2}|\?\?)+$/.test(digits)) return undefined
    /** @type {string[]} */
    const pairs = digits.match(/../g) ?? []
    return { kind: 'bytes', where: 'both', bytes: Uint8Array.from(pairs, (pair) => pair === '??' ? 0 : parseInt(pair, 16)), mask: pairs.includes('??') ? Uint8Array.from(pairs, (pair) => pair === '??' ? 0 : 1) : undefined }
  }
  const bytes = new TextEncoder().encode(rest)
  if (match?.[1] === 'prefix') return { kind: 'prefix', where: 'keys', bytes }
  return { kind: 'bytes', where: match?.[1] === 'key' ? 'keys' : match?.[1] === 'value' ? 'values' : 'both', bytes }
}

/**
 * The data blocks that can have keys with this beginning, by the separators of a bytewise index.
 *
 * @param {import('varve/inspect').BlockView} index
 * @param {Uint8Array} prefix
 * @returns {[number, number]} the first block, and the one after the last
 */
export function blocksOf(index, prefix) {
  const { length } = index.entries
  const compare = (/** @type {number} */ entry) => order(keyOf(index, entry).subarray(0, -8), prefix)
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(middle) < 0) low = middle + 1
    else high = middle
  }
  let end = low
  // The first separator that is behind all keys with the prefix ends the last such block.
  while (end < length && startsWith(keyOf(index, end).subarray(0, -8), prefix)) end++
  return [low, Math.min(length, end + 1)]
}

/** @param {Uint8Array} a @param {Uint8Array} b */
function order(a, b) {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return a.length - b.length
}

/** @param {Uint8Array} bytes @param {Uint8Array} prefix */
export function startsWith(bytes, prefix) {
  if (bytes.length < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false
  return true
}

/** A key as somebody typed it; `undefined`: it is not hexadecimal. @param {string} text @param {boolean} isHex @returns {Uint8Array | undefined} */
export function bytesOfText(text, isHex) {
  if (!isHex) return new TextEncoder().encode(text)
  const digits = text.replace(/\s+/g, '')
  if (!/^([0-9a-f]{2})*$/i.test(digits)) return undefined
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16))
}
