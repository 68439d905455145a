// Tests of Varve as an abstract-level database that abstract-level's own suite lacks, for every
// storage, in Node and in browsers.
import { Buffer } from 'buffer'

/**
 * @param {any} test tape's
 * @param {any} Varve
 * @param {(options?: object) => any} factory
 * @param {{ inPlace: boolean, hasProperties?: boolean }} place `inPlace`: the engine runs on this
 *   thread, without a storage that returns promises; `hasProperties`: getProperty() is supported
 */
export function ownTests(test, Varve, factory, { inPlace, hasProperties = true }) {
  const withDatabase = (name, act, options) => test(name, async (t) => {
    const db = factory(options)
    await db.open()
    await act(t, db)
    await db.close()
  })

  const codeOf = async (act) => {
    try {
      await act()
    } catch (error) {
      return error.code
    }
  }

  test('invalid locations and options are typed errors', async (t) => {
    const refused = (...args) => codeOf(() => new Varve(...args)).then((code) => t.is(code, 'LEVEL_INVALID_ARGUMENT', JSON.stringify(args)))
    await refused()
    await refused(null)
    await refused('')
    await refused('a\0b')
    await refused(new URL('https://example.com/db'))
    await refused(new URL('file:///a%2Fb'))
    await refused('somewhere', { storage: 'memory' })
    await refused(null, { storage: 'disk' })
    await refused(null, { storage: {} })
    await refused(null, { storage: 'memory', cacheSize: -1 })
    await refused(null, { storage: 'memory', blockSize: '4096' })
    await refused(null, { storage: 'memory', compression: 'zstd' })
    await refused(null, { storage: 'memory', readOnly: 1 })
    const named = new Varve(new URL('file:///no%20where/db'), { createIfMissing: false })
    t.is(named.location, '/no where/db')
    await named.close()
  })

  withDatabase('keys and values of every length and script come back', async (t, db) => {
    const texts = ['', 'a', 'é', '€', '😀', '\ufeffbom', 'short ascii', 'é'.repeat(43), 'é'.repeat(64), 'x'.repeat(127), 'x'.repeat(128),
      'ü'.repeat(70_000), 'x'.repeat(16_384), '\0', 'lone \ud800 surrogate']
    const written = texts.map((text) => text.toWellFormed?.() ?? text.replace('\ud800', '\ufffd'))
    for (const [i, text] of texts.entries()) await db.put(`put ${i} ${text}`, text)
    await db.batch(texts.map((text, i) => ({ type: 'put', key: `batch ${i} ${text}`, value: text })))
    const chained = db.batch()
    for (const [i, text] of texts.entries()) chained.put(`chain ${i} ${text}`, text)
    await chained.write()
    for (const how of ['put', 'batch', 'chain']) {
      const keys = texts.map((text, i) => `${how} ${i} ${text}`)
      t.same(await db.getMany(keys), written, `${how}: getMany`)
      t.same(await Promise.all(keys.map((key) => db.get(key))), written, `${how}: get`)
      t.same(await db.get(keys[3], { valueEncoding: 'buffer' }), Buffer.from(texts[3]), `${how}: get as bytes`)
      const found = new Map(await db.iterator({ gte: how, lt: `${how}~` }).all())
      t.same(written.map((text, i) => found.get(`${how} ${i} ${text}`)), written, `${how}: iterator`)
    }
  })

  withDatabase('a batch that fails half-way leaves nothing behind', async (t, db) => {
    const bad = { name: 'bad', format: 'view', encode: (data) => data, decode: (data) => data }
    t.is(await codeOf(() => db.batch([{ type: 'put', key: 'a', value: '1' }, { type: 'put', key: 'b', value: 7, valueEncoding: bad }])), 'LEVEL_INVALID_ARGUMENT')
    await db.batch([{ type: 'put', key: 'c', value: '3' }])
    const chained = db.batch().put('d', '4')
    t.throws(() => chained.put('e', 7, { valueEncoding: bad }), { code: 'LEVEL_INVALID_ARGUMENT' })
    await chained.put('f', '6').write()
    t.same(await db.keys().all(), ['c', 'd', 'f'])
  })

  withDatabase('a detached buffer is refused, any view is taken', async (t, db) => {
    const detached = new Uint8Array(8)
    structuredClone(detached, { transfer: [detached.buffer] })
    t.is(await codeOf(() => db.put('key', detached, { valueEncoding: 'view' })), 'LEVEL_INVALID_ARGUMENT')
    await db.put('key', new Uint16Array([0x6161, 0x6262]), { valueEncoding: 'view' })
    t.is(await db.get('key'), 'aabb')
  })

  withDatabase('what comes out belongs to the caller', async (t, db) => {
    await db.batch().put('a', '1').put('b', '2').write()
    const value = await db.get('a', { valueEncoding: 'view' })
    value.fill(0)
    t.is(await db.get('a'), '1')
    const rows = await db.iterator({ keyEncoding: 'view', valueEncoding: 'buffer' }).all()
    await db.put('a', '3')
    t.same(rows, [[Uint8Array.of(97), Buffer.from('1')], [Uint8Array.of(98), Buffer.from('2')]])
  })

  withDatabase('an iterator reads one row first, then ahead, within its bytes and its limit', async (t, db) => {
    await db.batch(Array.from({ length: 100 }, (_, i) => ({ type: 'put', key: String(i).padStart(3, '0'), value: 'x'.repeat(100) })))
    const it = db.iterator()
    await it.next()
    t.is(it.cached, 0)
    await it.next()
    t.ok(it.cached > 0)
    it.seek('050')
    t.is(it.cached, 0)
    t.same((await it.next())[0], '050')
    await it.close()

    const small = db.iterator({ highWaterMarkBytes: 0 })
    t.is((await small.nextv(10)).length, 1)
    t.is((await small.all()).length, 99)

    const limited = db.keys({ limit: 3 })
    t.same([await limited.next(), await limited.next()], ['000', '001'])
    limited.seek('090')
    t.same([await limited.next(), await limited.next()], ['090', undefined])
    await limited.close()
    const unbounded = db.iterator({ highWaterMarkBytes: Infinity })
    t.is((await unbounded.nextv(100)).length, 100)
    await unbounded.close()
  })

  withDatabase('a snapshot of another database is refused', async (t, db) => {
    const other = factory()
    await other.open()
    const snapshot = other.snapshot()
    t.is(await codeOf(() => db.get('a', { snapshot })), 'LEVEL_INVALID_ARGUMENT')
    t.throws(() => db.iterator({ snapshot }), { code: 'LEVEL_INVALID_ARGUMENT' })
    await other.close()
  })

  withDatabase('clear() with every kind of bound, limit and direction', async (t, db) => {
    const all = ['', 'a', 'a\0', 'b', 'c', 'd']
    const cleared = async (options) => {
      await db.batch(all.map((key) => ({ type: 'put', key, value: key })))
      await db.clear(options)
      return db.keys().all()
    }
    t.same(await cleared({}), [])
    t.same(await cleared({ gt: 'a', lt: 'c' }), ['', 'a', 'c', 'd'])
    t.same(await cleared({ gte: 'a', lte: 'c' }), ['', 'd'])
    t.same(await cleared({ gte: 'c', lt: 'a' }), all)
    t.same(await cleared({ lte: 'a' }), ['a\0', 'b', 'c', 'd'])
    t.same(await cleared({ reverse: true, limit: 2 }), ['', 'a', 'a\0', 'b'])
    t.same(await cleared({ gt: 'a', limit: 1 }), ['', 'a', 'b', 'c', 'd'])
  })

  withDatabase('beyond abstract-level', async (t, db) => {
    await db.put('a', 'x'.repeat(1000))
    await db.sync()
    await db.flush()
    await db.compactRange('a', 'b')
    await db.compactRange()
    await db.resume()
    t.is(typeof await db.approximateSize('a', 'b'), 'number')
    t.is(await codeOf(() => db.approximateSize('a')), 'LEVEL_INVALID_ARGUMENT')
    if (hasProperties) {
      t.is(typeof db.getProperty('leveldb.stats'), 'string')
      t.is(db.getProperty('foo'), '')
    } else {
      for (const name of ['leveldb.stats', 'foo']) t.throws(() => db.getProperty(name), { code: 'LEVEL_NOT_SUPPORTED' })
    }
    t.throws(() => db.getProperty(1), { code: 'LEVEL_INVALID_ARGUMENT' })
    t.same((await db.verify()).findings, [])
    const info = await db.info()
    t.is(info.location, db.location)
    t.ok(['volatile', 'os-buffered', 'durable', 'creating'].includes(info.durability), info.durability)
    t.is(info.filesAtLevel.length, 7)
  })

  test('methods wait for open() and fail after close()', async (t) => {
    const db = factory()
    t.throws(() => db.getProperty('leveldb.stats'), { code: 'LEVEL_DATABASE_NOT_OPEN' })
    const names = ['sync', 'flush', 'compactRange', 'info', 'verify', 'resume']
    await Promise.all(names.map((name) => db[name]()))
    await db.close()
    for (const name of names) t.is(await codeOf(() => db[name]()), 'LEVEL_DATABASE_NOT_OPEN', name)
    t.is(await codeOf(() => db.approximateSize('a', 'b')), 'LEVEL_DATABASE_NOT_OPEN')
  })

  if (inPlace) {
    withDatabase('operations one after another leave turns to others', async (t, db) => {
      for (const act of [() => db.put('a', '1'), () => db.get('a'), () => db.iterator().all()]) {
        let turns = 0
        const timer = setInterval(() => turns++, 1)
        const end = performance.now() + 500
        while (performance.now() < end) await act()
        clearInterval(timer)
        t.ok(turns >= 3, `${turns} turns in 500 ms`)
      }
    })
  }
}
