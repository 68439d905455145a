// Environments without what a database needs (scorecard R29): a typed error that names the cause, and
// never data that is silently kept in memory, or elsewhere.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { inWorker } from './lib/in-worker.mjs'
import { serve } from './lib/serve.mjs'

async function open(t, kind, { host, headers, ...options } = {}) {
  const { url, close } = await serve({ '/': inRoot() }, { headers })
  t.after(close)
  const browser = await Browser.start(kind, options)
  t.after(() => browser.close())
  const origin = host === undefined ? url : url.replace('127.0.0.1', host)
  const page = await browser.page(`${origin}/tests/browser/pages/database.html`)
  // Not by waitForFunction(), which some policies forbid in Firefox.
  while (!await page.evaluate(() => globalThis.isReady)) await pause(20)
  return page
}

/** Opens a database by name in the window; resolves with what its calls say. */
const inWindow = (page, storage) => page.evaluate(async (storage) => {
  const db = new Varve('hostile', { storage })
  const tell = (error) => ({ code: error.code, cause: error.cause?.code, message: error.cause?.message ?? error.message })
  const opened = await db.open().then(() => 'opened', tell)
  const put = await db.put('a', '1').then(() => 'written', ({ code }) => code)
  const { status } = db
  const info = status === 'open' ? await db.info() : {}
  await db.close()
  return { opened, put, status, secure: isSecureContext, storage: info.storage, reason: info.storageReason }
}, storage)

/** Without OPFS a new database is in IndexedDB, and says why. */
function elsewhere({ opened, put, storage, reason }, why) {
  assert.deepEqual([opened, put, storage], ['opened', 'written', 'indexeddb'])
  assert.match(reason, why)
}

function refused({ opened, put, status }, code, message) {
  assert.equal(opened.cause ?? opened.code, code, JSON.stringify(opened))
  assert.match(opened.message, message)
  assert.equal(put, 'LEVEL_DATABASE_NOT_OPEN')
  assert.equal(status, 'closed')
}

/** Changes something in a worker of the page, then opens a database there. */
const after = (page, change) => inWorker(page, async (origin, change) => {
  await new Function(`return (${change})()`)()
  const { Varve } = await import(`${origin}/pkg/browser.js`)
  const db = new Varve('hostile', { storage: 'opfs' })
  const tell = (error) => ({ code: error.code, cause: error.cause?.code, message: error.cause?.message ?? error.message })
  const opened = await db.open().then(() => 'opened', tell)
  const put = await db.put('a', '1').then(() => 'written', ({ code }) => code)
  const second = opened === 'opened' ? await new Varve('hostile', { storage: 'opfs', multiTab: false }).open().then(() => 'opened', ({ cause }) => cause.code) : undefined
  const { status } = db
  await db.close()
  return { opened, put, status, second }
}, String(change))

test('firefox: a private window', { skip: lacking('firefox') }, async (t) => {
  const page = await open(t, 'firefox', { prefs: { 'browser.privatebrowsing.autostart': true } })
  refused(await inWindow(page, 'opfs'), 'LEVEL_NOT_SUPPORTED', /SecurityError/)
  elsewhere(await inWindow(page), /SecurityError/)
})

const NOWHERE = 'nowhere.test'
const INSECURE = {
  chromium: { args: [`--host-resolver-rules=MAP ${NOWHERE} 127.0.0.1`] },
  firefox: { prefs: { 'network.dns.localDomains': NOWHERE } }
}

for (const kind of KINDS) {
  test(`${kind}: an origin that is not secure`, { skip: lacking(kind) }, async (t) => {
    const page = await open(t, kind, { host: NOWHERE, ...INSECURE[kind] })
    const found = await inWindow(page, 'opfs')
    assert.equal(found.secure, false)
    refused(found, 'LEVEL_NOT_SUPPORTED', /secure context/)
    elsewhere(await inWindow(page), /secure context/)
    // Without Web Locks: one tab at a time.
    const other = await page.browser().newPage()
    await other.goto(page.url())
    while (!await other.evaluate(() => globalThis.isReady)) await pause(20)
    const opened = (tab) => tab.evaluate(async () => {
      const db = globalThis.db = new Varve('one at a time')
      return db.open().then(() => 'opened', ({ cause }) => cause.code)
    })
    assert.deepEqual([await opened(page), await opened(other)], ['opened', 'LEVEL_LOCKED'])
    await page.evaluate(() => globalThis.db.close())
    assert.equal(await opened(other), 'opened')
    // Nobody answers for a worker that has ended.
    await other.close()
    assert.equal(await opened(page), 'opened')
  })

  test(`${kind}: functions that are missing or refuse`, { skip: lacking(kind) }, async (t) => {
    const page = await open(t, kind)
    refused(await after(page, () => { navigator.storage.constructor.prototype.getDirectory = undefined }), 'LEVEL_NOT_SUPPORTED', /getDirectory/)
    refused(await after(page, () => {
      navigator.storage.constructor.prototype.getDirectory = async () => { throw new DOMException('no', 'SecurityError') }
    }), 'LEVEL_NOT_SUPPORTED', /SecurityError/)
    refused(await after(page, () => { FileSystemFileHandle.prototype.createSyncAccessHandle = undefined }), 'LEVEL_NOT_SUPPORTED', /createSyncAccessHandle/)
    refused(await after(page, () => {
      FileSystemFileHandle.prototype.createSyncAccessHandle = async () => { throw new DOMException('no', 'NotSupportedError') }
    }), 'LEVEL_NOT_SUPPORTED', /NotSupportedError/)
    // Without Web Locks, the open files exclude others.
    assert.deepEqual(await after(page, () => { Object.defineProperty(navigator, 'locks', { value: undefined }) }), {
      opened: 'opened', put: 'written', status: 'open', second: 'LEVEL_LOCKED'
    })
    // Without IndexedDB, nothing remembers which databases there are.
    const { opened, put } = await after(page, () => { Object.defineProperty(globalThis, 'indexedDB', { value: undefined }) })
    assert.deepEqual([opened, put], ['opened', 'written'])
  })

  test(`${kind}: a policy that forbids WebAssembly`, { skip: lacking(kind) }, async (t) => {
    const page = await open(t, kind, { headers: { 'content-security-policy': "default-src 'self'" } })
    refused(await inWindow(page), 'LEVEL_ENGINE_UNAVAILABLE', /./)
  })

  test(`${kind}: a policy that forbids workers`, { skip: lacking(kind) }, async (t) => {
    const page = await open(t, kind, { headers: { 'content-security-policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'" } })
    const found = await inWindow(page)
    t.diagnostic(JSON.stringify(found.opened))
    assert.equal(found.opened.cause ?? found.opened.code, 'LEVEL_ENGINE_UNAVAILABLE')
    assert.equal(found.put, 'LEVEL_DATABASE_NOT_OPEN')
  })

  test(`${kind}: storage that is not persistent is used, and told`, { skip: lacking(kind) }, async (t) => {
    const page = await open(t, kind)
    const found = await page.evaluate(async () => {
      const db = new Varve('evictable')
      await db.put('a', '1')
      const { storage, quota, usage } = await db.info()
      await db.close()
      return { persisted: await navigator.storage.persisted(), storage, quota: quota > 0, usage: usage >= 0 }
    })
    assert.deepEqual(found, { persisted: false, storage: 'opfs', quota: true, usage: true })
  })
}
