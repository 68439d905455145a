// A long mixed load with reopening and verification: the engine's memory, JavaScript's memory, open
// files and disk space do not grow.
//
//   npm run soak               20 minutes
//   VARVE_SOAK_SECONDS=n       n seconds instead of 8
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Varve } from '../../src/js/index.js'
import { Trapping } from './lib/trapping.mjs'

const SECONDS = Number(process.env.VARVE_SOAK_SECONDS ?? (process.env.npm_lifecycle_event === 'soak' ? 1200 : 8))
const KEYS = 6000
const FILE_SIZE = 256 << 10
const MIB = 1 << 20
/** Operations between two openings. */
const SESSION_MS = Math.max(SECONDS * 1000 / 24, 500)
/** Space allowed in addition to twice the live data. */
const SPACE_SLACK = 64 * MIB
const GROWTH = 1.1
const GROWTH_SLACK = 2 * MIB

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

const root = mkdtempSync(join(tmpdir(), 'varve-soak-'))
const place = join(root, 'db')
const watch = new Trapping()
after(() => {
  watch.restore()
  rmSync(root, { recursive: true, force: true })
})

/** Returns random numbers, the same each time. */
let state = 1
const below = (n) => {
  state = Math.imul(state, 1664525) + 1013904223
  return (state >>> 8) % n
}
const keyOf = (n) => `key${String(n).padStart(6, '0')}`

test(`${SECONDS} s of mixed load`, async (t) => {
  const model = new Map()
  const samples = []
  const until = performance.now() + SECONDS * 1000
  let operations = 0
  for (let session = 0; performance.now() < until; session++) {
    const db = new Varve(place, { writeBufferSize: 256 << 10, maxFileSize: FILE_SIZE, cacheSize: MIB })
    db.on('recovered', ({ cause }) => assert.fail(cause))
    await db.open()
    const pause = Math.min(performance.now() + SESSION_MS, until)
    while (performance.now() < pause) {
      await work(db, model)
      operations++
    }
    await checkAll(db, model)
    if (session % 2 === 1) assert.deepEqual((await db.verify()).findings, [])
    const sample = { wasm: watch.last.memory.buffer.byteLength, files: openFiles(), disk: sizeOf(place), live: liveOf(model) }
    assert.ok(sample.disk <= 2 * sample.live + SPACE_SLACK, `${sample.disk} bytes on disk for ${sample.live}`)
    await db.close()
    assert.equal(openFiles(), 0, 'open files')
    watch.last = undefined
    collect()
    await new Promise((resolve) => setTimeout(resolve, 20))
    collect()
    const { heapUsed, external } = process.memoryUsage()
    samples.push({ ...sample, heap: heapUsed + external })
  }
  t.diagnostic(`${operations} operations, ${samples.length} sessions`)
  t.diagnostic(`first ${JSON.stringify(samples[1])}, last ${JSON.stringify(samples.at(-1))}`)
  assert.ok(samples.length >= 6, 'too few sessions to compare')
  // The first sessions fill the database.
  const third = Math.floor(samples.length / 3)
  const [middle, end] = [samples.slice(third, 2 * third), samples.slice(-third)]
  // On a slow machine, the database still fills: more data are in more files.
  const filled = Math.max(0, median(end, 'live') - median(middle, 'live'))
  for (const name of ['wasm', 'files', 'heap']) {
    const [early, late] = [median(middle, name), median(end, name)]
    const slack = name === 'files' ? 2 + Math.ceil(2 * filled / FILE_SIZE) : GROWTH_SLACK
    assert.ok(late <= early * GROWTH + slack, `${name} grew from ${early} to ${late}`)
  }
})

const median = (samples, name) => samples.map((sample) => sample[name]).sort((a, b) => a - b)[samples.length >> 1]

async function work(db, model) {
  const kind = below(100)
  const n = below(KEYS)
  if (kind < 30) {
    const value = 'v'.repeat(below(1000)) + below(1e6)
    await db.put(keyOf(n), value, { sync: below(200) === 0 })
    model.set(keyOf(n), value)
  } else if (kind < 40) {
    await db.del(keyOf(n))
    model.delete(keyOf(n))
  } else if (kind < 50) {
    const all = Array.from({ length: 20 }, () => ({ type: 'put', key: keyOf(below(KEYS)), value: 'b'.repeat(below(400)) }))
    await db.batch(all)
    for (const { key, value } of all) model.set(key, value)
  } else if (kind < 85) {
    assert.equal(await db.get(keyOf(n)), model.get(keyOf(n)))
  } else if (kind < 90) {
    const keys = Array.from({ length: 20 }, () => keyOf(below(KEYS)))
    assert.deepEqual(await db.getMany(keys), keys.map((key) => model.get(key)))
  } else if (kind < 95) {
    // Some iterators are closed before their end.
    let i = 0
    for await (const [key, value] of db.iterator({ gte: keyOf(n), reverse: below(2) === 0, limit: 100 })) {
      assert.equal(value, model.get(key))
      if (++i === 50 && below(2) === 0) break
    }
  } else if (kind < 98) {
    const snapshot = db.snapshot()
    const before = model.get(keyOf(n))
    await db.put(keyOf(n), 'after the snapshot')
    model.set(keyOf(n), 'after the snapshot')
    assert.equal(await db.get(keyOf(n), { snapshot }), before)
    await snapshot.close()
  } else if (kind < 99) {
    const range = { gte: keyOf(n), lt: keyOf(n + below(40)) }
    await db.clear(range)
    for (const key of model.keys()) if (key >= range.gte && key < range.lt) model.delete(key)
  } else if (below(20) === 0) {
    await db.compactRange(keyOf(n), keyOf(n + 500))
  }
}

async function checkAll(db, model) {
  const found = new Map(await db.iterator().all())
  assert.equal(found.size, model.size)
  for (const [key, value] of model) assert.equal(found.get(key), value)
}

const liveOf = (model) => [...model].reduce((sum, [key, value]) => sum + key.length + value.length, 0)

const sizeOf = (directory) => readdirSync(directory).reduce((sum, name) => {
  // A file removed meanwhile takes no space.
  return sum + (statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0)
}, 0)

/** Returns the number of open files of the database, if the system reports it. */
function openFiles() {
  if (process.platform !== 'linux') return 0
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(place)
    } catch {
      return false
    }
  }).length
}
