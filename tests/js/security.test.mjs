// Hostile callers, bytes and archives get a typed error and have no other effect.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { Varve } from '../../src/js/index.js'
import { zip } from './lib/zip.mjs'

const root = mkdtempSync(join(tmpdir(), 'varve-security-'))
after(() => rmSync(root, { recursive: true, force: true }))

let places = 0
const newPlace = () => join(root, 'inside', `${places++}`)
const inMemory = (options) => new Varve(null, { ...options, storage: 'memory' })

/** The property names of shared prototypes. */
const PROTOTYPES = [Object, Array, Function, String, Number, Boolean, Uint8Array, ArrayBuffer, Map, Promise, Error, Varve].map((Class) => Class.prototype)
const shapeOf = () => PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype).map(String).join())
const shapes = shapeOf()
afterEach(() => {
  assert.deepEqual(shapeOf(), shapes, 'a prototype was changed')
  assert.equal({}.polluted, undefined)
})

/** Checks for an error with a code. */
const typed = (error) => {
  assert.ok(error instanceof Error && /^LEVEL_/.test(error.code), `${error?.stack}`)
  return true
}

// ---- Options and values ----

const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__', 'then', 'toJSON', 'polluted',
  'constructor.prototype', '__proto__.polluted', '["__proto__"]', '__proto__[polluted]', 'constructor[prototype][polluted]', '__PROTO__', '__proto__\0',
  ' __proto__', '__proto__ ', '\u202e__proto__']
/** Each name with ten kinds of values. */
const PAYLOADS = NAMES.flatMap((name) => [
  `{"${escaped(name)}":{"polluted":true}}`,
  `{"${escaped(name)}":{"${escaped(name)}":{"polluted":true}}}`,
  `{"constructor":{"prototype":{"${escaped(name)}":true}}}`,
  `{"a":{"${escaped(name)}":{"polluted":true}}}`,
  `[{"${escaped(name)}":{"polluted":true}}]`,
  `{"${escaped(name)}":["polluted"]}`,
  `{"${escaped(name)}":null}`,
  `{"${escaped(name)}":"polluted","polluted":{"${escaped(name)}":1}}`,
  `{"storage":"memory","${escaped(name)}":{"cacheSize":0,"polluted":true}}`,
  `{"keyEncoding":"utf8","valueEncoding":"json","${escaped(name)}":{"polluted":1}}`
])
function escaped(name) { return JSON.stringify(name).slice(1, -1) }

test(`${PAYLOADS.length} payloads in options, keys and values change no prototype`, async () => {
  assert.equal(PAYLOADS.length, 200)
  const db = inMemory({ valueEncoding: 'json' })
  for (const payload of PAYLOADS) {
    const value = JSON.parse(payload)
    await db.put(payload, value)
    assert.equal(JSON.stringify(await db.get(payload)), JSON.stringify(value), 'it is data, and comes back as it was')
    await db.put('json key', payload, { keyEncoding: 'json' })
    const options = Array.isArray(value) ? value[0] : value
    await db.get('a', options).catch(typed)
    await db.put('a', 1, options).catch(typed)
    await db.batch([{ type: 'put', key: 'a', value: 1, ...options }], options).catch(typed)
    await db.iterator(options).all().catch(typed)
    await db.clear({ gt: '\uffff', ...options }).catch(typed)
    await db.compactRange('x', 'y', options).catch(typed)
    const other = new Varve(null, { ...options, storage: 'memory' })
    await other.open(options).catch(typed)
    assert.equal(other.polluted, undefined)
    await other.close()
    await Varve.import(null, new Uint8Array(0), { ...options, storage: 'memory' }).then(assert.fail, typed)
  }
  assert.equal((await db.keys().all()).length >= 200, true)
  await db.close()
})

test('properties of Object.prototype are not read as options', async () => {
  const set = { createIfMissing: false, errorIfExists: true, readOnly: true, storage: 'nonsense', cacheSize: -1, maxBytes: 1, maxRatio: 1, worker: 'yes', recovery: 5 }
  for (const [name, value] of Object.entries(set)) Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true })
  try {
    const own = new Varve(newPlace(), { createIfMissing: true, errorIfExists: false })
    await own.put('a', '1')
    const archive = await new Response(own.export()).arrayBuffer()
    const copy = await Varve.import(newPlace(), archive, { createIfMissing: true, errorIfExists: false })
    assert.equal(await copy.get('a'), '1')
    await copy.close()
    await own.close()
  } finally {
    for (const name of Object.keys(set)) delete Object.prototype[name]
  }
})

test('getters are read once, and their errors reach the caller', async () => {
  let reads = 0
  const place = newPlace()
  const db = new Varve(place, { get cacheSize() { return reads++ === 0 ? 1 << 20 : -1 }, get blockSize() { return 4096 } })
  await db.put('a', '1')
  assert.equal(reads, 1)
  assert.equal((await db.info()).cache.size, 1 << 20)
  await db.close()
  const mine = new Error('mine')
  const hostile = { get cacheSize() { throw mine } }
  assert.throws(() => new Varve(newPlace(), hostile), mine)
  await assert.rejects(Varve.repair(place, hostile), mine)
  await assert.rejects(Varve.import(newPlace(), new Uint8Array(0), hostile), mine)
  const open = inMemory()
  await assert.rejects(async () => open.get('a', { get valueEncoding() { throw mine } }), mine)
  await assert.rejects(async () => open.put('a', '1', { get sync() { throw mine } }), mine)
  assert.throws(() => open.iterator({ get gt() { throw mine } }), mine)
  await open.put('b', '2')
  assert.equal(await open.get('b'), '2', 'and nothing is held up by it')
  await open.close()
})

test('invalid options are refused by name', () => {
  const bad = [NaN, Infinity, -1, 1.5, '5', {}, [], Symbol('x'), 1n, 2 ** 53, () => 5]
  for (const name of ['cacheSize', 'writeBufferSize', 'blockSize', 'maxOpenFiles', 'maxFileSize', 'blockRestartInterval', 'filterBits', 'maxValueBytes']) {
    for (const value of bad) {
      assert.throws(() => new Varve('x', { [name]: value }), (error) => typed(error) && error.message.includes(name), `${name} ${String(value)}`)
    }
  }
  for (const name of ['readOnly', 'paranoidChecks', 'reuseLogs', 'compression', 'recovery', 'worker']) {
    for (const value of [1, 'yes', {}, [], Symbol('x')]) assert.throws(() => new Varve('x', { [name]: value }), typed, name)
  }
})

// ---- Buffers ----

test('detached buffers are refused, whole batches with them', async () => {
  const detached = () => {
    const bytes = new Uint8Array(8).fill(1)
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
    return bytes
  }
  const db = inMemory({ keyEncoding: 'view', valueEncoding: 'view' })
  const good = new Uint8Array([1])
  await db.open()
  for (const act of [
    () => db.put(detached(), good), () => db.put(good, detached()), () => db.get(detached()), () => db.del(detached()),
    () => db.has(detached()), () => db.getMany([good, detached()]), () => db.hasMany([detached(), good]),
    () => db.batch([{ type: 'put', key: good, value: good }, { type: 'put', key: good, value: detached() }]),
    () => db.batch().put(good, detached()), () => db.iterator({ gte: detached() }).all(), () => db.compactRange(detached(), good),
    () => Varve.import(null, detached(), { storage: 'memory' }), () => Varve.import(null, [detached()], { storage: 'memory' })
  ]) await assert.rejects(async () => act(), typed, String(act))
  assert.equal(await db.get(good), undefined, 'nothing of a refused batch is there')
  await db.close()
})

test('shared and resizable buffers are copied at the call', async () => {
  const db = inMemory({ keyEncoding: 'view', valueEncoding: 'view' })
  await db.open()
  const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(7)
  const resizable = new Uint8Array(new ArrayBuffer(4, { maxByteLength: 1 << 20 })).fill(8)
  const done = [db.put(shared, resizable), db.put(resizable, shared), db.batch([{ type: 'put', key: new Uint8Array([9]), value: shared }])]
  shared.fill(0)
  resizable.buffer.resize(0)
  await Promise.all(done)
  assert.deepEqual([...await db.get(new Uint8Array(4).fill(7))], [8, 8, 8, 8])
  assert.deepEqual([...await db.get(new Uint8Array(4).fill(8))], [7, 7, 7, 7])
  assert.deepEqual([...await db.get(new Uint8Array([9]))], [7, 7, 7, 7])
  const growing = new ArrayBuffer(8, { maxByteLength: 1 << 16 })
  const outside = new Uint8Array(growing, 4, 4)
  growing.resize(2)
  await assert.rejects(async () => db.put(outside, new Uint8Array(1)), typed)
  await db.close()
})

test('changes to arguments after the call have no effect', async () => {
  for (const options of [{}, { worker: true }]) {
    const db = inMemory({ keyEncoding: 'view', valueEncoding: 'view', ...options })
    await db.open()
    const [key, value] = [new Uint8Array(100).fill(1), new Uint8Array(100_000).fill(2)]
    const chained = db.batch().put(new Uint8Array([5]), value)
    const done = [db.put(key, value), db.batch([{ type: 'put', key: new Uint8Array([6]), value }])]
    value.fill(3)
    await Promise.all([...done, chained.write()])
    key.fill(9)
    const found = await db.getMany([new Uint8Array(100).fill(1), new Uint8Array([5]), new Uint8Array([6])])
    for (const bytes of found) assert.ok(bytes.length === 100_000 && bytes.every((byte) => byte === 2))
    // Returned bytes belong to the caller.
    found[0].fill(4)
    assert.ok((await db.get(new Uint8Array(100).fill(1))).every((byte) => byte === 2))
    await db.close()
  }
})

test('an encoding can close the database, or write, during an operation', async () => {
  for (const act of ['close', 'put', 'throw']) {
    let armed = true
    let closing
    const db = inMemory()
    const encoding = {
      name: 'hostile',
      format: 'utf8',
      encode(key) {
        if (armed) {
          armed = false
          if (act === 'close') closing = db.close()
          else if (act === 'put') db.put('other', '1').catch(() => {})
          else throw new Error('from the encoding')
        }
        return `${key}`
      },
      decode: (key) => key
    }
    await db.open()
    const calls = [
      () => db.put('k', 'v', { keyEncoding: encoding }), () => db.get('k', { keyEncoding: encoding }),
      () => db.batch([{ type: 'put', key: 'a', value: '1' }, { type: 'put', key: 'k', value: 'v', keyEncoding: encoding }]),
      () => db.getMany(['k'], { keyEncoding: encoding }), () => db.iterator({ gt: 'a', keyEncoding: encoding }).all(),
      () => db.compactRange('a', 'b', { keyEncoding: encoding })
    ]
    for (const call of calls) {
      armed = true
      try {
        await call()
      } catch (error) {
        assert.ok(act === 'throw' ? /from the encoding/.test(error.message) : typed(error), error.stack)
      }
      await closing
      await db.open()
      await db.put('still', 'here')
      assert.equal(await db.get('still'), 'here')
    }
    await db.close()
  }
})

test('a toString can close the database during an encoding', async () => {
  const db = inMemory()
  await db.open()
  let closing
  const key = { toString() { closing ??= db.close(); return 'k' }, valueOf() { return this.toString() }, [Symbol.toPrimitive]() { return this.toString() } }
  await assert.rejects(async () => {
    await db.put(key, 'v')
    throw Object.assign(new Error('a write to a closed database was acknowledged or refused: both will do'), { code: 'LEVEL_DONE' })
  }, typed)
  await closing
  await db.open()
  assert.ok([undefined, 'v'].includes(await db.get('k')))
  await db.close()
})

test('lone surrogates, long keys and unusual keys are stored', async () => {
  const db = inMemory({ maxValueBytes: 1 << 20 })
  for (const key of ['\ud800', 'a\udfffb', '\udc00\ud800', '\0', '\ufeff', '\uffff', '__proto__', 'constructor', '../x', 'x'.repeat(1 << 20)]) {
    await db.put(key, key)
    const bytes = Buffer.from(key, 'utf8').toString()
    assert.equal(await db.get(key), bytes)
    assert.equal(await db.has(key), true)
    assert.deepEqual(await db.getMany([key, key]), [bytes, bytes])
  }
  for (const long of ['x'.repeat((1 << 20) + 1), '\u20ac'.repeat(400_000)]) {
    await assert.rejects(db.put(long, ''), { code: 'LEVEL_LIMIT_EXCEEDED' })
    await assert.rejects(db.put('', long), (error) => typed(error))
    await assert.rejects(db.batch([{ type: 'put', key: 'part', value: '' }, { type: 'put', key: long, value: '' }]), { code: 'LEVEL_LIMIT_EXCEEDED' })
  }
  assert.equal(await db.get('part'), undefined)
  await db.close()
})

// ---- Locations ----

const COMPONENTS = ['..', '.', '', '~', '...', 'a/..', '../..', '..\\..', 'CON', 'NUL', 'C:', '\\\\host', '%2e%2e', '..%2f', '\u2025', '\uff0e\uff0e', '.. ', '..\0', '\ufeff..', '__proto__']
const FORMS = [
  (part) => `${part}/CURRENT`, (part) => `/${part}/CURRENT`, (part) => `${part}\\CURRENT`, (part) => `db/${part}/../../../CURRENT`,
  (part) => `${part}/000005.ldb`, (part) => `db/${part}`, (part) => `${part}`, (part) => `${part}/../MANIFEST-000002`, (part) => `./${part}/../000003.log`,
  (part) => `C:\\${part}\\CURRENT`, (part) => `${part}\0/CURRENT`, (part) => `${part}/CURRENT\0.txt`, (part) => `${part}\n000005.ldb`, (part) => `//${part}/000005.ldb`,
  (part) => `${part}:000005.ldb`, (part) => `file:///${part}/CURRENT`, (part) => `${part}/CURRENT/`, (part) => `\r${part}`, (part) => `${part}/current`,
  (part) => `${part}/000005.ldb/x`, (part) => `000005.ldb/${part}`, (part) => `${part}.ldb`, (part) => `MANIFEST-${part}`, (part) => `${part}/LOCK/../x`,
  (part) => `lost/../${part}/000001.log`
]

test('hostile names in zips: nothing is written outside, and no files are left', async () => {
  // Every fourth, of each form and of each part; all by VARVE_LONG=1.
  const names = COMPONENTS.flatMap((part, i) => FORMS.filter((_, j) => process.env.VARVE_LONG === '1' || (i + j) % 4 === 0).map((form) => form(part)))
  assert.ok(names.length >= 125)
  const before = listing(root)
  let refused = 0
  for (const name of names) {
    const place = newPlace()
    const archive = zip([{ name: 'MANIFEST-000002', data: 'edits' }, { name, data: 'hostile' }, { name: 'CURRENT', data: 'MANIFEST-000002\n' }])
    // A manifest like this is not a database: the import fails for every name, and leaves no files.
    await assert.rejects(Varve.import(place, archive), (error) => {
      typed(error)
      assert.equal(error.code, 'LEVEL_CORRUPTION', `${JSON.stringify(name)}: ${error.message}`)
      if (error.file !== 'MANIFEST-000002') refused++
      return true
    })
    assert.ok(!existsSync(place), JSON.stringify(name))
  }
  assert.deepEqual(listing(root), before)
  assert.ok(refused > names.length * 0.9, `${refused} of the names were refused for themselves, the others passed over`)
})

const listing = (folder) => existsSync(folder) ? readdirSync(folder, { recursive: true }).sort() : []

test('locations are treated as plain paths', async () => {
  for (const location of ['', 'a\0b', 'x\0', 5, {}, [], Symbol('x'), () => 'x', NaN, true, new URL('http://localhost/x'), new URL('file://host/x'), new URL('file:///a%2Fb')]) {
    assert.throws(() => new Varve(location), typed, String(location))
    await assert.rejects(async () => Varve.destroy(location), typed)
    await assert.rejects(async () => Varve.import(location, new Uint8Array(0)), typed)
  }
  // Other files are kept when a database is destroyed.
  const place = newPlace()
  const db = new Varve(place)
  await db.put('a', '1')
  await db.close()
  writeFileSync(join(place, 'diary.txt'), 'mine')
  await Varve.destroy(place)
  assert.deepEqual(readdirSync(place).filter((name) => !/^LOCK/.test(name)), ['diary.txt'])
})

// ---- Archives ----

const manifest = { name: 'MANIFEST-000002', data: 'edits' }
const current = { name: 'CURRENT', data: 'MANIFEST-000002\n' }
const table = { name: '000005.ldb', data: 'x'.repeat(1000), deflate: true }

const LIES = {
  'an encrypted entry': [[manifest, { ...table, flags: 1 }, current], 'LEVEL_NOT_SUPPORTED'],
  'strong encryption': [[manifest, { ...table, flags: 1 << 6 }, current], 'LEVEL_NOT_SUPPORTED'],
  'an unknown method': [[manifest, { ...table, method: 93 }, current], 'LEVEL_NOT_SUPPORTED'],
  'deflate64': [[manifest, { ...table, method: 9 }, current], 'LEVEL_NOT_SUPPORTED'],
  'a symbolic link': [[manifest, { ...table, mode: 0o120777 }, current], 'LEVEL_CORRUPTION'],
  'a name twice': [[manifest, table, table, current], 'LEVEL_CORRUPTION'],
  'CURRENT twice': [[manifest, current, current], 'LEVEL_CORRUPTION'],
  'one number, written in two ways': [[manifest, { ...table, name: '000005.ldb' }, { ...table, name: '5.ldb' }, current], 'LEVEL_CORRUPTION'],
  'a wrong checksum': [[manifest, { ...table, crc: 5 }, current], 'LEVEL_CORRUPTION'],
  'too large a size': [[manifest, { ...table, size: 1001 }, current], 'LEVEL_CORRUPTION'],
  'too small a size': [[manifest, { ...table, size: 999 }, current], 'LEVEL_CORRUPTION'],
  'a size of 4 GiB': [[manifest, { ...table, size: 0xfffffffe }, current], 'LEVEL_LIMIT_EXCEEDED'],
  'a wide size that is not there': [[manifest, { ...table, size: 0xffffffff }, current], 'LEVEL_CORRUPTION'],
  'a stored size too large': [[manifest, { ...table, stored: 5000 }, current], 'LEVEL_CORRUPTION'],
  'stored content of two sizes': [[manifest, { name: '000005.ldb', data: 'xyz', size: 2 }, current], 'LEVEL_CORRUPTION'],
  'garbage for deflate': [[manifest, { ...table, content: Buffer.alloc(50, 0xff) }, current], 'LEVEL_CORRUPTION'],
  'deflate that never ends': [[manifest, { ...table, content: deflateRawSync(Buffer.alloc(1000)).subarray(0, -2) }, current], 'LEVEL_CORRUPTION'],
  'overlapping entries': [[manifest, table, { ...table, name: '000006.ldb', central: { offset: 40 } }, current], 'LEVEL_CORRUPTION'],
  'two names for one entry': [[manifest, table, { ...current, central: { offset: 0 } }], 'LEVEL_CORRUPTION'],
  'another name in the directory': [[manifest, { ...table, central: { name: Buffer.from('../../x.ldb') } }, current], 'LEVEL_CORRUPTION'],
  'another size in the directory': [[manifest, { ...table, central: { size: 1 } }, current], 'LEVEL_CORRUPTION'],
  'another method in the directory': [[manifest, { ...table, central: { method: 0 } }, current], 'LEVEL_CORRUPTION'],
  'fewer entries than it says': [[manifest, table, current], 'LEVEL_CORRUPTION', { count: 4 }],
  'bytes before it': [[manifest, table, current], 'LEVEL_CORRUPTION', { prefix: Buffer.from('#!/bin/sh\n') }],
  'no CURRENT': [[manifest, table], 'LEVEL_CORRUPTION'],
  'a CURRENT that climbs': [[manifest, { ...current, data: '../MANIFEST-000002\n' }], 'LEVEL_CORRUPTION'],
  'a CURRENT of a megabyte': [[manifest, { ...current, data: Buffer.alloc(1 << 20) }], 'LEVEL_CORRUPTION'],
  'a manifest that is not there': [[table, current], 'LEVEL_CORRUPTION'],
  'two folders': [[{ ...manifest, name: 'a/MANIFEST-000002' }, { ...current, name: 'b/CURRENT' }], 'LEVEL_CORRUPTION'],
  'nothing': [[], 'LEVEL_CORRUPTION'],
  'a name of 60,000 bytes': [[manifest, { ...table, name: 'a/'.repeat(30_000) + '000005.ldb' }, current], 'LEVEL_CORRUPTION']
}

for (const [what, [entries, code, more]] of Object.entries(LIES)) {
  test(`a zip with ${what} is refused, and no files are left`, async () => {
    const archive = zip(entries, more)
    for (const size of [archive.length + 1, 17]) {
      const place = newPlace()
      const pieces = (function * () { for (let at = 0; at < archive.length; at += size) yield archive.subarray(at, at + size) })()
      await assert.rejects(Varve.import(place, pieces), (error) => {
        assert.equal(error.code, code, error.message)
        if (code === 'LEVEL_CORRUPTION') assert.ok(typeof error.file === 'string' && error.offset >= 0 && error.offset <= archive.length, error.message)
        return true
      })
      assert.ok(!existsSync(place))
    }
  })
}

test('a zip with trailing or missing bytes is refused', async () => {
  const archive = zip([manifest, table, current])
  await assert.rejects(Varve.import(newPlace(), Buffer.concat([archive, archive])), { code: 'LEVEL_CORRUPTION', offset: archive.length })
  await assert.rejects(Varve.import(newPlace(), Buffer.from('not a zip at all')), { code: 'LEVEL_CORRUPTION', file: 'archive', offset: 0 })
})

test('bombs of 10,000 times their size, and of deflate\'s maximum ratio, end early in little memory', async () => {
  const zeros = deflateRawSync(Buffer.alloc(64 << 20), { level: 9 })
  const claims = zip([manifest, { name: '000005.log', content: Buffer.alloc(1000), method: 8, size: 10_000_000, crc: 0 }, current])
  const many = zip([manifest, ...Array.from({ length: 200 }, (_, i) => ({ name: `lost/${i}.log`, content: deflateRawSync(Buffer.alloc(1 << 20)), method: 8, size: 1 << 20, crc: 0xa738ea1c })), current])
  const honest = zip([manifest, { name: '000005.log', content: zeros, method: 8, size: 64 << 20, crc: 0 }, current])
  // There is no size before the content, so bytes must be counted.
  const silent = Buffer.concat([zip([{ name: '000005.log', content: zeros, method: 8, size: 0, stored: 0, crc: 0, flags: 8 }]).subarray(0, 30 + 10 + zeros.length)])
  for (const [archive, options] of [[claims, {}], [many, {}], [honest, {}], [silent, {}], [honest, { maxRatio: 2000, maxBytes: 1 << 20 }], [silent, { maxRatio: 1e9, maxBytes: 4 << 20 }]]) {
    globalThis.gc?.()
    const before = process.memoryUsage().rss
    const place = newPlace()
    await assert.rejects(Varve.import(place, archive, options), { code: 'LEVEL_LIMIT_EXCEEDED' })
    assert.ok(!existsSync(place))
    const used = process.memoryUsage().rss - before
    assert.ok(used < 64 << 20, `${used} bytes`)
  }
  for (const [name, value] of [['maxBytes', 0], ['maxBytes', -1], ['maxBytes', NaN], ['maxBytes', '5'], ['maxRatio', 0.5], ['maxRatio', {}]]) {
    await assert.rejects(Varve.import(newPlace(), claims, { [name]: value }), { code: 'LEVEL_INVALID_ARGUMENT' })
  }
})
