// Finds entries in the blocks of a table. Runs in a worker; block after block, so that it can be
// stopped at any time.
import { openBlock, REGION_STATES, searchBlock } from 'varve/inspect'
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
  for (let number = 0; number < blocks.offset.length && !signal.aborted; number++) {
    const offset = blocks.offset[number]
    const place = { offset, size: blocks.size[number] }
    const block = await searchBlock(source, place, { ...query, where })
    if (block === undefined) unread++
    else if (block.length > 0) {
      matches += block.length
      const state = REGION_STATES[blocks.state[number]]
      const isUnsure = doubtOf(state, state === 'unread' ? (await openBlock(source, { kind: 'data', ...place })).span.findings : []) !== undefined
      if (isUnsure) unsure += block.length
      for (const entry of block) {
        if (listed++ >= LISTED_MAX) break
        found.push(offset)
        entries.push(entry)
      }
    }
    const last = number + 1 === blocks.offset.length
    if (!last && performance.now() - reported < REPORT_MS) continue
    yield { blocks: number + 1, matches, unread, unsure, block: Float64Array.from(found), entry: Uint32Array.from(entries) }
    found = []
    entries = []
    reported = performance.now()
    // So that a message that stops this is received.
    await new Promise((resolve) => setTimeout(resolve))
  }
}
