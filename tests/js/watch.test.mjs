// watch() tells every committed change of its range once, in order, or tells that some are missing.
//
//   VARVE_LONG=1   more random histories
//   VARVE_SEED=n   one history
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { MapStorage } from '../../src/js/storage/map.js'
import { later } from './lib/later.mjs'
import { Trapping } from './lib/trapping.mjs'

const LONG = process.env.VARVE_LONG !== undefined
const HISTORIES = LONG ? 60 : 4

const root = mkdtempSync(join(tmpdir(), 'varve-watch-'))
const trapping = new Trapping()
after(() => {
  trapping.restore()
  rmSync(root, { recursive: true, force: true })
})

let places = 0
const newPlace = () => join(root, `db-${places++}`)
const turn = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms))

const PLACES = {
  memory: () => [null, { storage: 'memory' }],
  directory: () => [newPlace(), {}],
  later: () => [null, { storage: later(new MapStorage()) }],
  worker: () => [newPlace(), { worker: true }]
}

function random(seed) {
  let state = seed >>> 0
  const next = () => {
    state = state + 0x6d2b79f5 >>> 0
    let t = Math.imul(state ^ state >>> 15, 1 | state)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return (t ^ t >>> 14) >>> 0
  }
  return (below) => next() % below
}

/** Applies changes to a map. */
function apply(map, changes) {
  for (const { type, key, value, gt, gte, lt, lte } of changes) {
    if (type === 'put') map.set(key, value)
    else if (type === 'del') map.delete(key)
    else {
      assert.equal(type, 'clear')
      for (const one of [...map.keys()]) {
        if ((gt === undefined || one > gt) && (gte === undefined || one >= gte) && (lt === undefined || one < lt) && (lte === undefined || one <= lte)) map.delete(one)
      }
    }
  }
}

/** Follows a watch: a copy of its range, which is read again after a gap. */
class Replica {
  map = new Map()
  items = []
  gaps = 0
  sequence = 0
  #slow
  #done

  constructor(level, watch, { slow = async () => {}, start = new Map() } = {}) {
    this.level = level
    this.watch = watch
    this.map = start
    this.#slow = slow
    this.#done = this.#follow()
    this.#done.catch(() => {})
  }

  async #follow() {
    for await (const item of this.watch) {
      assert.ok(item.sequence >= this.sequence, 'in order')
      this.sequence = item.sequence
      this.items.push(item)
      if (item.type === 'gap') {
        this.gaps++
        const { range } = this
        this.map = new Map(await this.level.iterator(range ?? {}).all())
      } else {
        assert.ok(item.changes.length > 0)
        apply(this.map, item.changes)
      }
      await this.#slow()
    }
  }

  /** Waits until a change made now is told. */
  async caughtUp(level = this.level) {
    const mark = `zz mark ${Math.random()}`
    await level.put(mark, mark)
    for (let i = 0; !this.map.has(mark); i++) {
      assert.ok(i < 20_000, 'the watch does not go on')
      await Promise.race([this.#done.then(() => assert.fail('the watch has ended')), turn(1)])
    }
  }

  async end() {
    await this.#done
  }
}

const sorted = (map) => new Map([...map].sort(([a], [b]) => a < b ? -1 : 1))

for (const [name, place] of Object.entries(PLACES)) {
  test(`${name}: what is committed after the call is told, batch by batch`, async () => {
    const [location, options] = place()
    const db = new Varve(location, options)
    await db.put('before', '0')
    const watch = db.watch()
    const first = db.put('a', '1')
    await first
    await db.batch([{ type: 'put', key: 'b', value: '2' }, { type: 'del', key: 'a' }, { type: 'put', key: 'b', value: '3' }])
    await db.batch().put('c', '4').del('x').write()
    await db.del('b', { sync: true })
    const items = []
    for await (const item of watch) {
      items.push(item)
      if (items.length === 4) break
    }
    const last = items[0].sequence
    assert.deepEqual(items, [
      { type: 'batch', sequence: last, changes: [{ type: 'put', key: 'a', value: '1' }] },
      { type: 'batch', sequence: last + 3, changes: [{ type: 'put', key: 'b', value: '2' }, { type: 'del', key: 'a' }, { type: 'put', key: 'b', value: '3' }] },
      { type: 'batch', sequence: last + 5, changes: [{ type: 'put', key: 'c', value: '4' }, { type: 'del', key: 'x' }] },
      { type: 'batch', sequence: last + 6, changes: [{ type: 'del', key: 'b' }] }
    ])
    assert.equal(watch.sequence, last + 6)
    assert.deepEqual(await watch.next(), { done: true, value: undefined }, 'leaving the loop ends it')
    await db.close()
  })

  test(`${name}: only the range is told, and a wait ends with the next change in it`, async () => {
    const [location, options] = place()
    const db = new Varve(location, options)
    const watch = db.watch({ gt: 'b', lte: 'd', valueEncoding: 'json' })
    const waiting = watch.next()
    await db.put('a', '1')
    await db.batch([{ type: 'put', key: 'b', value: '1' }, { type: 'put', key: 'd', value: '2' }, { type: 'put', key: 'd!', value: '3' }])
    assert.deepEqual((await waiting).value.changes, [{ type: 'put', key: 'd', value: 2 }])
    await db.close()
    assert.equal((await watch.next()).done, true)
  })

  test(`${name}: a watch of a database that is opening sees the first write`, async () => {
    const [location, options] = place()
    const db = new Varve(location, options)
    const [watch, inner] = [db.watch(), db.sublevel('s', { valueEncoding: 'json' })]
    const innerWatch = inner.watch({ gte: 'a' })
    const writes = [db.put('k', 'v'), inner.put('a', { n: 1 }), db.put('!s!b', '[]')]
    await Promise.all(writes)
    assert.deepEqual((await watch.next()).value.changes[0], { type: 'put', key: 'k', value: 'v' })
    const told = []
    while (told.length < 2) told.push(...(await innerWatch.next()).value.changes)
    assert.deepEqual(sorted(new Map(told.map(({ key, value }) => [key, value]))), new Map([['a', { n: 1 }], ['b', []]]))
    await inner.close()
    assert.equal((await innerWatch.next()).done, true, 'it ends with the sublevel')
    await db.close()
  })

  test(`${name}: clear() is one change, within the bounds of the watch`, async () => {
    const [location, options] = place()
    const db = new Varve(location, { ...options, writeBufferSize: 64 << 10, maxFileSize: 32 << 10 })
    const fill = (prefix) => db.batch(Array.from({ length: 3000 }, (_, i) => ({ type: 'put', key: `${prefix}${String(i).padStart(5, '0')}`, value: 'x'.repeat(50) })))
    for (const prefix of ['a', 'b', 'c']) await fill(prefix)
    await db.flush()
    const [all, part, none] = [db.watch(), db.watch({ gte: 'b', lt: 'b01' }), db.watch({ gte: 'd' })]
    await db.clear({ gt: 'b00002', lte: 'b02000' })
    await db.clear({ lt: 'b00005' })
    await db.clear()
    await db.clear()
    await db.put('d', 'end')
    const told = async (watch, count) => {
      const changes = []
      while (changes.length < count) changes.push(...(await watch.next()).value.changes)
      return changes
    }
    const end = { type: 'put', key: 'd', value: 'end' }
    assert.deepEqual(await told(all, 4), [{ type: 'clear', gt: 'b00002', lte: 'b02000' }, { type: 'clear', lt: 'b00005' }, { type: 'clear' }, end])
    assert.deepEqual(await told(part, 3), [{ type: 'clear', gt: 'b00002' }, { type: 'clear', lt: 'b00005' }, { type: 'clear' }])
    assert.deepEqual(await told(none, 2), [{ type: 'clear' }, end])
    await db.close()
  })

  test(`${name}: a signal ends it with an AbortError`, async () => {
    const [location, options] = place()
    const db = new Varve(location, options)
    await db.open()
    const abort = new AbortController()
    const watch = db.watch({ signal: abort.signal })
    const waiting = assert.rejects(watch.next(), { name: 'AbortError', code: 'LEVEL_ABORTED', cause: 'enough' })
    await turn()
    abort.abort('enough')
    await waiting
    await assert.rejects(watch.next(), { code: 'LEVEL_ABORTED' })
    await assert.rejects(db.watch({ signal: AbortSignal.abort() }).next(), { code: 'LEVEL_ABORTED' })
    await db.put('a', '1')
    await db.close()
  })

  test(`${name}: return() and close() end a call that waits`, async () => {
    const [location, options] = place()
    const db = new Varve(location, options)
    await db.open()
    const [left, closed] = [db.watch(), db.watch()]
    const waiting = [left.next(), left.next(), closed.next()]
    await turn(5)
    assert.deepEqual(await left.return('x'), { done: true, value: 'x' })
    await db.close()
    for (const { done } of await Promise.all(waiting)) assert.equal(done, true)
    assert.throws(() => db.watch(), { code: 'LEVEL_DATABASE_NOT_OPEN' })
  })
}

test('options that make no sense are refused', async () => {
  const db = new Varve(null, { storage: 'memory' })
  for (const since of [-1, 1.5, NaN, '3', 2 ** 53]) assert.throws(() => db.watch({ since }), { code: 'LEVEL_INVALID_ARGUMENT' })
  assert.throws(() => db.watch({ signal: {} }), { code: 'LEVEL_INVALID_ARGUMENT' })
  await db.close()
  const failing = new Varve(newPlace(), { createIfMissing: false })
  await assert.rejects(failing.watch().next(), { code: 'LEVEL_DATABASE_NOT_OPEN' })
})

test('a key in another encoding ends the watch with LEVEL_DECODE_ERROR', async () => {
  const db = new Varve(null, { storage: 'memory' })
  const watch = db.watch({ keyEncoding: 'json' })
  await db.put('{', '1')
  await assert.rejects(watch.next(), { code: 'LEVEL_DECODE_ERROR' })
  assert.equal((await watch.next()).done, true)
  await db.close()
})

test('synchronous writes are told too', async () => {
  const db = new Varve(newPlace())
  await db.open()
  const watch = db.watch({ keyEncoding: 'buffer', valueEncoding: 'view' })
  db.putSync('a', '1')
  db.batchSync([{ type: 'put', key: 'b', value: '2' }, { type: 'del', key: 'a' }])
  db.delSync('b', { sync: true })
  const items = [await watch.next(), await watch.next(), await watch.next()].map(({ value }) => value.changes)
  assert.deepEqual(items.map((changes) => changes.map(({ type, key }) => `${type} ${key}`)), [['put a'], ['put b', 'del a'], ['del b']])
  assert.ok(Buffer.isBuffer(items[0][0].key) && items[0][0].value.constructor === Uint8Array)
  await db.close()
})

test('a write that failed is never told', async () => {
  const storage = new MapStorage()
  let isFull = false
  const { create } = storage
  storage.create = (...args) => {
    const file = create.apply(storage, args)
    const { append } = file
    file.append = (data) => {
      if (isFull) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      return append.call(file, data)
    }
    return file
  }
  const db = new Varve(null, { storage })
  await db.open()
  const watch = db.watch()
  await db.put('a', '1')
  isFull = true
  await assert.rejects(db.put('b', '2'))
  await assert.rejects(db.batch([{ type: 'put', key: 'b', value: '3' }], { sync: true }))
  isFull = false
  await db.resume()
  await db.put('c', '4')
  const keys = [await watch.next(), await watch.next()].map(({ value }) => value.changes.map(({ key }) => key))
  assert.deepEqual(keys, [['a'], ['c']])
  await db.close()
})

test('a batch larger than what is kept is told as a whole', async () => {
  const db = new Varve(newPlace(), { worker: true })
  await db.open()
  const watch = db.watch()
  const large = 'x'.repeat(6 << 20)
  await db.batch([{ type: 'put', key: 'a', value: large }, { type: 'put', key: 'b', value: large }])
  const items = [(await watch.next()).value]
  await db.put('c', large)
  items.push((await watch.next()).value)
  assert.deepEqual(items.map(({ changes }) => changes.map(({ key, value }) => [key, value.length])), [[['a', large.length], ['b', large.length]], [['c', large.length]]])
  await db.close()
})

test('a slow reader gets the rest from the logs, and a gap where they do not reach', async () => {
  const db = new Varve(newPlace(), { writeBufferSize: 8 << 20 })
  await db.open()
  const write = async (count, name) => { for (let i = 0; i < count; i++) await db.put(`${name}${i % 50}`, String(i).padEnd(10_000)) }
  const watch = db.watch()
  await write(400, 'log')
  let seen = 0
  for (let previous = 0; seen < 400; seen++) {
    const { value: item } = await watch.next()
    assert.equal(item.type, 'batch')
    assert.equal(item.changes[0].value.trim(), String(seen))
    if (previous > 0) assert.equal(item.sequence, previous + 1)
    previous = item.sequence
  }
  await write(400, 'table')
  await db.flush()
  let before = 0
  let item
  for (; (item = (await watch.next()).value).type !== 'gap'; before++);
  assert.ok(before < 300, `${before} items`)
  assert.equal(item.sequence, 800)
  await db.put('last', '1')
  assert.deepEqual((await watch.next()).value, { type: 'batch', sequence: 801, changes: [{ type: 'put', key: 'last', value: '1' }] })
  await db.close()
})

test('a watch that nobody reads takes no memory', async () => {
  const db = new Varve(newPlace(), { writeBufferSize: 1 << 20, cacheSize: 1 << 20 })
  await db.open()
  const watch = db.watch()
  const value = 'y'.repeat(20_000)
  const write = async () => { for (let i = 0; i < 1000; i++) await db.put(`k${i}`, value) }
  await write()
  const before = trapping.last.memory.buffer.byteLength
  await write()
  await write()
  assert.ok(trapping.last.memory.buffer.byteLength - before <= 4 << 20, `${before} became ${trapping.last.memory.buffer.byteLength}`)
  assert.equal((await watch.next()).value.type === 'gap' || watch.sequence > 0, true)
  await db.close()
})

for (const worker of [false, true]) {
  test(`since: continues after reopening, or tells a gap (worker: ${worker})`, async () => {
    const place = newPlace()
    const open = async (options) => { const db = new Varve(place, { worker, ...options }); await db.open(); return db }
    let db = await open()
    const watch = db.watch({ since: 0 })
    await db.put('a', '1')
    await db.put('b', '2')
    const [a, b] = [(await watch.next()).value, (await watch.next()).value]
    await db.put('c', '3')
    await db.close()

    db = await open()
    const again = db.watch({ since: a.sequence })
    assert.deepEqual([(await again.next()).value, (await again.next()).value.changes], [b, [{ type: 'put', key: 'c', value: '3' }]])
    const now = again.sequence
    await db.put('d', '4')
    assert.deepEqual((await again.next()).value.changes, [{ type: 'put', key: 'd', value: '4' }])
    await db.flush()
    const lost = db.watch({ since: a.sequence })
    assert.deepEqual((await lost.next()).value, { type: 'gap', sequence: again.sequence })
    const fromNow = db.watch({ since: again.sequence })
    await db.put('e', '5')
    assert.deepEqual((await fromNow.next()).value, (await lost.next()).value)
    assert.equal((await db.watch({ since: 1e9 }).next()).value.type, 'gap', 'of another database')
    await db.close()

    const reader = await open({ readOnly: true })
    assert.ok(now < again.sequence)
    assert.equal((await reader.watch({ since: now }).next()).value.type, 'gap')
    assert.deepEqual((await reader.watch({ since: again.sequence }).next()).value.changes, [{ type: 'put', key: 'e', value: '5' }])
    const idle = reader.watch().next()
    await turn(5)
    await reader.close()
    assert.equal((await idle).done, true)
  })
}

test('since: a clear() that dropped tables while nobody watched is a gap', async () => {
  const place = newPlace()
  let db = new Varve(place)
  await db.batch(Array.from({ length: 100 }, (_, i) => ({ type: 'put', key: `k${i}`, value: 'v' })))
  await db.flush()
  await db.put('last', '1')
  const watch = db.watch({ since: 0 })
  const gap = (await watch.next()).value
  assert.equal(gap.type, 'gap')
  await watch.close()
  await db.clear()
  assert.equal((await db.watch({ since: gap.sequence }).next()).value.type, 'gap')
  await db.close()
  db = new Varve(place)
  assert.equal((await db.watch({ since: gap.sequence }).next()).value.type, 'gap')
  await db.close()
})

test('a database that is imported, and its changes', async () => {
  const source = new Varve(null, { storage: 'memory' })
  await source.put('a', '1')
  const db = await Varve.import(newPlace(), source.export())
  const watch = db.watch()
  await db.put('b', '2')
  assert.deepEqual((await watch.next()).value.changes, [{ type: 'put', key: 'b', value: '2' }])
  await db.close()
  await source.close()
})

// ---- Random histories ----

const SIZES = { writeBufferSize: 32 << 10, maxFileSize: 16 << 10, cacheSize: 64 << 10 }
const seeds = process.env.VARVE_SEED !== undefined ? [Number(process.env.VARVE_SEED)]
  // With the first, a watch asked a trapped engine for ever, in one turn of the event loop.
  : [1583306000, ...Array.from({ length: HISTORIES - 1 }, (_, i) => Math.floor(Math.random() * 2 ** 31) + i)]

/** Several writers at once; each waits for its own writes, now and then. */
async function history(db, sublevel, rand, { operations = 400, flushes = true } = {}) {
  const key = () => `k${String(rand(300)).padStart(3, '0')}`
  const value = () => String(rand(1e9)).repeat(1 + rand(rand(20) === 0 ? 400 : 10))
  const range = () => { const [a, b] = [key(), key()].sort(); return { [rand(2) ? 'gt' : 'gte']: a, [rand(2) ? 'lt' : 'lte']: b } }
  const operation = () => Array.from({ length: 1 + rand(8) }, () => rand(3) ? { type: 'put', key: key(), value: value() } : { type: 'del', key: key() })
  const writer = async () => {
    const own = []
    for (let i = 0; i < operations / 4; i++) {
      const level = rand(3) ? db : sublevel
      const sync = rand(10) === 0
      const kind = rand(20)
      if (kind < 9) own.push(level.put(key(), value(), { sync }))
      else if (kind < 12) own.push(level.del(key(), { sync }))
      else if (kind < 17) own.push(level.batch(operation(), { sync }))
      else if (kind < 18) own.push(level.clear(rand(4) ? range() : {}))
      else if (kind < 19) own.push(level.clear({ ...range(), limit: rand(20) }))
      else if (flushes) own.push(rand(2) ? db.flush() : db.compactRange())
      if (rand(3) === 0) await Promise.all(own.splice(0))
    }
    await Promise.all(own)
  }
  await Promise.all([writer(), writer(), writer(), writer()])
}

for (const seed of seeds) {
  for (const [name, place] of Object.entries(PLACES)) {
    test(`${name}: the changes lead from the state at the start to that at the end (seed ${seed})`, async (t) => {
      const rand = random(seed)
      const [location, options] = place()
      const db = new Varve(location, { ...options, ...SIZES })
      const sublevel = db.sublevel('s')
      await history(db, sublevel, rand, { operations: 100 })
      const slow = rand(2) ? async () => { if (rand(5) === 0) await turn(rand(4)) } : undefined
      const replicas = []
      for (const [level, range] of [[db, {}], [sublevel, {}], [db, { gte: 'k1', lt: 'k2' }]]) {
        const watch = level.watch(range)
        const replica = new Replica(level, watch, { slow, start: new Map(await level.iterator(range).all()) })
        replica.range = range
        replicas.push(replica)
      }
      await history(db, sublevel, rand)
      // The whole database last, because it sees the marks of the others.
      for (const replica of replicas.toReversed()) {
        const { level, range } = replica
        if (range.gte === undefined) await replica.caughtUp()
        else {
          await level.put('k1 last', 'x')
          while (replica.map.get('k1 last') !== 'x') await turn(1)
        }
      }
      for (const { level, range, map } of replicas) {
        assert.deepEqual(sorted(map), new Map(await level.iterator(range).all()))
      }
      t.diagnostic(replicas.map(({ items, gaps }) => `${items.length} items, ${gaps} gaps`).join('; '))
      await db.close()
      for (const replica of replicas) await replica.end()
    })
  }

  test(`a directory: reopening with since continues without loss (seed ${seed})`, async (t) => {
    const rand = random(seed)
    const place = newPlace()
    const map = new Map()
    let since = 0
    let gaps = 0
    for (let round = 0; round < 8; round++) {
      const db = new Varve(place, { ...SIZES, writeBufferSize: 256 << 10, worker: rand(3) === 0, reuseLogs: rand(2) === 0 })
      await db.open()
      await history(db, db.sublevel('s'), rand, { operations: 40, flushes: round % 4 === 3 })
      const watch = db.watch({ since })
      const mark = `zz ${round}`
      await db.put(mark, '')
      if (rand(4) === 0) await db.clear({ gte: `k${rand(3)}`, lt: 'k3' })
      await db.put(mark, mark)
      while (map.get(mark) !== mark) {
        const { value: item } = await watch.next()
        if (item.type === 'gap') {
          gaps++
          map.clear()
          for (const [key, value] of await db.iterator().all()) map.set(key, value)
        } else apply(map, item.changes)
      }
      // Changes that are told but not committed would stay in the copy.
      await watch.close()
      since = watch.sequence
      assert.deepEqual(sorted(map), new Map(await db.iterator().all()), `round ${round}`)
      await history(db, db.sublevel('s'), rand, { operations: 8, flushes: false })
      await db.close()
    }
    t.diagnostic(`${gaps} gaps in 8 rounds`)
  })

  test(`a directory: nothing that was acknowledged is missing after traps (seed ${seed})`, async (t) => {
    const rand = random(seed)
    const db = new Varve(newPlace(), SIZES)
    await db.open()
    const recovered = []
    db.on('recovered', (info) => recovered.push(info))
    const watch = db.watch()
    const replica = new Replica(db, watch)
    const acknowledged = new Map()
    const put = async (key, value) => {
      try {
        await db.put(key, value)
        acknowledged.set(key, value)
      } catch (error) {
        assert.equal(error.code, 'LEVEL_POISONED', error.stack)
      }
    }
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 60; i++) await put(`r${round} ${i}`, 'x'.repeat(rand(900)))
      const before = trapping.trapped
      trapping.arm(1 + rand(400))
      await Promise.all([
        db.clear({ gte: 'r0 1', lt: 'r0 3' }).catch((error) => assert.equal(error.code, 'LEVEL_POISONED')),
        ...Array.from({ length: 50 }, (_, i) => put(`t${round} ${i}`, 'y'.repeat(rand(900))))
      ])
      trapping.disarm()
      // Not while the engine is being replaced: one whose successor fails too has failed for good.
      if (trapping.trapped === before) {
        trapping.last.ruin()
        await db.get('a').catch(() => {})
      }
      while (recovered.length <= round) await turn(1)
    }
    await replica.caughtUp()
    assert.deepEqual(sorted(replica.map), new Map(await db.iterator().all()))
    for (const [key, value] of acknowledged) if (key[0] === 't') assert.equal(replica.map.get(key), value)
    t.diagnostic(`${recovered.length} traps, ${replica.items.length} items, ${replica.gaps} gaps`)
    await db.close()
    await replica.end()
  })
}

test('a watch that waits goes on in the new engine after a trap', async () => {
  const db = new Varve(newPlace())
  await db.put('a', '1')
  const watch = db.watch()
  const waiting = watch.next()
  await turn(5)
  trapping.last.ruin()
  await assert.rejects(db.get('a'), { code: 'LEVEL_POISONED' })
  await db.put('b', '2')
  assert.deepEqual((await waiting).value.changes, [{ type: 'put', key: 'b', value: '2' }])
  await db.close()
})

test('a trap in any call of a watch that begins to wait does not make it spin', async () => {
  let traps = 0
  for (let count = 1; count <= 24; count++) {
    const db = new Varve(newPlace())
    await db.put('a', '1')
    const watch = db.watch()
    const before = trapping.trapped
    trapping.arm(count)
    const first = watch.next()
    await turn(3)
    trapping.disarm()
    traps += trapping.trapped - before
    for (;;) {
      try {
        await db.put('b', '2')
        break
      } catch (error) {
        assert.equal(error.code, 'LEVEL_POISONED')
      }
    }
    const { value } = await first
    assert.ok(value.type === 'gap' || value.changes[0].key === 'b', JSON.stringify(value))
    await db.close()
  }
  assert.ok(traps >= 5, `${traps} traps`)
})

test('a watch of an engine that failed for good fails with LEVEL_POISONED', async () => {
  const db = new Varve(null, { storage: 'memory' })
  await db.put('a', '1')
  const watch = db.watch()
  const waiting = assert.rejects(watch.next(), { code: 'LEVEL_POISONED' })
  await turn(5)
  trapping.last.ruin()
  await assert.rejects(db.get('a'), { code: 'LEVEL_POISONED' })
  await waiting
  await db.close()
})
