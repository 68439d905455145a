// Chromium's index of files goes back to an older state after synced writes, as a power failure may
// leave it (scorecard R21): no synced write is lost once the files are mature, and before, there is an
// error or a prefix, and never wrong data. The clock of the library is put forward instead of waiting.
//
//   VARVE_LONG=1   50 trials of each instead of 2
import assert from 'node:assert/strict'
import { appendFileSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, lacking } from './lib/browser.mjs'
import { inWorker } from './lib/in-worker.mjs'
import { serve } from './lib/serve.mjs'

const TRIALS = process.env.VARVE_LONG === undefined ? 2 : 50

/** By so much the clock of the library is put forward, in ms: twice the time until a file is mature. */
const STEP_MS = 120_000

/** The folders with the indexes of private files. */
function indexesIn(profile) {
  return readdirSync(profile, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory() && ['Paths', 'Origins'].includes(entry.name) && /File ?System/.test(entry.parentPath))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Copies the indexes; the result puts the copies back. */
function copyIndexes(t, profile) {
  const folders = indexesIn(profile)
  const place = mkdtempSync(join(tmpdir(), 'varve-index-'))
  t.after(() => rmSync(place, { recursive: true, force: true }))
  folders.forEach((folder, i) => cpSync(folder, join(place, String(i)), { recursive: true }))
  return {
    count: folders.length,
    putBack() {
      // One that did not exist then goes too.
      for (const folder of indexesIn(profile)) rmSync(folder, { recursive: true })
      folders.forEach((folder, i) => cpSync(join(place, String(i)), folder, { recursive: true }))
      rmSync(place, { recursive: true })
    }
  }
}

/** Writes entries, each synced, with flushes and compactions between; resolves with those written while the database was durable, and all. */
const write = (page, name, skew, seed, count, storage = 'opfs') => inWorker(page, async (origin, name, skew, seed, count, storage) => {
  const now = Date.now
  Date.now = () => now() + skew
  const { Varve } = await import(`${origin}/pkg/full.js`)
  const db = new Varve(name, { storage, writeBufferSize: 32 << 10, maxFileSize: 32 << 10 })
  await db.open()
  // Spares are made ready.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const all = []
  let durable = 0
  for (let i = 0; i < count; i++) {
    const [key, value] = [`key ${(seed * 7 + i * 13) % 97}`, `${seed}.${i}.${'x'.repeat((i * 37) % 900)}`]
    await db.put(key, value, { sync: true })
    all.push([key, value])
    if (i % 60 === 59) await db.flush()
    if (i % 150 === 149) await db.compactRange()
    if (i % 5 === 0 && (await db.info()).durability === 'durable') durable = all.length
  }
  if ((await db.info()).durability === 'durable') durable = all.length
  // It is not closed: the browser is killed.
  globalThis.kept = db
  return { all, durable }
}, name, skew, seed, count, storage)

/** Opens the database, by a repair if it must be; resolves with its entries, or why it has none. */
const read = (page, name, skew) => inWorker(page, async (origin, name, skew) => {
  const now = Date.now
  Date.now = () => now() + skew
  const { Varve } = await import(`${origin}/pkg/full.js`)
  const told = []
  for (let attempt = 0; attempt < 2; attempt++) {
    const db = new Varve(name, { createIfMissing: false })
    try {
      await db.open()
      const entries = await db.iterator().all()
      const { findings } = await db.verify()
      await db.close()
      return { entries, told, findings: findings.length }
    } catch (error) {
      told.push(error.cause?.code ?? error.code ?? String(error))
      await db.close().catch(() => {})
      if (attempt === 0) await Varve.repair(name).catch((error) => told.push(`repair: ${error.code}`))
    }
  }
  return { told }
}, name, skew)

async function start(t) {
  const { url, close } = await serve({ '/': inRoot() })
  t.after(close)
  const browser = await Browser.start('chromium')
  t.after(() => browser.close())
  return { browser, page: () => browser.page(`${url}/tests/browser/pages/blank.html`) }
}

test('chromium: a mature database loses no synced write when the index of files goes back', { skip: lacking('chromium') }, async (t) => {
  const { browser, page } = await start(t)
  await write(await page(), 'mature', 0, 1, 100)
  await browser.quit()
  let repaired = 0
  let checked = 0
  for (let trial = 1; trial <= TRIALS; trial++) {
    const indexes = copyIndexes(t, browser.profile)
    assert.ok(indexes.count > 0, 'the profile has an index of private files')
    await browser.restart()
    const { all, durable } = await write(await page(), 'mature', trial * STEP_MS, trial, 80 + (trial * 97) % 300)
    await browser.kill()
    indexes.putBack()
    await browser.restart()
    const { entries, told, findings } = await read(await page(), 'mature', trial * STEP_MS)
    await browser.quit()
    assert.ok(entries !== undefined, `trial ${trial}: ${told}`)
    if (told.length > 0) repaired++
    assert.equal(findings, 0)
    const found = new Map(entries)
    const latest = new Map(all.slice(0, durable))
    const later = all.slice(durable)
    checked += latest.size
    for (const [key, value] of latest) {
      const accepted = [value, ...later.filter(([each]) => each === key).map(([, value]) => value)]
      assert.ok(accepted.includes(found.get(key)), `trial ${trial}: ${key} is ${found.get(key)?.slice(0, 20)}, expected ${value.slice(0, 20)}`)
    }
  }
  t.diagnostic(`${TRIALS} trials, ${checked} synced entries were there, ${repaired} databases were repaired`)
})

test('chromium: in its first minute a database gives an error or a prefix when the index goes back', { skip: lacking('chromium') }, async (t) => {
  const { browser, page } = await start(t)
  await write(await page(), 'other', 0, 1, 5)
  await browser.quit()
  const seen = {}
  for (let trial = 1; trial <= TRIALS; trial++) {
    const name = `young ${trial}`
    const all = []
    const session = async () => {
      await browser.restart()
      all.push(...(await write(await page(), name, 0, trial, 40 + (trial * 61) % 120)).all)
      await browser.kill()
    }
    // The index goes back to before the database, or to its middle.
    if (trial % 2 === 0) await session()
    const indexes = copyIndexes(t, browser.profile)
    await session()
    indexes.putBack()
    await browser.restart()
    const { entries, told } = await read(await page(), name, 0)
    await browser.quit()
    const result = entries === undefined ? told.join(' ') : `${entries.length > 0 ? 'entries' : 'empty'} ${told.join(' ')}`
    seen[result] = (seen[result] ?? 0) + 1
    assert.ok(entries === undefined || entries.length > 0, `an empty database, after ${told}`)
    for (const [key, value] of entries ?? []) assert.ok(all.some(([k, v]) => k === key && v === value), `${key} was never ${value}`)
  }
  t.diagnostic(JSON.stringify(seen))
})

/** A browser was killed between the header and the content of a record; returns how many logs were torn. */
function tear(folders) {
  const logs = folders.flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.log')).map((name) => join(folder, name)))
  // CRC, length 200 and type FULL; then 9 of the 200 bytes.
  for (const log of logs) appendFileSync(log, Buffer.from([1, 2, 3, 4, 200, 0, 1, ...Buffer.from('torn here')]))
  return logs.length
}

// Chromium goes on with such a log, and drops what follows in the block when it starts again.
for (const { storage, foldersIn } of [
  { storage: 'opfs', foldersIn: indexesIn },
  { storage: 'indexeddb', foldersIn: (profile) => readdirSync(profile, { recursive: true, withFileTypes: true }).filter(({ name }) => name.endsWith('.indexeddb.leveldb')).map(({ name, parentPath }) => join(parentPath, name)) }
]) {
  test(`chromium: what is written after a kill tore a log of the browser is not lost (${storage})`, { skip: lacking('chromium') }, async (t) => {
    const { browser, page } = await start(t)
    await write(await page(), 'before', 0, 1, 20, storage)
    await browser.quit()
    assert.ok(tear(foldersIn(browser.profile)) > 0, 'the profile has a log')
    await browser.restart()
    const written = {}
    for (const name of ['before', 'after']) written[name] = (await write(await page(), name, 0, 2, 40, storage)).all
    await browser.quit()
    await browser.restart()
    for (const name of ['before', 'after']) {
      const { entries, told } = await read(await page(), name, 0)
      assert.ok(entries !== undefined && told.length === 0, `${name}: ${told}`)
      for (const [key, value] of new Map(written[name])) assert.equal(new Map(entries).get(key), value, `${name}: ${key}`)
    }
    // What takes the rest of the block is removed.
    const left = await (await page()).evaluate(async () => {
      const names = (await indexedDB.databases()).map(({ name }) => name)
      for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name)
      return names.map((name) => name.slice(0, 20)).filter((name) => name.includes('seal'))
    })
    assert.deepEqual(left, [])
  })
}
