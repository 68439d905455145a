// After a process was killed, the database has all acknowledged writes and nothing else: with and
// without sync, during flushes and compactions. The next process gets the lock soon.
//
//   VARVE_LONG=1   1,000 kills instead of 100
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Varve } from '../../src/js/index.js'
import { NodeStorage } from '../../src/js/storage/node/directory.js'

const LONG = process.env.VARVE_LONG !== undefined
const ROUNDS = LONG ? 1000 : 25
const KEYS = 1500
/** Printed by `npm test`, asserted only with VARVE_LONG=1: the machine may be busy. */
const LOCK_MS_MAX = 200

const root = mkdtempSync(join(tmpdir(), 'varve-kill-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** Small buffers, so that flushes and compactions are always running. */
const OPTIONS = { writeBufferSize: 16 << 10, maxFileSize: 32 << 10 }

const keyOf = (i) => String(i * 7919 % KEYS).padStart(4, '0')
const valueOf = (i) => `${i} ${'x'.repeat(i % 700)}`

/** Reads the number of the first write, and reports every acknowledged write. */
const WRITER = `
  import { once } from 'node:events'
  import { writeSync } from 'node:fs'
  import { Varve } from ${JSON.stringify(new URL('../../src/js/index.js', import.meta.url).href)}
  const { place, from, sync } = JSON.parse(String((await once(process.stdin, 'data'))[0]))
  const db = new Varve(place, ${JSON.stringify(OPTIONS)})
  const keyOf = ${keyOf.toString().replace('KEYS', String(KEYS))}
  const valueOf = ${valueOf}
  for (let i = from; ; i++) {
    await db.put(keyOf(i), valueOf(i), { sync })
    writeSync(1, i + '\\n')
  }`

class Writer {
  #child = spawn(process.execPath, ['--input-type=module', '--eval', WRITER], { stdio: ['pipe', 'pipe', 'inherit'] })
  #ended = new Promise((resolve) => this.#child.on('close', resolve))
  #began = Promise.withResolvers?.() ?? withResolvers()
  last = -1

  constructor() {
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.last = Number(line)
      this.#began.resolve()
    })
  }

  async write(place, from, sync) {
    this.#child.stdin.write(JSON.stringify({ place, from, sync }))
    await Promise.race([this.#began.promise, this.#ended.then((code) => assert.fail(`the writer ended with ${code}`))])
  }

  async kill() {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}

function withResolvers() {
  let resolve
  const promise = new Promise((call) => { resolve = call })
  return { promise, resolve }
}

test(`${ROUNDS} writers are killed`, async (t) => {
  const place = join(root, 'db')
  const locks = []
  let from = 0
  let synced = 0
  // The next process starts while the database of the last one is checked.
  let next = new Writer()
  for (let round = 0; round < ROUNDS; round++) {
    const writer = next
    const sync = round % 2 === 0
    await writer.write(place, from, sync)
    // From the first write until many compactions, different in each round.
    await sleep(round * 37 % 61)
    await writer.kill()
    next = new Writer()
    assert.ok(writer.last >= from, 'nothing was written')
    if (sync) synced += writer.last - from + 1

    const start = performance.now()
    const storage = new NodeStorage(place)
    await storage.lock(false)
    locks.push(performance.now() - start)
    await storage.unlock()

    const db = new Varve(place, OPTIONS)
    from = await check(db, writer.last, `round ${round}`) + 1
    if (round % 10 === 0) assert.deepEqual((await db.verify()).findings, [])
    await db.close()
  }
  await next.kill()
  locks.sort((a, b) => a - b)
  const [median, most] = [locks[locks.length >> 1], locks[Math.floor(locks.length * 0.98)]]
  t.diagnostic(`${from} writes, ${synced} of them synced`)
  t.diagnostic(`the lock was taken over in ${median.toFixed(0)} ms (median), ${locks.at(-1).toFixed(0)} ms at most`)
  if (LONG) assert.ok(most <= LOCK_MS_MAX, `the lock took ${most} ms`)
})

/**
 * Checks that all writes up to `acknowledged` exist, and later ones without a gap; returns the
 * last.
 */
async function check(db, acknowledged, when) {
  const found = await db.iterator().all()
  let last = acknowledged
  for (const [key, value] of found) {
    const i = parseInt(value, 10)
    assert.ok(key === keyOf(i) && value === valueOf(i), `${when}: ${key} holds what nobody wrote`)
    last = Math.max(last, i)
  }
  const versions = new Map(found)
  for (let i = Math.max(0, last - KEYS + 1); i <= last; i++) {
    const version = parseInt(versions.get(keyOf(i)) ?? '-1', 10)
    assert.equal(version, i, `${when}: write ${i} of ${last} is lost, ${acknowledged} were acknowledged`)
  }
  return last
}
