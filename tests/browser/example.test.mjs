// The example in examples/web: two tabs in sync, and no network.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'

const texts = (page) => page.evaluate(() => [...document.querySelectorAll('li')].map((item) => item.firstChild.textContent))

const shows = async (page, expected) => {
  await page.waitForFunction((count) => document.querySelectorAll('li').length === count, { timeout: 20_000, polling: 100 }, expected.length)
  assert.deepEqual(await texts(page), expected)
}

/** As a user does; a tab in the background takes no keys. */
const add = (page, text) => page.evaluate((text) => {
  document.getElementById('text').value = text
  document.getElementById('form').requestSubmit()
}, text)

for (const kind of KINDS) {
  test(`${kind}: notes appear in both tabs, and are there without a network`, { skip: lacking(kind) }, async (t) => {
    const { url, close } = await serve({ '/': inRoot('examples', 'web'), '/varve/': inRoot('pkg') })
    let isServed = true
    t.after(() => isServed && close())
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    const [first, second] = [await browser.page(`${url}/index.html`), await browser.page(`${url}/index.html`)]
    await second.bringToFront()
    await add(first, 'milk')
    await shows(first, ['milk'])
    await shows(second, ['milk'])
    await add(second, 'bread')
    await shows(first, ['milk', 'bread'])
    await first.evaluate(() => document.querySelector('li button').click())
    await shows(second, ['bread'])

    // Loaded once more, so that the service worker has seen it.
    await second.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
    await second.reload()
    await shows(second, ['bread'])
    close()
    isServed = false
    await second.reload()
    await shows(second, ['bread'])
    await add(second, 'salt')
    await shows(first, ['bread', 'salt'])
    await first.close()
    await add(second, 'soap')
    await shows(second, ['bread', 'salt', 'soap'])
  })
}
