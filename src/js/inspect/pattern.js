// Bytes that are searched for.
import { InvalidArgumentError } from '../errors.js'

export const PATTERN_MAX = 1024

/** As src/wasm/inspect.rs numbers them. @type {Record<string, number>} */
const PLACES = { keys: 1, values: 2, both: 3, 'key starts': 4 }
const NONE = new Uint8Array(0)

/** A copy, which nobody changes. @param {import('../types/inspect.js').Wanted} wanted */
export function patternOf(wanted) {
  if (wanted === null || typeof wanted !== 'object') throw new InvalidArgumentError("The argument 'wanted' must be an object with 'bytes'")
  const { bytes, mask = NONE, where = 'both' } = wanted
  if (!(bytes instanceof Uint8Array) || bytes.length === 0 || bytes.length > PATTERN_MAX) throw new InvalidArgumentError(`The argument 'bytes' must be a Uint8Array of 1 to ${PATTERN_MAX} bytes`)
  if (mask !== NONE && (!(mask instanceof Uint8Array) || mask.length !== bytes.length)) throw new InvalidArgumentError("The argument 'mask' must be a Uint8Array as long as 'bytes'")
  if (!Object.hasOwn(PLACES, where)) throw new InvalidArgumentError(`The argument 'where' must be one of ${Object.keys(PLACES).join(', ')}`)
  return { bytes: bytes.slice(), mask: mask.slice(), place: PLACES[where] }
}
