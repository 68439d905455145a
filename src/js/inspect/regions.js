// Regions in columns, from the rows of src/inspect/regions.rs, which has the same lists of names.

/** @typedef {import('../types/inspect.js').Regions} Regions */

export const REGION_KINDS = Object.freeze(['footer', 'metaindex', 'index', 'filter', 'meta', 'data', 'gap', 'full', 'first', 'middle', 'last', 'padding', 'zeros', 'damage'])
export const REGION_STATES = Object.freeze(['unread', 'sound', 'bad', 'found', 'doubtful', 'torn'])
export const CODECS = Object.freeze(['none', 'snappy', 'zlib', 'zstd', 'deflate', 'unknown'])

/** Bytes of a row. */
const ROW = 40

/**
 * @param {Uint8Array} rows
 * @returns {Regions}
 */
export function regionsOf(rows) {
  const { buffer, length } = aligned(rows)
  const count = length / ROW
  const floats = new Float64Array(buffer, 0, count * ROW / 8)
  const words = new Uint32Array(buffer, 0, count * ROW / 4)
  const bytes = new Uint8Array(buffer, 0, count * ROW)
  return {
    length: count,
    offset: column(Float64Array, count, floats, 0, ROW / 8),
    size: column(Float64Array, count, floats, 1, ROW / 8),
    raw: column(Uint32Array, count, words, 4, ROW / 4),
    entries: column(Uint32Array, count, words, 5, ROW / 4),
    deletions: column(Uint32Array, count, words, 6, ROW / 4),
    restarts: column(Uint32Array, count, words, 7, ROW / 4),
    kind: column(Uint8Array, count, bytes, 32, ROW),
    state: column(Uint8Array, count, bytes, 33, ROW),
    codec: column(Uint8Array, count, bytes, 34, ROW)
  }
}

/** The rows at the start of a buffer, as typed arrays need them. @param {Uint8Array} rows */
export function aligned(rows) {
  return rows.byteOffset === 0 ? rows : rows.slice()
}

/**
 * One column of rows: every `step`th value from `first` on.
 * @template {Float64Array | Uint32Array | Uint8Array} T
 * @param {new (count: number) => T} Kind
 * @param {number} count
 * @param {T} values
 * @param {number} first
 * @param {number} step
 */
export function column(Kind, count, values, first, step) {
  const out = new Kind(count)
  for (let row = 0, at = first; row < count; row++, at += step) out[row] = values[at]
  return out
}
