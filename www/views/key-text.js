// The user key of an entry as a cell of a list.
import { keyOf } from 'varve/inspect'
import { bytesText } from '../ui/bytes.js'

/** Bytes of a key that a cell can show. */
const SHOWN = 400

/**
 * @param {import('varve/inspect').BlockView} view
 * @param {number} entry
 * @param {{ dim?: number }} [options] `dim`: so many bytes at the start are shown dimmed
 */
export function keyText(view, entry, { dim = 0 } = {}) {
  const { shared, keyStart, valueStart, type } = view.entries
  const size = shared[entry] + valueStart[entry] - keyStart[entry] - (type[entry] === 255 ? 0 : 8)
  const key = keyOf(view, entry, SHOWN + 8)
  return bytesText(key.subarray(0, Math.min(SHOWN, size)), { size, dim })
}
