// Entries with some bytes, in blocks of one table.
import { SIZE_MAX, TRAILER } from './block.js'
import { Held } from './feed.js'
import { withInstance } from './module.js'
import { patternOf } from './pattern.js'
import { bytesAt } from './source.js'

/** @typedef {import('../types/inspect.js').Source} Source */

/** Bytes that are read and searched at once, so that small blocks need few reads and few calls. */
const WINDOW = 1 << 20

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
  let isWhole = true
  for (let first = 0; first < offset.length;) {
    signal?.throwIfAborted()
    // Those that follow one another. After bytes that cannot be read, one.
    /** @type {number[]} */
    const lengths = []
    let end = offset[first]
    for (let next = first; next < offset.length; next++) {
      const length = Math.max(0, Math.min(size[next] > SIZE_MAX ? 0 : size[next] + TRAILER, source.size - offset[next]))
      const isNear = offset[next] >= offset[first] && offset[next] + length - offset[first] <= WINDOW
      if (lengths.length > 0 && !(isNear && isWhole)) break
      lengths.push(length)
      end = Math.max(end, offset[next] + length)
    }
    const stored = await bytesAt(source, offset[first], end - offset[first])
    isWhole = stored.length === end - offset[first]
    if (!isWhole && lengths.length > 1) continue
    isWhole = true
    const starts = Uint32Array.from(lengths, (_, at) => offset[first + at] - offset[first])
    const pairs = await withInstance((exports) => exports.searchBlocks(stored, starts, Uint32Array.from(lengths), pattern.bytes, pattern.mask, pattern.place))
    yield partOf(pairs, first, lengths.length)
    first += lengths.length
    await held.yield()
  }
}

/** @param {Uint32Array} pairs @param {number} first @param {number} count */
function partOf(pairs, first, count) {
  const block = []
  const entry = []
  let unread = 0
  for (let at = 0; at < pairs.length; at += 2) {
    if (pairs[at + 1] === UNREAD) unread++
    else {
      block.push(first + pairs[at])
      entry.push(pairs[at + 1])
    }
  }
  return { done: first + count, unread, block: Uint32Array.from(block), entry: Uint32Array.from(entry) }
}
