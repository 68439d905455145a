// abstract-level's own suite in browsers, on the origin private file system: in a dedicated worker,
// which opens the files in place, and in a window, through the package's workers; and in a window on
// IndexedDB, on both of Chromium's backing stores, and in WebKit, which has no sync access handles.
// It makes as many assertions as in Node. Without VARVE_LONG=1 it runs in a worker of Chromium alone,
// and a sample of it on IndexedDB.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { bundle } from '../../pkg-scripts/lib/browser.mjs'
import { tapCounts } from '../../pkg-scripts/lib/counts.mjs'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, SQLITE_IDB, lacking } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'
import { WebKitBrowser, lackingWebKit } from './lib/webkit.mjs'

/** How long no line may come. */
const PATIENCE_MS = 60_000

/** Assertions of the whole suite, at least. */
const WHOLE_MIN = 5200

/** Where the suite runs, and the same set-up of tests/js/abstract-level.mjs. */
const PLACES = { worker: 'directory', window: 'worker-directory', indexeddb: 'worker-directory' }

/** The browsers, and where the suite runs in each. @type {Record<string, { kind: string, args?: string[], places: (keyof typeof PLACES)[] }>} */
const BROWSERS = {
  chromium: { kind: 'chromium', places: ['worker', 'window', 'indexeddb'] },
  'chromium on SQLite': { kind: 'chromium', args: [SQLITE_IDB], places: ['indexeddb'] },
  firefox: { kind: 'firefox', places: ['worker', 'window', 'indexeddb'] },
  webkit: { kind: 'webkit', places: ['indexeddb'] }
}

const shim = (file) => inRoot('tests', 'browser', 'lib', 'shims', file)

/** The suite and the package in one bundle, so that there is one copy of abstract-level. */
let folder

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'varve-suite-'))
  await bundle({
    entryPoints: {
      'abstract-level': inRoot('tests', 'browser', 'pages', 'abstract-level.js'),
      'entry-web': inRoot('src', 'js', 'tabs', 'entry-web.js'),
      'entry-full': inRoot('src', 'js', 'tabs', 'entry-full.js')
    },
    outdir: folder,
    splitting: true,
    alias: { buffer: shim('buffer.js'), 'is-buffer': shim('is-buffer.cjs'), path: shim('path.js'), stream: shim('stream.js') },
    inject: [shim('process.js')],
    define: { __dirname: '"/"' }
  })
  for (const name of ['engine.wasm', 'full.wasm']) copyFileSync(inRoot('pkg', name), join(folder, name))
})
after(() => rmSync(folder, { recursive: true, force: true }))

/** Runs the suite in a page; resolves with its TAP and what the page tells at the end. */
async function tapOf(page, place, isSample) {
  await page.evaluate((...given) => globalThis.run(...given), place, isSample)
  const lines = []
  for (let last = performance.now(); ;) {
    const { lines: more, result, failure } = await page.evaluate(() => globalThis.news())
    lines.push(...more)
    // WebDriver says null where there is nothing.
    if (failure != null) throw new Error(`${failure}\n${lines.slice(-20).join('\n')}`)
    if (result != null) return { tap: lines.join('\n'), told: result }
    if (more.length > 0) last = performance.now()
    else if (performance.now() - last > PATIENCE_MS) throw new Error(`no more lines:\n${lines.slice(-20).join('\n')}`)
    await pause(200)
  }
}

/** The assertions that fail, each with what it says. */
const failuresOf = (tap) => [...tap.matchAll(/^not ok .*\n(?: .*\n)*/gm)].map(([text]) => text)

/** The assertions in Node, but those of tests that the suite leaves out where Symbol.asyncDispose is missing. */
const numberInNode = async (name, disposes) => {
  const { stdout } = await promisify(execFile)(process.execPath, [inRoot('tests', 'js', 'abstract-level.mjs'), name], { maxBuffer: 1 << 26 })
  let [passed, inside] = [0, '']
  for (const line of stdout.split('\n')) {
    if (line.startsWith('# ')) inside = line.slice(2)
    if (/^ok /.test(line) && (disposes || inside !== 'Symbol.asyncDispose')) passed++
  }
  return passed
}

for (const [name, { kind, args, places }] of Object.entries(BROWSERS)) {
  for (const place of places) {
    const isLong = name !== 'chromium' || place === 'window'
    const isSample = place === 'indexeddb' && process.env.VARVE_LONG === undefined
    const missing = kind === 'webkit' ? lackingWebKit() : lacking(kind)
    const skip = missing || (isLong && process.env.VARVE_LONG === undefined && 'it takes minutes: VARVE_LONG=1 runs it')
    test(`${name}: abstract-level's suite in ${place === 'indexeddb' ? 'a window, on IndexedDB' : `a ${place}`}`, { skip }, async (t) => {
      const { url, close } = await serve({ '/': inRoot(), '/suite/': folder })
      t.after(close)
      const browser = kind === 'webkit' ? await WebKitBrowser.start() : await Browser.start(kind, { args })
      t.after(() => browser.close())
      const page = await browser.page(`${url}/tests/browser/pages/abstract-level.html`)
      const ready = () => page.waitForFunction('globalThis.isReady')
      await ready()

      const start = performance.now()
      const { tap, told } = await tapOf(page, place, isSample)
      const { passed, failed } = tapCounts(tap)
      t.diagnostic(`${passed} passed, ${failed} failed in ${((performance.now() - start) / 1000).toFixed(1)} s; ${JSON.stringify(told)}`)
      assert.deepEqual(failuresOf(tap), [])
      if (isSample) assert.ok(passed > 200, `${passed} assertions`)
      // To count them in Node takes a minute.
      else if (process.env.VARVE_LONG === undefined) assert.ok(passed >= WHOLE_MIN, `${passed} assertions`)
      else assert.equal(passed, await numberInNode(PLACES[place], await page.evaluate(() => Symbol.asyncDispose !== undefined)))

      // Nothing of what the suite left open stays locked.
      await page.reload()
      await ready()
      await page.evaluate((place) => globalThis.removeAll(place), place)
    })
  }
}
