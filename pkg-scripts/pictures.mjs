// node pkg-scripts/pictures.mjs: makes the pictures of docs/inspector/ with the built page and
// Chromium. Look at them before you commit them.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Varve } from '../src/js/index.js'
import { Browser } from '../tests/browser/lib/browser.mjs'
import { openInspector, serveInspector } from '../tests/browser/lib/inspector.mjs'
import { inRoot } from './lib/paths.mjs'

const FOLDER = inRoot('docs', 'inspector')

/** A database whose compactions are to be seen: it has small files. */
async function database() {
  const place = mkdtempSync(join(tmpdir(), 'varve-pictures-'))
  const db = new Varve(place, { writeBufferSize: 1 << 16, maxFileSize: 1 << 16 })
  for (let round = 0; round < 60; round++) {
    await db.batch(Array.from({ length: 400 }, (_, i) => ({ type: 'put', key: `user:${String((round * 7919 + i * 104_729) % 100_000).padStart(8, '0')}`, value: JSON.stringify({ round, i, score: round * i % 997, name: `user ${i}` }) })))
  }
  await db.close()
  return place
}

const settled = () => sleep(900)

mkdirSync(FOLDER, { recursive: true })
const place = await database()
const server = await serveInspector()
const browser = await Browser.start('chromium')
try {
  /** @param {string} name @param {{ fragment?: string, dark?: boolean, width?: number, height?: number, files?: string[] }} options @param {(inspector: import('../tests/browser/lib/inspector.mjs').Inspector) => Promise<void>} [act] */
  const picture = async (name, { files, ...options }, act) => {
    const inspector = await openInspector(browser, server.url, options)
    if (files) await inspector.give(...files)
    await settled()
    await act?.(inspector)
    await settled()
    await inspector.page.screenshot({ path: join(FOLDER, `${name}.png`) })
    console.log(name, inspector.wrong)
    await inspector.page.close()
  }
  const demo = (/** @type {string} */ name, /** @type {string} */ view) => ({ fragment: `#/demo:${name}/${view}?file=000005.ldb` })
  const all = readdirSync(place).map((file) => join(place, file))
  const click = (/** @type {string} */ selector) => (/** @type {import('../tests/browser/lib/inspector.mjs').Inspector} */ { page }) => page.click(selector)
  await picture('first-screen', {})
  await picture('map', demo('one-bit', 'map'), async ({ page }) => {
    await page.keyboard.press('n')
    await page.evaluate(() => /** @type {any} any: the page's own */ (document.querySelector('inspector-app')).model.setZoom([58_000, 78_000]))
  })
  await picture('map-dark', { ...demo('one-bit', 'map'), dark: true }, async ({ page }) => page.keyboard.press('n'))
  await picture('blocks', demo('one-bit', 'blocks'), async ({ page }) => page.keyboard.press('n'))
  await picture('entries', demo('healthy', 'entries'), click('#entries [data-index="2"]'))
  await picture('hex', demo('healthy', 'entries'), async (inspector) => {
    await inspector.page.click('#entries [data-index="2"]')
    await inspector.show('Hex')
    await inspector.page.evaluate(() => /** @type {HTMLElement} */ ([...document.querySelectorAll('.choice button')].at(-1)).click())
  })
  await picture('live', { fragment: '#/demo:live/live?file=' }, async ({ page }) => {
    await page.evaluate(() => { /** @type {any} any: the page's own */ (document.querySelector('inspector-app')).model.live.run() })
    await sleep(4000)
    await page.evaluate(() => /** @type {any} any: as above */ (document.querySelector('inspector-app')).model.live.pause())
  })
  await picture('files', { files: all }, (inspector) => inspector.until('.database', /live tables/))
  await picture('versions', { files: all.filter((file) => /MANIFEST/.test(file)) }, (inspector) => inspector.show('Versions'))
  await picture('trace', { files: all }, async (inspector) => {
    await inspector.until('.database', /live tables/)
    await inspector.show('Key')
    await inspector.until('main input', /^/)
    await inspector.page.type('main input', 'user:00067221')
    await inspector.page.keyboard.press('Enter')
    await sleep(1500)
  })
  await picture('damage', { files: [inRoot('tests', 'fixtures', 'wal-flip-middle', '000008.log')] }, (inspector) => inspector.show('Damage'))
  await picture('narrow', { ...demo('one-bit', 'map'), width: 390, height: 844 }, async ({ page }) => page.keyboard.press('n'))
} finally {
  await browser.close()
  server.close()
  rmSync(place, { recursive: true })
}
