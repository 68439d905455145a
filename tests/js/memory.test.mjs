// The engine's memory stays below its limit. If the limit is too small, writes are refused or the
// engine is replaced, and no acknowledged write is lost.
//
//   VARVE_LONG=1   1 GiB of data below 64 MiB and 256 MiB, instead of 64 MiB of data below 32 MiB
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { Trapping } from './lib/trapping.mjs'

const LONG = process.env.VARVE_LONG !== undefined
const KIB = 1 << 10
const MIB = 1 << 20
const ROWS_PER_BATCH = 100
const VALUE_SIZE = 1000

const root = mkdtempSync(join(tmpdir(), 'varve-memory-'))
const watch = new Trapping()
after(() => {
  watch.restore()
  rmSync(root, { recursive: true, force: true })
})

const memoryOf = () => watch.last.memory.buffer.byteLength

/** Returns incompressible bytes, the same for the same number. */
function valueOf(i, size = VALUE_SIZE) {
  const bytes = Buffer.alloc(size)
  for (let at = 0, x = i * 2654435761 + 1; at + 4 <= size; at += 4) {
    x = Math.imul(x, 1664525) + 1013904223
    bytes.writeInt32LE(x | 0, at)
  }
  return bytes
}

const SIZES = LONG ? [[64, 1024], [256, 1024]] : [[32, 64]]

for (const [limit, total] of SIZES) {
  test(`${total} MiB are written, read and compacted below ${limit} MiB`, async (t) => {
    const place = join(root, `limit-${limit}`)
    const rows = Math.ceil(total * MIB / VALUE_SIZE)
    // Not in key order, so that compactions have work.
    const keyOf = (i) => String((i * 7919) % rows).padStart(9, '0')
    const db = new Varve(place, { memoryLimit: limit * MIB, valueEncoding: 'view' })
    db.on('recovered', ({ cause }) => assert.fail(cause))
    for (let from = 0; from < rows; from += ROWS_PER_BATCH) {
      const count = Math.min(ROWS_PER_BATCH, rows - from)
      const numbers = Array.from({ length: count }, (_, i) => from + i)
      await db.batch(numbers.map((i) => ({ type: 'put', key: keyOf(i), value: valueOf(i * 7919 % rows) })))
    }
    await scan(db, rows)
    await db.compactRange()
    await scan(db, rows)
    const warm = memoryOf()
    // Repeating it takes no more memory.
    await db.compactRange()
    await scan(db, rows)
    assert.equal(memoryOf(), warm, 'pages after the first round')
    assert.ok(memoryOf() <= limit * MIB)
    assert.equal(db.getProperty('leveldb.num-files-at-level0'), '0')
    t.diagnostic(`${(warm / MIB).toFixed(1)} MiB of memory`)
    await db.close()
    rmSync(place, { recursive: true })
  })
}

async function scan(db, rows) {
  let i = 0
  for await (const [key, value] of db.iterator()) {
    if (key !== String(i).padStart(9, '0') || !valueOf(i).equals(value)) assert.fail(`entry ${i} is ${key}`)
    i++
  }
  assert.equal(i, rows)
}

test('exceeding memory fails or replaces the engine without losing acknowledged writes', async (t) => {
  const failures = {}
  for (let round = 0; round < (LONG ? 300 : 100); round++) {
    const place = join(root, `small-${round}`)
    const options = { memoryLimit: 2 * MIB + (round % 50) * 128 * KIB, valueEncoding: 'view', writeBufferSize: 64 * KIB << round % 6 }
    const acknowledged = new Map()
    // Refused writes may have been applied: any of several such writes of a key may be the last
    // one.
    const open = new Map()
    // A database that cannot be opened with this limit can be opened with a larger one.
    const refused = (error) => {
      const { code } = /^LEVEL_DATABASE_NOT_/.test(error.code) && error.cause !== undefined ? error.cause : error
      assert.match(code, /^LEVEL_(LIMIT_EXCEEDED|POISONED)$/, error.stack)
      failures[code] = (failures[code] ?? 0) + 1
    }
    const db = new Varve(place, options)
    try {
      await db.open()
      for (let i = 0; i < 40; i++) {
        const [key, value] = [`key${i % 17}`, valueOf(round * 100 + i, 1 << (i * 7 + round) % 21)]
        try {
          await db.put(key, value)
          acknowledged.set(key, value)
          open.delete(key)
        } catch (error) {
          refused(error)
          if (error.maybeApplied) open.set(key, [...open.get(key) ?? [], value])
        }
        const read = await db.get(`key${(i * 5) % 17}`).catch(refused)
        if (read && !open.has(`key${(i * 5) % 17}`)) assert.ok(Buffer.from(read).equals(acknowledged.get(`key${(i * 5) % 17}`)))
      }
    } catch (error) {
      refused(error)
    }
    await db.close().catch(refused)
    await db.close()
    const again = new Varve(place, { valueEncoding: 'view' })
    for (const key of new Set([...acknowledged.keys(), ...open.keys()])) {
      const value = await again.get(key)
      const sound = [acknowledged.get(key), ...open.get(key) ?? []].some((bytes) => bytes === value || (bytes && value && bytes.equals(value)))
      assert.ok(sound, `round ${round}: ${key} is lost`)
    }
    await again.close()
    rmSync(place, { recursive: true })
  }
  t.diagnostic(JSON.stringify(failures))
  assert.ok(failures.LEVEL_LIMIT_EXCEEDED > 0)
  assert.equal(watch.callsOfDead, 0)
})

test('an invalid memoryLimit is refused', () => {
  for (const memoryLimit of [-1, 0, MIB, 5 * 1024 * MIB, '1', 1.5]) {
    assert.throws(() => new Varve(null, { storage: 'memory', memoryLimit }), { code: 'LEVEL_INVALID_ARGUMENT' })
  }
})

test('values of the maximum size fit in the default limit', { skip: !LONG && 'only with VARVE_LONG=1' }, async () => {
  const db = new Varve(join(root, 'large'), { valueEncoding: 'view' })
  db.on('recovered', ({ cause }) => assert.fail(cause))
  const large = Buffer.alloc(256 * MIB, 'large')
  for (let i = 0; i < 3; i++) {
    await db.put('large', large)
    assert.ok(large.equals(await db.get('large')))
  }
  await db.compactRange()
  await db.close()
  await db.open()
  assert.ok(large.equals(await db.get('large')))
  await db.close()
})

test('a log much longer than a write buffer is replayed in little memory', async () => {
  const place = join(root, 'long-log')
  const copy = join(root, 'long-log-killed')
  const rows = 40_000
  const db = new Varve(place, { writeBufferSize: 64 * MIB, valueEncoding: 'view' })
  for (let from = 0; from < rows; from += ROWS_PER_BATCH) {
    await db.batch(Array.from({ length: ROWS_PER_BATCH }, (_, i) => ({ type: 'put', key: String(from + i).padStart(9, '0'), value: valueOf(from + i) })))
  }
  // The state after a kill.
  cpSync(place, copy, { recursive: true, filter: (path) => !/LOCK/.test(path) })
  await db.close()
  for (const writeBufferSize of [undefined, 16 * MIB]) {
    const again = join(root, `long-log-${writeBufferSize}`)
    cpSync(copy, again, { recursive: true })
    const killed = new Varve(again, { memoryLimit: 40 * MIB, writeBufferSize, valueEncoding: 'view' })
    killed.on('recovered', ({ cause }) => assert.fail(cause))
    await scan(killed, rows)
    await killed.close()
    assert.deepEqual(readdirSync(again).filter((name) => name.endsWith('.damaged')), [])
  }
})

// Each growth creates an ArrayBuffer of the whole memory. When it grew by 64 KiB at a time, V8
// spent most of its time collecting garbage.
test('memory grows in steps', async () => {
  const db = new Varve(null, { storage: 'memory', valueEncoding: 'view' })
  const sizes = new Set()
  for (let i = 0; i < 20_000; i++) {
    await db.put(String(i), valueOf(i))
    sizes.add(memoryOf())
  }
  await db.close()
  assert.ok(Math.max(...sizes) > 20 * MIB)
  // Twice the usual number of about twenty.
  assert.ok(sizes.size <= 40, `${sizes.size} sizes`)
})
