// Databases in a page, as the package makes them: a name, and nothing else.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { Varve } from '../../src/js/index.js'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking, seldom } from './lib/browser.mjs'
import { inWorker } from './lib/in-worker.mjs'
import { serve } from './lib/serve.mjs'

const PUTS = 10_000

/** A page with `Varve`. */
async function open(t, kind) {
  const { url, close } = await serve({ '/': inRoot() })
  t.after(close)
  const browser = await Browser.start(kind)
  t.after(() => browser.close())
  const ready = async () => {
    const page = await browser.page(`${url}/tests/browser/pages/database.html`)
    await page.waitForFunction('globalThis.isReady')
    return page
  }
  return { browser, page: await ready(), ready }
}

/** The entries of an exported database, as C++ LevelDB reads them. */
async function entriesOf(t, zip) {
  const place = mkdtempSync(join(tmpdir(), 'varve-export-'))
  t.after(() => rmSync(place, { recursive: true, force: true }))
  const file = join(place, 'export.zip')
  writeFileSync(file, zip)
  const imported = await Varve.import(join(place, 'db'), zip)
  await imported.close()
  const classic = new ClassicLevel(join(place, 'db'), { createIfMissing: false })
  const entries = await classic.iterator().all()
  await classic.close()
  return entries
}

for (const kind of KINDS) {
  test(`${kind}: a database survives its worker, the page and the browser, and C++ LevelDB reads its export`, { skip: lacking(kind) }, async (t) => {
    const { browser, page, ready } = await open(t, kind)
    // Workers of the page are known by what starts them.
    await page.evaluate(() => {
      globalThis.workers = []
      globalThis.Worker = class extends Worker {
        constructor(...given) {
          super(...given)
          globalThis.workers.push(this)
        }
      }
    })
    const info = await page.evaluate(async (puts) => {
      const db = globalThis.db = new Varve('notes')
      const all = []
      for (let i = 0; i < puts; i++) all.push(db.put(`key ${String(i).padStart(5, '0')}`, `value ${i} `.repeat(8)))
      await Promise.all(all)
      const { storage, durability, location } = await db.info()
      return { storage, durability, location, synchronous: typeof db.getSync }
    }, PUTS)
    // Synced writes survive a power failure once the files of a new database are a minute old.
    assert.deepEqual([info.storage, info.location, info.durability], ['opfs', 'notes', 'creating'])

    const afterWorker = await page.evaluate(async () => {
      for (const worker of globalThis.workers) worker.terminate()
      const start = performance.now()
      const db = new Varve('notes')
      const value = await db.get('key 00007')
      const time = performance.now() - start
      const count = (await db.keys().all()).length
      await db.put('after the worker', 'x')
      globalThis.db = db
      return { value, count, time }
    })
    assert.equal(afterWorker.value, 'value 7 '.repeat(8))
    assert.equal(afterWorker.count, PUTS)
    t.diagnostic(`opened ${afterWorker.time.toFixed(0)} ms after the worker was ended`)

    await page.reload()
    await page.waitForFunction('globalThis.isReady')
    const afterReload = await page.evaluate(async () => {
      const start = performance.now()
      const db = globalThis.db = new Varve('notes')
      await db.get('key 00007')
      const time = performance.now() - start
      await db.put('after the reload', 'y')
      return { count: (await db.keys().all()).length, time }
    })
    assert.equal(afterReload.count, PUTS + 2)
    t.diagnostic(`opened ${afterReload.time.toFixed(0)} ms after the page was loaded again`)

    await browser.kill()
    await browser.restart()
    const again = await ready()
    const zip = await again.evaluate(async () => {
      const db = globalThis.db = new Varve('notes')
      const bytes = new Uint8Array(await new Response(db.export()).arrayBuffer())
      let text = ''
      for (const byte of bytes) text += String.fromCharCode(byte)
      return btoa(text)
    })
    const entries = await entriesOf(t, Buffer.from(zip, 'base64'))
    assert.equal(entries.length, PUTS + 2)
    assert.deepEqual(entries.slice(0, 2), [['after the reload', 'y'], ['after the worker', 'x']])
    assert.deepEqual(entries.slice(2), Array.from({ length: PUTS }, (_, i) => [`key ${String(i).padStart(5, '0')}`, `value ${i} `.repeat(8)]))

    const gone = await again.evaluate(async () => {
      const locked = await Varve.destroy('notes').then(() => 'destroyed', ({ code }) => code)
      await globalThis.db.close()
      await Varve.destroy('notes')
      const missing = await new Varve('notes', { createIfMissing: false }).open().then(() => 'opened', ({ cause }) => cause.code)
      return { locked, missing }
    })
    assert.deepEqual(gone, { locked: 'LEVEL_LOCKED', missing: 'LEVEL_INVALID_ARGUMENT' })
  })
}

for (const kind of KINDS) {
  test(`${kind}: a window verifies, repairs and imports databases by name`, { skip: seldom(kind) }, async (t) => {
    const { page } = await open(t, kind)
    const found = await page.evaluate(async () => {
      const db = new Varve('one')
      for (let i = 0; i < 300; i++) await db.put(`key ${i}`, `value ${i}`)
      await db.flush()
      await db.put('in the log', 'x')
      const zip = new Blob([await new Response(db.export()).arrayBuffer()])
      const start = performance.now()
      const locked = [await Varve.verify('one').then(() => 'verified', ({ code }) => code), performance.now() - start < 8000]
      const names = await Varve.databases()
      await db.checkpoint('a copy')
      await db.close()
      const checkpoint = new Varve('a copy')
      const { length } = await checkpoint.keys().all()
      await checkpoint.close()
      const { entries, findings } = await Varve.verify('one')
      const copy = await Varve.import('Two: a copy/of it', zip)
      const copied = [await copy.get('key 299'), (await copy.keys().all()).length, (await copy.info()).location]
      await copy.close()
      const repaired = await Varve.repair('Two: a copy/of it')
      await Varve.destroy('one')
      const missing = await Varve.verify('one').then(() => 'verified', ({ code }) => code)
      return { locked, names, length, entries, findings: findings.length, copied, repaired: [repaired.entries, repaired.findings.length], missing }
    })
    assert.deepEqual(found, {
      locked: ['LEVEL_LOCKED', true],
      names: ['one'],
      length: 301,
      entries: 301,
      findings: 0,
      copied: ['value 299', 301, 'Two: a copy/of it'],
      repaired: [301, 0],
      missing: 'LEVEL_INVALID_ARGUMENT'
    })
  })

  test(`${kind}: a user's own worker reads synchronously as soon as the database is open`, { skip: lacking(kind) }, async (t) => {
    const { page } = await open(t, kind)
    const found = await inWorker(page, async (origin) => {
      const { Varve } = await import(`${origin}/pkg/browser.js`)
      const options = { writeBufferSize: 128 << 10, maxFileSize: 128 << 10 }
      const db = new Varve('at once', options)
      const key = (i) => String(i * 7919 % 20_000).padStart(6, '0')
      for (let i = 0; i < 20_000; i += 500) await db.batch(Array.from({ length: 500 }, (_, j) => ({ type: 'put', key: key(i + j), value: `${key(i + j)} `.repeat(8) })))
      await db.close()
      const again = new Varve('at once', options)
      await again.open()
      const first = again.getSync(key(7)).slice(0, 6)
      let entries = 0
      for (const [key, value] of again.rangeSync()) entries += value.startsWith(key) ? 1 : 0
      const { levels } = await again.info()
      await again.close()
      return { first, entries, tables: levels.reduce((sum, { files }) => sum + files, 0) }
    })
    // So many are opened with the database.
    assert.ok(found.tables > 4 && found.tables <= 16, `${found.tables} tables`)
    assert.deepEqual([found.first, found.entries], [String(7 * 7919 % 20_000).padStart(6, '0'), 20_000])
  })

  test(`${kind}: a user's own worker opens the database in place, with the synchronous calls`, { skip: lacking(kind) }, async (t) => {
    const { page } = await open(t, kind)
    const found = await inWorker(page, async (origin) => {
      const { Varve } = await import(`${origin}/pkg/browser.js`)
      const db = new Varve('in place')
      await db.open()
      db.putSync('a', '1')
      db.putSync('b', '2', { sync: true })
      db.batchSync([{ type: 'put', key: 'c', value: '3' }, { type: 'del', key: 'a' }])
      const entries = [...db.rangeSync()]
      const alone = await new Varve('in place', { multiTab: false }).open().then(() => 'opened', ({ cause }) => cause.code)
      const second = new Varve('in place')
      await second.put('d', '4')
      const shared = [db.getSync('d'), await second.get('b')]
      await second.close()
      await db.del('d')
      await db.close()
      const again = new Varve('in place')
      const value = await again.get('c')
      await again.close()
      return { entries, alone, shared, value }
    })
    assert.deepEqual(found, { entries: [['b', '2'], ['c', '3']], alone: 'LEVEL_LOCKED', shared: ['4', '2'], value: '3' })
  })
}
