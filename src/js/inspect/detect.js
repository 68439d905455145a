// What a file is, by its first and last bytes.
import { withInstance } from './module.js'
import { bytesAt } from './source.js'

/** @typedef {import('../types/inspect.js').Source} Source */
/** @typedef {import('../types/inspect.js').Detected} Detected */

/** Bytes that the engine asks for (src/inspect/detect.rs). */
const HEAD = 96 << 10
const TAIL = 64

/** @param {Pick<Detected, 'kind' | 'format' | 'named'>} detected */
export const isOther = ({ kind, format, named }) => kind === 'foreign' ? !format.includes(' table') : kind === 'zeros' && named === undefined

/**
 * @param {Source} source
 * @returns {Promise<Detected>}
 */
export async function detect(source) {
  const { name, size } = source
  const head = await bytesAt(source, 0, Math.min(HEAD, size))
  const tail = size > HEAD ? await bytesAt(source, size - TAIL, TAIL) : head.subarray(-TAIL)
  const [kind, named, format, reason] = (await withInstance(({ detectFile }) => detectFile(name, size, head, tail))).split('\n')
  return /** @type {Detected} */ ({ kind, format, reason, ...named !== '' && { named } })
}
