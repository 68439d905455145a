// What the other tests here build on: the server, and browsers that are killed and started again.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'

test('folders are served by prefix, with types and headers', async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'varve-serve-'))
  t.after(() => rmSync(place, { recursive: true }))
  mkdirSync(join(place, 'page'))
  for (const name of ['page/index.html', 'page/a.js', 'engine.wasm', 'secret']) writeFileSync(join(place, name), name)
  const { url, close } = await serve({ '/': join(place, 'page'), '/pkg/': place }, { headers: { 'x-page': 'yes' } })
  t.after(close)
  const get = async (path) => {
    const response = await fetch(url + path)
    return [response.status, response.headers.get('content-type'), response.headers.get('x-page'), await response.text()]
  }
  assert.deepEqual(await get('/index.html'), [200, 'text/html; charset=utf-8', 'yes', 'page/index.html'])
  assert.deepEqual(await get('/a.js?v=1'), [200, 'text/javascript; charset=utf-8', 'yes', 'page/a.js'])
  assert.deepEqual(await get('/pkg/engine.wasm'), [200, 'application/wasm', 'yes', 'engine.wasm'])
  assert.deepEqual(await get('/'), [200, 'text/html; charset=utf-8', 'yes', 'page/index.html'])
  for (const path of ['/none.js', '/pkg/', '/%2e%2e/secret', '/..%2fsecret', '/%']) assert.equal((await get(path))[0], 404, path)
})

for (const kind of KINDS) {
  test(`${kind} is killed and started again with the same profile`, { skip: lacking(kind) }, async (t) => {
    const { url: origin, close } = await serve({ '/': inRoot() })
    t.after(close)
    const url = `${origin}/tests/browser/pages/handles.html`
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    const ready = async () => {
      const page = await browser.page(url)
      await page.waitForFunction('globalThis.isReady')
      return page
    }

    const page = await ready()
    assert.deepEqual((await page.evaluate(() => take('kept'))).failures, [])
    const pending = page.evaluate(() => new Promise(() => {}))
    pending.catch(() => {})
    await browser.kill()
    await assert.rejects(pending)
    assert.throws(() => browser.version(), /does not run/)

    await browser.restart()
    const after = await ready()
    const kept = await after.evaluate(async () => {
      const root = await navigator.storage.getDirectory()
      const directory = await (await root.getDirectoryHandle('handles')).getDirectoryHandle('kept')
      return (await Array.fromAsync(directory.keys())).length
    })
    assert.equal(kept, 40)
    // The handles of the process that was killed are free.
    assert.deepEqual((await after.evaluate(() => take('kept'))).failures, [])

    await browser.close()
    assert.ok(!existsSync(browser.profile))
  })
}
