// Runs the workloads that pkg-scripts/bench-node.mjs requests on one database, in its own process.
//
//   parent -> { run: name }     child -> { ops, seconds, cpu_seconds, ... }, or { error }
//
// Every value read is compared with the value written; a difference is an error.
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PEERS } from './peers.mjs'

const [name, place, count, capSeconds, modules] = process.argv.slice(2)
const n = Number(count)
const cap = Number(capSeconds) * 1000

// ---- Data ----

let state = 301
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state
}

/** A key of 16 digits. The number is even, so that odd keys are missing. */
const keys = Array.from({ length: n }, (_, i) => Buffer.from(String(i * 2).padStart(16, '0')))
/** A value of 100 bytes, in which each second half repeats the first. */
const values = Array.from({ length: n }, () => {
  const value = Buffer.allocUnsafe(100)
  for (let i = 0; i < 50; i++) value[i] = value[i + 50] = random() >>> 24
  return value
})
const shuffled = keys.map((_, i) => i)
for (let i = n - 1; i > 0; i--) {
  const j = random() % (i + 1)
  const other = shuffled[j]
  shuffled[j] = shuffled[i]
  shuffled[i] = other
}

function check(value, i) {
  if (value === undefined || value.length !== 100 || value[0] !== values[i][0] || value[99] !== values[i][99]) {
    throw new Error(`${name}: the value of ${keys[i]} differs from the written one`)
  }
}

// ---- Workloads ----

let store
let opened = 0

async function fresh(durable = false) {
  if (store !== undefined) await store.close()
  const path = join(place, `db-${opened++}`)
  rmSync(join(place, `db-${opened - 2}`), { recursive: true, force: true })
  mkdirSync(dirname(path), { recursive: true })
  store = await PEERS[name].open(path, modules, durable)
}

/** Runs operations one after another until all are done or the time is up. */
async function each(limit, operation) {
  const end = performance.now() + cap
  let i = 0
  for (; i < limit && ((i & 15) !== 0 || performance.now() < end); i++) {
    const pending = operation(i)
    if (pending !== undefined) await pending
  }
  return i
}

/** Loads all entries without a time limit, because reads follow. */
async function fill(order, size) {
  await fresh()
  for (let at = 0; at < n; at += size) {
    await store.batch(order.slice(at, at + size).map((j) => ({ type: 'put', key: keys[j], value: values[j] })))
  }
  return n
}

const sequential = keys.map((_, i) => i)
const put = (order, sync) => async () => {
  await fresh(sync)
  return each(n, (i) => store.put(keys[order[i]], values[order[i]], sync))
}

/** The same with synchronous calls, if the database has them. */
const putNow = (sync) => async () => {
  await fresh(sync)
  const put = store.putSync ?? store.put
  return each(n, (i) => put(keys[shuffled[i]], values[shuffled[i]], sync))
}

/** Measures the latency of every put, and the longest time that the event loop was blocked. */
async function sustained() {
  await fresh()
  const took = new Float64Array(n)
  const turns = []
  let last = performance.now()
  let watching = true
  const watch = () => {
    const now = performance.now()
    turns.push(now - last)
    last = now
    if (watching) setImmediate(watch)
  }
  setImmediate(watch)
  const done = await each(n, async (i) => {
    const start = performance.now()
    await store.put(keys[shuffled[i]], values[shuffled[i]], false)
    took[i] = performance.now() - start
  })
  watching = false
  const sorted = took.subarray(0, done).sort()
  const at = (part) => sorted[Math.min(done - 1, Math.floor(done * part))] * 1000
  return {
    ops: done,
    p50_us: at(0.5),
    p99_us: at(0.99),
    p999_us: at(0.999),
    max_us: at(1),
    turns: turns.length,
    turns_over_10ms: turns.filter((ms) => ms > 10).length,
    longest_turn_ms: turns.reduce((a, b) => Math.max(a, b), 0)
  }
}

async function scan() {
  let i = 0
  for await (const page of store.pages()) {
    for (const [key, value] of page) {
      if (key[15] !== keys[i][15]) throw new Error(`${name}: key ${i} of the scan differs`)
      check(value, i++)
    }
  }
  if (i !== n) throw new Error(`${name}: ${i} entries of ${n}`)
  return n
}

const reads = Array.from({ length: n }, () => random() % n)

const WORKLOADS = {
  fillseq: put(sequential, false),
  fillrandom: put(shuffled, false),
  fillsync: put(shuffled, true),
  putsync: putNow(false),
  putsync_durable: putNow(true),
  sustained,
  fillseq_batch1000: () => fill(sequential, 1000),
  fillrandom_batch1000: () => fill(shuffled, 1000),
  readseq: scan,
  readrandom: () => each(n, (i) => check(store.getSync(keys[reads[i]]), reads[i])),
  readrandom_async: () => each(n, async (i) => check(await store.get(keys[reads[i]]), reads[i])),
  readmissing: () => {
    const key = Buffer.alloc(16)
    return each(n, (i) => {
      keys[reads[i]].copy(key)
      key[15]++
      if (store.getSync(key) !== undefined) throw new Error(`${name}: ${key} was never written`)
    })
  },
  seekrandom: () => each(n, async (i) => {
    const rows = await store.from(keys[reads[i]], 10)
    check(rows[0][1], reads[i])
  })
}

/**
 * Waits until the process is idle, so that background work is not measured by the next workload.
 */
async function settle() {
  for (let quiet = 0; quiet < 2;) {
    const before = process.cpuUsage()
    await new Promise((resolve) => setTimeout(resolve, 30))
    const { user, system } = process.cpuUsage(before)
    quiet = user + system < 4000 ? quiet + 1 : 0
  }
}

const sizeOf = (path) => statSync(path).isDirectory() ? readdirSync(path).reduce((sum, entry) => sum + sizeOf(join(path, entry)), 0) : statSync(path).size

process.on('message', async ({ run }) => {
  try {
    globalThis.gc?.()
    const cpu = process.cpuUsage()
    const start = performance.now()
    const result = await WORKLOADS[run]()
    const seconds = (performance.now() - start) / 1000
    const { user, system } = process.cpuUsage(cpu)
    await settle()
    globalThis.gc?.()
    process.send({
      ...(typeof result === 'number' ? { ops: result } : result),
      seconds,
      cpu_seconds: (user + system) / 1e6,
      rss_mb: process.memoryUsage.rss() / 2 ** 20,
      disk_mb: PEERS[name].persistent ? sizeOf(place) / 1e6 : undefined
    })
  } catch (error) {
    process.send({ error: error.stack })
  }
})
process.on('disconnect', async () => {
  await store?.close()
  rmSync(place, { recursive: true, force: true })
  process.exit()
})
globalThis.gc?.()
process.send({ ready: true, rss_mb: process.memoryUsage.rss() / 2 ** 20 })
