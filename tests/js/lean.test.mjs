// The lean module of pages, in Node: runs tests of the full module with it, and tests its limits.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { ownModule } from '../../src/js/engine/module-node.js'
import { provideModule } from '../../src/js/engine/module.js'
import { Varve } from '../../src/js/index.js'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { useLean } from './lib/lean.mjs'

const scratch = fs.mkdtempSync(join(tmpdir(), 'varve-lean-'))
after(() => fs.rmSync(scratch, { recursive: true, force: true }))
beforeEach(useLean)

let places = 0
const newPlace = () => join(scratch, String(places++))

// ---- Tests of the full module ----

/**
 * Tests of the engine: traps, golden and damaged files, hostile bytes and zips; some by their
 * names.
 */
const PROGRAMS = {
  trap: [],
  // Minutes, mostly of the command line, which has the full module in use; and files that the native
  // tests read, too.
  ...process.env.VARVE_LONG === '1' && { damage: [], corpus: [] },
  regressions: [],
  security: ['--test-name-pattern', '^(a zip with|bombs)']
}

for (const [name, options] of Object.entries(PROGRAMS)) {
  test(`${name}.test.mjs passes`, async () => {
    const program = inRoot('tests', 'js', `${name}.test.mjs`)
    // Otherwise it would report its results to the runner of this file.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const child = spawn(process.execPath, ['--import', pathToFileURL(inRoot('tests', 'js', 'lib', 'lean.mjs')).href, ...options, program], { env })
    let said = ''
    child.stdout.on('data', (data) => { said += data })
    child.stderr.on('data', (data) => { said += data })
    const code = await new Promise((resolve) => child.on('close', resolve))
    assert.equal(code, 0, said)
    assert.ok(Number(/pass (\d+)/.exec(said)?.[1]) > 0, said)
  })
}

// ---- Missing codecs ----

/** Copies a database of Minecraft, whose table has zlib blocks. */
function zlibDatabase() {
  const place = newPlace()
  fs.cpSync(inRoot('tests', 'fixtures', 'bedrock-zlib'), place, { recursive: true })
  for (const name of fs.readdirSync(place)) fs.chmodSync(join(place, name), 0o600)
  return place
}

const binary = { keyEncoding: 'view', valueEncoding: 'view' }

/** Checks that the error names file, offset, codec and solution, and is not a corruption. */
function isMissingCodec(error) {
  assert.equal(error.code, 'LEVEL_NOT_SUPPORTED', error.stack)
  assert.match(error.message, /000005\.ldb, block at offset \d+: compressed with zlib\b.*varve\/full/)
  assert.equal(error.file, '000005.ldb')
  assert.ok(error.offset > 0)
  return true
}

for (const recovery of ['point-in-time', 'strict', 'compat']) {
  test(`zlib blocks are not supported, and are not damage: ${recovery}`, async () => {
    const db = new Varve(zlibDatabase(), { ...binary, recovery })
    await assert.rejects(db.iterator().all(), isMissingCodec)
    await assert.rejects(db.get(new Uint8Array([0x13, 0, 0, 0])), isMissingCodec)
    await assert.rejects(db.verify(), isMissingCodec)
    await db.close()
  })
}

test('a database with zlib blocks is written to and compacted around them; the full module reads all of it', async () => {
  const place = zlibDatabase()
  const db = new Varve(place, { ...binary, writeBufferSize: 16 << 10, maxFileSize: 16 << 10 })
  const key = (i) => new Uint8Array([0x13, 0xff, i >> 8, i & 255])
  const value = new Uint8Array(1000).fill(7)
  for (let i = 0; i < 400; i++) await db.put(key(i), value)
  await assert.rejects(db.compactRange(), isMissingCodec)
  await db.put(key(400), value, { sync: true })
  await assert.rejects(db.compactRange(), isMissingCodec)
  const { state, recovery } = await db.info()
  assert.equal(state, 'open')
  assert.deepEqual(recovery.findings, [])
  assert.deepEqual(await db.get(key(123)), value)
  await db.close()

  provideModule(ownModule)
  const full = new Varve(place, binary)
  assert.equal((await full.iterator().all()).length, 125 + 401)
  await full.compactRange()
  assert.deepEqual((await full.verify()).findings, [])
  await full.close()

  useLean()
  const again = new Varve(place, binary)
  assert.equal((await again.iterator().all()).length, 125 + 401, 'compaction has written Snappy')
  await again.close()
})

// ---- Tasks of a worker with the full module ----

test('repair, verification and import run in a worker, with the same findings', async () => {
  const place = newPlace()
  const db = new Varve(place)
  await db.batch(Array.from({ length: 1000 }, (_, i) => ({ type: 'put', key: `key${i}`, value: 'x'.repeat(100) })))
  await db.flush()
  const zip = new Uint8Array(await new Response(db.export()).arrayBuffer())
  await db.close()
  assert.deepEqual((await Varve.verify(place)).findings, [])

  const table = fs.readdirSync(place).find((name) => name.endsWith('.ldb'))
  const bytes = fs.readFileSync(join(place, table))
  bytes[100] ^= 1
  fs.writeFileSync(join(place, table), bytes)
  const [finding] = (await Varve.verify(place)).findings
  assert.deepEqual([finding.code, finding.file, finding.constructor.name], ['LEVEL_CORRUPTION', table, 'VarveError'])
  assert.equal((await Varve.repair(place)).findings.length, 1)
  assert.deepEqual((await Varve.verify(place)).findings, [])

  for (const [location, options] of [[newPlace(), {}], [null, { storage: 'memory' }]]) {
    const copy = await Varve.import(location, zip, options)
    assert.equal((await copy.iterator().all()).length, 1000)
    await copy.put('more', '1')
    assert.equal(await copy.get('more'), '1')
    await copy.close()
    await copy.open()
    assert.equal(await copy.get('key7'), 'x'.repeat(100), 'it can be opened again')
    await copy.close()
  }
})
