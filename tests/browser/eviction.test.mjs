// A database whose files were removed behind it: an error, and never a new empty database.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { inWorker } from './lib/in-worker.mjs'
import { serve } from './lib/serve.mjs'

const TRIALS = process.env.VARVE_LONG === '1' ? 10 : 2

/** A page with the package. @param {import('node:test').TestContext} t @param {import('./lib/browser.mjs').Kind} kind */
async function open(t, kind) {
  const { url, close } = await serve({ '/': inRoot() })
  t.after(close)
  const browser = await Browser.start(kind)
  t.after(() => browser.close())
  const page = await browser.page(`${url}/tests/browser/pages/database.html`)
  await page.waitForFunction('globalThis.isReady')
  return page
}

for (const kind of KINDS) {
  test(`${kind}: a database whose files are gone is missed until it is destroyed`, { skip: lacking(kind) }, async (t) => {
    const page = await open(t, kind)
    for (let trial = 0; trial < TRIALS; trial++) {
      assert.deepEqual(await page.evaluate(async (name) => {
        const db = new Varve(name)
        await db.put('a', '1')
        await db.close()
        const root = await navigator.storage.getDirectory()
        await (await root.getDirectoryHandle('varve')).removeEntry(name, { recursive: true })
        const told = async (make) => {
          const db = make()
          const code = await db.open().then(() => 'opened', ({ cause }) => cause.code)
          await db.close()
          return code
        }
        const gone = [await told(() => new Varve(name)), await told(() => new Varve(name, { createIfMissing: false })), await told(() => new Varve(name))]
        await Varve.destroy(name)
        const anew = new Varve(name)
        const value = await anew.get('a')
        await anew.close()
        return { gone, value: value ?? null }
      }, `evicted-${trial}`), { gone: ['LEVEL_EVICTED', 'LEVEL_EVICTED', 'LEVEL_EVICTED'], value: null })
    }
  })

  test(`${kind}: a database that is closed at once is missed as well, if IndexedDB is slow`, { skip: lacking(kind) }, async (t) => {
    const page = await open(t, kind)
    const code = await inWorker(page, async (/** @type {string} */ origin) => {
      const { open } = IDBFactory.prototype
      // The database is opened later than it is asked for; the request stands for it until then.
      IDBFactory.prototype.open = function (...args) {
        const late = /** @type {any} any: as much of a request as the package uses */ ({})
        setTimeout(() => {
          const request = open.apply(this, args)
          for (const name of ['onupgradeneeded', 'onsuccess', 'onerror']) {
            request[name] = (event) => { Object.assign(late, { result: request.result, error: name === 'onerror' ? request.error : null }); late[name]?.(event) }
          }
        }, 300)
        return late
      }
      const { Varve } = await import(`${origin}/pkg/browser.js`)
      const db = new Varve('closed-at-once')
      await db.put('a', '1')
      await db.close()
      IDBFactory.prototype.open = open
      const root = await navigator.storage.getDirectory()
      await (await root.getDirectoryHandle('varve')).removeEntry('closed-at-once', { recursive: true })
      const again = new Varve('closed-at-once')
      const told = await again.open().then(() => 'opened', ({ cause }) => cause.code)
      await again.close()
      return told
    })
    assert.equal(code, 'LEVEL_EVICTED')
  })
}
