// A live database of varve/inspect, and the workload that the inspector's page runs on it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { mapDirectory, openLive } from '../../src/js/inspect/index.js'
import { parseCommand, sayEvent } from '../../www/model/commands.js'
import { Workload } from '../../www/workload.js'

const OPTIONS = { writeBufferSize: 16 << 10, maxFileSize: 32 << 10 }
const SETTINGS = { kind: /** @type {const} */ ('deletes'), seed: 42, keys: 2000, operations: 12_000, valueSize: 100 }

const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text)
const text = (/** @type {Uint8Array | undefined} */ given) => given && new TextDecoder().decode(given)

/** Runs a workload; returns what should be there. @param {import('varve/inspect').LiveDatabase} db @param {Workload} workload @param {() => Promise<unknown>} after each */
async function filled(db, workload, after) {
  /** @type {Map<string, string>} */
  const model = new Map()
  while (!workload.isDone) {
    const { key, value } = workload.next()
    if (value === undefined) {
      await db.del(key)
      model.delete(/** @type {string} */ (text(key)))
    } else {
      await db.put(key, value)
      model.set(/** @type {string} */ (text(key)), /** @type {string} */ (text(value)))
    }
    await after()
  }
  return [...model].sort(([a], [b]) => a < b ? -1 : 1)
}

test('has what was written, and files that C++ LevelDB opens', async (t) => {
  const db = await openLive(OPTIONS)
  const expected = await filled(db, new Workload(SETTINGS), async () => db.isDue && db.work())
  assert.deepEqual((await db.entries()).map(({ key, value }) => [text(key), text(value)]), expected)
  assert.deepEqual((await db.entries({ gte: bytes('user:00000100'), lt: bytes('user:00000200'), limit: 7 })).map(({ key }) => text(key)), expected.filter(([key]) => key >= 'user:00000100').slice(0, 7).map(([key]) => key))
  assert.equal(text(await db.get(bytes(expected[5][0]))), expected[5][1])
  assert.equal(await db.get(bytes('user:none')), undefined)

  const files = db.files()
  await db.put(bytes('later'), bytes('not in those files'))
  const place = mkdtempSync(join(tmpdir(), 'varve-live-'))
  t.after(() => rmSync(place, { recursive: true, force: true }))
  for (const { name, size, read } of files) {
    const into = new Uint8Array(size)
    assert.equal(await read(0, into), size)
    writeFileSync(join(place, name), into)
  }
  const { findings } = await mapDirectory(files)
  assert.deepEqual(findings.filter(({ severity }) => severity !== 'info'), [])
  const classic = new ClassicLevel(place)
  assert.deepEqual(await classic.iterator().all(), expected)
  await classic.close()
  await db.close()
})

test('stops before each job, names what it reads, and counts what is written', async () => {
  const db = await openLive(OPTIONS)
  const workload = new Workload({ ...SETTINGS, kind: 'random' })
  let [compactions, flushed, compacted] = [0, 0, 0]
  /** The sizes of all tables that there were. @type {Map<string, number>} */
  const sizes = new Map()
  const sizeOf = (/** @type {string} */ file) => /** @type {number} */ (sizes.get(file))
  while (!workload.isDone || db.isDue) {
    if (!db.isDue) {
      const { key, value } = workload.next()
      await db.put(key, /** @type {Uint8Array} */ (value))
      assert.deepEqual(db.takeEvents(), [], 'a write began a job')
      continue
    }
    const before = db.state().tables.map(({ file }) => file)
    const wasRunning = db.isRunning
    assert.equal(await db.step(), true)
    const events = db.takeEvents()
    assert.ok(events.some(({ phase }) => phase === (wasRunning ? 'end' : 'begin')))
    for (const { file, size } of db.state().tables) sizes.set(file, size)
    for (const { name, phase, inputs = [], outputs = [], file, trivialMove } of events) {
      if (phase === 'begin' && name === 'compaction') {
        compactions++
        for (const input of inputs) assert.ok(sizes.has(input), `${input} is a table`)
        assert.ok(inputs.length > 0)
        if (!trivialMove && !wasRunning) assert.deepEqual(db.state().tables.map(({ file }) => file), before, 'nothing changes at its begin')
      } else if (phase === 'end' && name === 'flush') {
        if (file) flushed += sizeOf(file)
      } else if (phase === 'end' && !trivialMove) {
        compacted += outputs.reduce((sum, output) => sum + sizeOf(output), 0)
      }
    }
  }
  assert.ok(compactions > 5, `${compactions} compactions`)
  const { counters } = db.state()
  assert.equal(counters.bytesFlushed, flushed)
  assert.equal(counters.bytesCompacted, compacted)
  assert.equal(await db.step(), false)
  await db.close()
})

test('the same seed gives the same tree, another a different one', async () => {
  const treeOf = async (/** @type {number} */ seed) => {
    const db = await openLive(OPTIONS)
    await filled(db, new Workload({ ...SETTINGS, kind: 'overwrite', operations: 6000, seed }), async () => db.isDue && db.work(8 << 10))
    await db.settle()
    const { tables } = db.state()
    await db.close()
    return tables
  }
  const tree = await treeOf(42)
  assert.ok(tree.length > 3)
  assert.deepEqual(await treeOf(42), tree)
  assert.notDeepEqual(await treeOf(43), tree)
})

test('refuses what it cannot do, by a code', async () => {
  await assert.rejects(openLive({ filterBits: 99 }), { code: 'LEVEL_INVALID_ARGUMENT' })
  await assert.rejects(openLive(/** @type {any} any: an error */ ({ nonsense: 1 })), { code: 'LEVEL_INVALID_ARGUMENT' })
  const db = await openLive()
  await assert.rejects(async () => db.put(/** @type {any} any: an error */ ('text'), bytes('v')), { code: 'LEVEL_INVALID_ARGUMENT' })
  await db.batch([{ type: 'put', key: bytes('a'), value: bytes('1') }, { type: 'del', key: bytes('b') }])
  await assert.rejects(db.batch(/** @type {any} any: an error */ ([{ type: 'get', key: bytes('a') }])), { code: 'LEVEL_INVALID_ARGUMENT' })
  await db.flush()
  assert.equal(db.state().tables.length, 1)
  await db.compact()
  await db.close()
  await db.close()
  await assert.rejects(async () => db.put(bytes('a'), bytes('b')), { code: 'LEVEL_DATABASE_NOT_OPEN' })
  assert.throws(() => db.state(), { code: 'LEVEL_DATABASE_NOT_OPEN' })
})

test('commands of the console', () => {
  const put = (/** @type {string} */ key, /** @type {string} */ value) => ({ type: 'put', key: bytes(key), value: bytes(value) })
  assert.deepEqual(parseCommand('put k a value'), { call: 'write', operations: [put('k', 'a value')] })
  assert.deepEqual(parseCommand(' put a 1; del b ;put c 3'), { call: 'write', operations: [put('a', '1'), { type: 'del', key: bytes('b') }, put('c', '3')] })
  assert.deepEqual(parseCommand('scan a b'), { call: 'entries', gte: bytes('a'), lt: bytes('b') })
  assert.deepEqual(parseCommand('compact'), { call: 'compact' })
  for (const wrong of ['', 'put k', 'del', 'del k v', 'get', 'get a b', 'scan a b c', 'nonsense', 'put a 1; get a', 'get a; put a 1']) assert.ok('error' in parseCommand(wrong), wrong)
  assert.equal(sayEvent({ name: 'compaction', phase: 'begin', level: 0, outputLevel: 1, inputs: ['000005.ldb', '000123.ldb'], bytesRead: 1000 }).text, 'compaction begins L0 → L1: #5 #123, 1.0 kB')
})
