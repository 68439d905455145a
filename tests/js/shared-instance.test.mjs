// Databases share an instance of the engine where there is no address space for another memory, as in
// a process of Chromium that has about 125 of them.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { Trapping } from './lib/trapping.mjs'

const MIB = 1 << 20
const root = mkdtempSync(join(tmpdir(), 'varve-shared-'))
const trapping = new Trapping()

/** How many more memories there is room for. */
let room = 0
let made = 0
const { Memory } = WebAssembly
WebAssembly.Memory = /** @type {any} */ (function (descriptor) {
  if (room === 0) throw new RangeError('WebAssembly.Memory(): could not allocate memory')
  room--
  made++
  return new Memory(descriptor)
})

after(() => {
  trapping.restore()
  WebAssembly.Memory = Memory
  rmSync(root, { recursive: true, force: true })
})

const entriesOf = (i) => Array.from({ length: 50 }, (_, k) => [`key ${String(k).padStart(2, '0')}`, `value ${k} of ${i}`])
const fill = (db, i) => db.batch(entriesOf(i).map(([key, value]) => ({ type: 'put', key, value })))
const check = async (db, i) => assert.deepEqual(await db.iterator().all(), entriesOf(i), `database ${i}`)

test('without room for any memory, no database opens', async () => {
  await assert.rejects(new Varve(join(root, 'none')).open(), ({ cause }) => cause.code === 'LEVEL_LIMIT_EXCEEDED')
})

test('six databases live in two memories, and survive that one of them fails', async () => {
  room = 2
  // After the failure above, no other memory is tried for some seconds.
  const now = performance.now.bind(performance)
  performance.now = () => now() + 60_000
  const recovered = new Set()
  const all = []
  for (let i = 0; i < 6; i++) {
    const db = new Varve(join(root, `db-${i}`), { memoryLimit: 64 * MIB })
    db.on('recovered', () => recovered.add(i))
    await db.open()
    await fill(db, i)
    all.push(db)
  }
  assert.equal(made, 2)
  for (const [i, db] of all.entries()) await check(db, i)

  // More memory than a shared instance may have.
  await assert.rejects(new Varve(join(root, 'larger'), { memoryLimit: 128 * MIB }).open(), ({ cause }) => cause.code === 'LEVEL_LIMIT_EXCEEDED')

  // The second instance, which the second, fourth and sixth database use.
  trapping.arm(3)
  await all[5].get('key 00').catch(({ code }) => assert.equal(code, 'LEVEL_POISONED'))
  trapping.disarm()
  assert.equal(trapping.trapped, 1)
  for (const [i, db] of all.entries()) await check(db, i)
  assert.deepEqual([...recovered].sort(), [1, 3, 5])
  assert.equal(trapping.callsOfDead, 0)

  // A database that is closed leaves the others open, and opens again.
  await all[0].close()
  for (const [i, db] of all.entries()) if (i > 0) await check(db, i)
  await all[0].open()
  await check(all[0], 0)
  await Promise.all(all.map((db) => db.close()))
})
