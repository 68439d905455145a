// Finds entries in the blocks of a table. Runs in a worker; some blocks after others, so that it can be
// stopped at any time.
import { REGION_STATES, searchBlocks } from 'varve/inspect'
import { doubtOf } from './model/doubt.js'
import { LISTED_MAX } from './model/query.js'

/** @typedef {import('./model/query.js').Query} Query */

/** @typedef {{ blocks: number, matches: number, unread: number, unsure: number, block: Float64Array, entry: Uint32Array }} Part what was found since the last */

/** Milliseconds between two reports. */
const REPORT_MS = 60

/**
 * @param {import('varve/inspect').Source} source
 * @param {{ offset: Float64Array, size: Float64Array, state: Uint8Array }} blocks contents of data blocks, without trailers, and their states so far
 * @param {Query} query
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Part, void>}
 */
export async function * search(source, blocks, query, signal) {
  const where = query.kind === 'prefix' ? 'key starts' : query.where
  /** @type {number[]} */
  let found = []
  /** @type {number[]} */
  let entries = []
  let [matches, unread, unsure, reported, listed] = [0, 0, 0, performance.now(), 0]
  const report = (/** @type {number} */ done) => {
    const part = { blocks: done, matches, unread, unsure, block: Float64Array.from(found), entry: Uint32Array.from(entries) }
    found = []
    entries = []
    reported = performance.now()
    return part
  }
  for await (const { done, unread: without, block, entry, doubt } of searchBlocks(source, blocks, { ...query, where })) {
    unread += without
    matches += block.length
    for (let match = 0; match < block.length; match++) {
      const state = REGION_STATES[blocks.state[block[match]]]
      // A block that was not read before was checked now.
      if (state === 'unread' ? doubt[match] > 0 : doubtOf(state) !== undefined) unsure++
      if (listed++ >= LISTED_MAX) continue
      found.push(blocks.offset[block[match]])
      entries.push(entry[match])
    }
    if (signal.aborted || done === blocks.offset.length || performance.now() - reported >= REPORT_MS) yield report(done)
    if (signal.aborted) return
  }
}
