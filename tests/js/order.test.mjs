// With a synchronous storage, no caller sees a newer state before an earlier call returns an older
// one.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { Varve } from '../../src/js/index.js'
import { Trapping } from './lib/trapping.mjs'

const root = mkdtempSync(join(tmpdir(), 'varve-order-'))
after(() => rmSync(root, { recursive: true, force: true }))
let places = 0

const PLACES = {
  directory: () => new Varve(join(root, String(places++))),
  memory: () => new Varve(null, { storage: 'memory' }),
  'a sublevel': () => new Varve(null, { storage: 'memory' }).sublevel('part'),
  'a directory of a worker': () => new Varve(join(root, String(places++)), { worker: true }),
  'memory of a worker': () => new Varve(null, { storage: 'memory', worker: true })
}

const isLong = process.env.VARVE_LONG === '1'
const ROUNDS = isLong ? 1000 : 200
/** Each opens a database. */
const OPENINGS = isLong ? 1000 : 20

const microtasks = async (count) => { for (let i = 0; i < count; i++) await undefined }
const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

/**
 * Writes count versions, and reads report the version that they have seen: from `from` to `to`. An
 * earlier call must not return an older version after a later call has returned a newer one.
 */
class Watch {
  version = 0
  answered = []
  wrong = []
  #asked = 0

  async read(what, answer, versionsOf) {
    const [asked, before] = [this.#asked++, this.answered.length]
    const [from, to] = versionsOf(await answer)
    for (const later of this.answered.slice(before)) {
      if (later.asked > asked && later.from > to) this.wrong.push(`${later.what} was answered ${later.from}, then ${what}, asked earlier, ${to}`)
    }
    this.answered.push({ asked, what, from })
  }

  /** Makes one of the reads below, whose result contains a version as text. */
  async exactly(what, db, [ask, valueIn]) {
    return this.read(what, ask(db), (answer) => [Number(valueIn(answer)), Number(valueIn(answer))])
  }

  /** Calls `write` with the next version. */
  async wrote(what, write) {
    const version = ++this.version
    return this.read(what, write(String(version)), () => [version, Infinity])
  }

  check(told) {
    assert.deepEqual(this.wrong.slice(0, 3), [], `${this.wrong.length} of ${this.answered.length} ${told ?? ''}`)
    this.answered = []
  }
}

/** Rows around the changing one, so that a range has several rows. */
async function filled(db) {
  await db.batch(['a', 'b', 'c', 'd'].map((key) => ({ type: 'put', key, value: '0' })))
  return db
}

/**
 * Short reads of a range, and where `c` is in their results. No extra promises: each takes a
 * microtask.
 */
const RANGES = {
  all: [(db) => db.iterator({ gte: 'b', lte: 'd' }).all(), (rows) => rows[1][1]],
  'values().all': [(db) => db.values({ gte: 'c', limit: 1 }).all(), ([value]) => value],
  nextv: [(db) => db.iterator({ gte: 'b', lte: 'd' }).nextv(10), (rows) => rows[1][1]],
  next: [(db) => db.iterator({ gte: 'c' }).next(), ([, value]) => value]
}
/** The same for keys. */
const POINTS = {
  get: [(db) => db.get('c'), (value) => value],
  getMany: [(db) => db.getMany(['a', 'c']), ([, value]) => value]
}

for (const [place, make] of Object.entries(PLACES)) {
  for (const [range, read] of Object.entries(RANGES)) {
    test(`${range}() made before a put never resolves after a get that saw the put, in one tick: ${place}`, async () => {
      const db = await filled(make())
      const watch = new Watch()
      for (let round = 0; round < ROUNDS; round++) {
        await Promise.all([
          watch.exactly(range, db, read),
          watch.wrote('put', (value) => db.put('c', value)),
          ...Object.entries(POINTS).map(([what, ask]) => watch.exactly(what, db, ask))
        ])
      }
      watch.check()
      await db.close()
    })

    test(`${range}() never resolves after a get of another async function that saw a later put: ${place}`, async () => {
      const db = await filled(make())
      const watch = new Watch()
      const reading = async () => {
        for (let round = 0; round < ROUNDS; round++) await watch.exactly(range, db, read)
      }
      const writing = async () => {
        for (let round = 0; round < ROUNDS; round++) {
          await watch.wrote('put', (value) => db.put('c', value))
          await watch.exactly('get', db, POINTS.get)
        }
      }
      await Promise.all([reading(), writing(), reading(), writing()])
      watch.check()
      await db.close()
    })
  }

  test(`calls made before opening resolve before calls that see a later put: ${place}`, async () => {
    for (let round = 0; round < OPENINGS; round++) {
      const db = make()
      const watch = new Watch()
      const asked = [filled(db)]
      const ask = (ranges) => {
        for (const [range, read] of Object.entries(ranges)) asked.push(watch.exactly(range, db, read))
        asked.push(watch.wrote('put', (value) => db.put('c', value)))
        for (const [what, read] of Object.entries(POINTS)) asked.push(watch.exactly(what, db, read))
      }
      ask(RANGES)
      ask(RANGES)
      // As soon as it is open and queued calls are done.
      db.once('open', () => ask({}))
      await db.open()
      ask(RANGES)
      await Promise.all(asked)
      watch.check()
      await db.close()
    }
  })

  test(`random calls of several async functions: ${place}`, async () => {
    const db = await filled(make())
    const watch = new Watch()
    const LIMIT = ROUNDS * 10
    for (let from = 0; from < LIMIT; from += 500) {
      await db.batch(Array.from({ length: 500 }, (_, i) => ({ type: 'put', key: `x${from + i}`, value: '' })))
    }
    let seed = 2024
    const random = (size) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
      return (seed >>> 16) % size
    }
    const { signal } = new AbortController()
    /** The last versions written by a batch or a del, which has() can see. */
    let [batched, deleted] = [0, 0]
    const calls = {
      ...Object.fromEntries(Object.entries({ ...RANGES, ...POINTS }).map(([what, read]) => [what, () => watch.exactly(what, db, read)])),
      put: () => watch.wrote('put', (value) => db.put('c', value)),
      batch: () => watch.wrote('batch', (value) => {
        batched = watch.version
        return db.batch([{ type: 'put', key: 'c', value }, { type: 'put', key: `v${value}`, value: '' }])
      }),
      'chained batch': () => watch.wrote('chained batch', (value) => db.batch().put('c', value).write()),
      del: () => watch.wrote('del', (value) => {
        deleted = watch.version
        // Another key contains the version.
        db.put('c', value)
        return db.del(`x${value}`)
      }),
      has: () => watch.read('has', db.has(`x${deleted}`), (found) => found ? [0, deleted - 1] : [deleted, Infinity]),
      hasMany: () => watch.read('hasMany', db.hasMany(['a', `v${batched}`]), ([, found]) => found ? [batched, Infinity] : [0, batched - 1]),
      'next with a signal': () => watch.exactly('next with a signal', db, [() => db.values({ gte: 'c', signal }).next(), (value) => value]),
      'all with a signal': () => watch.exactly('all with a signal', db, [() => db.values({ gte: 'c', lt: 'd', signal }).all(), ([value]) => value]),
      'all of several pages': () => db.keys({ gte: 'x', highWaterMarkBytes: 100, limit: 50 }).all(),
      'a get of a snapshot': async () => {
        const snapshot = db.snapshot()
        const read = watch.exactly('a get of a snapshot', db, [() => db.get('c', { snapshot }), (value) => value])
        await snapshot.close()
        await read
      },
      clear: () => db.clear({ gte: 'v', lt: `v${Math.max(batched - 100, 0)}`, limit: 10 }),
      'a put that is synced': () => watch.wrote('a put that is synced', (value) => db.put('c', value, { sync: true }))
    }
    const names = Object.keys(calls)
    const counts = {}
    const flow = async () => {
      while (watch.version < LIMIT - 100) {
        const name = names[random(names.length)]
        // An fsync takes long, and other calls do not wait for it.
        if (/synced|clear/.test(name) && random(10) > 0) continue
        counts[name] = (counts[name] ?? 0) + 1
        const call = calls[name]()
        if (random(3) > 0) await call
        else call.catch((error) => watch.wrong.push(error.stack))
        if (random(4) === 0) await microtasks(random(12))
        if (random(50) === 0) await nextTurn()
      }
    }
    await Promise.all(Array.from({ length: 5 }, flow))
    watch.check(JSON.stringify(counts))
    await db.close()
  })
}

/** Counts the consecutive gets that return before an earlier all(), for each round. */
async function answeredEarly(db) {
  const counts = []
  for (let round = 0; round < ROUNDS; round++) {
    let early = 0
    let isDone = false
    const all = db.iterator({ gte: 'b', lte: 'd' }).all().then(() => { isDone = true })
    for (;;) {
      await db.get('c')
      if (isDone) break
      early++
    }
    await all
    counts.push(early)
  }
  return counts.sort((a, b) => a - b)
}

test('at most one get resolves before an earlier short all()', async (t) => {
  const told = []
  for (const [name, db] of Object.entries({
    directory: PLACES.directory(), memory: PLACES.memory(), 'a worker': PLACES['a directory of a worker'](), 'classic-level': new ClassicLevel(join(root, String(places++)))
  })) {
    await filled(db)
    const counts = await answeredEarly(db)
    const [median, most] = [counts[counts.length >> 1], counts.at(-1)]
    told.push(`${name}: median ${median}, most ${most}`)
    if (db instanceof Varve) assert.ok(most <= 1, told.at(-1))
    await db.close()
  }
  t.diagnostic(told.join('; '))
})

for (const [what, call] of Object.entries({
  get: (db) => db.get('c'),
  has: (db) => db.has('c'),
  put: (db) => db.put('c', '1'),
  getMany: (db) => db.getMany(['a', 'c']),
  next: (db) => db.iterator().next(),
  all: (db) => db.iterator().all(),
  'all, then get': (db) => db.keys().all().then(() => db.get('c')),
  'get of a sublevel': (db) => db.sublevel('part').get('c')
})) {
  test(`consecutive awaited calls let timers run: ${what}`, async () => {
    for (const make of [PLACES.directory, PLACES.memory]) {
      const db = await filled(make())
      let turns = 0
      const timer = setInterval(() => turns++, 1)
      // Not a time in which it must be done: others may use the processor.
      for (const end = performance.now() + 10_000; turns < 5 && performance.now() < end;) await call(db)
      clearInterval(timer)
      assert.ok(turns >= 5, `${turns} turns in 10 s`)
      await db.close()
    }
  })
}

for (const [place, make] of Object.entries(PLACES)) {
  test(`every pending call settles when the database is closed: ${place}`, async () => {
    for (let round = 0; round < OPENINGS; round++) {
      const db = await filled(make())
      const iterator = db.iterator()
      const calls = [iterator.all(), iterator.close()]
      for (let i = 0; i < 40; i++) calls.push(db.iterator().all(), db.get('c'), db.put('c', String(i)), db.has('c'), db.keys().nextv(2))
      const closed = db.close()
      // Earlier calls return, whether or not the database is closed by then.
      const results = await Promise.allSettled(calls)
      assert.deepEqual(results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.message), [])
      await closed
      await assert.rejects(db.get('c'), { code: 'LEVEL_DATABASE_NOT_OPEN' })
    }
  })
}

// A write made when the new instance exists must not overtake queued writes.
test('after a trap, writes of one key run in call order', async () => {
  const trapping = new Trapping()
  try {
    for (let round = 0; round < 20; round++) {
      const db = await filled(PLACES.directory())
      trapping.arm(1 + round)
      const puts = []
      for (let i = 0; i < 400; i++) {
        const value = `write ${i}`
        puts.push(db.put('one', value).then(() => value, (error) => assert.equal(error.code, 'LEVEL_POISONED')))
        await microtasks(1 + i % 3)
        if (i % 20 === 0) await nextTurn()
      }
      const done = await Promise.all(puts)
      trapping.disarm()
      assert.equal(await db.get('one'), done.findLast((value) => value !== undefined), `round ${round}`)
      await db.close()
    }
  } finally {
    trapping.restore()
  }
})

test('calls queued after a trap are settled in order', async () => {
  const trapping = new Trapping()
  let recovered = 0
  try {
    for (let round = 0; round < OPENINGS; round++) {
      const db = await filled(PLACES.directory())
      db.on('recovered', () => recovered++)
      const watch = new Watch()
      const asked = []
      const add = (call) => {
        call.catch(() => {})
        asked.push(call)
      }
      const ask = () => {
        for (const [range, read] of Object.entries(RANGES)) add(watch.exactly(range, db, read))
        add(watch.wrote('put', (value) => db.put('c', value)))
        for (const [what, read] of Object.entries(POINTS)) add(watch.exactly(what, db, read))
      }
      // After this many crossings all calls are done.
      trapping.arm(1 + round % 40 * 3)
      for (let i = 0; i < 4; i++) {
        ask()
        await microtasks(i)
      }
      await nextTurn()
      ask()
      const results = await Promise.allSettled(asked)
      trapping.disarm()
      for (const { reason } of results) if (reason !== undefined) assert.equal(reason.code, 'LEVEL_POISONED', reason.stack)
      watch.check()
      await db.close()
    }
  } finally {
    trapping.restore()
  }
  assert.ok(recovered >= OPENINGS / 2, `${recovered} times`)
})
