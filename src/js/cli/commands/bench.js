import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { JSON_OPTION, UsageError, wholeOf } from '../arguments.js'
import { withDatabase } from '../database.js'
import { checkDirectory } from '../location.js'
import { Progress } from '../output.js'
import { grouped, table } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'bench',
  summary: 'measure operations, named as in db_bench',
  usage: '[workload ...]',
  details: `Runs workloads one after another on one database: fillseq, fillrandom, fillbatch, fillsync, overwrite, readseq, readreverse,
readrandom, readmissing, readhot, seekrandom, deleteseq, deleterandom, compact. Those named fill* start with an empty
database. Default: ${'fillseq fillrandom overwrite readrandom readseq readreverse compact readrandom'}.
The database is in a temporary directory, which is removed.`,
  positionals: [0, 50],
  options: {
    num: { type: 'string', value: 'N', help: 'number of entries (100000)' },
    reads: { type: 'string', value: 'N', help: 'number of random reads (num)' },
    'value-size': { type: 'string', value: 'BYTES', help: 'size of a value (100)' },
    'compression-ratio': { type: 'string', value: 'R', help: 'compressed size of values / size (0.5)' },
    seed: { type: 'string', value: 'N', help: 'seed of the random numbers (1)' },
    dir: { type: 'string', value: 'DIR', help: 'parent of the temporary directory' },
    ...JSON_OPTION
  },

  /** @param {Call} call */
  async run({ values, positionals, out }) {
    const names = positionals.length > 0 ? positionals.flatMap((name) => name.split(',')) : DEFAULT
    const unknown = names.find((name) => !Object.hasOwn(WORKLOADS, name))
    if (unknown !== undefined) throw new UsageError(`unknown workload '${unknown}'; use ${Object.keys(WORKLOADS).join(', ')}`)
    const num = wholeOf(values, 'num', { min: 1, max: 1e8, otherwise: 100_000 })
    const bench = {
      num,
      reads: wholeOf(values, 'reads', { min: 1, max: 1e8, otherwise: num }),
      value: valuesOf(wholeOf(values, 'value-size', { max: 1 << 24, otherwise: 100 }), ratioOf(values['compression-ratio'])),
      random: randomOf(wholeOf(values, 'seed', { max: 2 ** 32 - 1, otherwise: 1 }))
    }
    const results = await inTemporaryDirectory(values.dir ?? tmpdir(), (root) => runAll(names, root, bench))
    if (values.json) return out.json({ node: process.version, num, valueSize: bench.value().length, results })
    out.line(`${grouped(num)} entries, keys of 16 bytes, values of ${grouped(bench.value().length)}; Node ${process.version.slice(1)}; latencies in microseconds\n`)
    out.line(table([['workload', 'ops', 'ops/s', 'MB/s', 'p50', 'p99', 'p99.9', 'max'], ...results.map((/** @type {any} any: workloads return different results */ result) =>
      [result.name, result.ops, Math.round(result.opsPerSecond), result.megabytesPerSecond.toFixed(1), ...[result.p50, result.p99, result.p999, result.max].map((us) => us.toFixed(1))])]))
  }
}

const DEFAULT = ['fillseq', 'fillrandom', 'overwrite', 'readrandom', 'readseq', 'readreverse', 'compact', 'readrandom']

/**
 * @typedef {import('../../types/index.js').Varve<string, Buffer>} TextDb
 * @typedef {(db: TextDb, index: number) => Promise<number> | number} Workload
 * @typedef {{ num: number, reads: number, value: () => Buffer, random: () => number }} Bench
 * @typedef {{ count: number, fresh?: boolean, run: Workload,
 *             end?: (db: TextDb) => Promise<void> }} Plan
 */

/** @param {number} number */
const key = (number) => String(number).padStart(16, '0')

/**
 * The operation of each workload; returns the size of the entries that it read or wrote.
 * @type {Record<string, (bench: Bench) => Plan>}
 */
const WORKLOADS = {
  fillseq: (bench) => ({ count: bench.num, fresh: true, run: put(bench, (index) => index) }),
  fillrandom: (bench) => ({ count: bench.num, fresh: true, run: put(bench, () => below(bench, bench.num)) }),
  fillbatch: (bench) => ({ count: Math.ceil(bench.num / 1000), fresh: true, run: batch(bench) }),
  fillsync: (bench) => ({ count: Math.max(1, Math.floor(bench.num / 1000)), fresh: true, run: put(bench, (index) => index, { sync: true }) }),
  overwrite: (bench) => ({ count: bench.num, run: put(bench, () => below(bench, bench.num)) }),
  readrandom: (bench) => ({ count: bench.reads, run: get(bench, () => key(below(bench, bench.num))) }),
  readmissing: (bench) => ({ count: bench.reads, run: get(bench, () => `${key(below(bench, bench.num))}.`) }),
  readhot: (bench) => ({ count: bench.reads, run: get(bench, () => key(below(bench, Math.ceil(bench.num / 100)))) }),
  seekrandom: (bench) => ({ count: bench.reads, run: seek(bench) }),
  readseq: (bench) => ({ count: bench.num, ...step(false) }),
  readreverse: (bench) => ({ count: bench.num, ...step(true) }),
  deleteseq: (bench) => ({ count: bench.num, run: (db, index) => db.del(key(index)).then(() => 16) }),
  deleterandom: (bench) => ({ count: bench.num, run: (db) => db.del(key(below(bench, bench.num))).then(() => 16) }),
  compact: () => ({ count: 1, run: async (db) => { await db.compactRange(); return 0 } })
}

/** @param {Bench} bench @param {(index: number) => number} at */
function put({ value }, at, options = {}) {
  return async (/** @type {TextDb} */ db, /** @type {number} */ index) => {
    const data = value()
    await db.put(key(at(index)), data, options)
    return 16 + data.length
  }
}

/** @param {Bench} bench */
function batch({ num, value }) {
  return async (/** @type {TextDb} */ db, /** @type {number} */ index) => {
    const operations = []
    let bytes = 0
    for (let i = index * 1000; i < Math.min(num, (index + 1) * 1000); i++) {
      const data = value()
      operations.push({ type: /** @type {const} */ ('put'), key: key(i), value: data })
      bytes += 16 + data.length
    }
    await db.batch(operations)
    return bytes
  }
}

/** @type {(bench: Bench, keyOf: () => string) => Workload} */
const get = (_, keyOf) => async (db) => {
  const found = await db.get(keyOf())
  return found === undefined ? 0 : 16 + found.length
}

/** @type {(bench: Bench) => Workload} */
const seek = (bench) => async (db) => {
  const iterator = db.iterator({ gte: key(below(bench, bench.num)), limit: 1 })
  const entry = await iterator.next()
  await iterator.close()
  return entry === undefined ? 0 : 16 + entry[1].length
}

/** Reads entries in order with one iterator. @param {boolean} reverse */
function step(reverse) {
  /** @type {import('../../types/index.js').Iterator<TextDb, string, Buffer> | undefined} */
  let iterator
  return {
    /** @param {TextDb} db */
    async run(db) {
      iterator ??= db.iterator({ reverse })
      const entry = await iterator.next()
      return entry === undefined ? -1 : entry[0].length + entry[1].length
    },
    async end() { await iterator?.close() }
  }
}

/** @param {Bench} bench @param {number} limit */
const below = ({ random }, limit) => random() % limit

/** @param {string[]} names @param {string} root @param {Bench} bench */
async function runAll(names, root, bench) {
  const results = []
  let place = join(root, '0')
  for (const [index, name] of names.entries()) {
    const plan = WORKLOADS[name](bench)
    if (plan.fresh) place = join(root, String(index))
    // Keys are strings, so that encoding them is measured too.
    results.push(await withDatabase(place, { keyEncoding: 'utf8' }, (db) => measure(name, plan, /** @type {TextDb} */ (/** @type {unknown} */ (db)))))
  }
  return results
}

/**
 * @param {string} name
 * @param {any} options any: workloads have different options
 * @param {TextDb} db
 */
async function measure(name, { count, run, end }, db) {
  const progress = new Progress(name, count)
  const latencies = new Float64Array(count)
  let bytes = 0
  let ops = 0
  const start = performance.now()
  let last = start
  for (; ops < count; ops++) {
    const size = await run(db, ops)
    if (size < 0) break
    bytes += size
    const now = performance.now()
    latencies[ops] = now - last
    last = now
    if (ops % 1024 === 1023) progress.add(1024)
  }
  const seconds = (last - start) / 1000
  await end?.(db)
  progress.end()
  const sorted = latencies.subarray(0, ops).sort()
  const at = (/** @type {number} */ share) => ops === 0 ? 0 : sorted[Math.min(ops - 1, Math.floor(ops * share))] * 1000
  return {
    name,
    ops,
    seconds,
    opsPerSecond: seconds > 0 ? ops / seconds : 0,
    megabytesPerSecond: seconds > 0 ? bytes / seconds / 1e6 : 0,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1)
  }
}

/**
 * Returns values that compress to about `ratio`: slices of one megabyte of repeated random bytes,
 * as in db_bench.
 * @param {number} size
 * @param {number} ratio
 */
function valuesOf(size, ratio) {
  const random = randomOf(301)
  const pool = Buffer.alloc(Math.max(1 << 20, size))
  const unit = Math.max(1, Math.round(100 * ratio))
  for (let at = 0; at < pool.length; at += 100) {
    for (let i = at; i < Math.min(at + 100, pool.length); i++) pool[i] = (i - at) < unit ? 32 + random() % 95 : pool[i - unit]
  }
  let at = 0
  return () => {
    if (at + size > pool.length) at = 0
    const value = pool.subarray(at, at + size)
    at += size
    return value
  }
}

/** @param {string | undefined} text */
function ratioOf(text) {
  if (text === undefined) return 0.5
  const ratio = Number(text)
  if (!(ratio > 0 && ratio <= 1)) throw new UsageError('--compression-ratio must be more than 0 and at most 1')
  return ratio
}

/** xorshift32: the same numbers on every platform. @param {number} seed */
function randomOf(seed) {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state = (state ^ (state << 5)) >>> 0
    return state
  }
}

/**
 * @param {string} parent
 * @param {(root: string) => Promise<any>} use any: workloads return different results
 */
async function inTemporaryDirectory(parent, use) {
  checkDirectory(parent, 'write', '')
  const root = mkdtempSync(join(parent, 'varve-bench-'))
  try {
    return await use(root)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}
