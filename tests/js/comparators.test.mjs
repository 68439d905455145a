// Databases in other orders than that of bytes: Chromium's IndexedDB, and orders that nobody here knows.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { explainKeys, guessScheme, keyHistory, keyOf, mapDirectory, mapTable, measureFilter, openBlock, probeFilter, rankKeys, sweepLog, sweepTable, traceKey } from '../../src/js/inspect/index.js'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { zip } from './lib/zip.mjs'

const FIXTURES = inRoot('tests', 'fixtures')
const LIBRARY = join(FIXTURES, 'chromium-library')
const IDB = { comparator: 'idb_cmp1', keyEncoding: 'buffer', valueEncoding: 'buffer' }

const scratch = fs.mkdtempSync(join(tmpdir(), 'varve-comparators-'))
after(() => fs.rmSync(scratch, { recursive: true, force: true }))
let places = 0
const newPlace = () => join(scratch, String(places++))

/** A writable copy of a fixture. */
function copyOf(folder) {
  const place = newPlace()
  fs.cpSync(folder, place, { recursive: true })
  for (const name of fs.readdirSync(place)) fs.chmodSync(join(place, name), 0o600)
  return place
}

const sourceOf = (path) => {
  const bytes = fs.readFileSync(path)
  return { name: path.split('/').at(-1), size: bytes.length, read: (offset, into) => bytes.copy(into, 0, offset, offset + into.length) }
}
const sourcesOf = (folder) => fs.readdirSync(folder).sort().map((name) => sourceOf(join(folder, name)))

/** Asserts that each key is after the one before, in the order of idb_cmp1. */
async function assertAscending(keys) {
  const ranks = await rankKeys('idb_cmp1', keys)
  assert.deepEqual([...ranks], keys.map((_, index) => index))
}

// ---- Keys of IndexedDB ----

const number = (value) => {
  const bytes = Buffer.alloc(9, 3)
  bytes.writeDoubleLE(value, 1)
  return bytes
}
const string = (text) => Buffer.concat([Buffer.from([1, text.length]), Buffer.from(text, 'utf16le').swap16()])
const record = (key) => Buffer.concat([Buffer.from([0, 1, 1, 1]), key])

describe('idb_cmp1', () => {
  test('is the order of a table and a log of Chromium, and of what is written to a copy', async () => {
    const db = new Varve(copyOf(LIBRARY), IDB)
    const before = await db.keys().all()
    await assertAscending(before)
    assert.notDeepEqual(before, before.toSorted(Buffer.compare), 'another order than that of bytes')
    const added = [-5, 0.5, 3, 256, 1e9].map((value) => record(number(value)))
    for (const key of added) await db.put(key, key)
    await db.put(record(number(-0)), Buffer.from('minus zero'))
    assert.equal(String(await db.get(record(number(0)))), 'minus zero', 'one key')
    await db.flush()
    const keys = await db.keys().all()
    await assertAscending(keys)
    assert.equal(keys.length, before.length + 6)
    assert.deepEqual(await db.keys({ reverse: true }).all(), keys.toReversed())
    await db.compactRange()
    assert.deepEqual(await db.keys().all(), keys)
    assert.deepEqual((await db.verify()).findings, [])
    await db.close()
    await db.open()
    assert.deepEqual(await db.keys().all(), keys)
    for (const key of added) assert.deepEqual(await db.get(key), key)
    await db.close()
  })

  test('ranges, seeks, snapshots and clear follow it', async () => {
    const db = new Varve(newPlace(), IDB)
    const values = [-1000, -2, -1, 0, 1, 2, 10, 100, 256, 65_536]
    const keys = [...values.map((value) => record(number(value))), ...['', 'a', 'b'].map((text) => record(string(text)))]
    await db.batch(keys.toSorted(Buffer.compare).map((key) => ({ type: 'put', key, value: key })))
    const of = (range) => db.keys(range).all()
    assert.deepEqual(await of({ gte: keys[2], lt: keys[6] }), keys.slice(2, 6))
    assert.deepEqual(await of({ gt: keys[2], lte: keys[6] }), keys.slice(3, 7))
    assert.deepEqual(await of({ gt: keys[2], lte: keys[6], reverse: true, limit: 2 }), [keys[6], keys[5]])
    assert.deepEqual(await of({ gte: record(Buffer.from([1])) }), keys.slice(10), 'the beginning of all texts')
    for (const range of [{ gt: record(Buffer.alloc(0)) }, { lte: record(number(1)).subarray(0, 8) }]) {
      await assert.rejects(async () => of(range), { code: 'LEVEL_INVALID_ARGUMENT' })
    }
    const iterator = db.keys({ gte: keys[1], lt: keys[9] })
    iterator.seek(keys[7])
    assert.deepEqual(await iterator.next(), keys[7])
    iterator.seek(keys[0])
    assert.equal(await iterator.next(), undefined, 'outside the bounds')
    await iterator.close()
    const snapshot = db.snapshot()
    await db.clear({ gt: keys[3], lte: keys[8] })
    assert.deepEqual(await of({}), [...keys.slice(0, 4), ...keys.slice(9)])
    assert.deepEqual(await db.keys({ snapshot }).all(), keys)
    await snapshot.close()
    await db.clear()
    assert.deepEqual(await of({}), [])
    await db.close()
  })

  test('any bytes can be keys', async () => {
    const db = new Varve(newPlace(), IDB)
    const keys = Array.from({ length: 400 }, (_, i) => Buffer.from(Array.from({ length: i % 9 }, (_, j) => (i * 31 + j * 17) % 7)))
    for (const key of keys) await db.put(key, key)
    const found = await db.keys().all()
    await assertAscending(found)
    for (const key of keys) assert.deepEqual(await rankKeys('idb_cmp1', [key, await db.get(key)]), Uint32Array.of(0, 0))
    await db.close()
  })

  test('must be the comparator of the database', async () => {
    const isRefused = (name) => (error) => error.cause.code === 'LEVEL_INVALID_ARGUMENT' && error.cause.message.includes(name)
    await assert.rejects(new Varve(LIBRARY, { readOnly: true }).open(), isRefused('idb_cmp1'))
    await assert.rejects(new Varve(join(FIXTURES, 'versions'), { readOnly: true, comparator: 'idb_cmp1' }).open(), isRefused('leveldb.BytewiseComparator'))
    await assert.rejects(new Varve(newPlace(), { comparator: 'other' }).open(), (error) => error.cause.code === 'LEVEL_NOT_SUPPORTED')
    assert.throws(() => new Varve(newPlace(), { comparator: 7 }), { code: 'LEVEL_INVALID_ARGUMENT' })
  })
})

describe('an order that is not known', () => {
  test('is imported as it is stored, and the error without that names it', async () => {
    const names = fs.readdirSync(reverse).filter((name) => name !== 'LOCK')
    const archive = zip(names.map((name) => ({ name, data: fs.readFileSync(join(reverse, name)) })))
    for (const comparator of [undefined, 'idb_cmp1']) {
      const place = newPlace()
      await assert.rejects(Varve.import(place, archive, { comparator }), { code: 'LEVEL_INVALID_ARGUMENT', message: /corpus\.ReverseBytewise.*as-stored and readOnly/ })
      assert.equal(fs.existsSync(place), false)
    }
    await assert.rejects(Varve.import(newPlace(), archive, { comparator: 'as-stored', readOnly: false }), { code: 'LEVEL_INVALID_ARGUMENT', message: /needs readOnly/ })
    const place = newPlace()
    const db = await Varve.import(place, archive, { comparator: 'as-stored', keyEncoding: 'hex' })
    const keys = await db.keys().all()
    assert.equal(keys.length, 560)
    await db.close()
    for (const name of names) assert.deepEqual(fs.readFileSync(join(place, name)), fs.readFileSync(join(reverse, name)), name)
    const again = new Varve(place, { comparator: 'as-stored', readOnly: true, keyEncoding: 'hex' })
    assert.deepEqual(await again.keys().all(), keys)
    await again.close()
    const inMemory = await Varve.import(null, archive, { storage: 'memory', comparator: 'as-stored', keyEncoding: 'hex' })
    assert.deepEqual(await inMemory.keys().all(), keys)
    await inMemory.close()
  })

  const reverse = join(FIXTURES, 'comparator-reverse')

  test('is a notice of verify and the inspector, and nothing is damaged', async () => {
    const report = await Varve.verify(reverse)
    assert.deepEqual([report.findings, report.unknownComparator], [[], 'corpus.ReverseBytewise'])
    assert.equal((await Varve.verify(LIBRARY)).unknownComparator, undefined)
    const { findings } = await mapDirectory(sourcesOf(reverse), { sweep: true })
    assert.deepEqual(findings.map(({ code, severity }) => `${code} ${severity}`), ['M07 info'])
    assert.match(findings[0].reason, /corpus\.ReverseBytewise/)
    assert.equal(await rankKeys('corpus.ReverseBytewise', []), undefined)
  })

  test('its entries are read as they are stored, and never written', async () => {
    const db = new Varve(reverse, { comparator: 'as-stored', readOnly: true, keyEncoding: 'hex', valueEncoding: 'buffer' })
    const keys = await db.keys().all()
    assert.deepEqual([keys.length, new Set(keys).size], [560, 560])
    const notSupported = { code: 'LEVEL_NOT_SUPPORTED' }
    await assert.rejects(db.get(keys[0]), notSupported)
    await assert.rejects(db.has(keys[0]), notSupported)
    await assert.rejects(db.keys({ reverse: true }).all(), notSupported)
    await assert.rejects(async () => db.keys({ gte: keys[0] }).all(), notSupported)
    await assert.rejects(db.put('00', Buffer.from('v')))
    assert.deepEqual((await db.verify()).findings, [])
    await db.close()
    await assert.rejects(new Varve(copyOf(reverse), { comparator: 'as-stored' }).open(), (error) => error.cause.code === 'LEVEL_INVALID_ARGUMENT')
  })

  test('damage is found in it all the same', async () => {
    const copy = copyOf(reverse)
    const name = fs.readdirSync(copy).find((each) => each.endsWith('.ldb'))
    const bytes = fs.readFileSync(join(copy, name))
    bytes[100] ^= 1
    fs.writeFileSync(join(copy, name), bytes)
    const { findings } = await Varve.verify(copy)
    assert.deepEqual(findings.map(({ code, file }) => [code, file]), [['LEVEL_CORRUPTION', name]])
  })
})

// ---- The inspector ----

/** The user keys of a table. */
async function keysOfTable(source) {
  const { handles } = await mapTable(source)
  const keys = []
  for (const [at, offset] of handles.offset.entries()) {
    const block = await openBlock(source, { kind: 'data', offset, size: handles.size[at] })
    for (let i = 0; i < block.entries.length; i++) keys.push(keyOf(block, i).subarray(0, -8))
  }
  return keys
}

async function swept(parts) {
  const findings = []
  let last
  for await (const part of parts) {
    findings.push(...part.findings)
    last = part
  }
  return { ...last, findings }
}

describe('the inspector', () => {
  const table = sourceOf(join(LIBRARY, '000008.ldb'))

  test('checks the order that the manifest names', async () => {
    const codes = async (options) => (await swept(sweepTable(table, options))).findings.map(({ code, severity }) => `${code} ${severity}`)
    assert.deepEqual(await codes({ comparator: 'idb_cmp1' }), [])
    assert.deepEqual(await codes({}), ['T22 info'])
    assert.deepEqual(await codes({ comparator: 'another.order' }), [])
    const healthy = sourceOf(join(FIXTURES, 'bedrock-zlib', '000005.ldb'))
    assert.deepEqual((await swept(sweepTable(healthy, { comparator: 'idb_cmp1' }))).findings.map(({ code, severity }) => `${code} ${severity}`), ['T22 warn'])
    const { summary, findings } = await mapDirectory(sourcesOf(LIBRARY), { sweep: true })
    assert.equal(Buffer.from(summary.facts.comparator, 'hex').toString(), 'idb_cmp1')
    assert.deepEqual(findings, [])
  })

  test('sweeps in the order that is given where no manifest names one', async () => {
    const infos = async (options) => (await mapDirectory([table], { sweep: true, ...options })).findings.filter(({ code }) => code === 'T22').length
    assert.deepEqual([await infos(), await infos({ comparator: 'idb_cmp1' }), await infos({ comparator: 'as-stored' })], [1, 0, 0])
  })

  test('traces a look-up as `get` answers it, and finds all spellings of a key', async () => {
    const place = copyOf(LIBRARY)
    const db = new Varve(place, IDB)
    const [zero, minus] = [record(number(0)), record(number(-0))]
    await db.put(zero, Buffer.from('zero'))
    await db.flush()
    await db.put(minus, Buffer.from('minus'))
    const keys = [...(await db.keys().all()).filter((_, index) => index % 9 === 0), zero, minus, record(number(12345.5)), Buffer.from('none')]
    const values = await db.getMany(keys)
    await db.close()
    const sources = sourcesOf(place)
    for (const [at, key] of keys.entries()) {
      const { answer, value, steps } = await traceKey(sources, key)
      assert.deepEqual([answer === 'value', value && Buffer.from(value)], [values[at] !== undefined, values[at]], key.toString('hex'))
      assert.ok(steps.length > 0)
    }
    assert.equal(Buffer.from((await traceKey(sources, zero)).value).toString(), 'minus', 'one key')
    for (const [asked, other] of [[zero, minus], [minus, zero]]) {
      const found = []
      for await (const { mentions } of keyHistory(sources, asked)) found.push(...mentions)
      assert.deepEqual(found.map(({ key, type }) => `${type} ${key ?? ''}`).sort(), ['value ', `value ${other.toString('hex')}`])
    }
  })

  test('asks a filter in the order of its table', async () => {
    const keys = await keysOfTable(table)
    const map = await mapTable(table)
    for (const key of keys.filter((_, index) => index % 50 === 0)) {
      const { verdict, isThere } = await probeFilter(table, map, key, { comparator: 'idb_cmp1' })
      assert.deepEqual([verdict, isThere], ['maybe', true])
    }
    assert.equal(await probeFilter(table, map, keys[0], { comparator: 'another.order' }), undefined)
    assert.equal(await measureFilter(table, map, { comparator: 'another.order' }), undefined)
    const { asked, passed } = await measureFilter(table, map, { comparator: 'idb_cmp1', keys: 1000 })
    assert.ok(asked > 900 && passed < asked / 10, `${passed} of ${asked}`)
  })

  test('does not look a key up in an order that it does not know, and says so', async () => {
    const sources = sourcesOf(join(FIXTURES, 'comparator-reverse'))
    const { answer, reason, steps } = await traceKey(sources, Buffer.from('k'))
    assert.deepEqual([answer, reason, steps], ['unknown', 'the keys are in the order of corpus.ReverseBytewise, which is not known', []])
    const db = new Varve(join(FIXTURES, 'comparator-reverse'), { comparator: 'as-stored', readOnly: true, keyEncoding: 'buffer' })
    const [key] = await db.keys({ limit: 1 }).all()
    await db.close()
    const found = []
    for await (const { mentions } of keyHistory(sources, key)) found.push(...mentions)
    assert.ok(found.length > 0 && found.every((mention) => mention.key === undefined))
  })

  test('explains every key, and knows names', async () => {
    const keys = await keysOfTable(table)
    const explained = await explainKeys('indexeddb', keys)
    assert.equal(explained.filter((key) => key === null).length, 0)
    const kinds = new Set(explained.map(({ kind }) => kind))
    for (const kind of ['record', 'record exists', 'index entry', 'name of an object store', 'database name', 'schema version']) assert.ok(kinds.has(kind), kind)
    assert.equal(await guessScheme(keys.slice(0, 200)), 'indexeddb')
    const { names } = await swept(sweepTable(table, { comparator: 'idb_cmp1' }))
    const named = names.filter(({ name }) => name !== '').map(({ database, store, index, name }) => `${database}/${store}/${index} ${name}`)
    for (const name of ['1/0/0 library', '1/1/0 books', '1/1/31 by author', '1/3/0 keys of all types', '2/0/0 音楽', '2/1/0 songs']) assert.ok(named.includes(name), `${name}: ${named}`)
    const log = await swept(sweepLog(sourceOf(join(FIXTURES, 'chromium-indexeddb', '000003.log')), { comparator: 'idb_cmp1' }))
    assert.ok(log.names.some(({ store, name }) => store === 0 && name !== ''))
  })

  test('guesses other keys, and leaves those alone that it does not know', async () => {
    const bedrock = await keysOfTable(sourceOf(join(FIXTURES, 'bedrock-zlib', '000005.ldb')))
    assert.equal(await guessScheme(bedrock), 'bedrock')
    assert.deepEqual((await explainKeys('bedrock', bedrock)).filter((key) => key === null), [])
    const text = (...keys) => keys.map((key) => Buffer.from(key, 'latin1'))
    assert.equal(await guessScheme(text('VERSION', 'META:https://a.example', '_https://a.example\0\x01k')), 'local storage')
    assert.equal(await guessScheme(text('namespace-f0fa4b4c_19cc_4edf_87f7_57b237b5a95f-http://127.0.0.1:8753/', 'map-0-s1', 'version')), 'session storage')
    assert.equal(await guessScheme(text('user:0001', 'user:0002')), undefined)
    assert.deepEqual(await explainKeys('indexeddb', text('user:0001')), [null])
    assert.equal(await guessScheme([]), undefined)
  })
})
