// A full disk: acknowledged writes are kept, reads work, and when there is space again resume() is
// enough.
//
// Needs root and Linux to mount a small file system; otherwise it is skipped.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Varve } from '../../src/js/index.js'

const ROUNDS = 20
const MIB = 1 << 20
const SIZE = 16 * MIB
/** Space reserved for compactions. */
const BALLAST = 8 * MIB

const root = mkdtempSync(join(tmpdir(), 'varve-full-'))
const disk = join(root, 'disk')
mkdirSync(disk)
const mounted = process.platform === 'linux' && spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', disk]).status === 0
const line = '!'.repeat(78)
if (!mounted) console.warn(`\n${line}\n!! SKIPPED: cannot mount a file system, so a full disk was NOT tested.\n${line}`)
after(() => {
  if (mounted) spawnSync('umount', ['-l', disk])
  rmSync(root, { recursive: true, force: true })
})

/** An incompressible value. */
function valueOf(i) {
  const bytes = Buffer.alloc(500 + i % 3000)
  for (let at = 0, x = i * 2654435761 + 1; at + 4 <= bytes.length; at += 4) {
    x = Math.imul(x, 1664525) + 1013904223
    bytes.writeInt32LE(x | 0, at)
  }
  return bytes.toString('latin1')
}

test(`a disk of ${SIZE / MIB} MiB becomes full ${ROUNDS} times`, { skip: !mounted && 'mounting needs root and Linux' }, async (t) => {
  const ballast = join(disk, 'ballast')
  const db = new Varve(join(disk, 'db'), { writeBufferSize: MIB, maxFileSize: MIB })
  const model = new Map()
  const unknown = new Map()
  db.on('recovered', ({ cause }) => assert.fail(cause))
  const codes = {}
  let i = 0

  /** Returns whether the write was acknowledged. */
  async function put(key, value, sync) {
    try {
      await db.put(key, value, { sync })
      model.set(key, value)
      unknown.delete(key)
      return true
    } catch (error) {
      codes[error.code] = (codes[error.code] ?? 0) + 1
      assert.match(error.code, /^LEVEL_(FULL|POISONED)$/, error.stack)
      if (error.maybeApplied) unknown.set(key, [...unknown.get(key) ?? [], value])
      return false
    }
  }

  async function check(database) {
    const found = new Map(await database.iterator().all())
    for (const key of new Set([...model.keys(), ...unknown.keys(), ...found.keys()])) {
      const value = found.get(key)
      if (value === model.get(key)) continue
      assert.ok(unknown.get(key)?.includes(value), `${key} is lost, or nobody wrote it`)
      model.set(key, value)
    }
    unknown.clear()
  }

  for (let round = 0; round < ROUNDS; round++) {
    writeFileSync(ballast, Buffer.alloc(BALLAST))
    let refused = 0
    while (refused < 3) {
      i++
      if (!await put(`key${i % 9000}`, valueOf(i), i % 50 === round)) refused++
      if (i % 400 === 0) await db.flush().catch((error) => assert.match(error.code, /^LEVEL_(FULL|POISONED|IO_ERROR)$/, error.stack))
    }

    // Full: written entries can be read in every way, and refused ones do not exist.
    await check(db)
    const [key, value] = [...model].at(round)
    assert.equal(await db.get(key), value)
    assert.equal(db.getSync(key), value)
    const snapshot = db.snapshot()
    assert.equal(await db.get(key, { snapshot }), value)
    await snapshot.close()

    rmSync(ballast)
    await db.resume()
    assert.ok(await put(`after${round}`, valueOf(round), true), 'a write after resume()')
    await check(db)

    // Free space for the next round.
    const gone = [...model.keys()].filter((_, at) => at % 4 !== round % 4)
    for (let at = 0; at < gone.length; at += 500) await db.batch(gone.slice(at, at + 500).map((one) => ({ type: 'del', key: one })))
    for (const one of gone) model.delete(one)
    await db.compactRange()
    if (round % 5 === 4) {
      await db.close()
      await db.open()
    }
    await check(db)
  }
  assert.deepEqual((await db.verify()).findings, [])
  await db.close()
  await db.open()
  await check(db)
  await db.close()
  t.diagnostic(`${i} writes, refused: ${JSON.stringify(codes)}`)
})
