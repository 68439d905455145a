// Long calls yield to the event loop, and calls made meanwhile work as usual.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Varve } from '../../src/js/index.js'

const root = mkdtempSync(join(tmpdir(), 'varve-turns-'))
after(() => rmSync(root, { recursive: true, force: true }))

const ROWS = 100_000
const VALUE = 'strata '.repeat(14)
/**
 * Each call below takes longer than a slice, so a call that does not yield leaves no turn at all.
 */
const TURNS_MIN = 1

const keyOf = (i) => String(i % ROWS).padStart(9, '0')

/** Writes all rows twice, in an order that leaves work for compactions. */
async function fill(db) {
  for (let from = 0; from < 2 * ROWS; from += 500) {
    await db.batch(Array.from({ length: 500 }, (_, i) => ({ type: 'put', key: keyOf((from + i) * 7919), value: VALUE })))
  }
}

/** Counts the turns of the event loop until `act` is done; `between` runs in each of them. */
async function turnsOf(act, between = () => {}) {
  let turns = 0
  let running = true
  const tick = () => {
    if (!running) return
    turns++
    between(turns)
    setImmediate(tick)
  }
  // Beginning with the turn of the call.
  await new Promise((resolve) => setImmediate(resolve))
  setImmediate(tick)
  const result = await act()
  running = false
  return { turns, result }
}

for (const place of ['directory', 'memory']) {
  test(`compactRange, verify and clear on ${place}`, async (t) => {
    const location = place === 'directory' ? join(root, 'db') : null
    const db = new Varve(location, location === null ? { storage: 'memory' } : {})
    const told = {}
    const many = async (name, act, between) => {
      const { turns, result } = await turnsOf(act, between)
      told[name] = turns
      assert.ok(turns >= TURNS_MIN, `${name}: ${turns} turns`)
      return result
    }
    await many('batches', () => fill(db))

    const errors = []
    const late = []
    await many('compactRange', () => db.compactRange(), (turn) => {
      // Read and write between two slices.
      if (db.getSync(keyOf(turn * 31)) !== VALUE) errors.push(turn)
      if (turn % 8 === 1) late.push(db.put(`late${turn}`, 'x').catch((error) => errors.push(error)))
    })
    await Promise.all(late)
    assert.deepEqual(errors, [])
    assert.equal(await db.get('late1'), 'x')
    await db.clear({ gte: 'late', lt: 'latf' })

    const report = await many('verify', () => db.verify())
    assert.deepEqual(report.findings, [])

    // Half of a table at each end, which is deleted key by key.
    await many('clear', () => db.clear({ gte: keyOf(100), limit: ROWS / 2 }))
    const left = await db.keys().all()
    assert.equal(left.length, ROWS / 2, `the last is ${left.at(-1)}`)
    await db.clear()
    assert.deepEqual(await db.keys().all(), [])
    await db.close()
    t.diagnostic(JSON.stringify(told))
  })
}

test('opening with a long log, and repair', async (t) => {
  const [place, copy] = [join(root, 'long-log'), join(root, 'long-log-copy')]
  const options = { writeBufferSize: 64 << 20 }
  const db = new Varve(place, options)
  await fill(db)
  cpSync(place, copy, { recursive: true, filter: (path) => !/LOCK/.test(path) })
  await db.close()
  const killed = new Varve(copy, options)
  const opened = await turnsOf(() => killed.open())
  assert.equal((await killed.keys().all()).length, ROWS)
  await killed.close()
  const repaired = await turnsOf(() => Varve.repair(copy))
  t.diagnostic(`${opened.turns} turns to open, ${repaired.turns} to repair`)
  assert.ok(opened.turns >= TURNS_MIN && repaired.turns >= TURNS_MIN)
  const again = new Varve(copy)
  assert.equal((await again.keys().all()).length, ROWS)
  await again.close()
})

test('close() ends a running compactRange() without losing writes', async () => {
  const place = join(root, 'closed')
  const db = new Varve(place)
  await fill(db)
  const compaction = db.compactRange()
  await new Promise((resolve) => setImmediate(resolve))
  const [compacted] = await Promise.allSettled([compaction, db.close()])
  if (compacted.status === 'rejected') assert.match(compacted.reason.code, /^LEVEL_DATABASE_NOT_OPEN$/)
  await db.open()
  assert.equal((await db.keys().all()).length, ROWS)
  await db.close()
})

for (const [how, options] of Object.entries({ 'a range': {}, 'row by row': { limit: ROWS } })) {
  test(`close() waits for a running clear(): ${how}`, async () => {
    const db = new Varve(join(root, `cleared-${how}`))
    await fill(db)
    const cleared = db.clear({ gt: keyOf(0), ...options })
    await db.close()
    await cleared
    await db.open()
    assert.deepEqual(await db.keys().all(), [keyOf(0)])
    await db.close()
  })
}

for (const place of ['directory', 'memory']) {
  test(`writes during a clear() are kept: ${place}`, async () => {
    const db = place === 'directory' ? new Varve(join(root, 'cleared')) : new Varve(null, { storage: 'memory' })
    await fill(db)
    const cleared = db.clear()
    const written = ['at once']
    const puts = [db.put('at once', '1'), db.put(keyOf(ROWS - 1), 'new')]
    let running = true
    cleared.finally(() => { running = false })
    await Promise.all(puts)
    while (running) {
      await new Promise((resolve) => setImmediate(resolve))
      written.push(`turn ${written.length}`)
      await db.put(written.at(-1), '1')
    }
    await cleared
    assert.deepEqual(await db.keys().all(), [keyOf(ROWS - 1), ...written].sort())
    await db.close()
  })
}

test('in memory a write is visible at once, and none is refused, however many are pending', async () => {
  const db = new Varve(null, { storage: 'memory', writeBufferSize: 64 << 10 })
  await db.open()
  const writes = []
  const missed = []
  for (let i = 0; i < 8000; i++) {
    const key = keyOf(i * 7919)
    writes.push(db.put(key, 'x'.repeat(5000)))
    if (i % 16 === 0 && db.getSync(key) === undefined) missed.push(i)
  }
  const results = await Promise.allSettled(writes)
  assert.deepEqual(results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.code), [])
  assert.deepEqual(missed, [])
  await db.close()
})
