// How long it takes until a page that was just loaded has the first value of a large database, with
// nothing compiled yet; and how much memory reading all of a larger one takes.
//
//   VARVE_LONG=1   15 openings instead of 3, with a limit; and 500 MB read in Chromium
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking, seldom } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'

const LONG = process.env.VARVE_LONG !== undefined
const OPENINGS = LONG ? 15 : 3
const ENTRIES = 100_000
/** Times depend on the machine: printed by `npm test`, checked with VARVE_LONG=1. */
const MEDIAN_MAX_MS = 150
const MIB = 1 << 20

async function open(t, kind = /** @type {import('./lib/browser.mjs').Kind} */ ('chromium')) {
  const { url, close } = await serve({ '/': inRoot() })
  t.after(close)
  const browser = await Browser.start(kind)
  t.after(() => browser.close())
  return async () => {
    const page = await browser.page(`${url}/tests/browser/pages/database.html`)
    await page.waitForFunction('globalThis.isReady')
    return page
  }
}

test(`chromium: a database of ${ENTRIES} entries has its first value soon after the page was loaded`, { skip: lacking('chromium') }, async (t) => {
  const ready = await open(t)
  let page = await ready()
  await page.evaluate(async (count) => {
    const db = new Varve('large')
    for (let from = 0; from < count; from += 1000) {
      await db.batch(Array.from({ length: 1000 }, (_, i) => ({ type: 'put', key: String(from + i).padStart(16, '0'), value: `${from + i} `.repeat(16).slice(0, 100) })))
    }
    await db.close()
  }, ENTRIES)
  const times = []
  for (let i = 0; i < OPENINGS; i++) {
    await page.close()
    page = await ready()
    const { time, value } = await page.evaluate(async (key) => {
      const start = performance.now()
      const db = globalThis.db = new Varve('large')
      const value = await db.get(key)
      return { time: performance.now() - start, value }
    }, String(7919 * i).padStart(16, '0'))
    assert.equal(value, `${7919 * i} `.repeat(16).slice(0, 100))
    times.push(time)
  }
  times.sort((a, b) => a - b)
  const median = times[times.length >> 1]
  t.diagnostic(`first value after ${median.toFixed(0)} ms (median of ${OPENINGS}), ${times.at(-1).toFixed(0)} ms at most`)
  if (LONG) assert.ok(median <= MEDIAN_MAX_MS, `${median} ms`)
})

test('chromium: a page without a bundler loads seven scripts, and one of a worker, before a database is open', { skip: lacking('chromium') }, async (t) => {
  const { url, close } = await serve({ '/': inRoot() })
  t.after(close)
  const browser = await Browser.start('chromium')
  t.after(() => browser.close())
  const page = await browser.page(`${url}/tests/browser/pages/blank.html`)
  const scripts = await page.evaluate(async () => {
    const { Varve } = await import('/pkg/browser.js')
    const db = globalThis.db = new Varve('few')
    await db.put('a', '1')
    return performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => name.endsWith('.js'))
  })
  assert.ok(scripts.length <= 8, scripts.join('\n'))
  assert.equal(scripts.filter((name) => name.endsWith('/entry-web.js')).length, 1)
  assert.equal(page.workers().length, 1)
})

for (const kind of KINDS) {
  test(`${kind}: a first database that cannot be opened leaves no worker, and says why`, { skip: lacking(kind) }, async (t) => {
    const { url, close } = await serve({ '/': inRoot() })
    t.after(close)
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    /** In a new page: how many workers were made, and how many of them ended. */
    const inPage = async (act) => {
      const page = await browser.page(`${url}/tests/browser/pages/blank.html`)
      const found = await page.evaluate(`(async () => {
        const made = []
        const Own = Worker
        globalThis.Worker = class extends Own {
          constructor(...given) { super(...given); made.push(this) }
          terminate() { this.hasEnded = true; super.terminate() }
        }
        const codeOf = (promise) => promise.then(() => 'done', (error) => error.cause?.code ?? error.code)
        const codes = await (${act})(codeOf)
        return { codes, left: made.filter(({ hasEnded }) => !hasEnded).length, made: made.length }
      })()`)
      await page.close()
      return found
    }
    const invalid = await inPage(async (codeOf) => {
      const { Varve } = await import('/pkg/browser.js')
      return [await codeOf(new Varve('x'.repeat(300)).open()), await codeOf(Promise.resolve().then(() => new Varve('\ud800').open()))]
    })
    assert.deepEqual(invalid, { codes: ['LEVEL_INVALID_ARGUMENT', 'LEVEL_INVALID_ARGUMENT'], left: 0, made: 0 })
    const missing = await inPage(async (codeOf) => {
      const { Varve } = await import('/pkg/browser.js')
      return [await codeOf(new Varve('is not there', { createIfMissing: false }).open())]
    })
    assert.deepEqual([missing.codes, missing.left], [['LEVEL_INVALID_ARGUMENT'], 0])
    const two = await inPage(async (codeOf) => {
      const { Varve } = await import('/pkg/browser.js')
      const [bad, good] = [new Varve('x'.repeat(300)), new Varve('good')]
      const codes = await Promise.all([codeOf(bad.open()), codeOf(good.put('a', '1'))])
      await good.close()
      return codes
    })
    assert.deepEqual([two.codes, two.left], [['LEVEL_INVALID_ARGUMENT', 'done'], 0])
    // Meanwhile the page gets the other module.
    const other = await inPage(async (codeOf) => {
      const { Varve } = await import('/pkg/browser.js')
      const db = new Varve('mix')
      const full = import('/pkg/full.js')
      const codes = [await codeOf(db.put('a', '1'))]
      await full
      await db.close()
      return codes
    })
    assert.deepEqual([other.codes, other.left], [['done'], 0])
    // The script of the worker is not there.
    const alone = await inPage(async (codeOf) => {
      const Any = Worker
      globalThis.Worker = class extends Any { constructor(_url, options) { super('/none/entry-web.js', options) } }
      const { Varve } = await import('/pkg/browser.js')
      return [await codeOf(new Varve('no script').open())]
    })
    assert.deepEqual([alone.codes, alone.left], [['LEVEL_ENGINE_UNAVAILABLE'], 0])
  })
}

for (const kind of KINDS) {
  test(`${kind}: workers that are terminated while they compile the engine do not keep the next from opening`, { skip: seldom(kind) }, async (t) => {
    const ready = await open(t, kind)
    const page = await ready()
    await page.evaluate(async (count) => {
      for (let i = 0; i < count; i++) {
        const worker = new Worker('/pkg/entry-web.js', { type: 'module' })
        worker.postMessage({ member: { named: 'none', storage: 'opfs', options: {}, id: `none#${i}`, isExclusive: false } })
        await new Promise((resolve) => setTimeout(resolve, 60 + i % 60))
        worker.terminate()
      }
    }, LONG ? 1000 : 100)
    assert.equal(await page.evaluate(async () => {
      const db = new Varve('next')
      return Promise.race([db.put('a', '1').then(() => db.get('a')), new Promise((resolve) => setTimeout(resolve, 30_000, 'nothing'))])
    }), '1')
  })
}

test('chromium: all of a large database is read with little memory', { skip: lacking('chromium') }, async (t) => {
  const ready = await open(t)
  const page = await ready()
  const size = LONG ? 500e6 : 50e6
  const limit = LONG ? 128 * MIB : 48 * MIB
  const found = await page.evaluate(async (size, memoryLimit) => {
    const db = new Varve('huge', { memoryLimit, valueEncoding: 'view' })
    let recovered = 0
    db.on('recovered', () => recovered++)
    const count = size / 10_000
    const value = (i) => {
      const bytes = new Uint8Array(10_000)
      // Not compressible: 32 pseudo-random bits after another.
      const words = new Uint32Array(bytes.buffer)
      for (let k = 0, state = i; k < words.length; k++) words[k] = state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return bytes
    }
    for (let from = 0; from < count; from += 100) {
      await db.batch(Array.from({ length: Math.min(100, count - from) }, (_, i) => ({ type: 'put', key: String(from + i).padStart(8, '0'), value: value(from + i) })))
    }
    let i = 0
    let wrong = 0
    for await (const [key, read] of db.iterator()) {
      const written = value(i)
      if (Number(key) !== i || read.length !== 10_000 || read.some((byte, k) => byte !== written[k])) wrong++
      i++
    }
    const { memoryUsage } = await db.info()
    return { rows: i - count, wrong, recovered, memoryUsage }
  }, size, limit)
  assert.deepEqual([found.rows, found.wrong, found.recovered], [0, 0, 0])
  t.diagnostic(`${size / 1e6} MB in a memory of at most ${limit / MIB} MiB; the engine uses ${(found.memoryUsage / MIB).toFixed(0)} MiB at the end`)
})
