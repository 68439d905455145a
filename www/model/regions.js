// The regions of a file, in columns, sorted by offset: what the map and the list of blocks show.
//
// They begin with the map of a file (regions named by its index, not read yet). A sweep then tells
// each region's state, and replaces gaps by the blocks that it found in them.
import { REGION_KINDS, REGION_STATES } from 'varve/inspect'
import { TRAILER } from './blocks.js'
import { Growing } from './columns.js'
import { lastAt } from './order.js'

/** @typedef {import('varve/inspect').Regions} Columns */

/** @typedef {object} Region
 * @property {number} index
 * @property {string} kind
 * @property {string} state
 * @property {number} offset
 * @property {number} size bytes, a block's trailer included
 * @property {number} end
 * @property {number} codec
 * @property {number} raw
 * @property {number} entries
 * @property {number} deletions
 * @property {number} restarts
 */

const COLUMNS = /** @type {const} */ (['offset', 'size', 'kind', 'state', 'codec', 'raw', 'entries', 'deletions', 'restarts'])
const GAP = REGION_KINDS.indexOf('gap')
const DATA = REGION_KINDS.indexOf('data')
const FOOTER = REGION_KINDS.indexOf('footer')
const UNREAD = REGION_STATES.indexOf('unread')
const FOUND = REGION_STATES.indexOf('found')
const BAD = REGION_STATES.indexOf('bad')
const DOUBTFUL = REGION_STATES.indexOf('doubtful')

/** States from the best to the worst, by their numbers. */
const WORSE = Uint8Array.from(REGION_STATES, (state) => ['sound', 'found', 'unread', 'torn', 'doubtful', 'bad'].indexOf(state))
/** Regions whose worst state is kept together. */
const SUMMED = 64

export class Regions {
  /** @type {Columns} */
  columns
  /** Counts each change, so that what was drawn from them can tell that it is old. */
  version = 0
  /** @type {Float64Array | undefined} entries of the data blocks before each region */
  #entriesBefore
  #unsure = 0
  /** @type {Uint32Array | undefined} regions that are data blocks, in order */
  #data

  /** Regions that are not in their places yet. @type {[Columns, number][]} */
  #waiting = []
  /** When some were last, and how long it took, in ms. */
  #inserted = -Infinity
  #insertMs = 0
  /** @type {ReturnType<Regions['totals']> | undefined} */
  #totals
  /** The sums of the first regions, up to `until`, while regions are only appended. @type {{ until: number, kinds: { kind: string, count: number, bytes: number, raw: number, decoded: number }[], unread: number, bad: number, found: number, blocks: number, data: number } | undefined} */
  #sums
  /** @type {Growing<typeof COLUMNS[number]> | undefined} */
  #growing
  /** @type {Uint8Array | undefined} the worst state of each so many regions */
  #worst

  /** @param {Columns} columns sorted by offset */
  constructor(columns) {
    this.columns = columns
  }

  get length() {
    return this.columns.length
  }

  /** @param {number} index @returns {Region} */
  at(index) {
    const { offset, size, kind, state, codec, raw, entries, deletions, restarts } = this.columns
    return {
      index,
      kind: REGION_KINDS[kind[index]],
      state: REGION_STATES[state[index]],
      offset: offset[index],
      size: size[index],
      end: offset[index] + size[index],
      codec: codec[index],
      raw: raw[index],
      entries: entries[index],
      deletions: deletions[index],
      restarts: restarts[index]
    }
  }

  /** The last region that begins at or before `offset`; -1: none. @param {number} offset */
  find(offset) {
    return lastAt(this.columns.offset, this.columns.length, offset)
  }

  /** The region that has this byte. @param {number} offset @returns {Region | undefined} */
  having(offset) {
    const index = this.find(offset)
    if (index < 0) return undefined
    const region = this.at(index)
    return offset < region.end ? region : undefined
  }

  /** The regions that are data blocks, by their number. */
  get data() {
    if (this.#data === undefined) {
      const { kind, length } = this.columns
      const found = []
      for (let index = 0; index < length; index++) if (kind[index] === DATA) found.push(index)
      this.#data = Uint32Array.from(found)
    }
    return this.#data
  }

  /** The number of a data block among data blocks; -1: it is none. @param {number} index of a region */
  numberOf(index) {
    const { data } = this
    const number = lastAt(data, data.length, index)
    return data[number] === index ? number : -1
  }

  /** Entries before each data block, then their sum: for a list of all entries. */
  get entriesBefore() {
    if (this.#entriesBefore === undefined) {
      const { data, columns } = this
      const before = new Float64Array(data.length + 1)
      this.#unsure = 0
      for (let number = 0; number < data.length; number++) {
        const entries = columns.entries[data[number]]
        before[number + 1] = before[number] + entries
        if (columns.state[data[number]] === BAD || columns.state[data[number]] === DOUBTFUL) this.#unsure += entries
      }
      this.#entriesBefore = before
    }
    return this.#entriesBefore
  }

  /** Entries of damaged and doubtful data blocks among them. */
  get unsureEntries() {
    return this.entriesBefore && this.#unsure
  }

  /** The worst state of some regions. @param {number} first @param {number} last included */
  worstOf(first, last) {
    const { state, length } = this.columns
    if (this.#worst === undefined) {
      this.#worst = new Uint8Array(Math.ceil(length / SUMMED))
      for (let index = 0; index < length; index++) {
        const sum = Math.floor(index / SUMMED)
        if (index % SUMMED === 0 || WORSE[state[index]] > WORSE[this.#worst[sum]]) this.#worst[sum] = state[index]
      }
    }
    let worst = state[first]
    for (let index = first; index <= last;) {
      const whole = index % SUMMED === 0 && index + SUMMED - 1 <= last
      const next = whole ? this.#worst[index / SUMMED] : state[index]
      if (WORSE[next] > WORSE[worst]) worst = next
      index += whole ? SUMMED : 1
    }
    return REGION_STATES[worst]
  }

  /** More regions behind the last, of a file that is read from its beginning. @param {Columns} rows */
  append(rows) {
    if (rows.length === 0) return
    const sums = this.#sums
    this.#growing ??= growingOf(this.columns)
    this.#growing.append(/** @type {any} any: a table of columns */ (rows))
    this.columns = { ...this.#growing.columns, length: this.#growing.length }
    this.version++
    this.#data = undefined
    this.#entriesBefore = undefined
    this.#worst = undefined
    // What was summed stays; only the new rows are added.
    this.#sums = sums
  }

  /** What a sweep read. @param {Columns} rows */
  apply(rows) {
    const { columns } = this
    this.#sums = undefined
    const others = []
    for (let row = 0; row < rows.length; row++) {
      const index = this.find(rows.offset[row])
      if (index >= 0 && columns.offset[index] === rows.offset[row] && columns.size[index] === rows.size[row] && columns.kind[index] === rows.kind[row]) {
        for (const name of COLUMNS) columns[name][index] = rows[name][row]
      } else {
        others.push(row)
      }
    }
    if (others.length > 0) this.#wait(rows, others)
    this.version++
    this.#entriesBefore = undefined
    this.#worst = undefined
  }

  /**
   * Regions that are new: they are put in their places not in each call, which would take longer the
   * more there are, but after ten times as long as that took.
   * @param {Columns} rows
   * @param {number[]} others
   */
  #wait(rows, others) {
    for (const row of others) this.#waiting.push([rows, row])
    if (performance.now() - this.#inserted > 10 * this.#insertMs) this.flush()
  }

  /** Puts all regions in their places: at the end of a sweep. */
  flush() {
    if (this.#waiting.length === 0) return
    const begun = performance.now()
    this.#sums = undefined
    this.#insert(this.#waiting)
    this.#waiting = []
    this.#inserted = performance.now()
    this.#insertMs = this.#inserted - begun
    this.version++
    this.#entriesBefore = undefined
    this.#worst = undefined
  }

  /**
   * Replaces what lies where the new regions are; what is left of a gap stays one.
   * @param {[Columns, number][]} others
   */
  #insert(others) {
    const { columns: old } = this
    /** @type {[Columns, number, number, number][]} a column, its row, and the bytes from and to */
    const all = []
    others.sort(([a, i], [b, j]) => a.offset[i] - b.offset[j])
    let at = 0
    let end = 0
    /** @param {number} limit the old regions up to there, without the bytes that new ones have */
    const keep = (limit) => {
      for (; at < old.length && old.offset[at] < limit; at++) {
        const from = Math.max(old.offset[at], end)
        const stop = old.offset[at] + old.size[at]
        const to = Math.min(stop, limit)
        if (to > from && (old.kind[at] === GAP || to - from === old.size[at])) all.push([old, at, from, to])
        if (stop > limit) break
      }
    }
    for (const [rows, row] of others) {
      const from = rows.offset[row]
      if (from < end) continue
      keep(from)
      all.push([rows, row, from, from + rows.size[row]])
      end = from + rows.size[row]
    }
    keep(Infinity)
    this.columns = columnsOf(all)
    this.#data = undefined
  }

  /**
   * Bytes and count of each kind, and data blocks that are not read, not sound, or found by their checksums. Asked for in every
   * frame, so kept until regions change.
   * @returns {{ version: number, kinds: { kind: string, count: number, bytes: number, raw: number, decoded: number }[], unread: number, bad: number, found: number, blocks: number, data: number }}
   */
  totals() {
    if (this.#totals?.version !== this.version) this.#totals = { version: this.version, ...this.#sum() }
    return this.#totals
  }

  #sum() {
    const { columns } = this
    const sums = this.#sums ??= { until: 0, kinds: REGION_KINDS.map((kind) => ({ kind, count: 0, bytes: 0, raw: 0, decoded: 0 })), unread: 0, bad: 0, found: 0, blocks: 0, data: 0 }
    let { until, unread, bad, found, blocks, data } = sums
    for (; until < columns.length; until++) {
      const index = until
      const total = sums.kinds[columns.kind[index]]
      total.count++
      total.bytes += columns.size[index]
      total.raw += columns.raw[index]
      if (columns.raw[index] > 0) total.decoded += Math.max(0, columns.size[index] - TRAILER)
      if (columns.kind[index] === GAP || columns.kind[index] === FOOTER) continue
      blocks++
      if (columns.kind[index] !== DATA) continue
      data++
      if (columns.state[index] === UNREAD) unread++
      if (columns.state[index] === FOUND) found++
      if (columns.state[index] === BAD || columns.state[index] === DOUBTFUL) bad++
    }
    Object.assign(sums, { until, unread, bad, found, blocks, data })
    return { kinds: sums.kinds.filter(({ count }) => count > 0), unread, bad, found, blocks, data }
  }
}

const KINDS = {
  offset: Float64Array, size: Float64Array, kind: Uint8Array, state: Uint8Array, codec: Uint8Array, raw: Uint32Array, entries: Uint32Array, deletions: Uint32Array, restarts: Uint32Array
}

/** No regions yet. @returns {Columns} */
export const noRegions = () => columnsOf([])

/** @param {Columns} columns @returns {Growing<typeof COLUMNS[number]>} */
function growingOf(columns) {
  const growing = new Growing(KINDS)
  growing.append(columns)
  return growing
}

/** @param {[Columns, number, number, number][]} rows @returns {Columns} */
function columnsOf(rows) {
  const { length } = rows
  /** @type {any} any: filled below */
  const columns = { length }
  for (const name of COLUMNS) columns[name] = new KINDS[name](length)
  for (const [index, [from, row, start, end]] of rows.entries()) {
    for (const name of COLUMNS) columns[name][index] = from[name][row]
    columns.offset[index] = start
    columns.size[index] = end - start
  }
  return columns
}
