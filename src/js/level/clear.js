// Deletes a range, either as a whole in the engine, which drops tables, or row by row.
import { following } from '../bytes/bytes.js'
import { keysOf } from '../bytes/page.js'
import { WriteBatch } from '../bytes/write-batch.js'

/** Rows that clear() deletes per batch when it uses an iterator. */
const CLEAR_ROWS = 1000
const CLEAR_BYTES = 64 << 10

/** @typedef {ReturnType<typeof import('../bytes/bytes.js').boundsOf>} Bounds */

/** @param {import('../engine/engine.js').Engine} engine @param {Bounds} bounds */
export function clearRange(engine, { gt, gte, lt, lte }) {
  const begin = gt !== undefined ? following(gt) : gte
  const end = lte !== undefined ? following(lte) : lt
  if (begin !== undefined && end !== undefined && compare(begin, end) >= 0) return undefined
  return engine.deleteRange(begin, end)
}

/**
 * @param {import('../engine/engine.js').Engine} engine
 * @param {Bounds & { reverse: boolean, limit: number,
 *                    snapshot: import('../engine/engine.js').Id | undefined }} range
 * @param {(batch: Uint8Array) => void | Promise<void>} write
 */
export async function clearRows(engine, range, write) {
  const id = engine.iterator({ ...range, keys: true, values: false, fillCache: false })
  let wrote = false
  try {
    const batch = new WriteBatch()
    for (let done = false; !done;) {
      const page = await engine.next(id, CLEAR_ROWS, CLEAR_BYTES)
      for (const key of keysOf(page)) batch.del(key)
      if (page.count > 0) {
        await write(batch.finish())
        wrote = true
      }
      batch.clear()
      done = page.done
    }
  } catch (/** @type {any} any: whatever was thrown */ error) {
    // Reading the next rows failed, but some are deleted.
    if (wrote && typeof error === 'object') error.maybeApplied = true
    throw error
  } finally {
    engine.closeIterator(id)
  }
}

/** @param {Uint8Array} a @param {Uint8Array} b */
function compare(a, b) {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return a[i] - b[i]
  }
  return a.length - b.length
}
