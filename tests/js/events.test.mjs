// Events, info() and properties.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { MapStorage } from '../../src/js/storage/map.js'
import { later } from './lib/later.mjs'

const turn = () => new Promise((resolve) => setTimeout(resolve, 20))

async function load(db, count, size) {
  for (let from = 0; from < count; from += 100) {
    await db.batch(Array.from({ length: 100 }, (_, i) => ({ type: 'put', key: `k${(from + i) * 7919 % count}`, value: `${i}`.padEnd(size, 'xyzzy') })))
  }
}

const PLACES = {
  memory: { storage: 'memory' },
  later: () => ({ storage: later(new MapStorage()) }),
  worker: { storage: 'memory', worker: true }
}

for (const [name, place] of Object.entries(PLACES)) {
  const open = async (options) => {
    const db = new Varve(null, { ...(typeof place === 'function' ? place() : place), ...options })
    await db.open()
    return db
  }

  test(`flush and compaction events are emitted: ${name}`, async () => {
    const db = await open({ compression: false })
    assert.deepEqual(['flush', 'compaction', 'stall'].map((event) => db.supports.events[event]), [true, true, true])
    const told = []
    for (const event of ['flush', 'compaction']) db.on(event, (info) => told.push({ event, ...info }))
    await db.put('a', '1')
    await db.put('a', '2')
    await db.put('b', '3')
    await db.flush()
    await turn()
    assert.equal(told.length, 2)
    const [begin, end] = told
    assert.deepEqual({ ...begin, bytes: 0 }, { event: 'flush', phase: 'begin', memtables: 1, entries: 3, bytes: 0 })
    assert.ok(begin.bytes > 0 && end.bytes > 0)
    assert.match(end.file, /^\d{6}\.ldb$/)
    assert.equal(end.phase, 'end')
    assert.equal(end.entries, 2, 'the overwritten entry is not written')
    const tables = (await db.info()).tables
    assert.deepEqual(tables.map(({ file, level, size }) => [file, level, size]), [[end.file, end.level, end.bytes]])

    told.length = 0
    await db.put('a', '4')
    await db.flush()
    await db.compactRange()
    await turn()
    const compactions = told.filter(({ event, trivialMove }) => event === 'compaction' && !trivialMove)
    const last = compactions.at(-1)
    assert.equal(last.phase, 'end')
    assert.equal(last.outputLevel, last.level + 1)
    assert.ok(last.inputs.includes(end.file) && last.outputs.length === 1 && last.bytesRead > last.bytesWritten)
    assert.equal(compactions.at(-2).phase, 'begin')
    assert.deepEqual(compactions.at(-2).inputs, last.inputs)

    told.length = 0
    db.removeAllListeners('flush')
    db.removeAllListeners('compaction')
    await db.put('c', '5')
    await db.flush()
    await turn()
    assert.deepEqual(told, [])
    await db.close()
  })

  test(`a listener may throw or use the database: ${name}`, async () => {
    const db = await open()
    const warned = new Promise((resolve) => process.once('warning', resolve))
    const read = []
    db.on('flush', () => { throw new Error('my own mistake') })
    db.on('compaction', async () => { read.push(await db.get('a')); await db.put('from inside', 'of a listener') })
    await db.put('a', '1')
    await db.flush()
    await db.put('a', '2')
    await db.compactRange()
    assert.match((await warned).message, /my own mistake/)
    await turn()
    assert.ok(read.length > 0 && read.every((value) => value === '2'))
    assert.equal(await db.get('from inside'), 'of a listener')
    await db.close()
  })
}

test('listeners added before opening receive events, also after reopening', async () => {
  const db = new Varve(null, { storage: 'memory' })
  let count = 0
  db.on('flush', () => count++)
  await db.put('a', '1')
  await db.flush()
  await db.close()
  await db.open()
  await db.put('b', '1')
  await db.flush()
  await turn()
  assert.equal(count, 4)
  await db.close()
})

test('stall events name their cause and their end', async () => {
  const db = new Varve(null, { storage: later(new MapStorage()), writeBufferSize: 4096, compression: false })
  const told = []
  db.on('stall', (info) => told.push(info))
  await db.open()
  const writes = Array.from({ length: 3000 }, (_, i) => db.put(`k${i * 7919 % 3000}`, 'x'.repeat(400)))
  await Promise.all(writes)
  for (let i = 0; i < 100 && (await db.info()).backgroundWork; i++) await turn()
  await db.compactRange()
  await db.put('one', 'more')
  await turn()
  assert.ok(told.length > 0, 'a storage this slow makes writers wait')
  const open = new Map()
  for (const { phase, cause } of told) {
    assert.ok(['level0-slowdown', 'level0-stop', 'memtable-full'].includes(cause))
    open.set(cause, (open.get(cause) ?? 0) + (phase === 'begin' ? 1 : -1))
    assert.ok([0, 1].includes(open.get(cause)), 'each begins before it ends')
  }
  assert.deepEqual([...open.values()].filter((count) => count !== 0), [], 'all have ended')
  await db.close()
})

test('the totals of info() are consistent', async () => {
  const db = new Varve(null, { storage: 'memory', writeBufferSize: 64 << 10, maxFileSize: 32 << 10, cacheSize: 1 << 20, compression: false })
  await load(db, 4000, 100)
  await db.flush()
  for (let i = 0; i < 500; i++) await db.get(`k${i}`)
  const info = await db.info()
  assert.equal(info.state, 'open')
  assert.equal(info.durability, 'volatile')
  assert.equal(info.cause, undefined)
  assert.equal(info.levels.length, 7)
  for (const [level, { files, bytes }] of info.levels.entries()) {
    const own = info.tables.filter((table) => table.level === level)
    assert.equal(files, own.length)
    assert.equal(files, info.filesAtLevel[level])
    assert.equal(String(files), db.getProperty(`leveldb.num-files-at-level${level}`))
    assert.equal(bytes, own.reduce((sum, { size }) => sum + size, 0))
  }
  const { counters, cache, amplification } = info
  assert.equal(counters.entriesWritten, 4000)
  assert.equal(counters.gets, 500)
  assert.equal(cache.size, 1 << 20)
  assert.ok(cache.used > 0 && cache.used <= cache.size && cache.misses > 0)
  assert.ok(amplification.write > 1.5 && amplification.write < 20, `${amplification.write}`)
  assert.ok(amplification.space >= 1 && amplification.read > 0)
  assert.ok(info.memoryUsage > 0)
  assert.match(info.stats, /Compactions/)
  assert.match(db.getProperty('leveldb.stats'), /Level {2}Files/)
  assert.match(db.getProperty('leveldb.sstables'), /--- level 6 ---/)
  assert.ok(Number(db.getProperty('leveldb.approximate-memory-usage')) > 0)
  assert.equal(db.getProperty('leveldb.nothing'), '')
  await db.close()
  const empty = new Varve(null, { storage: 'memory' })
  assert.deepEqual((await empty.info()).amplification, { write: null, read: null, space: null })
  await empty.close()
})

test('a database that cannot write reports it with the cause', async () => {
  const storage = new MapStorage()
  let full = false
  const create = storage.create.bind(storage)
  storage.create = (name, ...rest) => {
    if (full) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' })
    return create(name, ...rest)
  }
  const db = new Varve(null, { storage })
  await db.put('a', '1')
  full = true
  await assert.rejects(db.flush(), { code: 'LEVEL_FULL' })
  await db.flush().catch(() => {})
  const { state, cause } = await db.info()
  // Whether or not the failure has stopped writes, state and cause agree, and reads work.
  assert.equal(state === 'degraded', cause !== undefined)
  if (cause !== undefined) assert.equal(cause.code, 'LEVEL_FULL')
  assert.equal(await db.get('a'), '1')
  full = false
  await db.resume()
  assert.equal((await db.info()).state, 'open')
  await db.flush()
  await db.close()
})

for (const place of Object.values(PLACES)) {
  test('has() and hasMany() agree with get()', async () => {
    const db = new Varve(null, typeof place === 'function' ? place() : place)
    await load(db, 500, 20)
    await db.flush()
    await db.put('empty', '')
    await db.del('k7')
    const then = db.snapshot()
    await db.del('k8')
    const keys = ['k0', 'k7', 'k8', 'nothing', 'empty', 'k0', '']
    assert.deepEqual(await db.hasMany(keys.slice(0, 6)), [true, false, false, false, true, true])
    assert.deepEqual(await db.hasMany(keys.slice(0, 6), { snapshot: then }), [true, false, true, false, true, true])
    for (const key of keys.slice(0, 6)) {
      assert.equal(await db.has(key), (await db.get(key)) !== undefined)
      assert.equal(await db.has(key, { snapshot: then }), (await db.get(key, { snapshot: then })) !== undefined)
    }
    await then.close()
    await db.close()
  })
}

test('a snapshot created while a range is cleared does not change', async () => {
  for (let turns = 0; turns < 120; turns++) {
    const db = new Varve(null, { storage: later(new MapStorage()) })
    await load(db, 300, 20)
    await db.compactRange()
    const cleared = db.clear()
    for (let i = 0; i < turns; i++) await null
    const then = db.snapshot()
    const before = await db.get('k5', { snapshot: then })
    await cleared
    assert.equal(await db.get('k5', { snapshot: then }), before, `after ${turns} turns`)
    assert.equal(await db.get('k5'), undefined)
    await then.close()
    await db.close()
  }
})
