// A database prepares files while nothing happens, so that the next log or table need not wait for one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'

/** SPARES_MIN in src/env/pool/mod.rs. */
const SPARES_MIN = 8

const filesOf = (page) => page.evaluate(async () => {
  const root = await navigator.storage.getDirectory()
  const directory = await (await root.getDirectoryHandle('varve')).getDirectoryHandle('spares')
  return (await Array.fromAsync(directory.keys())).filter((name) => /^p\d+$/.test(name)).length
})

for (const kind of KINDS) {
  test(`${kind}: a database at rest has spare files`, { skip: lacking(kind) }, async (t) => {
    const { url, close } = await serve({ '/': inRoot() })
    t.after(close)
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    const page = await browser.page(`${url}/tests/browser/pages/database.html`)
    await page.waitForFunction('globalThis.isReady')
    await page.evaluate(async () => {
      globalThis.db = new Varve('spares')
      await globalThis.db.put('a', '1')
    })
    // A manifest and a log, and the spares.
    const wanted = SPARES_MIN + 2
    let count = 0
    for (let i = 0; i < 100 && count < wanted; i++) {
      await sleep(100)
      count = await filesOf(page)
    }
    assert.ok(count >= wanted, `${count} files after 10 s`)

    // Closing ends the preparation, and leaves nothing open.
    await page.evaluate(async () => {
      await globalThis.db.close()
      await Varve.destroy('spares')
    })
    await assert.rejects(filesOf(page), /NotFound/)
  })
}
