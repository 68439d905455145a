// Whatever ends in the middle of writing (a worker, a page, a tab, its process, the whole browser), the
// databases open again, soon, with all acknowledged writes and nothing else. Three writers put, delete
// and write batches of 10 B to 100 kB with and without sync, with small buffers, so that tables are
// being written and merged. Each group of operations is reported to this process before the next.
//
//   VARVE_LONG=1       200 kills of Chromium, 50 of Firefox, 200 crashes, 500 of each of the others
//   VARVE_TRIALS=n     n of each
//   VARVE_SEED=n       the moments of an earlier run
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking, seldom } from './lib/browser.mjs'
import { randomFrom } from './lib/operations.mjs'
import { serve } from './lib/serve.mjs'

const LONG = process.env.VARVE_LONG !== undefined
const TRIALS_OF_ALL = Number(process.env.VARVE_TRIALS ?? 0)
const SEED = Number(process.env.VARVE_SEED ?? Date.now() % 2 ** 32)

/** A new pair of databases after so many trials. */
const GENERATION = 25
/** A part of the trials end while the databases are being opened, the others this long after the first write. */
const DURING_OPEN = 0.15
const LATEST_MS = 300
/** Times depend on the machine: printed by `npm test`, checked with VARVE_LONG=1. */
const P95_MAX_MS = 500

/**
 * @typedef {import('puppeteer-core').Page} Page
 * @typedef {{ browser: Browser, page: Page, ready: () => Promise<Page> }} Tab
 * @typedef {{ page: Page, at?: number }} Next the page that opens the databases next, and when the
 *   other one ended
 */

/**
 * What ends the writers: `short` and `long` are numbers of trials; `prepare` is done before they write.
 *
 * @type {{ name: string, kinds: import('./lib/browser.mjs').Kind[], short: number, long: number,
 *          prepare?: (tab: Tab) => Promise<Page>, end: (tab: Tab, prepared?: Page) => Promise<Next> }[]}
 */
const EVENTS = [
  { name: 'the whole browser is killed', kinds: ['chromium'], short: 5, long: 200, end: killed },
  { name: 'the whole browser is killed', kinds: ['firefox'], short: 2, long: 50, end: killed },
  {
    name: 'the process of the tab crashes',
    kinds: ['chromium'],
    short: 5,
    long: 200,
    prepare: ({ ready }) => ready(),
    async end({ page }, other) {
      const devtools = await page.createCDPSession()
      const at = Date.now()
      devtools.send('Page.crash').catch(() => {})
      // Ends the tab, of which nothing runs any more, some time after the next owner.
      sleep(1000).then(() => page.close()).catch(() => {})
      return { page: other, at }
    }
  },
  {
    name: 'the workers are terminated',
    kinds: ['chromium', 'firefox'],
    short: 6,
    long: 500,
    async end({ page }) {
      await page.evaluate(() => terminate())
      return { page }
    }
  },
  {
    name: 'the page is loaded again',
    kinds: ['chromium', 'firefox'],
    short: 6,
    long: 500,
    async end({ page }) {
      await page.reload()
      await page.waitForFunction('globalThis.isReady')
      return { page }
    }
  },
  {
    name: 'the tab is closed',
    kinds: ['chromium', 'firefox'],
    short: 6,
    long: 500,
    prepare: ({ ready }) => ready(),
    async end({ page }, other) {
      const at = Date.now()
      page.close().catch(() => {})
      return { page: other, at }
    }
  }
]

/** @param {Tab} tab @returns {Promise<Next>} */
async function killed({ browser, ready }) {
  await browser.kill()
  await browser.restart()
  return { page: await ready() }
}

/** Writers `a`, `b` and `c`: what they reported. */
class Reports {
  generation = -1
  trial = -1
  acknowledged = { a: 0, b: 0, c: 0 }
  failures = []
  #waiting = () => {}

  /** Of new databases. */
  begin() {
    this.generation++
    this.acknowledged = { a: 0, b: 0, c: 0 }
  }

  received = (path, body) => {
    const [, generation, writer] = path.match(/^\/acknowledged\/(\d+)\/(\w)$/) ?? []
    // The writers of a tab that is being closed may still report.
    if (path === `/failed/${this.trial}`) this.failures.push(body)
    else if (writer !== undefined && Number(generation) === this.generation) this.acknowledged[writer] = Math.max(this.acknowledged[writer], Number(body))
    this.#waiting()
  }

  /** Resolves after the next report of any writer. */
  next() {
    return new Promise((resolve) => { this.#waiting = () => resolve(undefined) })
  }
}

for (const { name, kinds, short, long, prepare, end } of EVENTS) {
  for (const kind of kinds) {
    test(`${kind}: ${name}`, { skip: /page|tab is/.test(name) ? seldom(kind) : lacking(kind) }, async (t) => {
      const trials = TRIALS_OF_ALL || (LONG ? long : kind === 'firefox' ? Math.min(short, 3) : short)
      const seed = (SEED ^ Math.imul(name.length, 0x9e3779b1)) >>> 0
      t.diagnostic(`VARVE_SEED=${SEED}`)
      const random = randomFrom(seed)
      const reports = new Reports()
      const { url, close } = await serve({ '/': inRoot() }, { received: reports.received })
      t.after(close)
      const browser = await Browser.start(kind)
      t.after(() => browser.close())
      const ready = async () => {
        const page = await browser.page(`${url}/tests/browser/pages/kill.html`)
        await page.waitForFunction('globalThis.isReady')
        return page
      }

      let page = await ready()
      let total = 0
      const took = []
      const takenOver = []
      /** @type {number | undefined} */
      let at
      for (let trial = 0; trial < trials; trial++) {
        const when = `trial ${trial}, seed ${SEED}`
        reports.trial = trial
        reports.failures.length = 0
        if (trial % GENERATION === 0) {
          // The last ones are still checked.
          if (trial > 0) total += await finish()
          reports.begin()
          at = undefined
        }
        const prepared = await prepare?.({ browser, page, ready })
        // Firefox delays the timers of a tab behind another one.
        if (prepared !== undefined) await page.bringToFront()
        const isEarly = random() < DURING_OPEN
        if (isEarly) {
          page.evaluate((given) => take(given), { generation: reports.generation, acknowledged: reports.acknowledged, verify: false }).catch(() => {})
          await sleep(random() * LATEST_MS / 3)
        } else {
          const found = await opened(when, trial % 5 === 0)
          const first = reports.next()
          await page.evaluate((...given) => go(...given), reports.generation, trial, found)
          await first
          await sleep(random() ** 2 * LATEST_MS)
        }
        assert.deepEqual(reports.failures, [], when)
        ;({ page, at } = await end({ browser, page, ready }, prepared))
        if (isEarly) at = undefined
      }
      total += await finish()

      /** Opens the databases in the next page; they have what they must have. */
      async function opened(when, verify) {
        const { generation, acknowledged } = reports
        const taken = await page.evaluate((given) => take(given), { generation, acknowledged, verify }).catch((error) => assert.fail(`${when}: ${error.message}`))
        took.push(...taken.times)
        if (at !== undefined) takenOver.push(taken.at - at)
        assert.deepEqual(taken.findings, [], when)
        reports.acknowledged = taken.found
        return taken.found
      }

      /** Checks the databases for the last time and removes them; returns how many operations there were. */
      async function finish() {
        const { generation } = reports
        const found = await opened(`the end of generation ${generation}, seed ${SEED}`, true)
        // In a page without any owner or waiting client.
        await page.reload()
        await page.waitForFunction('globalThis.isReady')
        await page.evaluate((given) => destroy(given), generation)
        return found.a + found.b + found.c
      }

      t.diagnostic(`${trials} trials, ${total} operations, 0 lost`)
      t.diagnostic(`from opening to the first value: ${summary(took)}`)
      if (takenOver.length > 0) t.diagnostic(`from the end of the other tab to the first value: ${summary(takenOver)}`)
      t.diagnostic(await browser.version())
      if (LONG && kind === 'chromium') {
        assert.ok(p95(took) <= P95_MAX_MS, `opening took ${p95(took)} ms`)
        if (takenOver.length > 0) assert.ok(p95(takenOver) <= P95_MAX_MS, `the next tab took ${p95(takenOver)} ms`)
      }
    })
  }
}

const quantile = (times, share) => times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(share * times.length))]
const p95 = (times) => quantile(times, 0.95)
const summary = (times) => `p50 ${quantile(times, 0.5).toFixed(0)} ms, p95 ${p95(times).toFixed(0)} ms, max ${quantile(times, 1).toFixed(0)} ms`
