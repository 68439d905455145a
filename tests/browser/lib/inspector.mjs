// The inspector's page in a browser, watched: a test fails if the page makes a request elsewhere,
// breaks its own policy, prints an error or opens a dialog.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { inRoot } from '../../../pkg-scripts/lib/paths.mjs'
import { Browser } from './browser.mjs'
import { serve } from './serve.mjs'

/** Where the page is served: not at the root, since it must work under any path. */
const PATH = '/some/where/'

/** @typedef {import('puppeteer-core').Page} Page */

/** Serves the built page. */
export const serveInspector = () => serve({ [PATH]: inRoot('pkg', 'inspector') })

/**
 * For the tests of a suite: a browser, the served page, and a folder, until they have ended.
 *
 * @param {import('./browser.mjs').Kind} kind
 */
export function inspectorIn(kind) {
  /** @type {Browser | undefined} */
  let browser
  /** @type {Awaited<ReturnType<typeof serveInspector>> | undefined} */
  let server
  const folder = mkdtempSync(join(tmpdir(), 'varve-inspector-'))
  before(async () => {
    server = await serveInspector()
    browser = await Browser.start(kind)
  })
  after(async () => {
    await browser?.close()
    server?.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    folder,
    get browser() { return /** @type {Browser} */ (browser) },
    /** Opens the page in a new tab. @param {Parameters<typeof openInspector>[2]} [options] */
    open: (options) => openInspector(/** @type {Browser} */ (browser), server?.url ?? '', options)
  }
}

/**
 * Opens the page in a new tab.
 *
 * @param {Browser} browser
 * @param {string} url of `serveInspector`
 * @param {{ fragment?: string, width?: number, height?: number, dark?: boolean }} [options]
 */
export async function openInspector(browser, url, { fragment = '', width = 1280, height = 800, dark = false } = {}) {
  const page = await browser.page('about:blank')
  /** @type {string[]} */
  const wrong = []
  page.on('pageerror', (error) => wrong.push(`error: ${error}`))
  page.on('console', (message) => ['error', 'warn'].includes(message.type()) && wrong.push(`console: ${message.text()}`))
  page.on('dialog', (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`)
    dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !/^(blob|data|about|filesystem):/.test(request.url())) wrong.push(`request: ${request.url()}`)
  })
  // Firefox of today knows neither command.
  if (browser.kind === 'chromium') await page.setViewport({ width, height })
  if (browser.kind === 'chromium') await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }])
  await page.goto(`${url}${PATH}${fragment}`)
  await page.evaluate(() => {
    // any: kept on the page for the end of the test
    const seen = /** @type {any} */ (globalThis).violations = []
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => seen.push(`${violatedDirective} ${blockedURI}`))
  })
  return new Inspector(page, wrong)
}

export class Inspector {
  /** @param {Page} page @param {string[]} wrong what the page did that it must not */
  constructor(page, wrong) {
    this.page = page
    this.wrong = wrong
  }

  /** Gives files by the first screen's or the header's button, and waits until they are in place of those before, one alone with its view. @param {...string} paths */
  async give(...paths) {
    const before = await this.page.evaluateHandle(() => /** @type {any} any: the page's own */ (document.querySelector('inspector-app')).model.files)
    const input = /** @type {import('puppeteer-core').ElementHandle<HTMLInputElement>} */ (await this.page.$('input[type=file]:not([webkitdirectory])'))
    await input.uploadFile(...paths)
    const isThere = () => this.page.evaluate((before) => {
      const { files, file } = /** @type {any} any: as above */ (document.querySelector('inspector-app')).model
      const isKnown = (/** @type {any} any: an OpenFile */ { detected, failure }) => detected !== undefined || failure !== undefined
      return files !== before && files.every(isKnown) && (files.length !== 1 || file === files[0])
    }, before)
    for (const end = performance.now() + 20_000; !await isThere(); await sleep(20)) {
      if (performance.now() > end) throw new Error(`the page does not take ${paths.join(', ')}`)
    }
    await before.dispose()
  }

  /** Shows a view, once it applies to the file, and waits until it is drawn. @param {string} view its title */
  async show(view) {
    const isShown = () => this.page.evaluate((title) => {
      const item = [...document.querySelectorAll('nav .item')].find((each) => each.querySelector('span')?.textContent?.trim().startsWith(title))
      if (!(item instanceof HTMLButtonElement) || item.disabled) return false
      if (item.getAttribute('aria-current') === 'page') return true
      item.click()
      return false
    }, view)
    for (const end = performance.now() + 20_000; !await isShown(); await sleep(20)) {
      if (performance.now() > end) throw new Error(`there is no view ${view}`)
    }
  }

  /** The text of an element, blanks joined. @param {string} selector */
  text(selector) {
    return this.page.$eval(selector, (element) => (/** @type {HTMLElement} */ (element).innerText ?? element.textContent ?? '').replace(/\s+/g, ' ').trim())
  }

  /** Waits until the text of an element matches. @param {string} selector @param {RegExp} pattern */
  async until(selector, pattern, timeout = 20_000) {
    // Not waitForFunction: in Firefox it evaluates text, which the page's policy forbids.
    let shown = 'no such element'
    for (const end = performance.now() + timeout; performance.now() < end; await sleep(50)) {
      shown = await this.text(selector).catch(() => 'no such element')
      if (pattern.test(shown)) return
    }
    throw new Error(`${selector} does not become ${pattern}: ${shown}`)
  }

  /** The rows of a list that are in the document, cell by cell, once there are some and they stay the same. @param {string} id */
  async rows(id) {
    const read = () => this.page.$$eval(`#${id} .layer [role=row]`, (rows) => rows.map((row) => [...row.children].map((cell) => /** @type {HTMLElement} */ (cell).innerText.replace(/\s+/g, ' ').trim())))
    let rows = await read()
    for (const end = performance.now() + 20_000; performance.now() < end;) {
      await sleep(50)
      const before = rows
      rows = await read()
      if (rows.length > 0 && isDeepStrictEqual(rows, before)) return rows
    }
    throw new Error(`the rows of ${id} do not settle: ${JSON.stringify(rows)}`)
  }

  /** Fails if anything happened that must not; then checks the page with axe. @param {{ axe?: boolean }} [options] */
  async check({ axe = true } = {}) {
    const violations = await this.page.evaluate(() => /** @type {any} any: set in openInspector */ (globalThis).violations)
    assert.deepEqual([...this.wrong, ...violations], [])
    if (axe) assert.deepEqual(await this.axe(), [])
  }

  /** What axe finds: rule, and where. */
  async axe() {
    // The page's policy would refuse a script element; the browser's own evaluation is not bound by it.
    const source = readFileSync(inRoot('node_modules', 'axe-core', 'axe.min.js'), 'utf8')
    await this.page.evaluate(`${source}; undefined`)
    return this.page.evaluate(async () => {
      const { violations } = await /** @type {any} any: axe has no types here */ (globalThis).axe.run(document, { resultTypes: ['violations'] })
      return violations.map((/** @type {any} any: as above */ { id, nodes }) => `${id}: ${nodes.slice(0, 3).map((/** @type {any} any: as above */ { target, failureSummary }) => `${target} ${failureSummary}`).join(' | ')}`)
    })
  }
}
