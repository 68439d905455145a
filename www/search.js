// Finds entries in the blocks of a table. Runs in a worker; block after block, so that it can be
// stopped at any time.
import { searchBlock } from 'varve/inspect'
import { LISTED_MAX } from './model/query.js'

/** @typedef {import('./model/query.js').Query} Query */

/** @typedef {{ blocks: number, matches: number, unread: number, block: Float64Array, entry: Uint32Array }} Part what was found since the last */

/** Milliseconds between two reports. */
const REPORT_MS = 60

/**
 * @param {import('varve/inspect').Source} source
 * @param {{ offset: Float64Array, size: Float64Array }} blocks contents of data blocks, without trailers
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
  let [matches, unread, reported, listed] = [0, 0, performance.now(), 0]
  for (let number = 0; number < blocks.offset.length && !signal.aborted; number++) {
    const offset = blocks.offset[number]
    const block = await searchBlock(source, { offset, size: blocks.size[number] }, { ...query, where })
    if (block === undefined) unread++
    else {
      matches += block.length
      for (const entry of block) {
        if (listed++ >= LISTED_MAX) break
        found.push(offset)
        entries.push(entry)
      }
    }
    const last = number + 1 === blocks.offset.length
    if (!last && performance.now() - reported < REPORT_MS) continue
    yield { blocks: number + 1, matches, unread, block: Float64Array.from(found), entry: Uint32Array.from(entries) }
    found = []
    entries = []
    reported = performance.now()
    // So that a message that stops this is received.
    await new Promise((resolve) => setTimeout(resolve))
  }
}
