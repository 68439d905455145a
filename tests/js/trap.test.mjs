// An engine that traps is replaced: no acknowledged write is lost, unwritten data does not appear,
// no call reaches the failed instance, and the database soon works again.
//
//   VARVE_LONG=1   a trap at every border crossing instead of at some
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { MapStorage } from '../../src/js/storage/map.js'
import { later } from './lib/storages.mjs'
import { Trapping } from './lib/trapping.mjs'

const LONG = process.env.VARVE_LONG !== undefined
/** Time limit for the first result of a new engine, asserted only with VARVE_LONG=1. */
const ANSWER_MS_MAX = 200
const POINTS = LONG ? Infinity : 4

const root = mkdtempSync(join(tmpdir(), 'varve-trap-'))
const trapping = new Trapping()
// An unhandled rejection, or a microtask that throws, ends the process in Node, so the test fails.
after(() => {
  trapping.restore()
  rmSync(root, { recursive: true, force: true })
})

let places = 0
const newPlace = () => join(root, `db-${places++}`)
const value = (i) => `value ${i} `.repeat(1 + i % 40)
const keyOf = (i) => `key${String(i).padStart(6, '0')}`
const filling = (from, count) => Array.from({ length: count }, (_, i) => ({ type: 'put', key: keyOf(from + i), value: value(from + i) }))

/** The expected content: a write with unknown result may exist or not. */
class Model {
  #known = new Map()
  #open = []

  async write(operations, act) {
    try {
      await act()
    } catch (error) {
      assert.equal(error.code, 'LEVEL_POISONED', error.stack)
      if (error.maybeApplied) this.#open.push(operations)
      return error
    }
    this.#apply(operations)
  }

  #apply(operations) {
    for (const { type, key, value } of operations) type === 'put' ? this.#known.set(key, value) : this.#known.delete(key)
  }

  async check(db) {
    const found = new Map(await db.iterator().all())
    for (const operations of this.#open) {
      // A batch is applied completely or not at all.
      const applied = operations.map(({ type, key, value }) => type === 'put' ? found.get(key) === value : !found.has(key))
      if (applied.every(Boolean)) this.#apply(operations)
    }
    this.#open = []
    assert.deepEqual(found, new Map([...this.#known].sort()), 'what was acknowledged, and nothing else')
  }
}

/**
 * Operations during which a trap happens. `act` gets an open, filled database and writes through
 * the model.
 */
const SITUATIONS = {
  'a put': (db, model) => model.write([{ type: 'put', key: 'new', value: 'x' }], () => db.put('new', 'x')),
  'a put with sync': (db, model) => model.write([{ type: 'put', key: 'new', value: 'x' }], () => db.put('new', 'x', { sync: true })),
  'a del': (db, model) => model.write([{ type: 'del', key: 'key000003' }], () => db.del('key000003')),
  'a batch': (db, model) => { const all = filling(5000, 200); return model.write(all, () => db.batch(all)) },
  'writes side by side': (db, model) => {
    const put = ({ key, value }) => db.put(key, value, { sync: true })
    return Promise.all(filling(7000, 20).map((one) => model.write([one], () => put(one))))
  },
  'a chained batch': (db, model) => model.write([{ type: 'put', key: 'c', value: '1' }], () => db.batch().put('c', '1').write()),
  'many writes, flushes and compactions': async (db, model) => {
    for (let i = 0; i < 6; i++) { const all = filling(i * 97, 100); await model.write(all, () => db.batch(all)) }
  },
  'a flush': (db) => db.flush(),
  'a sync': (db) => db.sync(),
  'a compaction': (db) => db.compactRange(),
  'a get': (db) => db.get('key000100'),
  'a getMany': (db) => db.getMany(['key000001', 'key000300', 'none']),
  'a getSync': async (db) => { if (db.supports.getSync) db.getSync('key000200') },
  'an iterator': (db) => db.iterator({ gte: 'key0001' }).all(),
  'an iterator backwards, with a seek': async (db) => {
    const it = db.iterator({ reverse: true })
    try { await it.next(); it.seek('key000100'); await it.nextv(50) } finally { await it.close() }
  },
  'a snapshot': async (db) => {
    const snapshot = db.snapshot()
    try { await db.get('key000000', { snapshot }) } finally { await snapshot.close() }
  },
  'a clear': async (db, model) => {
    const gone = filling(0, 600).map(({ key }) => ({ type: 'del', key }))
    // It deletes batch by batch: reads show the state after a trap.
    const error = await model.write(gone, () => db.clear({ lt: 'key000600' }))
    if (error) await model.write(gone, () => db.clear({ lt: 'key000600' }))
  },
  'a verify': (db) => db.verify(),
  'an approximateSize': (db) => db.approximateSize('a', 'z')
}

const STORAGES = {
  'a directory': () => { const place = newPlace(); return (options) => new Varve(place, options) },
  'a storage that answers later': () => {
    const place = new MapStorage.Place()
    return (options) => {
      const storage = later(new MapStorage(place))
      const db = new Varve(null, { ...options, storage })
      db.supports.getSync = false
      return db
    }
  }
}

const OPTIONS = { writeBufferSize: 32 << 10, maxFileSize: 32 << 10, cacheSize: 16 << 10 }

/** Opens a database with tables in two levels and a log, and its model. */
async function filled(make) {
  const model = new Model()
  const db = make(OPTIONS)
  for (const [from, count] of [[0, 400], [300, 300]]) {
    const all = filling(from, count)
    await model.write(all, () => db.batch(all))
    await db.flush()
  }
  await model.write(filling(600, 20), () => db.batch(filling(600, 20)))
  return { db, model }
}

/** After each trap, the time until a get() returned, in ms. */
const answers = []

for (const [storageName, storage] of Object.entries(STORAGES)) {
  for (const [name, act] of Object.entries(SITUATIONS)) {
    test(`${storageName}: a trap in ${name}`, async () => {
      const crossings = await count(storage(), act)
      const at = POINTS >= crossings ? Array.from({ length: crossings }, (_, i) => i + 1)
        : Array.from({ length: POINTS }, (_, i) => 1 + Math.floor(i * (crossings - 1) / (POINTS - 1)))
      for (const point of at) await trapAt(point, storage(), act)
    })
  }
}

/** Counts the crossings without a trap. */
async function count(make, act) {
  const { db, model } = await filled(make)
  trapping.arm(Infinity)
  await act(db, model)
  const crossings = trapping.disarm()
  await db.close()
  return Math.max(crossings, 1)
}

async function trapAt(point, make, act) {
  const { db, model } = await filled(make)
  const before = trapping.trapped
  const recovered = []
  db.on('recovered', (info) => recovered.push(info))
  const old = { iterator: db.iterator(), snapshot: db.snapshot() }
  await old.iterator.next()

  trapping.arm(point)
  await Promise.resolve().then(() => act(db, model)).catch((error) => assert.equal(error.code, 'LEVEL_POISONED', error.stack))
  trapping.disarm()
  const didTrap = trapping.trapped > before

  const start = performance.now()
  assert.equal(await db.get('key000650'), undefined)
  if (didTrap) answers.push(performance.now() - start)
  await model.check(db)
  if (didTrap) {
    assert.equal(recovered.length, 1)
    assert.match(recovered[0].cause.message, /injected/)
    await assert.rejects(() => old.iterator.nextv(1000), { code: 'LEVEL_POISONED' })
    await assert.rejects(() => db.get('a', { snapshot: old.snapshot }), { code: 'LEVEL_POISONED' })
  }
  await old.iterator.close()
  await old.snapshot.close()
  await model.write([{ type: 'put', key: 'after', value: '1' }], () => db.put('after', '1'))
  await db.close()
  assert.deepEqual(openFiles(), [], 'files that are still open')

  const again = make(OPTIONS)
  await model.check(again)
  assert.deepEqual((await again.verify()).findings, [])
  await again.close()
  assert.equal(trapping.callsOfDead, 0, 'calls that reached an instance after its trap')
}

/** Returns the open files of our databases, if the system reports them. */
function openFiles() {
  try {
    return readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)]
      } catch {
        return []
      }
    }).filter((path) => path.startsWith(root))
  } catch {
    return []
  }
}

test('traps while opening and closing', async () => {
  const place = newPlace()
  const model = new Model()
  const first = new Varve(place, OPTIONS)
  await model.write(filling(0, 500), () => first.batch(filling(0, 500)))
  await first.close()
  // Instances trap at their first, second ... crossing, also one after another while opening. The
  // first crossings are those of creating the instance.
  for (let point = 5; point < 200; point += LONG ? 1 : 9) {
    const db = new Varve(place, OPTIONS)
    trapping.armNext(point)
    await db.open()
    trapping.disarm()
    await model.check(db)
    trapping.arm(point)
    await db.close()
    trapping.disarm()
    assert.deepEqual(openFiles(), [])
  }
  const last = new Varve(place, OPTIONS)
  await model.check(last)
  await last.close()
  assert.equal(trapping.callsOfDead, 0)
})

test('the third trap in a minute closes the engine until it is reopened', async () => {
  const db = new Varve(newPlace())
  await db.put('a', '1')
  for (let i = 0; i < 3; i++) {
    trapping.last.ruin()
    await assert.rejects(db.put('b', String(i)), { code: 'LEVEL_POISONED', maybeApplied: true })
    if (i < 2) assert.equal(await db.get('a'), '1')
  }
  await assert.rejects(db.get('a'), { code: 'LEVEL_POISONED' })
  assert.throws(() => db.getSync('a'), (error) => ['LEVEL_POISONED', 'LEVEL_BUSY'].includes(error.code))
  await assert.rejects(db.put('b', '3'), { code: 'LEVEL_POISONED' })
  assert.deepEqual(openFiles(), [])
  await db.close()
  await db.open()
  assert.equal(await db.get('a'), '1')
  assert.equal(await db.get('b'), undefined)
  await db.close()
})

test('a database in memory is lost after a trap, and reports it', async () => {
  const db = new Varve(null, { storage: 'memory' })
  await db.put('a', '1')
  trapping.last.ruin()
  await assert.rejects(db.get('a'), { code: 'LEVEL_POISONED' })
  await assert.rejects(db.get('a'), { code: 'LEVEL_POISONED' })
  await db.close()
  await db.open()
  assert.equal(await db.get('a'), undefined)
  await db.put('a', '2')
  await db.close()
  await db.open()
  assert.equal(await db.get('a'), '2')
  await db.close()
})

test('a stack overflow replaces the engine', async () => {
  const db = new Varve(newPlace())
  await db.batch(filling(0, 300))
  await db.flush()
  let failed = 0
  const deep = () => {
    try {
      deep()
    } catch {
      // With less and less depth, until the call succeeds.
    }
    try {
      db.getSync('key000100')
    } catch {
      failed++
    }
  }
  deep()
  assert.ok(failed > 0)
  assert.equal(await db.get('key000100'), value(100))
  await db.put('after', '1')
  await db.close()
})

test('calls are queued in order while the engine is replaced', async () => {
  const db = new Varve(newPlace())
  await db.batch(filling(0, 10))
  trapping.last.ruin()
  const failed = db.get('key000001').catch((error) => error.code)
  const key = Buffer.from('mutable')
  const before = db.iterator()
  const put = db.put(key, 'x', { keyEncoding: 'buffer' })
  key.fill(0)
  const snapshot = db.snapshot()
  const del = db.del('key000003')
  const after = db.keys({ gt: 'key000001' })
  assert.throws(() => db.getProperty('leveldb.stats'), { code: 'LEVEL_BUSY' })
  assert.equal(await failed, 'LEVEL_POISONED')
  await Promise.all([put, del])
  assert.equal((await before.all()).length, 10)
  assert.equal((await after.all()).at(-1), 'mutable')
  assert.equal(await db.get('key000003', { snapshot }), value(3))
  assert.equal(await db.get('key000003'), undefined)
  await snapshot.close()
  await db.close()
})

test('a write of a listener of recovered comes after queued writes', async () => {
  const db = new Varve(newPlace())
  await db.put('a', '1')
  let late
  db.once('recovered', () => { late = db.put('k', 'late') })
  trapping.last.ruin()
  const failed = db.get('a').catch((error) => error.code)
  await Promise.all([db.put('k', 'waited'), db.put('k', 'waited too')])
  assert.equal(await failed, 'LEVEL_POISONED')
  await late
  assert.equal(await db.get('k'), 'late')
  await db.close()
})

test('a running export and checkpoint end with the engine', async () => {
  const { db, model } = await filled(STORAGES['a directory']())
  const reader = db.export().getReader()
  await reader.read()
  trapping.last.ruin()
  await assert.rejects(async () => { while (!(await reader.read()).done); }, { code: 'LEVEL_POISONED' })
  await model.check(db)
  trapping.arm(40)
  const to = newPlace()
  await assert.rejects(db.checkpoint(to), { code: 'LEVEL_POISONED' })
  trapping.disarm()
  await model.check(db)
  await db.close()
  assert.deepEqual(openFiles(), [])
  assert.equal(trapping.callsOfDead, 0)
})

test('a trap without pending calls does not end the process', async () => {
  const { db, model } = await filled(STORAGES['a directory']())
  const recovered = new Promise((resolve) => db.once('recovered', resolve))
  await model.write([{ type: 'put', key: 'last', value: '1' }], () => db.put('last', '1'))
  // The next call is a slice of background work, or the check for maintenance.
  const before = trapping.trapped
  while (trapping.trapped === before) {
    trapping.arm(1)
    await new Promise((resolve) => setTimeout(resolve, 60))
    trapping.disarm()
    if (trapping.trapped === before) await model.write([{ type: 'put', key: 'last', value: '1' }], () => db.put('last', '1'))
  }
  await recovered
  await model.check(db)
  await db.close()
})

test('traps were tested at no less than 40 points', (t) => {
  const most = Math.max(...answers)
  t.diagnostic(`${answers.length} traps, the database answered after ${most.toFixed(0)} ms at most`)
  assert.ok(answers.length >= 40)
  if (LONG) assert.ok(most < ANSWER_MS_MAX)
})
