// One name in every kind of page and worker: the same entries, or LEVEL_NOT_SUPPORTED.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { inWorker } from './lib/in-worker.mjs'
import { serve } from './lib/serve.mjs'

for (const kind of KINDS) {
  test(`${kind}: a window, a frame, and dedicated, shared and service workers`, { skip: lacking(kind) }, async (t) => {
    const { url, close } = await serve({ '/': inRoot() }, { headers: { 'service-worker-allowed': '/' } })
    t.after(close)
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    const page = await browser.page(`${url}/tests/browser/pages/database.html`)
    await page.waitForFunction('globalThis.isReady')
    await page.evaluate(() => {
      globalThis.db = new Varve('everywhere')
      return globalThis.db.put('a', '1')
    })
    assert.equal(await inWorker(page, async (origin) => {
      const { Varve } = await import(`${origin}/pkg/browser.js`)
      const db = new Varve('everywhere')
      const value = await db.get('a')
      await db.close()
      return value
    }), '1')
    assert.equal(await page.evaluate(async () => {
      const frame = document.createElement('iframe')
      frame.src = location.href
      document.body.append(frame)
      await new Promise((resolve) => { frame.onload = resolve })
      while (!frame.contentWindow.isReady) await new Promise((resolve) => setTimeout(resolve, 20))
      const db = new frame.contentWindow.Varve('everywhere')
      const value = await db.get('a')
      frame.remove()
      return value
    }), '1')
    const inShared = (name) => page.evaluate((name) => {
      const worker = new SharedWorker('/tests/browser/pages/contexts-worker.js', { type: 'module' })
      return new Promise((resolve, reject) => {
        worker.port.onmessage = ({ data }) => resolve(data)
        worker.onerror = (event) => reject(new Error(event.message))
        worker.port.postMessage(name)
      })
    }, name)
    assert.equal(await inShared('everywhere'), 'LEVEL_NOT_SUPPORTED')
    assert.equal(await inShared(null), 'in memory')
    // Firefox ESR has no modules in service workers.
    if (kind === 'chromium') {
      const inService = (script, name) => page.evaluate(async (script, name) => {
        const registration = await navigator.serviceWorker.register(`/tests/browser/pages/${script}`, { type: 'module', scope: `/${script}/` })
        const worker = registration.installing ?? registration.waiting ?? registration.active
        while (worker.state !== 'activated') await new Promise((resolve) => worker.addEventListener('statechange', resolve, { once: true }))
        return new Promise((resolve) => {
          const { port1, port2 } = new MessageChannel()
          port1.onmessage = ({ data }) => resolve(data)
          worker.postMessage(name, [port2])
        })
      }, script, name)
      for (const script of ['contexts-worker.js', 'contexts-inline-worker.js']) {
        assert.equal(await inService(script, 'everywhere'), 'LEVEL_NOT_SUPPORTED')
        // A service worker cannot load the engine's script later.
        assert.equal(await inService(script, null), script === 'contexts-inline-worker.js' ? 'in memory' : 'LEVEL_NOT_SUPPORTED')
      }
    }
    assert.deepEqual(await page.evaluate(() => Varve.databases()), ['everywhere'])
    assert.equal(await page.evaluate(() => globalThis.db.get('a')), '1')
  })
}
