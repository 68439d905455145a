// Where a database is kept if the program does not say.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { inWorker } from './lib/in-worker.mjs'
import { serve } from './lib/serve.mjs'

/** Runs before the scripts of each worker that the page starts: takes OPFS away from it. */
const WITHOUT_OPFS = "Object.defineProperty(navigator.storage.constructor.prototype, 'getDirectory', { value: () => Promise.reject(new DOMException('refused', 'SecurityError')) })\n"

/** A page in which workers have no OPFS if `?refused` is in its address. */
async function start(t, kind) {
  const { url, close } = await serve({ '/': inRoot() })
  t.after(close)
  const browser = await Browser.start(kind)
  t.after(() => browser.close())
  const open = async (refused = false) => {
    const page = await browser.page(`${url}/tests/browser/pages/database.html`)
    await page.waitForFunction('globalThis.isReady')
    if (refused) {
      await page.evaluate((prefix) => {
        globalThis.worker = ({ full }) => {
          const script = `${prefix}await import('${location.origin}/pkg/entry-${full ? 'full' : 'web'}.js')\nfor (const data of early) onmessage({ data })`
          return new Worker(URL.createObjectURL(new Blob([`const early = []; self.onmessage = ({ data }) => early.push(data)\n${script}`], { type: 'text/javascript' })), { type: 'module' })
        }
      }, WITHOUT_OPFS)
    }
    return page
  }
  return { open }
}

const use = (page, name, options = {}) => page.evaluate(async (name, options) => {
  const db = new Varve(name, { ...options, ...(globalThis.worker && { worker: globalThis.worker }) })
  try {
    const old = await db.get('n')
    await db.put('n', String(Number(old ?? 0) + 1), { sync: true })
    const { storage, storageReason, durability } = await db.info()
    await db.close()
    return { n: await db.status === 'closed' && Number(old ?? 0) + 1, storage, durability, because: storageReason ?? null }
  } catch (error) {
    await db.close().catch(() => {})
    return error.cause?.code ?? error.code
  }
}, name, options)

for (const kind of KINDS) {
  test(`${kind}: a new database is in OPFS, or in IndexedDB where OPFS is refused, and stays there`, { skip: lacking(kind) }, async (t) => {
    const { open } = await start(t, kind)
    const page = await open()
    const refused = await open(true)
    assert.deepEqual(await use(page, 'free'), { n: 1, storage: 'opfs', durability: 'creating', because: null })
    const first = await use(refused, 'other')
    assert.deepEqual([first.n, first.storage, first.durability], [1, 'indexeddb', 'durable'])
    assert.match(first.because, /SecurityError/)
    // The database in IndexedDB stays where it is, though OPFS works in this page.
    const second = await use(page, 'other')
    assert.deepEqual([second.n, second.storage, second.because], [2, 'indexeddb', 'the database exists there'])
    // The one in OPFS is not begun anew in IndexedDB.
    assert.equal(await use(refused, 'free'), 'LEVEL_NOT_SUPPORTED')
    assert.deepEqual(await use(page, 'free'), { n: 2, storage: 'opfs', durability: 'creating', because: null })
    assert.deepEqual((await page.evaluate(() => Varve.databases())).sort(), ['free', 'other'])
    // Tabs share one in IndexedDB too.
    assert.deepEqual(await page.evaluate(async () => {
      const [one, two] = [new Varve('other'), new Varve('other')]
      await one.put('a', '1')
      const value = await two.get('a')
      await one.close()
      await two.put('b', '2')
      const both = [value, await two.get('b')]
      await two.close()
      await Varve.destroy('other')
      await Varve.destroy('free')
      return [...both, await Varve.databases()]
    }), ['1', '2', []])
  })

  test(`${kind}: a named storage is used, or refused`, { skip: lacking(kind) }, async (t) => {
    const { open } = await start(t, kind)
    const page = await open()
    assert.equal((await use(page, 'a', { storage: 'indexeddb' })).storage, 'indexeddb')
    assert.equal((await use(page, 'b', { storage: 'opfs' })).storage, 'opfs')
    assert.equal(await use(await open(true), 'c', { storage: 'opfs' }), 'LEVEL_NOT_SUPPORTED')
    assert.deepEqual(await page.evaluate(async () => {
      const one = new Varve('d', { storage: 'indexeddb' })
      await one.put('a', '1')
      const two = new Varve('d', { storage: 'opfs' })
      const code = await two.open().then(() => 'opened', ({ cause }) => cause.code)
      await one.close()
      return code
    }), 'LEVEL_LOCKED')
    assert.deepEqual(await inWorker(page, async (origin) => {
      const { Varve } = await import(`${origin}/pkg/browser.js`)
      const db = new Varve('a')
      const found = [await db.get('n'), (await db.info()).storage]
      await db.close()
      return found
    }), ['1', 'indexeddb'])
  })
}
