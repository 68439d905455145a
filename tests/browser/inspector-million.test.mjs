// The inspector's page and a table of a million entries: it is listed, searched and exported whole.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { KINDS, seldom } from './lib/browser.mjs'
import { inspectorIn } from './lib/inspector.mjs'

const COUNT = 1_000_000
const keyOf = (/** @type {number} */ i) => `user:${String(i).padStart(8, '0')}`
const valueOf = (/** @type {number} */ i) => JSON.stringify({ id: i, pad: 'x'.repeat(20) })

for (const kind of KINDS) {
  describe(`a million entries in ${kind}`, { skip: seldom(kind) }, () => {
    const rig = inspectorIn(kind)
    const { folder } = rig
    before(async () => {
      const db = new Varve(folder, { maxFileSize: 1 << 30, writeBufferSize: 256 << 20 })
      for (let i = 0; i < COUNT; i += 10_000) await db.batch(Array.from({ length: 10_000 }, (_, j) => ({ type: /** @type {const} */ ('put'), key: keyOf(i + j), value: valueOf(i + j) })))
      await db.flush()
      await db.close()
    })

    test('its rows are all there, found and exported', async () => {
      const inspector = await rig.open()
      const { page } = inspector
      const heap = async () => kind === 'chromium' ? Number((await page.metrics()).JSHeapUsedSize) : 0
      const before = await heap()
      const tables = readdirSync(folder).filter((name) => name.endsWith('.ldb'))
      assert.equal(tables.length, 1)
      await inspector.give(join(folder, tables[0]))
      await inspector.until('.swept', /No findings/, 60_000)

      await inspector.show('Entries')
      await page.evaluate(() => /** @type {any} any: the page's own */ (document.querySelector('inspector-app')).model.setScope('all'))
      await inspector.until('main', /1,000,000 entries/)
      const shown = async (/** @type {string} */ number, /** @type {number} */ i) => {
        await inspector.until('#entries', new RegExp(`\\b${number} [\\s\\S]*${keyOf(i)}`))
        const row = (await inspector.rows('entries')).find(([first]) => first === number)
        assert.ok(row?.join(' ').includes(`${keyOf(i)}`), String(row))
      }
      await page.focus('#entries .scroller')
      await page.keyboard.press('End')
      await shown('999,999', COUNT - 1)
      await page.keyboard.press('Home')
      await shown('0', 0)
      await page.$eval('form.jump input', (field) => { /** @type {HTMLInputElement} */ (field).value = '543,210' })
      await page.$eval('form.jump', (form) => /** @type {HTMLFormElement} */ (form).requestSubmit())
      await shown('543,210', 543_210)
      assert.ok(await page.$$eval('#entries .layer .row', (rows) => rows.length) <= 60)
      await inspector.check()

      // Found by the index, and in all blocks; a search stops where it is.
      const search = (/** @type {string} */ text) => page.evaluate(async (text) => {
        const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
        model.show('search')
        const field = await new Promise((resolve) => {
          const look = () => document.querySelector('.query') ? resolve(document.querySelector('.query')) : requestAnimationFrame(look)
          look()
        })
        field.value = text
        field.form.requestSubmit()
      }, text)
      await search('prefix:user:0000012')
      await inspector.until('.foot', /^10 matches in [12] blocks?$/)
      await search('"id":777777')
      await inspector.until('.foot', /^1 match in [\d,]+ blocks$/, 60_000)
      assert.ok((await inspector.rows('matches')).some((cells) => cells.join(' ').includes(keyOf(777_777))))
      await search('hex:00 ?? 00 ?? 00 ?? 00 ?? 00')
      await page.evaluate(() => /** @type {any} any: the page's own */ (document.querySelector('inspector-app')).model.found?.cancel())
      await inspector.until('.foot', /^0 matches in/)
      await inspector.check()

      const text = await page.evaluate(async () => {
        const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
        const blob = await model.work.export({ format: 'ndjson', from: 1000, to: 201_000 })
        // Only what is compared: the whole would not pass through the browser's protocol.
        return blob.text().then((/** @type {string} */ lines) => lines.trimEnd().split('\n').map((line) => {
          const { key, value, seq, type } = JSON.parse(line)
          return [key.v, value.v, seq, type].join(' ')
        }).join('\n'))
      })
      const lines = text.split('\n')
      assert.equal(lines.length, 200_000)
      for (const [at, line] of lines.entries()) {
        if (line !== `${keyOf(1000 + at)} ${valueOf(1000 + at)} ${1001 + at} put`) assert.fail(`row ${at}: ${line}`)
      }
      if (kind === 'chromium') {
        const session = await page.createCDPSession()
        await session.send('HeapProfiler.collectGarbage')
        const grown = await heap() - before
        assert.ok(grown < 32 << 20, `the page has grown by ${grown} bytes`)
      }
      await inspector.check()
      await page.close()
    })
  })
}
