// Published packages that use a level database, unchanged, with Varve. They run the tests that they
// ship, or the example of their README.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Writable } from 'node:stream'
import { after, test } from 'node:test'
import { inRoot, root } from '../../pkg-scripts/lib/paths.mjs'
import { Varve } from '../../src/js/index.js'

const require = createRequire(import.meta.url)
const scratch = mkdtempSync(join(tmpdir(), 'varve-clients-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** Runs a test file with Varve as `level`; returns its output and the databases that it opened. */
function underVarve(file, ...args) {
  const { NODE_TEST_CONTEXT, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath,
    ['--import', inRoot('tests', 'js', 'clients', 'as-level.mjs'), ...args, inRoot(file)], { cwd: scratch, encoding: 'utf8', env: { ...env, TMPDIR: scratch }, timeout: 120_000 })
  const failed = stdout.split('\n').filter((line) => /^\s*not ok/.test(line)).join('\n')
  assert.equal(status, 0, `${failed}\n${stderr.slice(-2000)}\n${stdout.slice(-1000)}`)
  return { stdout, opened: Number(/databases opened by Varve: (\d+)/.exec(stdout)?.[1]) }
}

const passed = (stdout) => Number(/^# pass (\d+)$/m.exec(stdout)?.[1])

test('y-leveldb, persistence of Yjs: its own test', () => {
  const { stdout, opened } = underVarve('node_modules/y-leveldb/dist/test.cjs')
  assert.match(stdout, /All tests successful/)
  assert.ok(opened >= 5, stdout)
})

test('aedes-persistence-level, sessions of an MQTT broker: its own test, the suite of aedes-persistence', (t) => {
  const { stdout, opened } = underVarve('node_modules/aedes-persistence-level/test/test.js', '--test-reporter=tap')
  t.diagnostic(`${passed(stdout)} tests`)
  assert.ok(passed(stdout) >= 50 && opened >= 50, stdout)
})

test('datastore-level, blocks of Helia and IPFS: the suite of interface-datastore', (t) => {
  const { stdout, opened } = underVarve('tests/js/clients/datastore.mjs', '--test-reporter=tap')
  t.diagnostic(`${passed(stdout)} tests`)
  assert.ok(passed(stdout) >= 120 && opened >= 15, stdout)
})

for (const [where, make] of Object.entries({ 'a directory': () => new Varve(join(scratch, 'quads')), memory: () => new Varve(null, { storage: 'memory' }) })) {
  test(`quadstore, a store of RDF quads, in ${where}: the example of its README`, async () => {
    const { Quadstore } = await import('quadstore')
    const { DataFactory } = await import('n3')
    const { namedNode, literal, quad, defaultGraph } = DataFactory
    const backend = make()
    const store = new Quadstore({ backend, dataFactory: DataFactory })
    await store.open()
    const of = (i) => quad(namedNode(`ex://s${i % 10}`), namedNode(`ex://p${i % 3}`), literal(String(i), namedNode('http://www.w3.org/2001/XMLSchema#integer')), defaultGraph())
    const quads = Array.from({ length: 300 }, (_, i) => of(i))
    await store.put(quads[0])
    await store.multiPut(quads.slice(1), { batchSize: 50 })
    assert.equal((await store.get({})).items.length, 300)
    const { items } = await store.get({ subject: namedNode('ex://s4'), predicate: namedNode('ex://p1') })
    assert.deepEqual(items.map(({ object }) => Number(object.value)).sort((a, b) => a - b), Array.from({ length: 300 }, (_, i) => i).filter((i) => i % 10 === 4 && i % 3 === 1))
    const streamed = []
    for await (const item of store.match(namedNode('ex://s2'))) streamed.push(item)
    assert.equal(streamed.length, 30)
    await store.patch(quads[5], of(1005))
    await store.multiDel(quads.slice(10, 20))
    assert.equal((await store.get({})).items.length, 290)
    const range = await store.get({ predicate: namedNode('ex://p0'), object: { termType: 'Range', gte: literal('30', namedNode('http://www.w3.org/2001/XMLSchema#integer')), lt: literal('60', namedNode('http://www.w3.org/2001/XMLSchema#integer')) } })
    assert.equal(range.items.length, 10)
    await store.close()
  })
}

test('level-read-stream: entries, keys and values through streams', async () => {
  const { EntryStream, KeyStream, ValueStream } = require('level-read-stream')
  const db = new Varve(join(scratch, 'streams'))
  await db.batch(Array.from({ length: 5000 }, (_, i) => ({ type: 'put', key: String(i).padStart(5, '0'), value: `v${i}` })))
  const collect = async (stream) => {
    const found = []
    await pipeline(stream, new Writable({ objectMode: true, write: (chunk, _, next) => { found.push(chunk); setImmediate(next) } }))
    return found
  }
  const entries = await collect(new EntryStream(db, { gte: '00010', lt: '01010', highWaterMark: 16 }))
  assert.deepEqual([entries.length, entries[0], entries.at(-1)], [1000, { key: '00010', value: 'v10' }, { key: '01009', value: 'v1009' }])
  assert.deepEqual(await collect(new KeyStream(db, { reverse: true, limit: 2 })), ['04999', '04998'])
  assert.deepEqual(await collect(new ValueStream(db, { gt: '04997' })), ['v4998', 'v4999'])
  const cut = new EntryStream(db)
  cut.once('data', () => cut.destroy())
  await new Promise((resolve) => cut.once('close', resolve))
  await db.close()
})

test('fergies-inverted-index, a full-text index: its list of fields is current', async () => {
  const { InvertedIndex } = await import('fergies-inverted-index')
  // The index reads its fields when it is created and after each PUT, and keeps the last result,
  // which a search without a field uses. Run many at once, so that some calls wait for a turn of
  // the event loop.
  const searched = await Promise.all(Array.from({ length: 20 }, async (_, lane) => {
    const found = []
    for (let i = 0; i < 20; i++) {
      const index = new InvertedIndex({ Level: Varve, name: join(scratch, `index-${lane}-${i}`) })
      await index.STORE.open()
      await index.PUT([{ _id: 1, make: 'BMW', colour: 'blue' }, { _id: 2, make: 'Volvo', colour: 'red' }])
      await new Promise((resolve) => setTimeout(resolve, 5))
      found.push((await index.GET('BMW')).map(({ _id }) => _id).join())
      await index.STORE.close()
    }
    return found
  }))
  assert.deepEqual(searched.flat().filter((ids) => ids !== '1'), [])
})
