// Going through the inspector's page: the browser's history, addresses, drops, and what lists say.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Varve } from '../../src/js/index.js'
import { Browser, KINDS, seldom } from './lib/browser.mjs'
import { openInspector, serveInspector } from './lib/inspector.mjs'

/** @typedef {import('./lib/inspector.mjs').Inspector} Inspector */

const DEMO = (/** @type {string} */ name) => inRoot('pkg', 'inspector', 'demo', name, '000005.ldb')

/** @param {Inspector} inspector */
const hashOf = (inspector) => inspector.page.evaluate(() => location.hash)
/** @param {Inspector} inspector */
const lengthOf = (inspector) => inspector.page.evaluate(() => history.length)

/** Goes through the history, and waits for the address. @param {Inspector} inspector @param {'back' | 'forward'} way @param {RegExp} address */
async function go(inspector, way, address) {
  await inspector.page.evaluate((way) => history[/** @type {'back' | 'forward'} */ (way)](), way)
  for (let tries = 0; !address.test(await hashOf(inspector)); tries++) {
    assert.ok(tries < 200, `${way} leads to ${await hashOf(inspector)} instead of ${address}`)
    await sleep(20)
  }
}

for (const kind of KINDS) {
  describe(`ways through the inspector in ${kind}`, { skip: seldom(kind) }, () => {
    /** @type {Browser} */
    let browser
    /** @type {Awaited<ReturnType<typeof serveInspector>>} */
    let server
    const folder = mkdtempSync(join(tmpdir(), 'varve-ways-'))
    before(async () => {
      server = await serveInspector()
      browser = await Browser.start(kind)
    })
    after(async () => {
      await browser?.close()
      server?.close()
      rmSync(folder, { recursive: true, force: true })
    })

    /** A database of a few tables and a log. */
    async function database() {
      const place = mkdtempSync(join(folder, 'db-'))
      const db = /** @type {import('../../src/js/types/index.js').Varve<string, string>} */ (new Varve(place, { writeBufferSize: 64 << 10 }))
      for (let i = 0; i < 12; i++) {
        await db.put(`key ${i}`, `value ${i}`)
        if (i % 4 === 3) await db.flush()
      }
      await db.put('key 1', 'newer')
      await db.close()
      return readdirSync(place).filter((name) => name !== 'LOCK').map((name) => join(place, name))
    }

    test('Back and Forward go through what was opened, files, views and selections', async () => {
      const inspector = await openInspector(browser, server.url)
      const start = await lengthOf(inspector)
      await inspector.give(DEMO('one-bit'))
      await inspector.until('.swept', /81 of 82/)
      await inspector.show('Entries')
      await inspector.until('#entries', /sensor/)
      await inspector.page.click('#entries [data-index="3"]')
      await inspector.until('aside', /entry 3/)
      await inspector.page.click('#entries [data-index="2"]')
      await inspector.until('aside', /entry 2/)
      await inspector.show('Hex')
      await inspector.until('.path', /Data block 0/)
      // The file's map, its entries and its bytes: selections add none.
      assert.equal(await lengthOf(inspector), start + 3)

      await go(inspector, 'back', /\/entries\?/)
      await inspector.until('#entries .row.selected', /^2 /)
      await inspector.until('aside', /entry 2/)
      await go(inspector, 'back', /\/map\?/)
      await inspector.until('.swept', /81 of 82/)
      assert.equal(await inspector.page.$('aside'), null)
      await go(inspector, 'back', /^$/)
      await inspector.until('.open', /Still open: 000005\.ldb/)
      await inspector.check()
      const files = await inspector.page.evaluateHandle(() => /** @type {any} any: the page's own */ (document.querySelector('inspector-app')).model.files)
      await go(inspector, 'forward', /\/map\?/)
      await inspector.until('.swept', /81 of 82/)
      await go(inspector, 'forward', /\/entries\?.*&entry=2/)
      await inspector.until('#entries .row.selected', /^2 /)
      // Nothing was opened again, and no entry was added.
      assert.equal(await inspector.page.evaluate((files) => /** @type {any} any: as above */ (document.querySelector('inspector-app')).model.files === files, files), true)
      assert.equal(await lengthOf(inspector), start + 3)

      // Another file takes the place of the entries ahead; the one before is opened again from memory.
      await inspector.give(DEMO('hostile'))
      await inspector.until('.swept', /data blocks? sound/)
      assert.equal(await lengthOf(inspector), start + 3)
      await go(inspector, 'back', /\/entries\?.*&entry=2/)
      await inspector.until('#entries .row.selected', /^2 /)
      await go(inspector, 'forward', /^(?!.*entry)/)
      await inspector.until('main', /\d+ of \d+ data blocks? sound/)
      // An example, opened by its button, and away from it.
      await inspector.page.click('.home')
      await inspector.until('.open', /Still open/)
      await inspector.page.evaluate(() => [...document.querySelectorAll('.demos button')].find(({ textContent }) => textContent === 'Torn log')?.dispatchEvent(new MouseEvent('click')))
      await inspector.until('.swept', /records? read/)
      await go(inspector, 'back', /^#?$/)
      await inspector.until('.open', /Still open: Torn log/)
      await go(inspector, 'back', /^#\/file:/)
      await inspector.until('.swept', /data blocks? sound/)
      await go(inspector, 'forward', /^#?$/)
      await go(inspector, 'forward', /^#\/demo:torn-log\/map/)
      await inspector.until('.swept', /records? read/)
      await inspector.check({ axe: false })

      // After the page was loaded again, it asks for what it cannot open by itself.
      await inspector.page.evaluate(() => { location.hash = '#/demo:one-bit/damage?file=000005.ldb' })
      await inspector.until('.findings', /T10/)
      await inspector.page.evaluate(() => { location.hash = '#/demo:one-bit/blocks?file=000005.ldb' })
      await inspector.until('#blocks', /1 data/)
      const before = await lengthOf(inspector)
      await inspector.page.reload()
      await inspector.until('#blocks', /1 data/)
      await go(inspector, 'back', /damage/)
      await inspector.until('.findings', /T10/)
      assert.equal(await lengthOf(inspector), before)
      await inspector.page.close()
    })
  })
}
