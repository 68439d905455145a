// Where a test runner gives Node a document (jsdom, as vitest and Jest do) or a server renders a page:
// importing the package does nothing, and a database of a browser is an error with a code.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'

/** Runs in a process of its own, as the globals stay; it ends by itself, as nothing is left open. */
const SCRIPT = `
  const [entry, jsdom] = process.argv.slice(1)
  const { JSDOM } = await import(jsdom)
  const { window } = new JSDOM('<p>', { url: 'http://localhost/' })
  for (const name of ['window', 'self', 'document', 'navigator', 'location', 'localStorage', 'Event', 'EventTarget']) {
    Object.defineProperty(globalThis, name, { value: name === 'self' ? window : window[name], configurable: true })
  }
  const names = () => [...Object.getOwnPropertyNames(globalThis), ...Object.getOwnPropertyNames(window)].join()
  const before = names()
  const listen = window.EventTarget.prototype.addEventListener
  let listeners = 0
  window.EventTarget.prototype.addEventListener = function (...given) { listeners++; return listen.apply(this, given) }
  const { Varve } = await import(entry)
  if (names() !== before || listeners > 0) throw new Error('importing it did something')
  const codes = {}
  for (const storage of ['opfs', 'indexeddb']) {
    try {
      const db = new Varve('some name', { storage })
      await db.open()
      codes[storage] = 'opened'
    } catch (error) {
      codes[storage] = error.code === 'LEVEL_DATABASE_NOT_OPEN' ? error.cause.code : error.code
    }
  }
  const db = new Varve(null, { storage: 'memory' })
  codes.memory = await db.put('a', '1').then(() => db.get('a'), (error) => error.cause?.code ?? error.code)
  console.log(JSON.stringify(codes))`

/** The lean module of a page is fetched, which Node does not do from a file. */
const ENTRIES = { 'src/js/index.js': '1', 'pkg/browser.js': 'LEVEL_ENGINE_UNAVAILABLE', 'pkg/inline.js': '1' }

for (const [entry, memory] of Object.entries(ENTRIES)) {
  test(`${entry} under jsdom`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'varve-jsdom-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', SCRIPT, inRoot(entry), inRoot('node_modules', 'jsdom', 'lib', 'api.js')], { cwd: folder, encoding: 'utf8', timeout: 60_000 })
    assert.equal(status, 0, stderr.slice(-2000))
    assert.deepEqual(JSON.parse(stdout), { opfs: 'LEVEL_NOT_SUPPORTED', indexeddb: 'LEVEL_NOT_SUPPORTED', memory })
    assert.deepEqual(readdirSync(folder), [])
  })
}
