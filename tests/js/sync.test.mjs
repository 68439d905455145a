// Synchronous calls are done when they return; if they throw, nothing is written.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { MapStorage } from '../../src/js/storage/map.js'
import { NodeStorage } from '../../src/js/storage/node/directory.js'
import { later } from './lib/later.mjs'
import { Trapping } from './lib/trapping.mjs'

const root = mkdtempSync(join(tmpdir(), 'varve-sync-'))
after(() => rmSync(root, { recursive: true, force: true }))

let places = 0
const newPlace = () => join(root, `db-${places++}`)

/** Each returns the arguments of the constructor. */
const PLACES = {
  'a directory': () => [newPlace()],
  memory: () => [null, { storage: 'memory' }],
  'a storage that answers at once': () => [null, { storage: new MapStorage() }]
}

async function opened(location, options) {
  const db = new Varve(location, options)
  await db.open()
  return db
}

const range = (n) => Array.from({ length: n }, (_, i) => i)
const keyOf = (i) => `key${String(i).padStart(6, '0')}`
const code = (code) => (/** @type {any} */ error) => { assert.equal(error.code, code, error.stack); return true }

/** Wraps a storage so that methods of files and editNames() can be replaced by those in `calls`. */
function watched(storage, calls) {
  const file = (own) => new Proxy(own, {
    get(target, name) {
      if (calls[name] !== undefined && name !== 'editNames') return (...args) => calls[name](target, ...args)
      return typeof target[name] === 'function' ? target[name].bind(target) : target[name]
    }
  })
  return new Proxy(storage, {
    get(target, name) {
      if (name === 'create' || name === 'open') {
        return (...args) => file(Object.assign(target[name](...args), { fileName: args[0] }))
      }
      if (name === 'editNames' && calls.editNames) return (...args) => calls.editNames(target, ...args)
      return typeof target[name] === 'function' ? target[name].bind(target) : target[name]
    }
  })
}

const notInPlace = () => { throw Object.assign(new Error('cannot flush in place'), { code: 'LEVEL_NOT_SUPPORTED' }) }

for (const [name, place] of Object.entries(PLACES)) {
  const open = (options) => { const [location, own] = place(); return opened(location, { ...own, ...options }) }

  test(`written entries can be read: ${name}`, async () => {
    const db = await open()
    assert.equal(db.putSync('a', '1'), undefined)
    db.putSync('b', '2', { sync: true })
    db.batchSync([{ type: 'put', key: 'c', value: '3' }, { type: 'del', key: 'a' }, { type: 'put', key: 'd', value: '4' }], { sync: true })
    db.delSync('d', { sync: true })
    assert.deepEqual(db.getManySync(['a', 'b', 'c', 'd']), [undefined, '2', '3', undefined])
    assert.deepEqual(['a', 'b'].map((key) => db.hasSync(key)), [false, true])
    assert.deepEqual([...db.rangeSync()], [['b', '2'], ['c', '3']])
    assert.deepEqual(await db.iterator().all(), [['b', '2'], ['c', '3']])
    db.batchSync([], { sync: true })
    await db.close()
  })

  test(`encodings, sublevels and snapshots: ${name}`, async () => {
    const db = await open({ valueEncoding: 'json' })
    const sub = db.sublevel('s')
    db.putSync('a', { n: 1 })
    db.putSync(Buffer.from('b'), Buffer.from([1, 255]), { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const snapshot = db.snapshot()
    db.batchSync([{ type: 'put', key: 'x', value: 'in sub', sublevel: sub }, { type: 'put', key: 'a', value: 2 }, { type: 'put', key: 'v', value: new Uint8Array([7]), valueEncoding: 'view' }])
    assert.equal(await sub.get('x'), 'in sub')
    assert.deepEqual(db.getManySync(['a', 'none'], { snapshot }), [{ n: 1 }, undefined])
    assert.deepEqual(db.getManySync(['b', 'v'], { valueEncoding: 'view' }), [new Uint8Array([1, 255]), new Uint8Array([7])])
    assert.equal(db.hasSync('v', { snapshot }), false)
    assert.equal(db.hasSync('v'), true)
    assert.deepEqual([...db.rangeSync({ snapshot, lt: 'b' })], [['a', { n: 1 }]])
    assert.deepEqual([...db.rangeSync({ gte: 'a', lte: 'b', reverse: true, limit: 1, keys: false, valueEncoding: 'hex' })], [[undefined, '01ff']])
    await snapshot.close()
    for (const read of [() => db.hasSync('a', { snapshot }), () => db.getManySync(['a'], { snapshot })]) assert.throws(read, code('LEVEL_SNAPSHOT_NOT_OPEN'))
    assert.throws(() => db.rangeSync({ snapshot }), code('LEVEL_SNAPSHOT_NOT_OPEN'))
    assert.throws(() => db.getManySync(['a', 'b']), code('LEVEL_DECODE_ERROR'))
    const entries = db.rangeSync({ gte: 'b' })
    assert.throws(() => entries.next(), code('LEVEL_DECODE_ERROR'))
    assert.deepEqual(entries.next(), { done: true, value: undefined })
    await db.close()
  })

  test(`a sublevel has the same calls: ${name}`, async () => {
    const db = await open()
    const sub = db.sublevel('s', { valueEncoding: 'json' })
    const deep = sub.sublevel(['t', 'u'], { keyEncoding: 'view', valueEncoding: 'json', separator: '#' })
    await deep.open()
    db.putSync('r', 'of the root')
    db.putSync('t', 'of the root')
    sub.putSync('a', { n: 1 }, { sync: true })
    sub.putSync('b', 2)
    sub.putSync(Buffer.from('c'), Buffer.from('3'), { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const snapshot = db.snapshot()
    sub.batchSync([{ type: 'put', key: 'd', value: 4 }, { type: 'del', key: 'b' }, { type: 'put', key: 'x', value: '5', sublevel: db.sublevel('other') }, { type: 'put', key: new Uint8Array([1]), value: 'six', sublevel: deep }], { sync: true })
    deep.putSync(new Uint8Array([255]), 'seven')
    deep.putSync(new Uint8Array([9]), 'eight')
    deep.delSync(new Uint8Array([9]))
    assert.deepEqual(sub.getManySync(['a', 'b', 'c', 'd']), [{ n: 1 }, undefined, 3, 4])
    assert.deepEqual(sub.getManySync(['b', 'd'], { snapshot, valueEncoding: 'utf8' }), ['2', undefined])
    assert.deepEqual([sub.hasSync('a'), sub.hasSync('r'), sub.hasSync('d', { snapshot }), deep.hasSync(new Uint8Array([1]))], [true, false, false, true])
    assert.equal(await db.sublevel('other').get('x'), '5')
    assert.equal(sub.getSync('d'), 4)
    assert.deepEqual([...sub.rangeSync()].filter(([key]) => key < '{' && key.length === 1), [['a', { n: 1 }], ['c', 3], ['d', 4]])
    for (const options of [{}, { gte: 'b' }, { gt: 'a', lt: 'd' }, { lte: 'c', reverse: true }, { limit: 1, snapshot }, { keyEncoding: 'buffer' }, { keyEncoding: 'view', gt: Buffer.from('a') }, { valueEncoding: 'view' }, { keys: false }, { values: false }]) {
      assert.deepEqual([...sub.rangeSync(options)], await sub.iterator(options).all(), JSON.stringify(options))
    }
    assert.deepEqual([...deep.rangeSync()], [[new Uint8Array([1]), 'six'], [new Uint8Array([255]), 'seven']])
    assert.deepEqual([...deep.rangeSync()], await deep.iterator().all())
    await snapshot.close()
    for (const call of [() => sub.putSync(null, 1), () => sub.delSync(undefined), () => sub.hasSync(null), () => sub.getManySync([null])]) assert.throws(call, code('LEVEL_INVALID_KEY'))
    assert.throws(() => sub.putSync('a', null), code('LEVEL_INVALID_VALUE'))
    assert.throws(() => sub.getManySync('a'), code('LEVEL_INVALID_ARGUMENT'))
    assert.equal(sub.supports.additionalMethods.putSync, true)
    await sub.close()
    for (const call of [() => sub.putSync('a', 1), () => sub.delSync('a'), () => sub.batchSync([]), () => sub.rangeSync(), () => sub.hasSync('a'), () => sub.getManySync(['a'])]) {
      assert.throws(call, code('LEVEL_DATABASE_NOT_OPEN'))
    }
    await db.close()
  })

  test(`hooks and listeners of a sublevel, and of its database, see synchronous writes: ${name}`, async () => {
    const db = await open()
    const [sub, index] = [db.sublevel('s'), db.sublevel('i')]
    await Promise.all([sub.open(), index.open()])
    const told = []
    sub.on('write', (operations) => told.push(...operations.map(({ type, key }) => `sub ${type} ${key}`)))
    db.on('write', (operations) => told.push(...operations.map(({ type, key }) => `db ${type} ${key}`)))
    const add = (op, batch) => { if (op.type === 'put') batch.add({ type: 'put', key: op.value, value: op.key, sublevel: index }) }
    sub.hooks.prewrite.add(add)
    sub.putSync('a', '1')
    assert.deepEqual(index.getManySync(['1']), ['a'])
    sub.delSync('a')
    sub.batchSync([{ type: 'put', key: 'b', value: '2' }])
    await new Promise(setImmediate)
    assert.deepEqual(told.sort(), ['db del !s!a', 'db put !i!1', 'db put !i!2', 'db put !s!a', 'db put !s!b', 'sub del a', 'sub put a', 'sub put b'].sort())
    sub.hooks.prewrite.delete(add)
    db.hooks.prewrite.add(() => { throw new Error('no') })
    assert.throws(() => sub.putSync('c', '3'), code('LEVEL_HOOK_ERROR'))
    assert.throws(() => sub.batchSync([{ type: 'put', key: 'c', value: '3' }]), code('LEVEL_HOOK_ERROR'))
    assert.equal(sub.hasSync('c'), false)
    await db.close()
  })

  test(`hooks see and change writes, and the event comes a microtask later: ${name}`, async () => {
    const db = await open()
    const index = db.sublevel('index')
    const add = (op, batch) => { if (op.type === 'put') batch.add({ type: 'put', key: op.value, value: op.key, sublevel: index }) }
    db.hooks.prewrite.add(add)
    const told = []
    db.on('write', (operations) => told.push(operations.map(({ type, key }) => `${type} ${key}`)))
    db.putSync('a', '1')
    assert.deepEqual(told, [])
    await undefined
    await new Promise(setImmediate)
    assert.equal(told.length, 1)
    assert.equal(await index.get('1'), 'a')
    db.delSync('a')
    assert.equal(db.hasSync('a'), false)
    await new Promise(setImmediate)
    assert.deepEqual(told[1], ['del a'])
    db.hooks.prewrite.delete(add)
    db.hooks.prewrite.add(() => { throw new Error('no') })
    assert.throws(() => db.putSync('b', '2'), code('LEVEL_HOOK_ERROR'))
    assert.equal(db.hasSync('b'), false)
    await db.close()
  })

  test(`a write listener and a hook can write: ${name}`, async () => {
    const db = await open()
    db.on('write', (operations) => { if (operations[0].key === 'a') db.putSync('from the listener', '1') })
    db.putSync('a', '1')
    await new Promise(setImmediate)
    assert.equal(db.getSync('from the listener'), '1')
    let depth = 0
    db.hooks.prewrite.add(() => {
      if (depth++ === 0) db.putSync('from the hook', '2')
      depth--
    })
    db.putSync('b', '3')
    assert.deepEqual(db.getManySync(['from the hook', 'b']), ['2', '3'])
    await db.close()
  })

  test(`writes are applied in call order: ${name}`, async () => {
    const db = await open()
    const puts = range(20).map((i) => db.put('a', `${i}`))
    db.putSync('a', 'last')
    assert.equal(db.getSync('a'), 'last')
    const del = db.del('a')
    db.putSync('a', 'again')
    const put = db.put('a', 'after')
    await Promise.all([...puts, del, put])
    assert.equal(db.getSync('a'), 'after')
    await db.close()
  })

  test(`calls with wrong arguments, or on a closed database, write nothing: ${name}`, async () => {
    const [location, own] = place()
    const db = new Varve(location, own)
    for (const call of [() => db.putSync('a', '1'), () => db.delSync('a'), () => db.batchSync([]), () => db.rangeSync(), () => db.hasSync('a'), () => db.getManySync(['a'])]) {
      assert.throws(call, code('LEVEL_DATABASE_NOT_OPEN'))
    }
    await db.open()
    assert.throws(() => db.putSync(null, '1'), code('LEVEL_INVALID_KEY'))
    assert.throws(() => db.putSync('a', undefined), code('LEVEL_INVALID_VALUE'))
    assert.throws(() => db.delSync(undefined), code('LEVEL_INVALID_KEY'))
    assert.throws(() => db.batchSync('a'), code('LEVEL_INVALID_ARGUMENT'))
    assert.throws(() => db.batchSync([{ type: 'put', key: 'a', value: '1' }, { type: 'what', key: 'b' }]), code('LEVEL_INVALID_ARGUMENT'))
    assert.throws(() => db.batchSync([{ type: 'put', key: 'a', value: '1' }, null]), code('LEVEL_INVALID_ARGUMENT'))
    assert.deepEqual([...db.rangeSync()], [])
    const closing = db.close()
    assert.throws(() => db.putSync('a', '1'), code('LEVEL_DATABASE_NOT_OPEN'))
    await closing
    assert.throws(() => db.putSync('a', '1'), code('LEVEL_DATABASE_NOT_OPEN'))
  })

  test(`large batches, and many small puts in one turn during a flush: ${name}`, async () => {
    const db = await open({ writeBufferSize: 64 << 10 })
    const value = 'x'.repeat(300)
    db.batchSync(range(3000).map((i) => ({ type: 'put', key: keyOf(i), value })))
    await db.batch(range(300).map((i) => ({ type: 'put', key: keyOf(i), value })))
    let busy = 0
    for (const i of range(20_000)) {
      try {
        db.putSync(keyOf(i), `${i} ${value}`)
      } catch (error) {
        // The earlier flush runs on another thread, so it cannot end in this turn.
        code('LEVEL_BUSY')(error)
        assert.equal(db.getSync(keyOf(i)), i < 3000 ? value : undefined)
        busy++
        await db.flush()
        db.putSync(keyOf(i), `${i} ${value}`)
      }
    }
    assert.ok(busy < 10, `${busy} of 20,000 puts had to wait`)
    let count = 0
    for (const [key, found] of db.rangeSync()) assert.equal(found, `${count} ${value}`, key + keyOf(count++))
    assert.equal(count, 20_000)
    await db.close()
  })

  test(`a range is consistent with the call, and lazy: ${name}`, async () => {
    const db = await open()
    db.batchSync(range(5000).map((i) => ({ type: 'put', key: keyOf(i), value: `${i}` })))
    const entries = db.rangeSync({ lt: keyOf(4000) })
    assert.equal(entries[Symbol.iterator](), entries)
    assert.deepEqual(entries.next(), { done: false, value: [keyOf(0), '0'] })
    db.batchSync(range(5000).map((i) => ({ type: 'put', key: keyOf(i), value: 'new' })))
    await db.flush()
    let next = 1
    for (const [key, value] of entries) assert.deepEqual([key, value], [keyOf(next), `${next++}`])
    assert.equal(next, 4000)
    const left = db.rangeSync()
    for (const [key] of left) if (key === keyOf(10)) break
    assert.deepEqual(left.next(), { done: true, value: undefined })
    const returned = db.rangeSync()
    assert.deepEqual(returned.return('bye'), { done: true, value: 'bye' })
    assert.deepEqual(returned.next(), { done: true, value: undefined })
    if (typeof entries.map === 'function') assert.deepEqual(db.rangeSync().map(([key]) => key).take(2).toArray(), [keyOf(0), keyOf(1)])
    const open2 = db.rangeSync()
    open2.next()
    const closing = db.close()
    assert.throws(() => open2.next(), code('LEVEL_DATABASE_NOT_OPEN'))
    await closing
    assert.deepEqual(open2.next(), { done: true, value: undefined })
  })
}

test('a range reads only the requested pages', async () => {
  let reads = 0
  const db = await opened(null, { storage: watched(new MapStorage(), { read: (file, ...args) => { reads++; return file.read(...args) } }), cacheSize: 0, compression: false })
  db.batchSync(range(5000).map((i) => ({ type: 'put', key: keyOf(i), value: 'x'.repeat(400) })))
  await db.flush()
  reads = 0
  const entries = db.rangeSync()
  for (const _ of range(20)) entries.next()
  const some = reads
  assert.ok(some > 0 && some < 100, `${some} reads for 20 entries`)
  assert.equal([...entries].length, 4980)
  assert.ok(reads > 4 * some, `${reads} reads for all`)
  await db.close()
})

test('a damaged block ends a range with an error', async () => {
  const place = newPlace()
  const db = await opened(place, { compression: false })
  db.batchSync(range(2000).map((i) => ({ type: 'put', key: keyOf(i), value: 'x'.repeat(400) })))
  await db.flush()
  await db.close()
  const table = readdirSync(place).find((name) => /\.(ldb|sst)$/.test(name))
  const bytes = readFileSync(join(place, table))
  bytes[bytes.length >> 1] ^= 1
  writeFileSync(join(place, table), bytes)
  const again = await opened(place)
  const entries = again.rangeSync()
  let count = 0
  assert.throws(() => { for (const _ of entries) count++ }, code('LEVEL_CORRUPTION'))
  assert.ok(count > 100)
  assert.deepEqual(entries.next(), { done: true, value: undefined })
  await again.close()
})

// ---- Refused calls ----

test('with an asynchronous storage nothing is written', async () => {
  const db = await opened(null, { storage: later(new MapStorage()) })
  for (const options of [undefined, { sync: true }]) {
    assert.throws(() => db.putSync('a', '1', options), code('LEVEL_NOT_SUPPORTED'))
    assert.throws(() => db.delSync('a', options), code('LEVEL_NOT_SUPPORTED'))
    assert.throws(() => db.batchSync([{ type: 'put', key: 'a', value: '1' }], options), code('LEVEL_NOT_SUPPORTED'))
  }
  await new Promise(setImmediate)
  assert.equal(await db.get('a'), undefined)
  await db.put('b', '2')
  await db.flush()
  await db.close()
})

test('with a storage that cannot flush synchronously only puts with sync are refused', async () => {
  let inPlace = 0
  const sync = (file, now) => { if (now) { inPlace++; notInPlace() } return file.sync() }
  const editNames = (storage, edits, now) => now ? notInPlace() : storage.editNames(edits)
  const db = await opened(null, { storage: watched(new MapStorage(), { sync, editNames }), writeBufferSize: 64 << 10 })
  assert.throws(() => db.putSync('a', '1', { sync: true }), code('LEVEL_NOT_SUPPORTED'))
  assert.throws(() => db.batchSync([{ type: 'put', key: 'a', value: '1' }], { sync: true }), code('LEVEL_NOT_SUPPORTED'))
  assert.equal(db.hasSync('a'), false)
  for (const i of range(2000)) db.putSync(keyOf(i), 'x'.repeat(300))
  assert.ok(inPlace > 2, 'tables were flushed in the calls')
  assert.equal(db.getSync(keyOf(1999)), 'x'.repeat(300))
  await db.put('a', '2', { sync: true })
  await db.flush()
  assert.equal((await db.info()).state, 'open')
  await db.close()
})

test('with a worker they are not supported', async () => {
  const db = await opened(newPlace(), { worker: true })
  for (const call of [() => db.putSync('a', '1'), () => db.delSync('a'), () => db.batchSync([]), () => db.rangeSync(), () => db.hasSync('a'), () => db.getManySync(['a'])]) {
    assert.throws(call, code('LEVEL_NOT_SUPPORTED'))
  }
  const sub = db.sublevel('s')
  await sub.open()
  for (const call of [() => sub.putSync('a', '1'), () => sub.delSync('a'), () => sub.batchSync([]), () => sub.rangeSync(), () => sub.hasSync('a'), () => sub.getManySync(['a'])]) {
    assert.throws(call, code('LEVEL_NOT_SUPPORTED'))
  }
  assert.equal(await db.get('a'), undefined)
  await db.close()
})

test('durable writes in a worker, consecutive and concurrent, are applied in order', async () => {
  const place = newPlace()
  const db = await opened(place, { worker: true, writeBufferSize: 64 << 10 })
  for (const i of range(20)) await db.put('a', `${i}`, { sync: true })
  assert.equal(await db.get('a'), '19')
  await db.batch([{ type: 'put', key: 'b', value: '1' }, { type: 'del', key: 'a' }], { sync: true })
  await Promise.all(range(50).map((i) => db.put('c', `${i}`, { sync: i % 2 === 0 })))
  assert.deepEqual(await db.getMany(['a', 'b', 'c']), [undefined, '1', '49'])
  // Flushes and compactions are running: a write that the engine cannot do at once waits like
  // others.
  for (const i of range(100)) await Promise.all([db.put(keyOf(i), 'x'.repeat(2000)), db.put(keyOf(i), `${i}`, { sync: true })])
  for (const i of range(100)) assert.equal(await db.get(keyOf(i)), `${i}`)
  await assert.rejects(db.put('k', 'x'.repeat(10), { sync: true, keyEncoding: 'none' }))
  const told = (await db.info()).counters
  await db.del('c', { sync: true })
  assert.equal((await db.info()).counters.logSyncs, told.logSyncs + 1)
  await db.close()
  const again = await opened(place, { worker: true, readOnly: true })
  await assert.rejects(again.put('a', '1', { sync: true }), code('LEVEL_NOT_SUPPORTED'))
  assert.equal(await again.get('b'), '1')
  await again.close()
})

test('a read-only database refuses writes', async () => {
  const place = newPlace()
  const made = await opened(place)
  made.putSync('a', '1', { sync: true })
  await made.close()
  const db = await opened(place, { readOnly: true })
  assert.throws(() => db.putSync('b', '2'), code('LEVEL_NOT_SUPPORTED'))
  assert.throws(() => db.putSync('b', '2', { sync: true }), code('LEVEL_NOT_SUPPORTED'))
  assert.throws(() => db.delSync('a'), code('LEVEL_NOT_SUPPORTED'))
  assert.deepEqual([...db.rangeSync()], [['a', '1']])
  await db.close()
})

test('a put is refused while a durable put is pending', async () => {
  const db = await opened(newPlace())
  const put = db.put('a', '1', { sync: true })
  assert.throws(() => db.putSync('a', '2'), code('LEVEL_BUSY'))
  assert.throws(() => db.putSync('a', '2', { sync: true }), code('LEVEL_BUSY'))
  await put
  assert.equal(db.getSync('a'), '1')
  db.putSync('a', '2', { sync: true })
  assert.equal(db.getSync('a'), '2')
  await db.close()
})

// ---- Durability ----

test('with sync every byte, and the name of the log, is durable when the call returns', async () => {
  const dirty = new Map()
  let names = 0
  let strict = false
  const db = await opened(null, {
    storage: watched(new MapStorage(), {
      append: (file, data) => { dirty.set(file.fileName, true); return file.append(data) },
      sync: (file, inPlace) => { if (strict) assert.equal(inPlace, true); dirty.delete(file.fileName); return file.sync() },
      editNames: (own, edits, inPlace) => { if (strict && edits.length === 0 && inPlace) names++; return own.editNames(edits) }
    }),
    writeBufferSize: 64 << 10
  })
  strict = true
  db.putSync('a', '1')
  assert.equal(dirty.size, 1)
  db.putSync('b', '2', { sync: true })
  assert.equal(dirty.size, 0)
  for (const i of range(500)) {
    db.putSync(keyOf(i), 'x'.repeat(700), { sync: i % 3 === 0 })
    if (i % 3 === 0) assert.deepEqual([...dirty.keys()].filter((name) => name.endsWith('.log')), [], `put ${i}`)
  }
  assert.ok(names > 1, 'each log has a durable name')
  strict = false
  await db.close()
})

test('a put with sync survives an immediate kill', () => {
  const place = newPlace()
  const child = `
    import { Varve } from ${JSON.stringify(new URL('../../src/js/index.js', import.meta.url).href)}
    const db = new Varve(${JSON.stringify(place)}, { writeBufferSize: 65536 })
    await db.open()
    for (let i = 0; i < 300; i++) db.putSync('key' + i, 'x'.repeat(500) + i, { sync: i > 290 })
    process.kill(process.pid, 'SIGKILL')`
  assert.equal(spawnSync(process.execPath, ['--input-type=module', '--eval', child]).signal, 'SIGKILL')
  return opened(place).then(async (db) => {
    for (const i of range(300)) assert.equal(db.getSync(`key${i}`), 'x'.repeat(500) + i)
    await db.close()
  })
})

test('names can be made durable synchronously while other edits are pending', async () => {
  const storage = new NodeStorage(newPlace())
  await storage.lock(true)
  storage.create('a', 'other', 0).close()
  const editing = storage.editNames([{ type: 'remove', name: 'a' }])
  assert.equal(storage.editNames([], true), undefined)
  await editing
  assert.deepEqual(storage.list(), [])
  await storage.unlock()
})

// ---- Failures ----

test('on a full disk a put fails with nothing written, and the next succeeds when there is space', async () => {
  let full = false
  const append = (file, data) => {
    if (full) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    return file.append(data)
  }
  for (const sync of [undefined, (file, now) => now ? notInPlace() : file.sync()]) {
    full = false
    const db = await opened(null, { storage: watched(new MapStorage(), { append, ...(sync && { sync }) }) })
    db.putSync('a', '1')
    full = true
    assert.throws(() => db.putSync('b', '2'), (/** @type {any} */ error) => !error.maybeApplied && code('LEVEL_FULL')(error))
    assert.equal(db.hasSync('b'), false)
    full = false
    await db.resume()
    db.putSync('c', '3')
    assert.deepEqual([...db.rangeSync()], [['a', '1'], ['c', '3']])
    await db.close()
  }
})

test('after a failed synchronous flush the put may have been applied', async () => {
  for (const asked of [false, true]) {
    let fails = !asked
    const sync = (file) => {
      if (fails) { fails = false; throw Object.assign(new Error('the disk is gone'), { code: 'EIO' }) }
      return file.sync()
    }
    let armed = false
    const db = await opened(null, { storage: watched(new MapStorage(), { sync: (file) => armed ? sync(file) : file.sync() }) })
    db.putSync('a', '1')
    armed = true
    if (asked) {
      db.putSync('b', '2', { sync: true })
      fails = true
    }
    // The flush made to test the storage may fail: then a second one must not count as success.
    assert.throws(() => db.putSync('c', '3', { sync: true }), (/** @type {any} */ error) => error.maybeApplied === true && code('LEVEL_POISONED')(error))
    assert.throws(() => db.putSync('d', '4'), /the disk is gone/)
    await db.close().catch(() => {})
  }
})

test('after a trap in a put, it may have been applied, and the engine is replaced', async () => {
  const trapping = new Trapping()
  try {
    const db = await opened(null, { storage: new MapStorage() })
    db.putSync('a', '1')
    trapping.arm(1)
    let failed
    try {
      db.putSync('b', '2')
    } catch (error) {
      failed = error
    }
    trapping.disarm()
    code('LEVEL_POISONED')(failed)
    assert.equal(failed.maybeApplied, true)
    assert.throws(() => db.putSync('c', '3'), code('LEVEL_BUSY'))
    assert.throws(() => db.getSync('c'), code('LEVEL_BUSY'))
    assert.equal(await db.get('a'), '1')
    assert.equal(db.hasSync('c'), false)
    db.putSync('c', '3')
    assert.equal(db.getSync('c'), '3')
    await db.close()
  } finally {
    trapping.restore()
  }
})

test('a put of a storage inside an append is refused as busy', async () => {
  let db
  const inner = []
  const append = (file, data) => {
    if (db !== undefined && file.fileName.endsWith('.log') && inner.length === 0) {
      inner.push('asked')
      try { db.putSync('inside', '1') } catch (error) { inner.push(error.code) }
    }
    return file.append(data)
  }
  db = await opened(null, { storage: watched(new MapStorage(), { append }) })
  db.putSync('a', '1')
  assert.deepEqual(inner, ['asked', 'LEVEL_BUSY'])
  assert.deepEqual([...db.rangeSync()], [['a', '1']])
  await db.close()
})
