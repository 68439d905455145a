// The behaviour that users of classic-level rely on, part two: sizes, properties, iterators and
// their byte limit, clear() and consistent reads.
import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { codeOf, entries, forBoth, group, keyOf, noise } from './lib/both.mjs'

group('approximateSize and compactRange', () => {
  forBoth('require both bounds', async ({ open }) => {
    const db = await open()
    for (const args of [[], ['a']]) await assert.rejects(db.approximateSize(...args), TypeError)
  })

  forBoth('approximateSize() returns about the size that was written', async ({ open }) => {
    const db = await open({ compression: false })
    for (let i = 0; i < 10; i++) await db.put(`foo${i}`, noise(100_000, i + 1))
    // Entries recovered from the log are counted.
    await db.close()
    await db.open()
    const all = await db.approximateSize('!', '~')
    assert.ok(all > 900_000 && all < 1_100_000, `${all} bytes in the log or a table`)
    await db.compactRange('!', '~')
    const [whole, half, none] = [await db.approximateSize('!', '~'), await db.approximateSize('foo0', 'foo5'), await db.approximateSize('x', 'y')]
    assert.ok(whole > 950_000 && whole < 1_050_000, `${whole} bytes in tables`)
    assert.ok(half > whole * 0.4 && half < whole * 0.6, `${half} bytes for half of them`)
    assert.equal(none, 0)
    assert.equal(await db.approximateSize('b', 'a'), 0)
  })

  forBoth('compactRange() frees the space of deleted entries', async ({ open }) => {
    const db = await open()
    await db.batch(entries(2000, (i) => noise(100, i + 1)))
    await db.compactRange(keyOf(0), keyOf(2000))
    const full = await db.approximateSize(keyOf(0), keyOf(2000))
    await db.batch(Array.from({ length: 1990 }, (_, i) => ({ type: 'del', key: keyOf(i) })))
    await db.compactRange(keyOf(0), keyOf(2000))
    const left = await db.approximateSize(keyOf(0), keyOf(2000))
    assert.ok(left < full / 20, `${left} of ${full} bytes`)
    assert.equal((await db.keys().all()).length, 10)
  })

  forBoth('encode their bounds', async ({ open }) => {
    const calls = []
    const keyEncoding = { name: 'test', format: 'utf8', encode: (key) => { calls.push(key); return key }, decode: (key) => key }
    const given = await open({ keyEncoding })
    await given.approximateSize('a', 'b')
    await given.compactRange('c', 'd')
    await given.close()
    const db = await open()
    await db.approximateSize('e', 'f', { keyEncoding })
    await db.compactRange('g', 'h', { keyEncoding })
    assert.deepEqual(calls, [...'abcdefgh'])
    await db.put('k1', 'v')
    assert.equal(typeof await db.approximateSize(Buffer.from('k'), Uint8Array.of(0xff), { keyEncoding: 'view' }), 'number')
  })

  forBoth('wait for open(), and fail after close()', async ({ Level, place }) => {
    const db = new Level(place)
    await Promise.all([db.approximateSize('a', 'b'), db.compactRange('a', 'b')])
    assert.equal(db.status, 'open')
    await db.close()
    assert.equal(await codeOf(() => db.approximateSize('a', 'b')), 'LEVEL_DATABASE_NOT_OPEN')
    assert.equal(await codeOf(() => db.compactRange('a', 'b')), 'LEVEL_DATABASE_NOT_OPEN')
  })
})

group('properties', () => {
  forBoth('are those of LevelDB, and an empty string for others', async ({ open }) => {
    const db = await open({ compression: false })
    for (const wrong of [undefined, {}, 1, null]) assert.throws(() => db.getProperty(wrong), { name: /TypeError|InvalidArgumentError/, message: "The first argument 'property' must be a string" })
    for (const unknown of ['', 'foo', 'leveldb.foo', 'leveldb.num-files-at-level7', 'leveldb.num-files-at-level', 'leveldb.num-files-at-levelx']) assert.equal(db.getProperty(unknown), '', unknown)
    for (let level = 0; level < 7; level++) assert.equal(db.getProperty(`leveldb.num-files-at-level${level}`), '0')
    assert.ok(db.getProperty('leveldb.stats').split('\n').length > 3)
    assert.equal(db.getProperty('leveldb.sstables'), Array.from({ length: 7 }, (_, level) => `--- level ${level} ---\n`).join(''))
    const before = Number(db.getProperty('leveldb.approximate-memory-usage'))
    await db.batch(entries(1000, () => 'x'.repeat(1000)))
    assert.ok(Number(db.getProperty('leveldb.approximate-memory-usage')) > before + 900_000)
    await db.compactRange('a', 'z')
    const counts = Array.from({ length: 7 }, (_, level) => Number(db.getProperty(`leveldb.num-files-at-level${level}`)))
    assert.ok(counts.reduce((a, b) => a + b) > 0)
    assert.match(db.getProperty('leveldb.sstables'), / \d+:\d+\['key00000' @ \d+ : 1 \.\. /)
    await db.close()
    assert.throws(() => db.getProperty('leveldb.stats'), { code: 'LEVEL_DATABASE_NOT_OPEN' })
  })
})

group('iterators', () => {
  forBoth('stop reading ahead at highWaterMarkBytes', async ({ open }) => {
    const db = await open()
    await db.batch().put('a', '0').put('b', '1').put('c', '2').put('d', '3').write()
    const rows = async (highWaterMarkBytes, method = 'iterator') => {
      const it = db[method]({ highWaterMarkBytes })
      const found = await it.nextv(1000)
      await it.close()
      return found.length
    }
    assert.deepEqual([await rows(0), await rows(1), await rows(2), await rows(5), await rows(1000)], [1, 1, 2, 3, 4])
    assert.deepEqual([await rows(0, 'keys'), await rows(1, 'keys'), await rows(2, 'values')], [1, 2, 3])
    const ahead = async (highWaterMarkBytes) => {
      const it = db.iterator({ highWaterMarkBytes })
      await it.next()
      await it.next()
      const { cached } = it
      await it.close()
      return 1 + cached
    }
    assert.deepEqual([await ahead(0), await ahead(1), await ahead(2), await ahead(1000)], [1, 1, 2, 3])
    for (const highWaterMarkBytes of [0, 1]) assert.equal((await db.iterator({ highWaterMarkBytes }).all()).length, 4)
  })

  forBoth('read one entry after a seek, then ahead', async ({ open }) => {
    const db = await open()
    await db.batch([...'abcdefg'].map((key) => ({ type: 'put', key, value: 'value' })))
    const it = db.iterator()
    assert.deepEqual(await it.next(), ['a', 'value'])
    assert.equal(it.cached, 0)
    assert.deepEqual(await it.next(), ['b', 'value'])
    assert.ok(it.cached > 0)
    it.seek('d')
    assert.equal(it.cached, 0)
    assert.deepEqual(await it.next(), ['d', 'value'])
    assert.equal(it.cached, 0)
    await it.next()
    assert.ok(it.cached > 0)
    assert.deepEqual((await it.nextv(1)).map(([key]) => key), ['f'])
    assert.deepEqual((await it.nextv(10)).map(([key]) => key), ['g'])
    assert.deepEqual(await it.nextv(10), [])
    await it.close()
  })

  forBoth('yield to the event loop', async ({ open }) => {
    const db = await open()
    await db.batch(entries(10_000, () => ''))
    for (const [title, make] of Object.entries({
      next: async function * () { const it = db.iterator({ highWaterMarkBytes: 2 ** 30 }); for (let row; (row = await it.next()) !== undefined;) yield row },
      'for await': () => db.iterator({ highWaterMarkBytes: 2 ** 30 }),
      nextv: async function * () { const it = db.iterator(); for (let rows; (rows = await it.nextv(100)).length > 0;) yield * rows }
    })) {
      let [breaths, seen, over] = [0, 0, false]
      const breathe = async () => { while (!over) { await nextTurn(); breaths++ } }
      const breathing = breathe()
      // Long enough to detect a call that blocks the event loop.
      for (const end = performance.now() + 100; performance.now() < end;) for await (const row of make()) seen += row.length / 2
      over = true
      await breathing
      assert.ok(seen >= 10_000 && breaths >= 4, `${title}: ${breaths} turns for others while ${seen} rows were read in 100 ms`)
    }
  })

  forBoth('do not overflow the stack with many pending calls', async ({ open }) => {
    const db = await open()
    await db.batch(entries(100))
    const its = Array.from({ length: 500 }, () => db.iterator())
    const all = await Promise.all(its.map((it) => it.all()))
    assert.ok(all.every((rows) => rows.length === 100))
  })

  forBoth('see the state at their creation, also when tables are removed', async ({ open }) => {
    const db = await open({ writeBufferSize: 64 << 10, maxFileSize: 1 << 20 })
    await db.batch(entries(3000, (i) => noise(200, i + 1)))
    const it = db.iterator({ highWaterMarkBytes: 0 })
    const values = []
    for (let i = 0; i < 300; i++) {
      const rows = await it.nextv(10)
      for (const [key, value] of rows) values.push([key, value])
      if (i % 20 === 0) {
        await db.batch(entries(3000, () => `new ${i}`))
        await db.compactRange('a', 'z')
      }
    }
    for (const row of await it.all()) values.push(row)
    assert.equal(values.length, 3000)
    values.forEach(([key, value], i) => assert.ok(key === keyOf(i) && value === noise(200, i + 1), key))
    assert.equal(await db.get(keyOf(0)), 'new 280')
  })

  forBoth('work in both directions, with every kind of bound', async ({ open }) => {
    const db = await open()
    await db.batch(entries(50))
    const [a, b] = [keyOf(10), keyOf(20)]
    const keys = async (options) => (await db.keys(options).all()).map((key) => Number(key.slice(3)))
    const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
    for (const [options, expected] of [[{ gt: a, lt: b }, range(11, 19)], [{ gte: a, lt: b }, range(10, 19)], [{ gt: a, lte: b }, range(11, 20)], [{ gte: a, lte: b }, range(10, 20)], [{ lt: a }, range(0, 9)], [{ gte: b }, range(20, 49)], [{ gte: b, lt: a }, []], [{ gt: keyOf(49) }, []]]) {
      assert.deepEqual(await keys(options), expected)
      assert.deepEqual(await keys({ ...options, reverse: true }), expected.toReversed())
      assert.deepEqual(await keys({ ...options, limit: 3 }), expected.slice(0, 3))
      assert.deepEqual(await keys({ ...options, limit: 0 }), [])
    }
  })

  forBoth('fillCache does not change results', async ({ open }) => {
    const db = await open({ cacheSize: 1 << 20 })
    await db.batch(entries(2000, (i) => noise(100, i + 1)))
    await db.compactRange('a', 'z')
    for (const fillCache of [true, false]) {
      assert.equal(await db.get(keyOf(5), { fillCache }), noise(100, 6))
      assert.deepEqual(await db.getMany([keyOf(6), 'no'], { fillCache }), [noise(100, 7), undefined])
      assert.equal(await db.has(keyOf(7), { fillCache }), true)
      assert.equal((await db.iterator({ fillCache }).all()).length, 2000)
    }
  })
})

group('consistent reads', () => {
  forBoth('getMany() is consistent during writes', async ({ open }) => {
    const db = await open()
    const keys = Array.from({ length: 50 }, (_, i) => keyOf(i))
    await db.batch(keys.map((key) => ({ type: 'put', key, value: '0' })))
    let over = false
    const writing = (async () => {
      for (let round = 1; !over; round++) {
        await db.batch(keys.map((key) => ({ type: 'put', key, value: String(round) })))
        if (round % 50 === 0) await nextTurn()
      }
    })()
    const rounds = new Set()
    for (let i = 0; i < 200; i++) {
      const values = await db.getMany(keys)
      assert.equal(new Set(values).size, 1, `of ${new Set(values).size} moments: ${values}`)
      rounds.add(values[0])
      if (i % 20 === 0) await nextTurn()
    }
    over = true
    await writing
    assert.ok(rounds.size > 1, 'there was writing meanwhile')
  })

  forBoth('a read does not see a later write of the same turn', async ({ open }) => {
    const db = await open()
    await db.put('a', '1')
    const [before, , rows] = await Promise.all([db.get('a'), db.put('a', '2'), db.iterator().all()])
    assert.equal(before, '1')
    assert.ok(rows[0][1] === '1' || rows[0][1] === '2')
    assert.equal(await db.get('a'), '2')
  })

  forBoth('an explicit snapshot does not change after writes, clear and compaction', async ({ open }) => {
    const db = await open()
    await db.batch(entries(500))
    const snapshot = db.snapshot()
    await db.batch(entries(500, () => 'new'))
    await db.clear({ gte: keyOf(100) })
    await db.compactRange('a', 'z')
    assert.equal(await db.get(keyOf(200), { snapshot }), 'value200')
    assert.equal((await db.keys({ snapshot }).all()).length, 500)
    assert.deepEqual(await db.getMany([keyOf(1), keyOf(499)], { snapshot }), ['value1', 'value499'])
    assert.equal((await db.keys().all()).length, 100)
    await snapshot.close()
    assert.equal(await codeOf(() => db.get('a', { snapshot })), 'LEVEL_SNAPSHOT_NOT_OPEN')
  })

  forBoth('empty values are stored; empty keys, null and undefined are handled as in abstract-level', async ({ open }) => {
    const db = await open({ keyEncoding: 'view', valueEncoding: 'view' })
    const [empty, a] = [new Uint8Array(0), Uint8Array.of(97)]
    await db.put(a, empty)
    await db.put(empty, a)
    assert.equal((await db.get(a)).length, 0)
    assert.deepEqual([...await db.get(empty)], [97])
    assert.deepEqual((await db.getMany([empty, a, Uint8Array.of(98)])).map((value) => value?.length), [1, 0, undefined])
    assert.deepEqual([await db.has(empty), await db.has(Uint8Array.of(98))], [true, false])
    assert.equal((await db.keys().all()).length, 2)
    assert.equal((await db.keys({ gt: empty }).all()).length, 1)
    assert.equal((await db.keys({ gte: empty }).all()).length, 2)
    for (const wrong of [null, undefined]) {
      assert.equal(await codeOf(() => db.put(wrong, a)), 'LEVEL_INVALID_KEY')
      assert.equal(await codeOf(() => db.put(a, wrong)), 'LEVEL_INVALID_VALUE')
      assert.equal(await codeOf(() => db.get(wrong)), 'LEVEL_INVALID_KEY')
      assert.equal(await codeOf(() => db.batch([{ type: 'del', key: wrong }])), 'LEVEL_INVALID_KEY')
    }
    await db.del(empty)
    assert.equal(await db.get(empty), undefined)
    await db.batch([{ type: 'put', key: 'text', value: '', keyEncoding: 'utf8', valueEncoding: 'utf8' }])
    assert.equal(await db.get('text', { keyEncoding: 'utf8', valueEncoding: 'utf8' }), '')
  })

  forBoth('large values, and every byte, can be read from log and tables', async ({ open }) => {
    const db = await open({ keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const large = Buffer.alloc(5 << 20, bytes)
    for (let i = 0; i < 256; i++) await db.put(Buffer.from([i, 0, 255 - i]), bytes)
    await db.put(bytes, large)
    for (let round = 0; round < 3; round++) {
      assert.ok(large.equals(await db.get(bytes)))
      assert.ok((await db.getMany(Array.from({ length: 256 }, (_, i) => Buffer.from([i, 0, 255 - i])))).every((value) => bytes.equals(value)))
      const keys = await db.keys().all()
      assert.ok(keys.length === 257 && keys.every((key, i) => i === 0 || Buffer.compare(keys[i - 1], key) < 0))
      if (round === 0) await db.compactRange(Buffer.of(), Buffer.of(255, 255), { keyEncoding: 'buffer' })
      else await db.close().then(() => db.open())
    }
  })

  forBoth('text beyond ASCII is sorted by its bytes', async ({ open }) => {
    const db = await open()
    const keys = ['ä', 'z', '日本', 'a', '😀', '\u{10ffff}', '\uffff', '', 'ä́', '\u0000']
    for (const key of keys) await db.put(key, key)
    const expected = keys.map((key) => Buffer.from(key)).sort(Buffer.compare).map(String)
    assert.deepEqual(await db.keys().all(), expected)
    assert.deepEqual(await db.values({ reverse: true }).all(), expected.toReversed())
    assert.deepEqual(await db.getMany(keys), keys)
  })
})

group('clear', () => {
  forBoth('works with ranges, limits and directions, in tables and log', async ({ open }) => {
    const db = await open({ writeBufferSize: 64 << 10 })
    const numbers = async () => (await db.keys().all()).map((key) => Number(key.slice(3)))
    const fill = async () => { await db.clear(); await db.batch(entries(1000, (i) => noise(100, i + 1))); await db.compactRange('a', 'z'); await db.batch(entries(10, () => 'again', 495)) }
    for (const [options, left] of [
      [{ gte: keyOf(100), lt: keyOf(900) }, (i) => i < 100 || i >= 900],
      [{ gt: keyOf(100), lte: keyOf(900) }, (i) => i <= 100 || i > 900],
      [{ lt: keyOf(500) }, (i) => i >= 500],
      [{ gte: keyOf(0), limit: 300 }, (i) => i >= 300],
      [{ reverse: true, limit: 300 }, (i) => i < 700],
      [{ gt: 'x' }, () => true],
      [{ gte: keyOf(10), lt: keyOf(5) }, () => true],
      [{ limit: 0 }, () => true],
      [{}, () => false]
    ]) {
      await fill()
      await db.clear(options)
      const expected = Array.from({ length: 1000 }, (_, i) => i).filter(left)
      assert.deepEqual(await numbers(), expected, JSON.stringify(options))
      await db.compactRange('a', 'z')
      assert.deepEqual(await numbers(), expected, `${JSON.stringify(options)}, compacted`)
    }
  })

  forBoth('of a sublevel keeps the entries of others', async ({ open }) => {
    const db = await open()
    const [one, two] = [db.sublevel('one'), db.sublevel('two', { valueEncoding: 'json' })]
    await db.put('outside', '1')
    await one.batch(entries(100))
    await two.put('a', { deep: [1, 2] })
    await one.clear({ gte: keyOf(10) })
    assert.equal((await one.keys().all()).length, 10)
    await one.clear()
    assert.deepEqual(await one.keys().all(), [])
    assert.deepEqual(await two.get('a'), { deep: [1, 2] })
    assert.equal(await db.get('outside'), '1')
  })
})

test('Varve: compactRange() without bounds compacts the whole database', async () => {
  const db = new Varve(null, { storage: 'memory' })
  await db.batch(entries(1000))
  await db.compactRange()
  assert.ok(await db.approximateSize('a', 'z') > 1000)
  await db.clear()
  await db.compactRange()
  assert.equal(await db.approximateSize('a', 'z'), 0)
  assert.deepEqual((await db.info()).filesAtLevel, [0, 0, 0, 0, 0, 0, 0])
  await db.close()
})
