// Databases in other orders than that of bytes: Chromium's IndexedDB, and orders that nobody here knows.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { explainKeys, guessScheme, keyOf, mapDirectory, mapTable, openBlock, rankKeys, sweepLog, sweepTable } from '../../src/js/inspect/index.js'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'

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

function varve(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [inRoot('src', 'js', 'cli', 'main.js'), ...args], { encoding: 'utf8', maxBuffer: 1 << 28 })
  return { code: status, out: stdout, error: stderr }
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

  test('is told by the command line, which checks everything else', () => {
    const { code, out } = varve('verify', reverse)
    assert.equal(code, 0, out)
    assert.match(out, /the comparator corpus\.ReverseBytewise is not known: the order of keys was not checked/)
    assert.equal(varve('inspect', reverse, '--json').code, 0)
    const scan = varve('scan', reverse, '--keys', '--hex')
    assert.deepEqual([scan.code, new Set(scan.out.split('\n').slice(0, -1)).size], [0, 560])
    assert.match(scan.error, /corpus\.ReverseBytewise is not known/)
    assert.match(varve('get', reverse, 'k').error, /LEVEL_NOT_SUPPORTED/)
    assert.match(varve('put', copyOf(reverse), 'k', 'v').error, /corpus\.ReverseBytewise/)
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

describe('the command line', () => {
  test('opens a database in the order that its manifest names', () => {
    const copy = copyOf(LIBRARY)
    const lines = (...args) => varve(...args).out.split('\n').filter(Boolean)
    const keys = lines('scan', copy, '--keys', '--hex')
    assert.equal(keys.length, JSON.parse(varve('digest', copy, '--json').out).entries)
    assert.equal(varve('put', copy, '--hex', '--', `00010101${number(77).toString('hex')}`, '00').code, 0)
    assert.equal(lines('scan', copy, '--keys', '--hex').length, keys.length + 1)
    assert.equal(varve('get', copy, '--hex', '--', `00010101${number(77).toString('hex')}`).code, 0)
    assert.match(varve('verify', copy).out, /: sound$/m)
    assert.equal(varve('compact', copy).code, 0)
    const { sound, files } = JSON.parse(varve('inspect', copy, '--json').out)
    assert.equal(sound, true)
    assert.deepEqual(files.flatMap(({ findings }) => findings.filter(({ code }) => /^T22|^M07/.test(code))), [])
    assert.equal(varve('layout', join(LIBRARY, '000008.ldb')).code, 0)
  })

  const corpus = join(process.env.VARVE_CORPUS ?? inRoot('..', 'shared', 'corpus'), 'manifest.json')
  test('reads what Chromium wrote', { skip: !fs.existsSync(corpus) && `no corpus at ${corpus} (set VARVE_CORPUS)` }, () => {
    const cases = JSON.parse(fs.readFileSync(corpus, 'utf8')).cases.filter(({ group }) => group === 'chromium')
    assert.equal(cases.length, 3)
    for (const { path, expect } of cases) {
      const folder = join(corpus, '..', path)
      assert.equal(JSON.parse(varve('digest', folder, '--json').out).entries, expect.count, path)
      assert.equal(varve('verify', folder).code, 0, path)
      assert.equal(varve('layout', folder).code, 0, path)
      const { sound, files } = JSON.parse(varve('inspect', folder, '--json').out)
      assert.equal(sound, true, path)
      assert.deepEqual(files.flatMap(({ findings }) => findings.filter(({ severity }) => severity !== 'info')), [], path)
    }
  })
})
