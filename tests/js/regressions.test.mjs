// Regression tests. Comments describe the bugs.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { InvalidArgumentError, OutOfRangeError, SourceChangedError, Varve, VarveError } from '../../src/js/index.js'
import { MapStorage } from '../../src/js/storage/map.js'
import { describe, revive } from '../../src/js/remote/failure.js'

const over = (storage) => new Varve(null, { storage })
const codeOf = (promise) => promise.then(() => 'done', (error) => error.code === 'LEVEL_DATABASE_NOT_OPEN' ? error.cause?.code : error.code)

// A refused lock() released the lock of another storage: two writers, and no protection from
// destroy().
test('a refused lock() does not release the lock of its owner', async () => {
  const place = new MapStorage.Place()
  const storage = new MapStorage(place)
  const owner = over(storage)
  await owner.put('a', '1')
  for (let i = 0; i < 2; i++) {
    assert.equal(await codeOf(over(storage).open()), 'LEVEL_LOCKED')
    assert.equal(await codeOf(Varve.destroy(null, { storage })), 'LEVEL_LOCKED')
    assert.equal(await codeOf(Varve.repair(null, { storage })), 'LEVEL_LOCKED')
    assert.equal(place.owner, storage)
  }
  assert.equal(await codeOf(over(new MapStorage(place)).open()), 'LEVEL_LOCKED')
  await owner.close()
  await over(new MapStorage(place)).open()
})

// close() resolved before the storage had released the lock, and opening again was refused.
test('a database can be opened as soon as it is closed', async () => {
  class Slow extends MapStorage {
    async unlock() { await sleep(20); super.unlock() }
  }
  const storage = new Slow()
  const db = over(storage)
  for (let i = 0; i < 3; i++) {
    await db.open()
    await db.put('a', String(i))
    await db.close()
  }
  assert.equal(await codeOf(new Varve(null, { storage, errorIfExists: true }).open()), 'LEVEL_INVALID_ARGUMENT')
  await Varve.destroy(null, { storage })
})

/** A storage whose reads of tables fail on request. */
class Failing extends MapStorage {
  fails = false

  open(name, access) {
    const file = super.open(name, access)
    const read = file.read.bind(file)
    file.read = (...args) => {
      if (this.fails && name.endsWith('.ldb')) throw Object.assign(new Error('no such sector'), { code: 'EIO' })
      return read(...args)
    }
    return file
  }
}

// After a failed page an iterator reported its end.
test('a failed iterator keeps failing until it seeks', async () => {
  const storage = new Failing()
  const db = new Varve(null, { storage, cacheSize: 0 })
  await db.batch(Array.from({ length: 3000 }, (_, i) => ({ type: 'put', key: String(i).padStart(5, '0'), value: 'x'.repeat(100) })))
  await db.compactRange()
  const it = db.iterator()
  assert.equal((await it.next())[0], '00000')
  storage.fails = true
  const errors = []
  for (let i = 0; i < 3000 && errors.length < 3; i++) {
    const row = await it.next().catch((error) => { errors.push(error.code) })
    if (row === undefined && errors.length === 0) assert.fail('the end came before the failure')
  }
  assert.deepEqual(errors, ['LEVEL_IO_ERROR', 'LEVEL_IO_ERROR', 'LEVEL_IO_ERROR'])
  storage.fails = false
  it.seek('02990')
  assert.equal((await it.all()).length, 10)
  await db.close()
})

// A write made inside the storage's append() truncated the log of the write that it interrupted.
test('a storage can write to its database inside an append', async () => {
  class Nested extends MapStorage {
    create(name, ...rest) {
      const file = super.create(name, ...rest)
      const append = file.append.bind(file)
      file.append = (data) => {
        if (name.endsWith('.log')) this.onAppend?.()
        return append(data)
      }
      return file
    }
  }
  const storage = new Nested()
  const db = over(storage)
  await db.open()
  const inner = []
  for (let i = 0; i < 50; i++) {
    storage.onAppend = () => { storage.onAppend = undefined; inner.push(db.put(`inner${i}`, String(i))) }
    await db.put(`outer${i}`, String(i))
  }
  await Promise.all(inner)
  await db.close()
  await db.open()
  for (const kind of ['outer', 'inner']) {
    assert.deepEqual(await db.getMany(Array.from({ length: 50 }, (_, i) => `${kind}${i}`)), Array.from({ length: 50 }, (_, i) => String(i)))
  }
  await db.close()
})

// Of an error of a storage, only the message was kept: no errno, no stack.
test('the error of a storage is the cause', async () => {
  const thrown = Object.assign(new Error('no such sector'), { code: 'EIO', errno: -5 })
  class Broken extends MapStorage {
    broken = null

    create(name, ...rest) {
      const file = super.create(name, ...rest)
      const { append, sync } = file
      file.append = (data) => { if (this.broken === 'append') throw thrown; return append.call(file, data) }
      file.sync = async () => { if (this.broken === 'sync') throw thrown; return sync.call(file) }
      return file
    }
  }
  const storage = new Broken()
  const db = over(storage)
  await db.put('a', '1')
  storage.broken = 'append'
  const error = await db.put('b', '2').catch((error) => error)
  assert.equal(error.code, 'LEVEL_IO_ERROR')
  assert.equal(error.cause, thrown)
  storage.broken = 'sync'
  await assert.rejects(db.flush(), (error) => error.cause === thrown)
  storage.broken = null
  await db.resume()
  await db.put('c', '3')
  await db.close()
})

/** A storage that counts open files. */
class Counting extends MapStorage {
  opened = 0
  atUnlock = 0

  create(...args) { return this.#counted(super.create(...args)) }

  open(...args) { return this.#counted(super.open(...args)) }

  unlock() {
    this.atUnlock = this.opened
    super.unlock()
  }

  #counted(file) {
    this.opened++
    const { close, read } = file
    let closed = false
    file.close = () => {
      assert.equal(closed, false, 'a file is closed once')
      closed = true
      this.opened--
      close.call(file)
    }
    file.read = (offset, into) => {
      assert.equal(closed, false, 'a closed file is not read')
      const answer = read.call(file, offset, into)
      if (!this.slow) return answer
      const bytes = into.slice(0, answer)
      return sleep(20).then(() => {
        assert.equal(closed, false, 'a file is not closed under a read')
        return bytes
      })
    }
    return file
  }
}

// Tables stayed open after close(): in a read-only directory, a descriptor each until the process
// ended.
test('a closed database has no open file', async () => {
  const storage = new Counting()
  for (const readOnly of [false, true]) {
    const db = new Varve(null, { storage, readOnly })
    await db.open()
    if (!readOnly) await db.batch(Array.from({ length: 3000 }, (_, i) => ({ type: 'put', key: String(i), value: 'x'.repeat(100) })))
    if (!readOnly) await db.compactRange()
    assert.equal((await db.keys().all()).length, 3000)
    assert.ok(storage.opened > 0)
    await db.close()
    assert.equal(storage.opened, 0, `readOnly: ${readOnly}`)
    assert.equal(storage.atUnlock, 0, 'nobody else has the lock before')
  }
  storage.slow = true
  const db = new Varve(null, { storage, readOnly: true })
  await db.open()
  const late = db.get('77').then((value) => value.length, (error) => error.code)
  await db.close()
  assert.ok([100, 'LEVEL_DATABASE_NOT_OPEN'].includes(await late), String(await late))
  await sleep(50)
  assert.equal(storage.opened, 0)
})

// Any value was accepted as a signal, and never aborted.
test('an iterator refuses an invalid signal', async () => {
  const db = new Varve(null, { storage: 'memory' })
  await db.put('a', '1')
  for (const signal of [5, 'x', true, {}, () => {}, new AbortController()]) {
    assert.throws(() => db.iterator({ signal }), { code: 'LEVEL_INVALID_ARGUMENT' })
  }
  assert.deepEqual(await db.keys({ signal: undefined }).all(), ['a'])
  assert.deepEqual(await db.keys({ signal: null }).all(), ['a'])
  assert.deepEqual(await db.keys({ signal: new AbortController().signal }).all(), ['a'])
  await db.close()
})

// close() waited for a file that was being opened, as long as a server hangs; a file opened later
// stayed open.
test('close() does not wait for a file that is being opened, which is then closed', async () => {
  class Hanging extends Counting {
    waiting = []

    open(name, ...rest) {
      const file = super.open(name, ...rest)
      return this.hangs ? new Promise((resolve) => { this.waiting.push(() => resolve(file)) }) : file
    }
  }
  const storage = new Hanging()
  const writer = over(storage)
  await writer.batch(Array.from({ length: 3000 }, (_, i) => ({ type: 'put', key: String(i), value: 'x'.repeat(100) })))
  await writer.compactRange()
  await writer.close()
  const db = new Varve(null, { storage, readOnly: true })
  await db.open()
  storage.hangs = true
  const late = db.get('77').then((value) => value.length, (error) => error.code)
  assert.equal(storage.waiting.length, 1)
  await db.close()
  for (const resolve of storage.waiting) resolve()
  assert.ok([100, 'LEVEL_DATABASE_NOT_OPEN'].includes(await late), String(await late))
  assert.equal(storage.opened, 0)
})

// ---- Arguments ----

// Infinity and other values that classic-level accepts were refused.
test('highWaterMarkBytes accepts the values of classic-level, and pages are limited by memory', async () => {
  const count = 96
  for (const worker of [false, true]) {
    const db = new Varve(null, { storage: 'memory', worker })
    for (let i = 0; i < count; i++) await db.put(`key${String(i).padStart(3, '0')}`, 'x'.repeat(1000))
    for (const [bytes, rows] of [[0, 1], [NaN, 1], [-Infinity, 1], [0.9, 1], [1500, 2], [1500.9, 2], [-1, count], [Infinity, count], [2 ** 32 + 1, count],
      [undefined, 66], [null, 66], ['500', 66], [10n, 66], [{}, 66]]) {
      const iterator = db.iterator({ highWaterMarkBytes: bytes })
      assert.deepEqual([String(bytes), worker, (await iterator.nextv(count)).length], [String(bytes), worker, rows])
      await iterator.close()
    }
    await db.close()
  }
  // A page that was too large for the memory was a permanent error.
  const db = new Varve(null, { storage: new MapStorage(), memoryLimit: 40 << 20, cacheSize: 1 << 20 })
  for (let i = 0; i < count; i++) await db.put(`key${String(i).padStart(3, '0')}`, 'x'.repeat(1 << 20))
  const iterator = db.iterator({ highWaterMarkBytes: Infinity })
  let [pages, rows] = [0, 0]
  for (let page; (page = await iterator.nextv(1000)).length > 0; pages++) {
    for (const [key, value] of page) assert.deepEqual([key, value.length], [`key${String(rows++).padStart(3, '0')}`, 1 << 20])
  }
  assert.equal(rows, count)
  assert.ok(pages > 1, `${pages} pages`)
  await db.close()
})

const kindOf = (error) => [error.name, error instanceof TypeError, error instanceof RangeError, error.code]
const TYPE = ['TypeError', true, false, 'LEVEL_INVALID_ARGUMENT']
const RANGE = ['RangeError', false, true, 'LEVEL_INVALID_ARGUMENT']
const thrownBy = async (act) => {
  try {
    await act()
  } catch (error) {
    return error.code === 'LEVEL_DATABASE_NOT_OPEN' ? error.cause : error
  }
  assert.fail(`${act} did not fail`)
}

// The name was InvalidArgumentError, a number out of range was a TypeError, and an argument that
// the engine refused was neither.
test('a wrong argument is a TypeError or RangeError, also with a worker', async () => {
  for (const [options, expected] of [
    [{ cacheSize: -1 }, RANGE], [{ blockSize: 1.5 }, RANGE], [{ maxFileSize: Infinity }, RANGE], [{ filterBits: 44 }, RANGE], [{ writeBufferSize: NaN }, RANGE],
    [{ blockSize: '4096' }, TYPE], [{ compression: 'lz4' }, TYPE], [{ readOnly: 1 }, TYPE], [{ recovery: 'none' }, TYPE], [{ worker: 'yes' }, TYPE], [{ storage: {} }, TYPE]
  ]) {
    assert.deepEqual(kindOf(await thrownBy(() => new Varve('storage' in options ? null : './x', options))), expected, JSON.stringify(options))
  }
  for (const location of [undefined, 1, '', 'a\0b', new URL('http://x/'), new URL('file:///%zz')]) {
    assert.deepEqual(kindOf(await thrownBy(() => new Varve(location))), TYPE, String(location))
  }
  const { HttpStorage } = await import('../../src/js/storage/http/storage.js')
  assert.deepEqual(kindOf(await thrownBy(() => new HttpStorage('http://x/', { retries: -1 }))), RANGE)
  assert.deepEqual(kindOf(await thrownBy(() => new HttpStorage('http://x/', { retries: '3' }))), TYPE)
  const zip = new Uint8Array()
  assert.deepEqual(kindOf(await thrownBy(() => Varve.import(null, zip, { storage: 'memory', maxRatio: 0 }))), RANGE)
  assert.deepEqual(kindOf(await thrownBy(() => Varve.import(null, zip, { storage: 'memory', maxBytes: '1' }))), TYPE)
  assert.deepEqual(kindOf(await thrownBy(() => Varve.import(null, 'zip', { storage: 'memory' }))), TYPE)

  for (const worker of [false, true]) {
    const db = new Varve(null, { storage: 'memory', worker })
    const other = new Varve(null, { storage: 'memory' })
    await Promise.all([db.open(), other.open()])
    assert.deepEqual(kindOf(await thrownBy(() => db.iterator({ signal: {} }))), TYPE)
    assert.deepEqual(kindOf(await thrownBy(() => db.getProperty(1))), TYPE)
    assert.deepEqual(kindOf(await thrownBy(() => db.approximateSize('a'))), TYPE)
    assert.deepEqual(kindOf(await thrownBy(() => db.get('a', { snapshot: other.snapshot() }))), TYPE)
    await Promise.all([db.close(), other.close()])
    // Not an error of an argument, but of the storage.
    const there = mkdtempSync(join(tmpdir(), 'varve-argument-'))
    const missing = await thrownBy(() => new Varve(there, { createIfMissing: false, worker }).open())
    assert.deepEqual(kindOf(missing), ['VarveError', false, false, 'LEVEL_INVALID_ARGUMENT'])
    assert.match(missing.message, /does not exist/)
    rmSync(there, { recursive: true })
  }
})

test('errors from a worker keep name, class, code and cause', () => {
  const sent = [new InvalidArgumentError('a', { cause: new OutOfRangeError('b') }), new OutOfRangeError('c'), new SourceChangedError('d', { code: 'LEVEL_SOURCE_CHANGED', file: 'e' }),
    new VarveError('f', { code: 'LEVEL_IO_ERROR', file: 'g', offset: 1 }), new RangeError('h'), new Error('i'), new DOMException('j', 'QuotaExceededError')]
  const facts = (error) => error && [error.name, error.message, error.code, error.file, error.offset, error.stack, facts(error.cause)]
  for (const error of sent) {
    const received = revive(structuredClone(describe(error)))
    assert.deepEqual(facts(received), facts(error))
    if (!(error instanceof DOMException)) assert.equal(received.constructor, error.constructor)
  }
})

// The database was opened, or created, relative to a later working directory of the process.
test('a relative location is resolved when the constructor is called', () => {
  const root = mkdtempSync(join(tmpdir(), 'varve-relative-'))
  const program = `
    import { Varve } from ${JSON.stringify(new URL('../../src/js/index.js', import.meta.url).href)}
    import { mkdirSync, existsSync, readdirSync } from 'node:fs'
    mkdirSync('elsewhere')
    for (const worker of [false, true]) {
      const name = worker ? 'in-worker' : 'in-place'
      const db = new Varve(name, { worker })
      process.chdir('elsewhere')
      await db.put('a', '1')
      const copied = db.checkpoint(name + '-copy')
      const made = new Varve('made')
      process.chdir('..')
      await copied
      await db.close()
      await db.open()
      await db.close()
      await made.open()
      await made.close()
      console.log(db.location, existsSync(name + '/CURRENT'), readdirSync('elsewhere').sort().join())
      process.chdir('elsewhere')
      const gone = Promise.all([Varve.destroy('made'), Varve.destroy(name + '-copy')])
      process.chdir('..')
      await gone
    }`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd: root, encoding: 'utf8' })
  rmSync(root, { recursive: true })
  assert.equal(stderr, '')
  assert.equal(stdout, 'in-place true in-place-copy,made\nin-worker true in-worker-copy,made\n')
})
