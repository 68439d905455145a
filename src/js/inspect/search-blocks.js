// Entries with some bytes, in blocks of one table.
import { SIZE_MAX, TRAILER } from './block.js'
import { Held } from './feed.js'
import { withInstance } from './module.js'
import { patternOf } from './pattern.js'
import { bytesAt } from './source.js'

/** @typedef {import('../types/inspect.js').Source} Source */

/** Bytes and blocks that are searched at once, so that small blocks need few reads and few calls. */
const WINDOW = 1 << 20
const BLOCKS_MAX = 4096

/** In place of an entry: the block cannot be decoded. */
const UNREAD = 2 ** 32 - 1

/**
 * @param {Source} source
 * @param {import('../types/inspect.js').BlockHandles} blocks
 * @param {import('../types/inspect.js').Wanted} wanted
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {AsyncGenerator<import('../types/inspect.js').BlocksPart, void>}
 */
export async function * searchBlocks(source, { offset, size }, wanted, { signal } = {}) {
  const pattern = patternOf(wanted)
  const held = new Held()
  /** Up to here bytes could not be read with others, so that each block is read alone. */
  let torn = 0
  for (let first = 0; first < offset.length;) {
    signal?.throwIfAborted()
    /** @type {number[]} */
    const lengths = []
    let end = offset[first]
    let sum = 0
    for (let next = first; next < offset.length; next++) {
      const length = Math.max(0, Math.min(size[next] > SIZE_MAX ? 0 : size[next] + TRAILER, source.size - offset[next]))
      sum += length
      const isNear = offset[next] >= offset[first] && offset[next] + length - offset[first] <= WINDOW && sum <= WINDOW
      if (lengths.length > 0 && (!isNear || lengths.length === BLOCKS_MAX || offset[first] < torn)) break
      lengths.push(length)
      end = Math.max(end, offset[next] + length)
    }
    const stored = await bytesAt(source, offset[first], end - offset[first])
    if (stored.length < end - offset[first] && lengths.length > 1) {
      torn = end
      continue
    }
    const starts = Uint32Array.from(lengths, (_, at) => offset[first + at] - offset[first])
    const rows = await withInstance((exports) => exports.searchBlocks(stored, starts, Uint32Array.from(lengths), pattern.bytes, pattern.mask, pattern.place))
    yield partOf(rows, first, lengths.length)
    first += lengths.length
    await held.yield()
  }
}

/** @param {Uint32Array} rows of three numbers @param {number} first @param {number} count */
function partOf(rows, first, count) {
  const block = []
  const entry = []
  const doubt = []
  let unread = 0
  for (let at = 0; at < rows.length; at += 3) {
    if (rows[at + 1] === UNREAD) unread++
    else {
      block.push(first + rows[at])
      entry.push(rows[at + 1])
      doubt.push(rows[at + 2])
    }
  }
  return { done: first + count, unread, block: Uint32Array.from(block), entry: Uint32Array.from(entry), doubt: Uint8Array.from(doubt) }
}
