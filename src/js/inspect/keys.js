// Keys: their order in the comparators that the engine has, and what those of well-known applications
// mean.
import { parsed } from './feed.js'
import { withInstance } from './module.js'

/** @typedef {import('../types/inspect.js').Span} Span */
/** @typedef {import('../types/inspect.js').KeyScheme} KeyScheme */

/** `(u32 length, bytes)*`. @param {Uint8Array[]} keys */
function packed(keys) {
  const bytes = new Uint8Array(keys.reduce((sum, key) => sum + 4 + key.length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const key of keys) {
    view.setUint32(at, key.length, true)
    bytes.set(key, at + 4)
    at += 4 + key.length
  }
  return bytes
}

/** @param {Uint8Array[]} keys @returns {Promise<KeyScheme | undefined>} */
export async function guessScheme(keys) {
  const name = await withInstance(({ guessKeys }) => guessKeys(packed(keys)))
  return name === '' ? undefined : /** @type {KeyScheme} */ (name)
}

/** @param {KeyScheme} scheme @param {Uint8Array[]} keys @returns {Promise<(Span | null)[]>} */
export async function explainKeys(scheme, keys) {
  return parsed(await withInstance((exports) => exports.explainKeys(scheme, packed(keys))))
}

/** @param {string} comparator @param {Uint8Array[]} keys @returns {Promise<Uint32Array | undefined>} */
export async function rankKeys(comparator, keys) {
  return await withInstance((exports) => exports.rankKeys(comparator, packed(keys)))
}

/** A name in hexadecimal digits, as the facts of manifests have it. @param {unknown} digits */
export function nameOf(digits) {
  if (typeof digits !== 'string') return undefined
  return new TextDecoder().decode(Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16)))
}
