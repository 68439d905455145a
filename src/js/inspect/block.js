// One block: its entries in columns, its contents, and the keys and values in them.
import { withInstance } from './module.js'
import { aligned, column } from './regions.js'
import { bytesAt } from './source.js'

/** @typedef {import('../types/inspect.js').Source} Source */
/** @typedef {import('../types/inspect.js').BlockView} BlockView */
/** @typedef {import('../types/inspect.js').Entries} Entries */
/** @typedef {ReturnType<import('../engine/instance.js').Instance['exports']['openBlock']>} View */

/** Bytes of the trailer of a block: codec and checksum. */
export const TRAILER = 5

/** Stored bytes of larger blocks are not read: they are not decoded (src/inspect/block.rs). */
export const SIZE_MAX = 64 << 20

/** Bytes of a row of src/inspect/view.rs. */
const ROW = 32

/**
 * @param {Source} source
 * @param {{ kind: string, offset: number, size: number }} block
 * @returns {Promise<BlockView>}
 */
export async function openBlock(source, { kind, offset, size }) {
  const length = size > SIZE_MAX ? 0 : size + TRAILER
  const stored = await bytesAt(source, offset, Math.max(0, Math.min(length, source.size - offset)))
  return withInstance((exports) => released(exports.openBlock(kind, offset, size, stored), viewOf))
}

/**
 * Takes what is wanted of an object of the engine, and releases it. After a failure its instance is not
 * used any more.
 * @template {{ free(): void }} V
 * @template T
 * @param {V} view
 * @param {(view: V) => T} act
 */
export function released(view, act) {
  const taken = act(view)
  view.free()
  return taken
}

/**
 * @param {View} view
 * @returns {BlockView}
 */
export function viewOf(view) {
  const raw = view.raw()
  return {
    span: JSON.parse(view.span()),
    ...raw && { raw },
    plain: view.plain(),
    entries: entriesOf(view.rows()),
    restarts: view.restarts()
  }
}

/**
 * @param {Uint8Array} rows
 * @returns {Entries}
 */
function entriesOf(rows) {
  const { buffer, length } = aligned(rows)
  const count = length / ROW
  const words = new Uint32Array(buffer, 0, count * ROW / 4)
  const bytes = new Uint8Array(buffer, 0, count * ROW)
  return {
    length: count,
    sequence: column(Float64Array, count, new Float64Array(buffer, 0, count * ROW / 8), 0, ROW / 8),
    offset: column(Uint32Array, count, words, 2, ROW / 4),
    keyStart: column(Uint32Array, count, words, 3, ROW / 4),
    valueStart: column(Uint32Array, count, words, 4, ROW / 4),
    end: column(Uint32Array, count, words, 5, ROW / 4),
    shared: column(Uint32Array, count, words, 6, ROW / 4),
    restart: column(Uint8Array, count, bytes, 28, ROW),
    type: column(Uint8Array, count, bytes, 29, ROW)
  }
}

/** @param {BlockView} block @param {number} index @param {number} [max] */
export function keyOf({ raw, entries }, index, max = Infinity) {
  if (raw === undefined || !(index >= 0 && index < entries.length)) return new Uint8Array(0)
  const { keyStart, valueStart, shared } = entries
  const key = new Uint8Array(Math.min(max, shared[index] + valueStart[index] - keyStart[index]))
  // From here on the key is known; what is before it is in earlier entries.
  let known = key.length
  for (let at = index; at >= 0 && known > 0; at--) {
    if (shared[at] >= known) continue
    key.set(raw.subarray(keyStart[at], keyStart[at] + known - shared[at]), shared[at])
    known = shared[at]
  }
  return key
}

/** @param {BlockView} block @param {number} index */
export function valueOf({ raw, entries }, index) {
  return raw?.subarray(entries.valueStart[index], entries.end[index]) ?? new Uint8Array(0)
}
