// The behaviour that users of classic-level rely on, part one: the directory, its lock, the effect
// of options on its files, destroy and repair.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { bytesOf, codeOf, entries, filesOf, forBoth, group, keyOf, newPlace, noise } from './lib/both.mjs'
import { Varve } from '../../src/js/index.js'

const IS_WINDOWS = process.platform === 'win32'

group('the directory', () => {
  forBoth('is created with its parents', async ({ Level, place }) => {
    const nested = join(place, 'a', 'b', 'c')
    const db = new Level(nested)
    assert.equal(fs.existsSync(place), false, 'the constructor touches nothing')
    await db.open()
    assert.ok(fs.existsSync(join(nested, 'CURRENT')))
    await db.close()
  })

  forBoth('is not created without createIfMissing', async ({ Level, place }) => {
    const db = new Level(join(place, 'a'), { createIfMissing: false })
    await assert.rejects(db.open(), (error) => error.code === 'LEVEL_DATABASE_NOT_OPEN' && error.cause instanceof Error)
    assert.equal(fs.existsSync(place), IS_WINDOWS && fs.existsSync(place))
  })

  forBoth('is refused with errorIfExists if it contains a database', async ({ Level, place, open }) => {
    await (await open()).close()
    await assert.rejects(new Level(place, { errorIfExists: true }).open(), { code: 'LEVEL_DATABASE_NOT_OPEN' })
  })

  forBoth('a file instead of it is an error, and is kept', async ({ Level, place }) => {
    fs.writeFileSync(place, 'mine')
    await assert.rejects(new Level(place).open(), { code: 'LEVEL_DATABASE_NOT_OPEN' })
    await assert.rejects(new Level(join(place, 'below')).open(), { code: 'LEVEL_DATABASE_NOT_OPEN' })
    assert.equal(fs.readFileSync(place, 'utf8'), 'mine')
  })

  test('only the owner can read new files', { skip: IS_WINDOWS && 'Windows has no file modes' }, async () => {
    const place = newPlace()
    const db = new Varve(join(place, 'db'))
    await db.batch(entries(10))
    await db.flush()
    assert.equal(fs.statSync(join(place, 'db')).mode & 0o777, 0o700)
    for (const name of fs.readdirSync(join(place, 'db'))) assert.equal(fs.statSync(join(place, 'db', name)).mode & 0o777, 0o600, name)
    await db.close()
  })

  forBoth('can have names with spaces, quotes and other scripts', async ({ open, place }) => {
    for (const name of ['with space', "quote'\"", 'Ünïcödé 日本', '..hidden', '-flag', '%2e%2e']) {
      const where = join(place, name)
      const db = await open({}, where)
      await db.put('a', name)
      await db.close()
      assert.ok(fs.existsSync(join(where, 'CURRENT')), name)
      assert.equal(await (await open({}, where)).get('a'), name)
    }
    assert.equal(fs.readdirSync(place).length, 6)
  })

  forBoth('location returns the argument unchanged', async ({ Level, place }) => {
    const db = new Level(`${place}/./x`)
    assert.equal(db.location, `${place}/./x`)
    await db.open()
    await db.close()
    assert.equal(db.location, `${place}/./x`)
  })

  forBoth('an invalid location is a TypeError', async ({ Level }) => {
    for (const location of [undefined, null, '', 1, {}, []]) assert.throws(() => new Level(location), TypeError)
    for (const location of [undefined, null, '']) {
      await assert.rejects(Level.destroy(location), { name: /TypeError|InvalidArgumentError/ })
      await assert.rejects(Level.repair(location), { name: /TypeError|InvalidArgumentError/ })
    }
  })

  forBoth('keeps files that are not LevelDB\'s', async ({ open, place }) => {
    const first = await open()
    await first.put('a', '1')
    fs.writeFileSync(join(place, 'notes.txt'), 'mine')
    fs.mkdirSync(join(place, 'folder'))
    fs.writeFileSync(join(place, 'folder', '000001.ldb'), 'mine')
    await first.close()
    const db = await open()
    await db.compactRange('a', 'z')
    await db.close()
    await (await open()).put('b', '2')
    assert.equal(fs.readFileSync(join(place, 'notes.txt'), 'utf8'), 'mine')
    assert.equal(fs.readFileSync(join(place, 'folder', '000001.ldb'), 'utf8'), 'mine')
  })
})

// ---- The lock ----

/** Starts a process that opens the database, reports the result, and waits to be killed. */
function holder(name, place) {
  const code = `
    import * as varve from ${JSON.stringify(new URL('../../src/js/index.js', import.meta.url).href)}
    import * as classic from 'classic-level'
    const db = new ({ ...varve, ...classic })[${JSON.stringify(name)}](${JSON.stringify(place)})
    try { await db.open(); await db.put('from', 'child'); console.log('open') } catch (error) { console.log(error.cause?.code ?? error.code) }
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: ['ignore', 'pipe', 'inherit'], cwd: new URL('../..', import.meta.url) })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const exited = new Promise((resolve) => child.on('exit', resolve))
  return { said: lines.next().then(({ value }) => value), kill: () => { child.kill('SIGKILL'); return exited } }
}

group('the lock', () => {
  forBoth('excludes a second object in the same process', async ({ Level, place, open }) => {
    const db = await open()
    const second = new Level(place)
    await assert.rejects(second.open(), (error) => error.code === 'LEVEL_DATABASE_NOT_OPEN' && error.cause.code === 'LEVEL_LOCKED')
    assert.equal(await codeOf(() => Level.destroy(place)), 'LEVEL_LOCKED')
    await db.put('a', '1')
    await db.close()
    await second.open()
    assert.equal(await second.get('a'), '1')
    await second.close()
  })

  forBoth('excludes other processes, both ways, and is free when its owner is killed', async ({ Level, name, place, open }) => {
    const first = holder(name, place)
    try {
      assert.equal(await first.said, 'open')
      assert.equal(await codeOf(() => new Level(place).open()), 'LEVEL_LOCKED')
    } finally {
      await first.kill()
    }
    const start = performance.now()
    const db = await open()
    assert.ok(performance.now() - start < 1000)
    assert.equal(await db.get('from'), 'child', 'what the killed one had acknowledged')
    const second = holder(name, place)
    assert.equal(await second.said, 'LEVEL_LOCKED')
    await second.kill()
    await db.put('still', 'mine')
  })

  forBoth('excludes threads of the same process', async ({ name, place, open }) => {
    const db = await open()
    const attempt = () => new Promise((resolve, reject) => {
      const worker = new Worker(`
        const { parentPort, workerData: { name, place, url } } = require('node:worker_threads')
        Promise.all([import(url), import('classic-level')]).then(async ([varve, classic]) => {
          const db = new ({ ...varve, ...classic })[name](place)
          try { await db.open(); await db.put('thread', '1'); await db.close(); parentPort.postMessage('open') }
          catch (error) { parentPort.postMessage(error.cause?.code ?? error.code) }
        })`, { eval: true, workerData: { name, place, url: new URL('../../src/js/index.js', import.meta.url).href } })
      worker.once('message', (message) => worker.terminate().then(() => resolve(message)))
      worker.once('error', reject)
    })
    assert.equal(await attempt(), 'LEVEL_LOCKED')
    await db.close()
    assert.equal(await attempt(), 'open')
    await db.open()
    assert.equal(await db.get('thread'), '1')
  })

  forBoth('is released after a failed open', async ({ Level, place, open }) => {
    await (await open()).close()
    for (let i = 0; i < 3; i++) assert.notEqual(await codeOf(() => new Level(place, { errorIfExists: true }).open()), 'LEVEL_LOCKED')
    await open()
  })
})

// ---- destroy and repair ----

group('destroy', () => {
  forBoth('removes the files, and the directory if it is empty then', async ({ Level, place, open }) => {
    const db = await open({ writeBufferSize: 64 << 10 })
    await db.batch(entries(5000))
    await db.compactRange('a', 'z')
    await db.close()
    await Level.destroy(place)
    assert.equal(fs.existsSync(place), false)
    await open({ errorIfExists: true })
  })

  forBoth('keeps files that are not the database\'s', async ({ Level, place, open }) => {
    await (await open()).close()
    fs.writeFileSync(join(place, 'foo'), 'FOO')
    fs.mkdirSync(join(place, 'bar'))
    fs.writeFileSync(join(place, 'bar', 'one'), 'ONE')
    await Level.destroy(place)
    assert.deepEqual(fs.readdirSync(place).sort(), ['bar', 'foo'])
    assert.equal(fs.readFileSync(join(place, 'foo'), 'utf8'), 'FOO')
    assert.equal(fs.readFileSync(join(place, 'bar', 'one'), 'utf8'), 'ONE')
  })

  forBoth('does nothing if there is no database or no directory', async ({ Level, place }) => {
    fs.mkdirSync(place)
    fs.writeFileSync(join(place, 'foo'), 'FOO')
    await Level.destroy(place)
    assert.deepEqual(fs.readdirSync(place), ['foo'])
    await Level.destroy(join(place, 'not', 'there'))
    assert.equal(fs.existsSync(join(place, 'not')), false)
  })
})

group('repair', () => {
  forBoth('of a missing directory is an error', async ({ Level, place }) => {
    await assert.rejects(Level.repair(join(place, 'a', 'b')), { code: 'LEVEL_IO_ERROR', message: /no such file or directory/i })
  })

  forBoth('converts logs to tables', async ({ Level, place, open }) => {
    const db = await open()
    await db.batch(entries(100))
    await db.close()
    assert.ok(filesOf(place, '.log').length > 0)
    assert.equal(filesOf(place, '.ldb').length, 0)
    await Level.repair(place)
    assert.equal(filesOf(place, '.log').length, 0)
    assert.ok(filesOf(place, '.ldb').length > 0)
    assert.equal((await (await open()).keys().all()).length, 100)
  })

  forBoth('restores a database without CURRENT and MANIFEST', async ({ Level, place, open }) => {
    const db = await open()
    await db.batch(entries(3000))
    await db.compactRange(keyOf(0), keyOf(3000))
    await db.batch(entries(100, (i) => `new${i}`))
    await db.close()
    fs.rmSync(join(place, 'CURRENT'))
    for (const name of fs.readdirSync(place)) if (name.startsWith('MANIFEST')) fs.rmSync(join(place, name))
    assert.notEqual(await codeOf(() => open({ createIfMissing: false })), 'done')
    await Level.repair(place)
    const back = await open()
    assert.equal((await back.keys().all()).length, 3000)
    assert.deepEqual(await back.getMany([keyOf(5), keyOf(500)]), ['new5', 'value500'])
  })

  forBoth('keeps the entries of a sound database', async ({ Level, place, open }) => {
    const db = await open({ writeBufferSize: 64 << 10 })
    await db.batch(entries(4000))
    await db.del(keyOf(7))
    const before = await db.iterator().all()
    await db.close()
    await Level.repair(place)
    await Level.repair(place)
    assert.deepEqual(await (await open()).iterator().all(), before)
  })
})

// ---- Options and the files they make ----

/** 2 MiB in 512 values of 4 KiB, which are compressible or not. */
const fill = (text) => Array.from({ length: 512 }, (_, i) => ({ type: 'put', key: keyOf(i), value: text(i) }))
const SQUEEZABLE = fill((i) => `${i} `.repeat(2000).slice(0, 4096))
const NOISE = fill((i) => noise(4096, i + 1))

/** Returns the size and the number of tables of a database with these entries. */
async function tablesOf({ open, place }, name, data, options) {
  const where = join(place, name)
  const db = await open(options, where)
  for (let i = 0; i < data.length; i += 64) await db.batch(data.slice(i, i + 64))
  await db.compactRange(keyOf(0), keyOf(99999))
  await db.close()
  return { bytes: bytesOf(where, '.ldb'), count: filesOf(where, '.ldb').length }
}

group('options', () => {
  forBoth('compression is on by default, and can be set in the constructor or open()', async (context) => {
    fs.mkdirSync(context.place)
    const on = await tablesOf(context, 'default', SQUEEZABLE, {})
    const off = await tablesOf(context, 'off', SQUEEZABLE, { compression: false })
    assert.ok(on.bytes < 2 << 20 >> 2, `${on.bytes} bytes with compression`)
    assert.ok(off.bytes > 2 << 20, `${off.bytes} bytes without`)

    const db = new context.Level(join(context.place, 'open'))
    await db.open({ compression: false })
    await db.batch(SQUEEZABLE)
    await db.compactRange(keyOf(0), keyOf(99999))
    await db.close()
    assert.ok(bytesOf(db.location, '.ldb') > 2 << 20)
  })

  forBoth('incompressible data grows little, with compression or without', async (context) => {
    fs.mkdirSync(context.place)
    for (const compression of [true, false]) {
      const { bytes } = await tablesOf(context, String(compression), NOISE, { compression })
      assert.ok(bytes > 1.4 * (1 << 20) && bytes < 2.1 * (1 << 20), `${bytes} bytes`)
    }
  })

  forBoth('maxFileSize limits the size of tables', async (context) => {
    fs.mkdirSync(context.place)
    // Written twice through a small buffer: overlapping tables, which compaction has to merge.
    const options = { compression: false, writeBufferSize: 256 << 10 }
    const large = await tablesOf(context, 'large', [...NOISE, ...NOISE], { ...options, maxFileSize: 8 << 20 })
    const small = await tablesOf(context, 'small', [...NOISE, ...NOISE], { ...options, maxFileSize: 1 << 20 })
    assert.ok(large.count < small.count, `${large.count} tables of 8 MiB, ${small.count} of 1 MiB`)
    assert.ok(small.bytes / small.count < 1.3 * (1 << 20), `${small.bytes} bytes in ${small.count} tables`)
  })

  forBoth('writeBufferSize determines when a memtable is flushed', async ({ open, place }) => {
    fs.mkdirSync(place)
    for (const [writeBufferSize, expected] of [[64 << 10, true], [16 << 20, false]]) {
      const where = join(place, String(writeBufferSize))
      const db = await open({ writeBufferSize, compression: false }, where)
      for (let i = 0; i < 1000; i++) await db.put(keyOf(i), noise(1000, i + 1))
      for (let i = 0; i < 100 && expected && filesOf(where, '.ldb').length < 3; i++) await new Promise((resolve) => setTimeout(resolve, 10))
      assert.equal(filesOf(where, '.ldb').length >= 3, expected, `${filesOf(where, '.ldb')} with ${writeBufferSize}`)
      await db.close()
    }
  })

  forBoth('blockSize and blockRestartInterval change the size of tables', async (context) => {
    fs.mkdirSync(context.place)
    // Keys with long common prefixes and tiny values: the size depends on how many keys are stored
    // whole.
    const data = Array.from({ length: 20_000 }, (_, i) => ({ type: 'put', key: `${'common/'.repeat(8)}${keyOf(i)}`, value: '' }))
    const size = async (name, options) => {
      const db = await context.open({ compression: false, ...options }, join(context.place, name))
      await db.batch(data)
      await db.compactRange('a', 'z')
      await db.close()
      return bytesOf(db.location, '.ldb')
    }
    const whole = await size('whole', { blockRestartInterval: 1 })
    const usual = await size('usual', {})
    const large = await size('large', { blockSize: 64 << 10, blockRestartInterval: 256 })
    assert.ok(whole > 2 * usual && usual > large, `${whole} > 2 * ${usual} > 2 * ${large}`)
  })

  test('Varve: an invalid value is refused by name', () => {
    const wrong = { compression: 'lz4', cacheSize: -1, writeBufferSize: 1.5, blockSize: '4096', maxOpenFiles: 0, blockRestartInterval: 0, maxFileSize: Infinity, filterBits: 44 }
    for (const [name, value] of Object.entries(wrong)) {
      assert.throws(() => new Varve('x', { [name]: value }), (error) => error instanceof (typeof value === 'number' ? RangeError : TypeError) && error.code === 'LEVEL_INVALID_ARGUMENT' && error.message.includes(name))
    }
    assert.equal(fs.existsSync('x'), false)
  })

  test('Varve: filterBits creates filters, and tables of classic-level work without', async () => {
    const place = newPlace()
    const sizes = []
    for (const filterBits of [0, 10, 30]) {
      const where = join(place, String(filterBits))
      const db = new Varve(where, { filterBits, compression: false })
      await db.batch(entries(5000))
      await db.compactRange()
      await db.close()
      sizes.push(bytesOf(where, '.ldb'))
    }
    const [none, ten, thirty] = sizes
    assert.ok(ten - none > 5000 * 10 / 8 && thirty - none > 5000 * 30 / 8, String(sizes))
  })
})

group('opening and closing repeatedly', () => {
  forBoth('keeps the writes of each session', async ({ Level, name, place }) => {
    const db = new Level(place)
    for (let i = 0; i < 60; i++) {
      await db.open()
      await db.put(keyOf(i), String(i))
      if (i > 0) assert.equal(await db.get(keyOf(i - 1)), String(i - 1))
      await db.close()
    }
    await db.open()
    assert.equal((await db.keys().all()).length, 60)
    await db.close()
    const files = fs.readdirSync(place)
    // classic-level converts each log to a table, and compacts them after further writes.
    if (name === 'Varve') assert.ok(files.length < 40, `${files.length} files: ${files}`)
  })

  forBoth('works with concurrent open() and close() calls', async ({ Level, place }) => {
    const db = new Level(place)
    const calls = []
    for (let i = 0; i < 20; i++) calls.push(db.open().catch((error) => error), db.close().catch((error) => error))
    await Promise.all(calls)
    await db.open()
    await db.put('a', '1')
    await db.close()
    assert.equal(db.status, 'closed')
  })
})
