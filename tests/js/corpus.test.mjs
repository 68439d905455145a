// Golden databases read through the package (32-bit WebAssembly, in a directory): results must be
// those of the corpus, as for the native build (tests/engine/corpus.rs and compat.rs): intact,
// damaged with each combination of LevelDB's checks, strict, and repaired.
//
// tests/fixtures is always tested; the shared corpus, $VARVE_CORPUS or ../shared/corpus, if it
// exists.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { isFull } from '../../src/js/engine/module.js'
import { Varve } from '../../src/js/index.js'

const BYTEWISE = 'leveldb.BytewiseComparator'
/** Damage that cannot be detected: a log cut between records, and files made with another order. */
const INVISIBLE = ['wal-cut-exact-record', 'wrong-comparator']

const scratch = fs.mkdtempSync(join(tmpdir(), 'varve-corpus-'))
after(() => fs.rmSync(scratch, { recursive: true, force: true }))
let copies = 0

// ---- Digests ----

/**
 * Returns SHA-256 over (u32le length, key, u32le length, value)*, the count, and an error of the
 * scan.
 */
async function contents(db, { verifyChecksums = true, highWaterMarkBytes } = {}) {
  const rows = []
  let error
  try {
    for await (const row of db.iterator({ keyEncoding: 'buffer', valueEncoding: 'buffer', verifyChecksums, highWaterMarkBytes })) rows.push(row)
  } catch (failure) {
    error = failure
  }
  return { count: rows.length, sha256: digestOf(rows), rows, error }
}

function digestOf(rows) {
  const hash = createHash('sha256')
  const length = Buffer.alloc(4)
  for (const row of rows) {
    for (const part of row) {
      length.writeUInt32LE(part.length)
      hash.update(length).update(part)
    }
  }
  return hash.digest('hex')
}

/** Opens the case read-only in its place, reads it, and checks that no file has changed. */
async function look({ path }, options, use) {
  const before = filesOf(path)
  const db = new Varve(path, { ...options, readOnly: true })
  try {
    await db.open()
    return await use(db)
  } finally {
    await db.close()
    assert.deepEqual(filesOf(path), before, 'reading changed the files')
  }
}

const filesOf = (path) => Object.fromEntries(fs.readdirSync(path).sort().map((name) => [name, createHash('sha256').update(fs.readFileSync(join(path, name))).digest('hex')]))

/** Makes a writable copy, without LOCK. */
function copyOf({ path }) {
  const copy = join(scratch, String(copies++))
  fs.mkdirSync(copy)
  for (const name of fs.readdirSync(path)) {
    if (name === 'LOCK') continue
    fs.copyFileSync(join(path, name), join(copy, name))
    fs.chmodSync(join(copy, name), 0o600)
  }
  return copy
}

function agree({ record }, what, found, expected) {
  const rows = record.digest_order === 'bytewise' ? found.rows.toSorted(([a], [b]) => Buffer.compare(a, b)) : found.rows
  assert.equal(found.error, undefined, what)
  assert.equal(found.count, expected.count, `entries, ${what}`)
  assert.equal(digestOf(rows), expected.sha256, `digest, ${what}`)
}

// ---- The checks ----

async function checkGets({ record }, db) {
  for (const { key, value_sha256: sha256, value_len: length } of record.gets ?? []) {
    const bytes = Buffer.from(key, 'hex')
    const value = await db.get(bytes, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    assert.deepEqual(db.getSync(bytes, { keyEncoding: 'buffer', valueEncoding: 'buffer' }), value)
    assert.equal(await db.has(bytes, { keyEncoding: 'buffer' }), sha256 !== undefined)
    if (sha256 === undefined) {
      assert.equal(value, undefined, `${key} should be absent`)
    } else {
      assert.equal(value?.length, length, key)
      assert.equal(createHash('sha256').update(value).digest('hex'), sha256, key)
    }
  }
}

/** Checks an intact database in every mode. */
async function checkIntact(golden) {
  for (const recovery of ['strict', 'point-in-time', 'compat']) {
    for (const [paranoidChecks, verifyChecksums] of [[false, false], [false, true], [true, true]]) {
      const what = JSON.stringify({ recovery, paranoidChecks, verifyChecksums })
      await look(golden, { ...golden.options, recovery, paranoidChecks }, async (db) => agree(golden, what, await contents(db, { verifyChecksums }), golden.record.expect))
    }
  }
  await look(golden, golden.options, async (db) => {
    await checkGets(golden, db)
    assert.deepEqual((await db.verify()).findings, [])
  })
}

/** Opens a copy for writing: the entries survive compaction and reopening. */
async function checkReadWrite(golden) {
  const { record: { expect } } = golden
  const db = new Varve(copyOf(golden), { ...golden.options, createIfMissing: false, recovery: 'strict' })
  agree(golden, 'opened to be written', await contents(db), expect)
  await db.compactRange()
  assert.deepEqual((await db.verify()).findings, [])
  agree(golden, 'compacted', await contents(db), expect)
  await checkGets(golden, db)
  await db.close()
  await db.open()
  agree(golden, 'reopened', await contents(db), expect)
  await checkGets(golden, db)
  await db.close()
}

/** Checks a damaged database in compat mode against LevelDB, for each combination of its checks. */
async function checkCompat(golden) {
  for (const [checks, expected] of Object.entries(golden.record.engine_results)) {
    const options = { ...golden.options, recovery: 'compat', paranoidChecks: checks.includes('paranoid=1') }
    // Read row by row and in pages: entries before the damage are returned by both.
    for (const highWaterMarkBytes of [0, undefined]) {
      const found = await look(golden, options, (db) => contents(db, { verifyChecksums: checks.includes('verify_checksums=1'), highWaterMarkBytes }))
        .then(({ count, sha256, error }) => ({ outcome: error === undefined ? 'ok' : 'scan-error', count, sha256, error }), (error) => ({ outcome: 'open-error', count: 0, error }))
      assert.equal(found.outcome, expected.outcome, `${checks}: ${found.error?.cause ?? found.error}`)
      if (found.outcome !== 'open-error') assert.deepEqual([found.count, found.sha256], [expected.count, expected.sha256], checks)
      assertTyped(found.error)
    }
  }
}

/** Checks that an error has the code of damage. */
function assertTyped(error) {
  if (error === undefined) return
  const { code } = error.code === 'LEVEL_DATABASE_NOT_OPEN' ? error.cause : error
  assert.ok(['LEVEL_CORRUPTION', 'LEVEL_INVALID_ARGUMENT', 'LEVEL_IO_ERROR'].includes(code), `${code}: ${error.cause ?? error}`)
}

/** Checks that strict mode finds all damage, by opening, reading or verify(). */
async function checkStrict(golden) {
  const whole = await look(golden, { ...golden.options, recovery: 'strict' }, async (db) => {
    const { error } = await contents(db)
    return error === undefined && (await db.verify()).findings.length === 0
  }).catch((error) => { assertTyped(error); return false })
  assert.equal(whole, INVISIBLE.includes(golden.id))
}

/** Checks that point-in-time mode, the default, reports an error or returns an earlier state. */
async function checkPointInTime(golden) {
  const found = await look(golden, golden.options, (db) => contents(db)).catch((error) => ({ error }))
  assertTyped(found.error)
  if (found.error !== undefined) return
  const expected = golden.record.engine_results['paranoid=0,verify_checksums=1']
  assert.deepEqual([expected.outcome, found.count, found.sha256], ['ok', expected.count, expected.sha256])
}

/**
 * LevelDB's repair accepts damaged data: the expected entries without it
 * (tests/fixtures/README.md).
 */
const VERIFIED_REPAIRS = JSON.parse(fs.readFileSync(inRoot('tests', 'fixtures', 'expected.json'), 'utf8')).verified_repairs

async function checkRepair(golden) {
  const copy = copyOf(golden)
  const report = await Varve.repair(copy)
  const db = new Varve(copy)
  agree(golden, `after repair: ${JSON.stringify(report)}`, await contents(db), VERIFIED_REPAIRS[golden.id] ?? golden.record.after_repair)
  assert.deepEqual((await db.verify()).findings, [])
  await db.close()
}

/** Databases of a comparator that the module does not have are refused with its name. */
async function checkRefused(golden) {
  await assert.rejects(look(golden, {}, () => assert.fail('it was opened')), (error) =>
    error.code === 'LEVEL_DATABASE_NOT_OPEN' && error.cause.code === 'LEVEL_INVALID_ARGUMENT' && error.cause.message.includes(golden.record.comparator))
}

/** Whether the module under test lacks the codec of this database: the lean one has only Snappy. */
const lacksCodec = ({ record: { options = {} } }) => !isFull() && (options.compressor !== undefined || options.compression === 2)

/** Checks that blocks with a missing codec cannot be read, and are not reported as damaged. */
async function checkMissingCodec(golden) {
  for (const recovery of ['strict', 'point-in-time', 'compat']) {
    const { error } = await look(golden, { ...golden.options, recovery }, (db) => contents(db))
    assert.equal(error?.code, 'LEVEL_NOT_SUPPORTED', recovery)
    assert.match(error.message, /^not supported: \d+\.ldb, block at offset \d+: compressed with (zlib|deflate|zstd)\b.*varve\/full/)
  }
}

// ---- The cases ----

/** Orders that the full module has besides bytewise order. */
const COMPARATORS = isFull() ? { idb_cmp1: { comparator: 'idb_cmp1' } } : {}

function casesOf(manifest) {
  const root = join(manifest, '..')
  const { cases } = JSON.parse(fs.readFileSync(manifest, 'utf8'))
  return cases.filter(({ kind }) => kind === 'leveldb-db' || kind === 'leveldb-repair')
    .map((record) => ({ id: record.id, path: join(root, record.path), options: COMPARATORS[record.comparator] ?? {}, record }))
}

function checkAll(cases) {
  for (const golden of cases) {
    const { comparator = BYTEWISE, expect, engine_results: results, after_repair: repaired } = golden.record
    if (comparator !== BYTEWISE && COMPARATORS[comparator] === undefined) {
      test(`${golden.id}: refused, its comparator is ${comparator}`, () => checkRefused(golden))
      continue
    }
    if (lacksCodec(golden)) {
      test(`${golden.id}: its codec is missing`, () => checkMissingCodec(golden))
      continue
    }
    if (expect !== undefined) test(`${golden.id}: intact`, () => checkIntact(golden))
    if (expect !== undefined) test(`${golden.id}: opened to be written`, () => checkReadWrite(golden))
    if (results !== undefined) {
      test(`${golden.id}: damaged, as LevelDB reads it`, () => checkCompat(golden))
      test(`${golden.id}: damaged, strict`, () => checkStrict(golden))
      test(`${golden.id}: damaged, point in time`, () => checkPointInTime(golden))
    }
    if (repaired !== undefined) test(`${golden.id}: repaired`, () => checkRepair(golden))
  }
}

describe('fixtures', () => checkAll(casesOf(inRoot('tests', 'fixtures', 'expected.json'))))

const corpus = join(process.env.VARVE_CORPUS ?? inRoot('..', 'shared', 'corpus'), 'manifest.json')
const missing = !fs.existsSync(corpus) && `no corpus at ${corpus} (set VARVE_CORPUS)`
if (missing) console.error(`SKIPPED: ${missing}`)
describe('the shared corpus', { skip: missing }, () => {
  if (!missing) checkAll(casesOf(corpus))
})
