// Published packages that use a level database, unchanged, in pages on the private files of a browser.
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { bundle } from '../../pkg-scripts/lib/browser.mjs'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, seldom } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'

const shim = (file) => inRoot('tests', 'browser', 'lib', 'shims', file)

let folder

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'varve-clients-'))
  await bundle({
    entryPoints: {
      clients: inRoot('tests', 'browser', 'pages', 'clients.js'),
      'entry-web': inRoot('src', 'js', 'tabs', 'entry-web.js')
    },
    outdir: folder,
    splitting: true,
    alias: { buffer: inRoot('src', 'js', 'bytes', 'buffer-web.js'), varve: inRoot('src', 'js', 'index.js'), 'aegir/chai': inRoot('tests', 'js', 'clients', 'aegir-chai.mjs') },
    inject: [shim('process.js')],
    define: { global: 'globalThis' }
  })
  copyFileSync(inRoot('pkg', 'engine.wasm'), join(folder, 'engine.wasm'))
  writeFileSync(join(folder, 'index.html'), '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="clients.js"></script>')
})
after(() => rmSync(folder, { recursive: true, force: true }))

for (const kind of KINDS) {
  test(`${kind}: the suite of interface-datastore, and an inverted index`, { skip: seldom(kind) }, async (t) => {
    const { url, close } = await serve({ '/': folder })
    t.after(close)
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    const page = await browser.page(`${url}/index.html`)
    await page.waitForFunction('globalThis.isReady')
    const { passed, failed, opened, count } = await page.evaluate(() => globalThis.datastore())
    assert.deepEqual(failed, [])
    assert.ok(passed >= 40, `${passed} tests`)
    assert.deepEqual(opened, ['opfs'])
    t.diagnostic(`${passed} tests of interface-datastore on ${count} databases`)
    const all = Array.from({ length: 300 }, (_, i) => i)
    assert.deepEqual(await page.evaluate(() => globalThis.index()), {
      volvo: all.filter((i) => i % 3 === 1),
      redSaab: all.filter((i) => i % 3 === 2 && i % 2 === 1),
      either: all.filter((i) => i % 3 === 0 || i % 2 === 0).length,
      left: 98
    })
  })
}
