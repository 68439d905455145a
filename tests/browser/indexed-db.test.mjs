// Databases in IndexedDB, for pages without private files: what a page sees, and what becomes of it
// when a worker, a connection or the browser ends (scorecard R17, R20, R27, R28).
//
//   VARVE_LONG=1   more kills and lost connections
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { Varve } from '../../src/js/index.js'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, SQLITE_IDB, lacking } from './lib/browser.mjs'
import { inWorker } from './lib/in-worker.mjs'
import { serve } from './lib/serve.mjs'
import { WebKitBrowser, lackingWebKit } from './lib/webkit.mjs'

const LONG = process.env.VARVE_LONG !== undefined
const PUTS = 10_000
const KILLS = LONG ? 20 : 2

const BROWSERS = {
  chromium: { kind: 'chromium' },
  'chromium on SQLite': { kind: 'chromium', args: [SQLITE_IDB] },
  firefox: { kind: 'firefox' },
  // Where IndexedDB is what there is: it has no sync access handles.
  webkit: { kind: 'webkit' }
}

/** A page with `Varve`, which has the lean module. */
async function open(t, { kind, args }) {
  const { url, close } = await serve({ '/': inRoot() })
  t.after(close)
  const browser = kind === 'webkit' ? await WebKitBrowser.start() : await Browser.start(kind, { args })
  t.after(() => browser.close())
  const ready = async () => {
    const page = await browser.page(`${url}/tests/browser/pages/database.html`)
    await page.waitForFunction('globalThis.isReady')
    return page
  }
  return { browser, page: await ready(), ready, url }
}

const noWebKit = lackingWebKit()

/** Tests in each browser, or in all but some. */
function inBrowsers(name, act, { except = [] } = {}) {
  for (const [browser, options] of Object.entries(BROWSERS)) {
    if (except.includes(browser)) continue
    test(`${browser}: ${name}`, { skip: options.kind === 'webkit' ? noWebKit : lacking(options.kind) }, (t) => act(t, options))
  }
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

inBrowsers('a database survives its worker, the page and the browser, and C++ LevelDB reads its export', async (t, options) => {
  const { browser, page, ready } = await open(t, options)
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
    const db = globalThis.db = new Varve('notes', { storage: 'indexeddb' })
    const start = performance.now()
    const all = []
    for (let i = 0; i < puts; i++) all.push(db.put(`key ${String(i).padStart(5, '0')}`, `value ${i} `.repeat(8)))
    await Promise.all(all)
    const { storage, durability, location } = await db.info()
    return { storage, durability, location, time: performance.now() - start, getSync: db.supports.getSync }
  }, PUTS)
  t.diagnostic(`${PUTS} puts in ${info.time.toFixed(0)} ms`)
  // WebKit only logs that a flush failed.
  const durability = options.kind === 'webkit' ? 'os-buffered' : 'durable'
  assert.deepEqual([info.storage, info.location, info.durability, info.getSync], ['indexeddb', 'notes', durability, false])

  const afterWorker = await page.evaluate(async () => {
    for (const worker of globalThis.workers) worker.terminate()
    const start = performance.now()
    const db = new Varve('notes', { storage: 'indexeddb' })
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
    const db = globalThis.db = new Varve('notes', { storage: 'indexeddb' })
    await db.put('after the reload', 'y')
    return (await db.keys().all()).length
  })
  assert.equal(afterReload, PUTS + 2)

  await browser.kill()
  await browser.restart()
  const again = await ready()
  const zip = await again.evaluate(async () => {
    const db = globalThis.db = new Varve('notes', { storage: 'indexeddb' })
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
    const storage = 'indexeddb'
    const locked = await Varve.destroy('notes', { storage }).then(() => 'destroyed', ({ code }) => code)
    await globalThis.db.close()
    await Varve.destroy('notes', { storage })
    const missing = await new Varve('notes', { storage, createIfMissing: false }).open().then(() => 'opened', ({ cause }) => cause.code)
    return { locked, missing, left: (await indexedDB.databases()).length }
  })
  assert.deepEqual(gone, { locked: 'LEVEL_LOCKED', missing: 'LEVEL_INVALID_ARGUMENT', left: 0 })
})

inBrowsers('what is acknowledged survives the end of the browser at any moment', async (t, options) => {
  const { browser, ready } = await open(t, options)
  let confirmed = -1
  for (let kill = 0; kill < KILLS; kill++) {
    const page = await ready()
    // What the page tells is on its way for a moment: only what arrived before the kill counts.
    await page.exposeFunction('tell', (n) => { confirmed = Math.max(confirmed, n) })
    const found = await page.evaluate(async (confirmed) => {
      const db = globalThis.db = new Varve('killed', { storage: 'indexeddb', writeBufferSize: 65_536 })
      await db.open().catch((error) => { throw new Error(`${error.message}: ${error.cause?.code}: ${error.cause?.message}`) })
      const keys = await db.keys().all()
      const next = keys.length
      const isWhole = keys.every((key, i) => key === String(i).padStart(6, '0'))
      const writing = async () => {
        for (let i = next; ; i++) {
          await db.put(String(i).padStart(6, '0'), `value ${i} `.repeat(20), { sync: i % 7 === 0 })
          globalThis.tell(i)
        }
      }
      writing()
      return { next, isWhole, confirmed }
    }, confirmed)
    assert.ok(found.isWhole && found.next > found.confirmed, JSON.stringify(found))
    // What the page tells may take long to arrive.
    for (const end = performance.now() + 20_000; confirmed < found.next && performance.now() < end;) await new Promise((resolve) => setTimeout(resolve, 20))
    await new Promise((resolve) => setTimeout(resolve, 300 + kill * 53))
    await browser.kill()
    await browser.restart()
  }
  const page = await ready()
  const { count, findings } = await page.evaluate(async () => {
    const db = new Varve('killed', { storage: 'indexeddb' })
    const count = (await db.keys().all()).length
    const { findings } = await db.verify()
    await db.close()
    return { count, findings: findings.map(({ message }) => message) }
  })
  assert.ok(confirmed > 0 && count > confirmed, `${count} entries, ${confirmed} confirmed`)
  assert.deepEqual(findings, [])
  t.diagnostic(`${KILLS} kills, ${count} writes, none lost`)
}, { except: ['webkit'] })

inBrowsers('a window verifies, repairs and imports databases by name', async (t, options) => {
  const { page } = await open(t, options)
  const found = await page.evaluate(async () => {
    const storage = 'indexeddb'
    const db = new Varve('one', { storage })
    for (let i = 0; i < 300; i++) await db.put(`key ${i}`, `value ${i}`)
    await db.flush()
    await db.put('in the log', 'x')
    const zip = new Blob([await new Response(db.export()).arrayBuffer()])
    const locked = await Varve.repair('one', { storage }).then(() => 'repaired', ({ code }) => code)
    await db.close()
    const { entries, findings } = await Varve.verify('one', { storage })
    const copy = await Varve.import('Two: a copy/of it', zip, { storage })
    const copied = [await copy.get('key 299'), (await copy.keys().all()).length, (await copy.info()).location]
    await copy.close()
    const repaired = await Varve.repair('Two: a copy/of it', { storage })
    await Varve.destroy('one', { storage })
    const missing = await Varve.verify('one', { storage }).then(() => 'verified', ({ code }) => code)
    const names = (await indexedDB.databases()).map(({ name }) => name)
    return { locked, entries, findings: findings.length, copied, repaired: [repaired.entries, repaired.findings.length], missing, names }
  })
  assert.deepEqual(found, {
    locked: 'LEVEL_LOCKED',
    entries: 301,
    findings: 0,
    copied: ['value 299', 301, 'Two: a copy/of it'],
    repaired: [301, 0],
    missing: 'LEVEL_INVALID_ARGUMENT',
    names: ['varve/%54wo%3a%20a%20copy%2fof%20it']
  })
})

inBrowsers('transactions are strict exactly for synced writes, and one for each group of writes', async (t, options) => {
  const { page } = await open(t, options)
  const found = await inWorker(page, async (origin) => {
    const { Varve } = await import(`${origin}/pkg/full.js`)
    const { transaction } = IDBDatabase.prototype
    let durabilities = []
    IDBDatabase.prototype.transaction = function (stores, mode, given) {
      if (mode === 'readwrite') durabilities.push(given.durability)
      return transaction.call(this, stores, mode, given)
    }
    const during = async (act) => {
      durabilities = []
      await act()
      return durabilities.join(' ')
    }
    const db = new Varve('spied', { storage: 'indexeddb' })
    await db.put('first', 'the name of the log becomes durable', { sync: true })
    const put = await during(() => db.put('a', '1'))
    const synced = await during(() => db.put('b', '2', { sync: true }))
    const again = await during(() => db.sync())
    const many = await during(() => Promise.all(Array.from({ length: 500 }, (_, i) => db.put(`key ${i}`, 'value'))))
    const sync = await during(() => db.sync())
    const one = await during(() => db.get('a'))
    const info = await db.info()
    await db.close()
    await Varve.destroy('spied', { storage: 'indexeddb' })
    return { put, synced, again, many: many.split(' ').length, isManyRelaxed: !many.includes('strict'), sync, one, storage: info.storage }
  })
  assert.ok(found.many <= 4, `${found.many} transactions for 500 writes`)
  assert.deepEqual({ ...found, many: 0 }, { put: 'relaxed', synced: 'strict', again: '', many: 0, isManyRelaxed: true, sync: 'strict', one: '', storage: 'indexeddb' })
})

inBrowsers('lost connections and aborted transactions lose no write and confirm none that is not there', async (t, options) => {
  const { page } = await open(t, options)
  const seed = Math.floor(Math.random() * 2 ** 31)
  t.diagnostic(`seed ${seed}`)
  const found = await inWorker(page, async (origin, seed, puts) => {
    const { Varve } = await import(`${origin}/pkg/full.js`)
    let state = seed
    const random = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return (state >>> 8) / 2 ** 24
    }
    const { transaction } = IDBDatabase.prototype
    const told = { thrown: 0, aborted: 0, closed: 0, unheard: 0 }
    let isNoisy = true
    // After four in a row the engine gives a call up, with an error, as it should.
    let inARow = 0
    IDBDatabase.prototype.transaction = function (stores, mode, given) {
      const what = isNoisy && inARow < 2 ? random() : 1
      inARow = what < 0.08 ? inARow + 1 : 0
      if (what < 0.02) {
        told.thrown++
        throw new DOMException('The database connection is closing.', 'InvalidStateError')
      }
      if (what < 0.04) {
        // As when the browser's process for storage ends.
        told.closed++
        this.close()
        this.onclose?.(new Event('close'))
      }
      const made = transaction.call(this, stores, mode, given)
      if (what >= 0.04 && what < 0.06) {
        told.aborted++
        made.abort()
      } else if (what >= 0.06 && what < 0.08 && mode === 'readwrite') {
        // Complete, but nobody hears of it.
        told.unheard++
        made.addEventListener('complete', (event) => {
          event.stopImmediatePropagation()
          this.close()
          this.onclose?.(new Event('close'))
        })
      }
      return made
    }
    const db = new Varve('noisy', { storage: 'indexeddb', writeBufferSize: 32_768 })
    const failed = []
    for (let i = 0; i < puts; i++) {
      const wave = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, n) => [`key ${i} ${n}`, `value ${i} ${n} `.repeat(10)])
      await Promise.all(wave.map(([key, value]) => db.put(key, value, { sync: random() < 0.2 }).catch((error) => failed.push(`${key}: ${error.code} ${error.message}`))))
    }
    const reads = await db.iterator().all()
    isNoisy = false
    await db.close()
    const again = new Varve('noisy', { storage: 'indexeddb' })
    const entries = await again.iterator().all()
    const { findings } = await again.verify()
    await again.close()
    const isRight = ([key, value]) => value === `value ${key.slice(4)} `.repeat(10)
    return { told, failed, reads: reads.length, entries: entries.length, areRight: entries.every(isRight), findings: findings.length }
  }, seed, LONG ? 5_000 : 500)
  t.diagnostic(JSON.stringify(found.told))
  assert.ok(Object.values(found.told).every((count) => count > 0), JSON.stringify(found.told))
  assert.deepEqual(found.failed, [])
  assert.ok(found.areRight)
  assert.equal(found.entries, found.reads)
  assert.equal(found.findings, 0)
})

inBrowsers('an owner whose lock was stolen writes nothing any more', async (t, options) => {
  const { page } = await open(t, options)
  const found = await inWorker(page, async (origin) => {
    const { Varve } = await import(`${origin}/pkg/full.js`)
    const storage = 'indexeddb'
    const multiTab = false
    const old = new Varve('stolen', { storage, multiTab })
    await old.put('a', '1')
    const second = await new Varve('stolen', { storage, multiTab }).open().then(() => 'opened', ({ cause }) => cause.code)
    await new Promise((resolve) => navigator.locks.request('varve/stolen', { steal: true }, async () => resolve()))
    const next = new Varve('stolen', { storage, multiTab })
    await next.put('b', '2')
    const late = await old.put('c', '3').then(() => 'written', ({ code }) => code)
    const entries = await next.iterator().all()
    await next.close()
    return { second, late: late !== 'written', entries }
  })
  assert.deepEqual(found, { second: 'LEVEL_LOCKED', late: true, entries: [['a', '1'], ['b', '2']] })
})

inBrowsers('a worker with the lean module, and a shared worker with the full one, open it', async (t, options) => {
  const { page } = await open(t, options)
  const lean = await inWorker(page, async (origin) => {
    const { Varve } = await import(`${origin}/pkg/browser.js`)
    const db = new Varve('anywhere', { storage: 'indexeddb' })
    await db.put('from', 'a dedicated worker')
    await db.close()
    return 'done'
  })
  assert.equal(lean, 'done')
  const shared = await page.evaluate(async () => {
    const script = `onconnect = async ({ ports: [port] }) => {
      try {
        const { Varve } = await import('${location.origin}/pkg/full.js')
        const db = new Varve('anywhere', { storage: 'indexeddb' })
        const value = await db.get('from')
        await db.put('from', 'a shared worker', { sync: true })
        await db.close()
        port.postMessage(value)
      } catch (error) { port.postMessage(String(error.stack ?? error)) }
    }`
    const worker = new SharedWorker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' })
    return new Promise((resolve, reject) => {
      worker.onerror = () => reject(new Error('the shared worker could not be started'))
      worker.port.onmessage = ({ data }) => resolve(data)
    })
  })
  assert.equal(shared, 'a dedicated worker')
  const value = await page.evaluate(async () => {
    const db = new Varve('anywhere', { storage: 'indexeddb' })
    const value = await db.get('from')
    await db.close()
    return value
  })
  assert.equal(value, 'a shared worker')
})

inBrowsers('two tabs share a database, and the second goes on when the first is closed', async (t, options) => {
  const { page, ready } = await open(t, options)
  await page.evaluate(async () => {
    globalThis.db = new Varve('shared', { storage: 'indexeddb' })
    await globalThis.db.put('from', 'the first')
  })
  const second = await ready()
  assert.equal(await second.evaluate(async () => {
    globalThis.db = new Varve('shared', { storage: 'indexeddb' })
    await globalThis.db.put('and', 'the second')
    return globalThis.db.get('from')
  }), 'the first')
  assert.equal(await page.evaluate(() => globalThis.db.get('and')), 'the second')
  await page.close()
  assert.deepEqual(await second.evaluate(async () => {
    // A put that the first tab still received when it ended may or may not be there: so it says.
    const put = () => globalThis.db.put('last', 'x', { sync: true })
    await put().catch((error) => error.code === 'LEVEL_FENCED' && error.maybeApplied ? put() : Promise.reject(error))
    return [await globalThis.db.iterator().all(), await Varve.databases()]
  }), [[['and', 'the second'], ['from', 'the first'], ['last', 'x']], ['shared']])
}, { except: ['webkit'] })

inBrowsers('whether a database exists is found out without making one, and remains of one are told', async (t, options) => {
  const { page } = await open(t, options)
  const found = await inWorker(page, async (origin) => {
    const { existsInIndexedDb } = await import(`${origin}/src/js/storage/browser/directory.js`)
    const { databaseExists, probeIndexedDb } = await import(`${origin}/src/js/storage/browser/idb-open.js`)
    const { Varve } = await import(`${origin}/pkg/full.js`)
    const storage = 'indexeddb'
    const before = await existsInIndexedDb('some')
    const db = new Varve('some', { storage })
    await db.put('a', '1')
    await db.close()
    const after = await existsInIndexedDb('some')
    const names = (await indexedDB.databases()).map(({ name }) => name)
    // Without it, a database is opened, and not made. (WebKit lists it then all the same.)
    const { databases } = IDBFactory.prototype
    delete IDBFactory.prototype.databases
    const withoutList = [await databaseExists('varve/some'), await databaseExists('varve/other')]
    IDBFactory.prototype.databases = databases
    const probe = await probeIndexedDb()
    // Without its stores, as a browser may leave it.
    await Varve.destroy('some', { storage })
    await new Promise((resolve) => {
      const request = indexedDB.open('varve/some', 1)
      request.onsuccess = () => {
        request.result.close()
        resolve()
      }
    })
    const remains = await new Varve('some', { storage }).open().then(() => 'opened', ({ cause }) => cause.code)
    await Varve.destroy('some', { storage })
    const anew = new Varve('some', { storage })
    await anew.open()
    await anew.close()
    return { before, after, withoutList, names, probe: String(probe), remains }
  })
  assert.deepEqual(found, { before: false, after: true, withoutList: [true, false], names: ['varve/some'], probe: 'undefined', remains: 'LEVEL_EVICTED' })
})

test('chromium: a full quota is LEVEL_FULL, durability is in doubt, and what was acknowledged is there', { skip: lacking('chromium') }, async (t) => {
  const { page, url } = await open(t, BROWSERS.chromium)
  const session = await page.createCDPSession()
  await session.send('Storage.overrideQuotaForOrigin', { origin: url, quotaSize: 5 << 20 })
  const found = await page.evaluate(async () => {
    const db = new Varve('full', { storage: 'indexeddb' })
    let written = 0
    let code
    for (let i = 0; i < 400 && code === undefined; i++) {
      const value = crypto.getRandomValues(new Uint8Array(32_768))
      await db.put(`key ${String(i).padStart(4, '0')}`, value, { valueEncoding: 'view' }).then(() => written++, (error) => { code = error.code })
    }
    const count = (await db.keys().all()).length
    const { durability } = await db.info()
    const bytes = (await new Response(db.export()).arrayBuffer()).byteLength
    return { written, code, count, durability, isExported: bytes > written * 32_768 }
  })
  t.diagnostic(JSON.stringify(found))
  assert.equal(found.code, 'LEVEL_FULL')
  assert.ok(found.written > 20 && found.isExported)
  assert.equal(found.count, found.written)
  assert.equal(found.durability, 'in-doubt')
})
