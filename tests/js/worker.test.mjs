// The engine in a worker thread: the order of calls, the content of messages, and that every
// promise settles even if the thread ends.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Varve, VarveError } from '../../src/js/index.js'
import { ReadAhead } from '../../src/js/remote/read-ahead.js'
import { Dying, InMap, Later } from './lib/storages.mjs'

const MIB = 1 << 20
const INDEX = fileURLToPath(new URL('../../src/js/index.js', import.meta.url))

const newDirectory = (t) => {
  const root = mkdtempSync(join(tmpdir(), 'varve-worker-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  return join(root, 'db')
}

const inMemory = (options) => new Varve(null, { storage: 'memory', worker: true, ...options })

async function withDatabase(db, act) {
  await db.open()
  try {
    await act(db)
  } finally {
    await db.close()
  }
}

/** Opens `db` and returns the thread that it has started. */
async function threadOf(db) {
  let thread
  const listener = (worker) => { thread = worker }
  process.once('worker', listener)
  await db.open()
  process.off('worker', listener)
  return thread
}

const key = (i) => `key ${String(i).padStart(7, '0')}`
const entries = (count, value) => Array.from({ length: count }, (_, i) => ({ type: 'put', key: key(i), value }))

/** Returns incompressible bytes. */
function noise(size) {
  const bytes = Buffer.alloc(size)
  let state = 1
  for (let i = 0; i + 4 <= size; i += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    bytes.writeInt32LE(state ^ (state >>> 15), i)
  }
  return bytes
}

const codeOf = (promise) => promise.then(() => undefined, (error) => error.code)

// ---- Calls and their order ----

test('calls of one turn run in call order', () => withDatabase(inMemory(), async (db) => {
  const answers = [
    db.put('a', '1'),
    db.get('a'),
    db.put('a', '2'),
    db.get('a'),
    db.del('a'),
    db.get('a'),
    db.batch([{ type: 'put', key: 'a', value: '3' }, { type: 'put', key: 'b', value: '4' }]),
    db.getMany(['a', 'x', 'b']),
    db.hasMany(['a', 'x']),
    db.clear({ gte: 'b' }),
    db.keys().all()
  ]
  assert.deepEqual(await Promise.all(answers),
    [undefined, '1', undefined, '2', undefined, undefined, undefined, ['3', undefined, '4'], [true, false], undefined, ['a']])
}))

test('snapshots and iterators show the state at their creation', () => withDatabase(inMemory(), async (db) => {
  db.put('a', 'old')
  const snapshot = db.snapshot()
  const iterator = db.iterator()
  db.put('a', 'new')
  db.put('b', 'new')
  assert.equal(await db.get('a', { snapshot }), 'old')
  assert.deepEqual(await iterator.all(), [['a', 'old']])
  assert.deepEqual(await db.iterator({ snapshot }).all(), [['a', 'old']])
  assert.deepEqual(await db.values().all(), ['new', 'new'])
  await db.clear({ snapshot })
  assert.deepEqual(await db.keys().all(), ['b'])
  await snapshot.close()
  assert.equal(await codeOf(db.get('a', { snapshot })), 'LEVEL_SNAPSHOT_NOT_OPEN')
}))

test('reads of one turn share one message in each direction', async (t) => {
  const db = inMemory()
  const thread = await threadOf(db)
  t.after(() => db.close())
  await db.batch(entries(64, 'x'.repeat(100)))
  let sent = 0
  let received = 0
  const { postMessage } = thread
  thread.postMessage = (...args) => { sent++; return postMessage.apply(thread, args) }
  thread.on('message', () => received++)
  for (let round = 1; round <= 3; round++) {
    const values = await Promise.all(entries(64).map((entry) => db.get(entry.key)))
    assert.deepEqual(new Set(values), new Set(['x'.repeat(100)]))
    assert.deepEqual([sent, received], [round, round])
  }
  assert.equal((await db.iterator({ limit: 10 }).all()).length, 10)
  assert.deepEqual([sent, received], [4, 4], 'opened, read and closed')
})

test('batches and chained batches work and report errors', () => withDatabase(inMemory(), async (db) => {
  await db.batch(entries(10_000, 'v'))
  assert.equal((await db.keys().all()).length, 10_000)
  const chained = db.batch()
  for (let i = 0; i < 10_000; i += 2) chained.del(key(i))
  await chained.write()
  assert.equal((await db.keys().all()).length, 5_000)
  const bad = { name: 'bad', format: 'view', encode: (data) => data, decode: (data) => data }
  assert.equal(await codeOf(db.batch([{ type: 'put', key: 'k', value: 7, valueEncoding: bad }])), 'LEVEL_INVALID_ARGUMENT')
  assert.equal(await db.get('k'), undefined)
}))

test('a value of 64 MiB can be written and read', async (t) => {
  const value = noise(64 * MIB)
  await withDatabase(new Varve(newDirectory(t), { worker: true, valueEncoding: 'buffer' }), async (db) => {
    await db.put('large', value)
    await db.put('small', Buffer.from('x'))
    const [large, small, many] = await Promise.all([db.get('large'), db.get('small'), db.getMany(['small', 'large', 'none'])])
    assert.ok(value.equals(large))
    assert.equal(small.toString(), 'x')
    assert.ok(value.equals(many[1]) && many[2] === undefined)
    const rows = await db.iterator().all()
    assert.deepEqual(rows.map(([name, bytes]) => [name, bytes.length]), [['large', 64 * MIB], ['small', 1]])
  })
  await withDatabase(inMemory({ valueEncoding: 'buffer', maxValueBytes: MIB }), async (db) => {
    assert.equal(await codeOf(db.put('large', value)), 'LEVEL_LIMIT_EXCEEDED')
    await db.put('a', Buffer.from('goes on'))
    assert.equal((await db.get('a')).toString(), 'goes on')
  })
})

test('the caller owns the bytes it passes and receives', () => withDatabase(inMemory({ valueEncoding: 'view' }), async (db) => {
  for (const size of [3, 100_000]) {
    const value = new Uint8Array(size).fill(7)
    const put = db.put('a', value)
    value.fill(8)
    await put
    const [first, second] = await Promise.all([db.get('a'), db.get('a')])
    assert.equal(first.length, size)
    assert.ok(first.every((byte) => byte === 7))
    structuredClone(first, { transfer: [first.buffer] })
    assert.ok(second.every((byte) => byte === 7) && second.length === size)
    assert.equal((await db.get('a')).length, size)
  }
}))

// ---- Many concurrent calls ----

test('thousands of concurrent operations of every kind', () => withDatabase(inMemory(), async (db) => {
  const count = 20_000
  const done = []
  for (let i = 0; i < count; i++) {
    done.push(db.put(key(i), `${i}`))
    if (i % 7 === 0) done.push(db.get(key(i)).then((value) => assert.equal(value, `${i}`)))
    if (i % 500 === 0) done.push(db.keys({ gte: key(0), lte: key(i) }).all().then((keys) => assert.equal(keys.length, i + 1)))
  }
  await Promise.all(done)
  let i = 0
  for await (const [, value] of db.iterator()) assert.equal(value, `${i++}`)
  assert.equal(i, count)
}))

for (const [name, place] of [['a directory', (t) => [newDirectory(t)]], ['a storage that waits', () => [null, { storage: new Later() }]]]) {
  test(`durable writes beyond the queue limit are processed in turn: ${name}`, (t) => {
    const [location, options] = place(t)
    return withDatabase(new Varve(location, { ...options, worker: true, valueEncoding: 'view' }), async (db) => {
      const large = new Uint8Array(MIB)
      const writes = Array.from({ length: 48 }, (_, i) => db.put(`large ${i}`, large, { sync: true }))
      for (let i = 0; i < 6_000; i++) writes.push(db.put(key(i), large.subarray(0, 10), { sync: true }))
      await Promise.all(writes)
      assert.deepEqual((await db.getMany([key(5_999), 'large 47'])).map((value) => value.length), [10, MIB])
      assert.equal((await db.keys().all()).length, 6_048)
    })
  })
}

test('iterators with an asynchronous storage: forward, backward and to the end', () =>
  withDatabase(new Varve(null, { storage: new Later(), worker: true, writeBufferSize: 64 << 10 }), async (db) => {
    await db.batch(entries(20_000, 'x'.repeat(50)))
    await db.flush()
    const iterator = db.keys()
    for (let i = 0; i < 5; i++) assert.equal((await iterator.nextv(1000)).length, 1000)
    iterator.seek(key(15_000))
    assert.equal(await iterator.next(), key(15_000))
    assert.deepEqual(await iterator.nextv(2), [key(15_001), key(15_002)])
    assert.equal((await iterator.all()).length, 4_997)
    assert.equal((await db.keys({ reverse: true }).all())[0], key(19_999))
    const left = db.keys()
    await left.nextv(1000)
    await left.nextv(1000)
    await left.close()
  }))

test('rows equal those without a worker for every page size', () => withDatabase(inMemory(), async (db) => {
  const inPlace = new Varve(null, { storage: 'memory' })
  const size = 3_000
  await Promise.all([db, inPlace].map((db) => db.batch(entries(size, 'x'.repeat(40)))))
  for (const sizes of [[1000], [10], [1, 8, 64, 512, 1000], [700, 50, 900], [3, 3, 30, 1, 600]]) {
    for (const highWaterMarkBytes of [0, 1 << 12, 1 << 24]) {
      const iterators = [db, inPlace].map((db) => db.keys({ highWaterMarkBytes }))
      for (let i = 0, rows = [['']]; rows[0].length > 0 && i < 100; i++) {
        rows = await Promise.all(iterators.map((iterator) => iterator.nextv(sizes[i % sizes.length])))
        assert.deepEqual(rows[0], rows[1])
      }
      await Promise.all(iterators.map((iterator) => iterator.close()))
    }
  }
  let i = 0
  for await (const name of db.keys()) assert.equal(name, key(i++))
  assert.equal(i, size)
  await inPlace.close()
}))

test('at most two pages are read ahead, and none if only the first rows are read', async () => {
  let asked = 0
  let rows = 0
  // With empty keys and values.
  const ahead = new ReadAhead(async (size) => {
    asked++
    rows += size
    return { rows: new Uint8Array(8 * size), count: size, done: false }
  })
  const next = async (size) => (await ahead.next(size, MIB)).count
  await next(1)
  await next(8)
  assert.equal(asked, 2)
  for (let i = 0; i < 100; i++) assert.equal(await next(1000), 1000)
  assert.equal(asked, 104)
  ahead.forget()
  assert.equal(await next(5), 5)
  assert.equal(rows, 9 + 102_000 + 5)
  for (const size of [10, 10, 25, 3, 100, 1, 1000]) assert.equal(await next(size), size, 'what is on its way is put together, and cut')
})

// ---- The caller's thread ----

test('the caller is not blocked while the engine compacts', async (t) => {
  await withDatabase(new Varve(newDirectory(t), { worker: true, valueEncoding: 'buffer' }), async (db) => {
    const value = noise(10_000)
    for (let i = 0; i < 24; i++) {
      await db.batch(Array.from({ length: 100 }, (_, j) => ({ type: 'put', key: key(j * 31 + i), value })))
    }
    let turns = 0
    let longest = 0
    let last = performance.now()
    const timer = setInterval(() => {
      turns++
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 1)
    const start = performance.now()
    await db.compactRange()
    const took = performance.now() - start
    clearInterval(timer)
    t.diagnostic(`${took.toFixed(0)} ms of compaction: ${turns} turns, the longest ${longest.toFixed(1)} ms`)
    // Without a worker, one slice of this computation would block the thread.
    assert.ok(turns >= 5, `${turns} turns in ${took} ms`)
    const { counters } = await db.info()
    assert.ok(counters.bytesCompacted > 10 * MIB, `${counters.bytesCompacted} bytes compacted`)
  })
})

test('getProperty() returns synchronously, after earlier calls', async (t) => {
  await withDatabase(new Varve(newDirectory(t), { worker: true }), async (db) => {
    await db.put('a', '1')
    await db.flush()
    let files = 0
    for (let level = 0; level < 7; level++) files += Number(db.getProperty(`leveldb.num-files-at-level${level}`))
    assert.equal(files, 1)
    assert.match(db.getProperty('leveldb.stats'), /Compactions/)
    assert.equal(db.getProperty('no such'), '')
    assert.equal((await db.info()).filesAtLevel.reduce((a, b) => a + b), 1)
    db.put('b', '2')
    assert.ok(Number(db.getProperty('leveldb.approximate-memory-usage')) > 0)
  })
})

/** Runs a module in a process; returns its output. A killed process has no exit code. */
function runAlone(source) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', `import { Varve } from ${JSON.stringify(INDEX)}\n${source}`],
    { encoding: 'utf8', timeout: 60_000 })
  return { status, signal, stdout: stdout.trim(), stderr }
}

test('a process exits after close() and with an idle open database', async (t) => {
  const directory = JSON.stringify(newDirectory(t))
  const closed = runAlone(`const db = new Varve(${directory}, { worker: true }); await db.put('a', '1'); await db.close(); console.log('closed')`)
  assert.deepEqual([closed.status, closed.stdout], [0, 'closed'], closed.stderr)
  const open = runAlone(`const db = new Varve(${directory}, { worker: true }); await db.put('b', '2'); db.snapshot(); db.iterator(); console.log('open')`)
  assert.deepEqual([open.status, open.stdout], [0, 'open'], open.stderr)
})

test('a process does not exit while a call is pending', async (t) => {
  const directory = JSON.stringify(newDirectory(t))
  const { status, stdout, stderr } = runAlone(`
    const db = new Varve(${directory}, { worker: true })
    for (let i = 0; i < 3000; i++) db.put('key ' + i, 'x'.repeat(1000), { sync: i % 100 === 0 })
    db.compactRange().then(() => db.keys().all()).then((keys) => console.log(keys.length))
  `)
  assert.deepEqual([status, stdout], [0, '3000'], stderr)
})

// ---- Errors ----

test('errors keep all their properties', async (t) => {
  const location = newDirectory(t)
  await withDatabase(new Varve(location, { worker: true }), async (db) => {
    await db.batch(entries(1000, 'x'.repeat(100)))
    await db.flush()
    const other = new Varve(location, { worker: true })
    const error = await other.open().catch((error) => error)
    assert.equal(error.code, 'LEVEL_DATABASE_NOT_OPEN')
    assert.equal(error.cause.code, 'LEVEL_LOCKED')
    assert.ok(error.cause instanceof VarveError)
    assert.equal((await new Varve(location).open().catch((error) => error)).cause.code, 'LEVEL_LOCKED', 'in place')
  })
  const table = readdirSync(location).find((name) => name.endsWith('.ldb'))
  const bytes = readFileSync(join(location, table))
  bytes[100] ^= 0xff
  writeFileSync(join(location, table), bytes)
  await withDatabase(new Varve(location, { worker: true }), async (db) => {
    for (const ask of [() => db.get(key(0)), () => db.getMany([key(0)]), () => db.iterator().all()]) {
      const error = await ask().then(() => assert.fail('read'), (error) => error)
      assert.ok(error instanceof VarveError)
      assert.deepEqual([error.code, error.file, typeof error.offset], ['LEVEL_CORRUPTION', table, 'number'])
    }
    const { findings } = await db.verify()
    assert.ok(findings.length > 0)
    assert.ok(findings[0] instanceof VarveError)
    assert.deepEqual([findings[0].code, findings[0].file], ['LEVEL_CORRUPTION', table])
  })
  const nowhere = new Varve(join(location, 'none'), { worker: true, createIfMissing: false })
  assert.equal((await nowhere.open().catch((error) => error)).cause.code, 'LEVEL_INVALID_ARGUMENT')
  await withDatabase(new Varve(location, { worker: true, readOnly: true }), async (db) => {
    assert.equal(await codeOf(db.put('a', '1')), 'LEVEL_NOT_SUPPORTED')
    assert.equal(await codeOf(db.batch(entries(2, ''))), 'LEVEL_NOT_SUPPORTED')
  })
})

test('getSync() is not supported', () => withDatabase(inMemory(), async (db) => {
  assert.equal(db.supports.getSync, false)
  assert.throws(() => db.getSync('a'), { code: 'LEVEL_NOT_SUPPORTED' })
  const sublevel = db.sublevel('s')
  await sublevel.open()
  assert.throws(() => sublevel.getSync('a'), { code: 'LEVEL_NOT_SUPPORTED' })
}))

test('invalid options throw typed errors', async (t) => {
  const location = newDirectory(t)
  for (const worker of ['yes', 1, {}, [], Symbol('yes')]) {
    assert.throws(() => new Varve(location, { worker }), { code: 'LEVEL_INVALID_ARGUMENT' })
  }
  const own = new InMap()
  for (const inWorker of [undefined, null, 'module', {}, { module: 7, export: 'InMap', args: [] }, { module: 'm', export: 'InMap' }, { module: 'm', args: [] }]) {
    own.inWorker = inWorker
    assert.throws(() => new Varve(null, { storage: own, worker: true }), { code: 'LEVEL_NOT_SUPPORTED' })
  }
  for (const [recipe, code] of [
    [{ export: 'None' }, 'LEVEL_INVALID_ARGUMENT'],
    [{ module: 'file:///no/such/module.mjs' }, 'ERR_MODULE_NOT_FOUND'],
    [{ args: [() => {}] }, 'LEVEL_INVALID_ARGUMENT']
  ]) {
    const storage = new InMap()
    storage.inWorker = { ...storage.inWorker, ...recipe }
    const db = new Varve(null, { storage, worker: true })
    assert.equal((await db.open().catch((error) => error)).cause.code, code)
    await db.close()
  }
  // Inherited properties and those of Object.prototype are not options.
  const inherited = new Varve(null, Object.assign(Object.create({ worker: true }), { storage: 'memory' }))
  assert.equal(inherited.supports.getSync, true)
  await inherited.close()
  const parsed = new Varve(null, { ...JSON.parse('{"__proto__": {"worker": true}}'), storage: 'memory', worker: undefined })
  assert.equal(parsed.supports.getSync, true)
  await parsed.close()
  let reads = 0
  const db = new Varve(null, { storage: 'memory', get worker() { return ++reads === 1 } })
  await withDatabase(db, (db) => db.put('a', '1'))
  assert.deepEqual([reads, db.supports.getSync], [1, false])
})

// ---- The end of the thread ----

test('when the thread is terminated, every promise settles, and acknowledged writes are kept', async (t) => {
  const location = newDirectory(t)
  const db = new Varve(location, { worker: true, writeBufferSize: 64 << 10 })
  for (let round = 0; round < 4; round++) {
    const thread = await threadOf(db)
    const acknowledged = []
    const fates = []
    const iterator = db.iterator()
    for (let i = 0; i < 4_000; i++) {
      const name = key(round * 10_000 + i)
      fates.push(db.put(name, 'x'.repeat(200), { sync: i % 200 === 0 }).then(() => acknowledged.push(name)))
      if (i % 50 === 0) await fates.at(-1).catch(() => {})
      if (i === 1000 + 400 * round) thread.terminate()
      if (i % 100 === 0) fates.push((async () => db.iterator({ limit: 5 }).all())())
    }
    const settled = await Promise.allSettled([...fates, db.get('a'), db.compactRange(), iterator.next(), db.verify()])
    const failed = settled.filter(({ status }) => status === 'rejected').map(({ reason }) => reason)
    assert.ok(acknowledged.length >= 50 && failed.length > 100, `${acknowledged.length} acknowledged, ${failed.length} failed`)
    for (const error of failed) assert.ok(error instanceof VarveError && error.code === 'LEVEL_POISONED', error.stack)
    assert.ok(failed.some((error) => error.maybeApplied === true), 'a write under way')
    assert.equal(await codeOf(db.put('later', '1')), 'LEVEL_POISONED')
    assert.throws(() => db.snapshot(), { code: 'LEVEL_POISONED' })
    assert.throws(() => db.iterator(), { code: 'LEVEL_POISONED' })
    assert.throws(() => db.getProperty('leveldb.stats'), { code: 'LEVEL_POISONED' })
    await iterator.close()
    await db.close()
    await db.open()
    const found = new Set(await db.keys().all())
    assert.deepEqual(acknowledged.filter((name) => !found.has(name)), [])
    assert.deepEqual((await db.verify()).findings, [])
    await db.close()
  }
})

test('an uncaught exception in the thread ends it', async () => {
  const db = new Varve(null, { storage: new Dying(), worker: true })
  await db.put('a', '1')
  const error = await db.flush().then(async () => { for (let i = 0; i < 100_000; i++) await db.get('a') }).then(() => assert.fail('lived on'), (error) => error)
  assert.equal(error.code, 'LEVEL_POISONED')
  assert.match(error.cause.message, /a bug of the storage/)
  await db.close()
  await db.open()
  assert.equal(await db.get('a'), undefined, 'what was in memory is gone')
  await db.close()
})

test('the thread ends while opening', async () => {
  const db = inMemory()
  process.once('worker', (worker) => worker.terminate())
  const error = await db.open().catch((error) => error)
  assert.equal(error.cause.code, 'LEVEL_POISONED')
  await withDatabase(db, () => db.put('a', '1'))
})

test('close() waits for pending calls and ends the thread', async (t) => {
  const location = newDirectory(t)
  const db = new Varve(location, { worker: true })
  const thread = await threadOf(db)
  const ended = new Promise((resolve) => thread.once('exit', resolve))
  const writes = Array.from({ length: 2_000 }, (_, i) => db.put(key(i), 'x'.repeat(500), { sync: i % 100 === 0 }))
  const iterators = Array.from({ length: 20 }, () => db.iterator())
  const compaction = db.compactRange()
  await db.close()
  await Promise.all([...writes, compaction, ended])
  assert.equal(await codeOf(iterators[0].next()), 'LEVEL_ITERATOR_NOT_OPEN')
  await withDatabase(new Varve(location), async (db) => assert.equal((await db.keys().all()).length, 2_000))
})

test('repeated opening and closing leaves no thread', async (t) => {
  const threads = []
  const listener = (worker) => threads.push(new Promise((resolve) => worker.once('exit', resolve)))
  process.on('worker', listener)
  t.after(() => process.off('worker', listener))
  const db = new Varve(newDirectory(t), { worker: true })
  for (let i = 0; i < 5; i++) {
    await db.open()
    await db.put(`${i}`, 'x')
    await db.close()
  }
  await withDatabase(db, async () => assert.equal((await db.keys().all()).length, 5))
  await Promise.all(threads)
  assert.equal(threads.length, 6)
})

test('entries in memory survive close(), as without a worker', async () => {
  const db = inMemory()
  await db.batch(entries(5_000, 'x'.repeat(1000)))
  await db.close()
  await db.open()
  assert.equal((await db.values().all()).join('').length, 5_000_000)
  await db.close()
  assert.equal((await db.open({ errorIfExists: true }).catch((error) => error)).cause.code, 'LEVEL_INVALID_ARGUMENT')
  await db.open()
  assert.equal(await db.get(key(4_999)), 'x'.repeat(1000))
  await db.close()
})

test('a custom storage is created again in the worker', () =>
  withDatabase(new Varve(null, { storage: new InMap(), worker: true }), async (db) => {
    await db.batch(entries(100, 'x'))
    await db.flush()
    assert.equal((await db.info()).storage, 'custom')
    assert.equal((await db.keys().all()).length, 100)
  }))
