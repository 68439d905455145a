// Builds the result of info() from the engine's counters.
import { fromEngine } from '../errors.js'

const LEVELS = 7

/**
 * Returns a ratio; null if the divisor is 0.
 * @param {number} part
 * @param {number} whole
 */
const ratio = (part, whole) => whole > 0 ? part / whole : null

/**
 * Returns what the browser tells of the origin's storage; nothing elsewhere.
 * @returns {Promise<{ quota?: number, usage?: number }>}
 */
export async function estimated() {
  try {
    const { quota, usage } = await globalThis.navigator.storage.estimate()
    return { ...(quota !== undefined && { quota }), ...(usage !== undefined && { usage }) }
  } catch {
    return {}
  }
}

/** @param {any} error as an object that could be cloned; any: whatever was thrown */
const revived = (error) => fromEngine(Object.assign(new Error(error.message), error))

/**
 * @param {any} info any: the object that src/wasm/info.rs builds
 * @returns {object} Info of types/index.d.ts, without the location
 */
export function infoOf({ cause, recovery, memoryUsage, cacheUsed, cacheSize, tables, counters, ...info }) {
  const levels = Array.from({ length: LEVELS }, (_, level) => {
    const files = tables.filter((/** @type {any} any: the object that src/wasm/info.rs builds */ table) => table.level === level)
    return { files: files.length, bytes: files.reduce((/** @type {number} */ sum, /** @type {any} any: the object that src/wasm/info.rs builds */ { size }) => sum + size, 0) }
  })
  return {
    ...info,
    ...(cause !== undefined && { cause: revived(cause) }),
    recovery: { ...recovery, findings: recovery.findings.map(revived) },
    memoryUsage: Number(memoryUsage),
    counters,
    levels,
    filesAtLevel: levels.map(({ files }) => files),
    tables,
    cache: {
      size: cacheSize,
      used: cacheUsed,
      hits: counters.blockCacheHits,
      misses: counters.blockReads
    },
    amplification: amplificationOf(counters, levels)
  }
}

/**
 * Returns amplification as RocksDB defines it: bytes written per byte put, blocks read per lookup,
 * and bytes of all tables per byte of the deepest level, which has no duplicates.
 * @param {Record<string, number>} counters
 * @param {{ bytes: number }[]} levels
 */
function amplificationOf(counters, levels) {
  const { bytesIn, bytesLogged, bytesFlushed, bytesCompacted, gets, blockReads } = counters
  const total = levels.reduce((sum, { bytes }) => sum + bytes, 0)
  const deepest = levels.findLast(({ bytes }) => bytes > 0)?.bytes ?? 0
  return {
    write: ratio(bytesLogged + bytesFlushed + bytesCompacted, bytesIn),
    read: ratio(blockReads, gets),
    space: ratio(total, deepest)
  }
}
