// Finds entries in the blocks of a table. Runs in a worker; block after block, so that it can be
// stopped at any time.
import { openBlock, REGION_STATES, valueOf } from 'varve/inspect'
import { doubtOf } from './model/doubt.js'
import { walkKeys } from './model/keys.js'
import { LISTED_MAX, startsWith } from './model/query.js'

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
  const test = testOf(query)
  /** @type {number[]} */
  let found = []
  /** @type {number[]} */
  let entries = []
  let [matches, unread, unsure, reported, listed] = [0, 0, 0, performance.now(), 0]
  for (let number = 0; number < blocks.offset.length && !signal.aborted; number++) {
    const offset = blocks.offset[number]
    const view = await openBlock(source, { kind: 'data', offset, size: blocks.size[number] })
    if (view.raw === undefined) unread++
    const isUnsure = doubtOf(REGION_STATES[blocks.state[number]], view.span.findings) !== undefined
    walkKeys(view, (entry, key) => {
      if (!test(view, entry, key)) return
      matches++
      if (isUnsure) unsure++
      if (listed++ >= LISTED_MAX) return
      found.push(offset)
      entries.push(entry)
    })
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

/** @param {Query} query @returns {(view: import('varve/inspect').BlockView, entry: number, key: Uint8Array) => boolean} */
function testOf({ kind, bytes, mask, where }) {
  const inKeys = where !== 'values'
  const inValues = where !== 'keys'
  if (kind === 'prefix') return (view, entry, key) => startsWith(key, bytes)
  return (view, entry, key) => (inKeys && has(key, bytes, mask)) || (inValues && has(valueOf(view, entry), bytes, mask))
}

/** Whether `wanted` is in `bytes`. @param {Uint8Array} bytes @param {Uint8Array} wanted @param {Uint8Array} [mask] */
export function has(bytes, wanted, mask) {
  const last = bytes.length - wanted.length
  if (mask === undefined) {
    // The search for one byte is the browser's own, which is fast.
    for (let at = bytes.indexOf(wanted[0]); at >= 0 && at <= last; at = bytes.indexOf(wanted[0], at + 1)) {
      if (startsWith(bytes.subarray(at), wanted)) return true
    }
    return wanted.length === 0
  }
  for (let at = 0; at <= last; at++) {
    let same = true
    for (let i = 0; i < wanted.length && same; i++) same = mask[i] === 0 || bytes[at + i] === wanted[i]
    if (same) return true
  }
  return false
}
