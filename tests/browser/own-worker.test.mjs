// Workers that the page makes itself: for Trusted Types, and for scripts of another origin.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'

const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types varve"

/** Writes, repairs and reads a database. @param {any} options */
async function use(options) {
  const { Varve } = globalThis
  const made = []
  const worker = (needs) => {
    made.push(needs.full)
    return options(needs)
  }
  const db = new Varve('own', { worker })
  await db.put('a', '1')
  await db.close()
  const { entries } = await Varve.repair('own', { worker })
  const { findings } = await Varve.verify('own', { worker })
  const again = new Varve('own', { worker })
  const value = await again.get('a')
  await again.close()
  return { value, entries, findings: findings.length, made }
}

const EXPECTED = { value: '1', entries: 1, findings: 0, made: [false, true, true, false] }

// Firefox has no Trusted Types yet.
test('chromium: a page with Trusted Types makes its worker by its policy', { skip: lacking('chromium') }, async (t) => {
  const { url, close } = await serve({ '/': inRoot() }, { headers: { 'content-security-policy': POLICY } })
  t.after(close)
  const browser = await Browser.start('chromium')
  t.after(() => browser.close())
  const page = await browser.page(`${url}/tests/browser/pages/database.html`)
  await page.waitForFunction('globalThis.isReady')
  const refused = await page.evaluate(() => new Varve('own').open().then(() => 'opened', ({ cause }) => cause.code))
  assert.equal(refused, 'LEVEL_ENGINE_UNAVAILABLE')
  const found = await page.evaluate(`(async () => {
    const policy = trustedTypes.createPolicy('varve', { createScriptURL: (url) => url })
    return (${use})(({ full }) => new Worker(policy.createScriptURL(full ? '/pkg/entry-full.js' : '/pkg/entry-web.js'), { type: 'module' }))
  })()`)
  assert.deepEqual(found, EXPECTED)
})

for (const kind of KINDS) {
  test(`${kind}: the package comes from another origin`, { skip: lacking(kind) }, async (t) => {
    const page = await serve({ '/': inRoot('tests', 'browser', 'pages') })
    t.after(page.close)
    const away = await serve({ '/': inRoot() }, { headers: { 'access-control-allow-origin': '*' } })
    t.after(away.close)
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    const tab = await browser.page(`${page.url}/blank.html`)
    const found = await tab.evaluate(`(async () => {
      const { Varve } = await import('${away.url}/pkg/browser.js')
      globalThis.Varve = Varve
      return (${use})(({ full }) => {
        const script = "import '${away.url}/pkg/entry-" + (full ? 'full' : 'web') + ".js'"
        return new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' })
      })
    })()`)
    assert.deepEqual(found, EXPECTED)
  })
}
