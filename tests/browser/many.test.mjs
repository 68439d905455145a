// Hundreds of databases in one page: more than a process of Chromium has address space for memories of
// WebAssembly (about 125), so that some share an instance of the engine.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, lacking } from './lib/browser.mjs'
import { inWorker } from './lib/in-worker.mjs'
import { serve } from './lib/serve.mjs'

const COUNT = 300
const LONG = process.env.VARVE_LONG === '1'
/** In files: more than the 125 or so for whose memories a tab has room. */
const IN_FILES = LONG ? COUNT : 100

async function open(t) {
  const { url, close } = await serve({ '/': inRoot() })
  t.after(close)
  const browser = await Browser.start('chromium')
  t.after(() => browser.close())
  const page = await browser.page(`${url}/tests/browser/pages/database.html`)
  await page.waitForFunction('globalThis.isReady')
  return page
}

test(`chromium: a window has ${COUNT} databases in memory open`, { skip: lacking('chromium') }, async (t) => {
  const page = await open(t)
  assert.deepEqual(await page.evaluate(inMemory, COUNT), { wrong: 0, after: 'again' })
})

test(`chromium: a worker has ${COUNT} databases in memory open`, { skip: lacking('chromium') }, async (t) => {
  const page = await open(t)
  const found = await inWorker(page, async (origin, source, count) => {
    globalThis.Varve = (await import(`${origin}/pkg/browser.js`)).Varve
    return new Function(`return ${source}`)()(count)
  }, String(inMemory), COUNT)
  assert.deepEqual(found, { wrong: 0, after: 'again' })
})

/** Runs in the browser. @param {number} count */
async function inMemory(count) {
  const open = () => new Varve(null, { storage: 'memory' })
  const all = []
  for (let i = 0; i < count; i++) {
    const db = open()
    await db.batch(Array.from({ length: 20 }, (_, k) => ({ type: 'put', key: `key ${k}`, value: `value ${k} of ${i}` })))
    all.push(db)
  }
  let wrong = 0
  for (const [i, db] of all.entries()) {
    const entries = await db.iterator().all()
    if (entries.length !== 20 || entries.some(([key, value]) => value !== `value ${key.slice(4)} of ${i}`)) wrong++
  }
  // What is closed makes room.
  await Promise.all(all.map((db) => db.close()))
  const db = open()
  await db.put('key', 'again')
  const after = await db.get('key')
  await db.close()
  return { wrong, after }
}

for (const place of ['window', 'worker']) {
  const skip = lacking('chromium') || (place === 'worker' && !LONG && 'by VARVE_LONG=1: what differs from a window is short')
  test(`chromium: a ${place} has ${IN_FILES} databases in files open`, { skip }, async (t) => {
    const page = await open(t)
    const found = place === 'window'
      ? await page.evaluate(inFiles, new URL(page.url()).origin, IN_FILES)
      : await inWorker(page, inFiles, IN_FILES)
    t.diagnostic(`opened in ${(found.opened / 1000).toFixed(1)} s`)
    assert.deepEqual([found.read, found.again, found.left], [0, 0, []])
  })
}

/** Runs in the browser. @param {string} origin @param {number} count */
async function inFiles(origin, count) {
  const { Varve } = await import(`${origin}/pkg/browser.js`)
  const wrongIn = (values) => values.filter((value, i) => value !== `value of ${i}`).length
  const start = performance.now()
  const all = Array.from({ length: count }, (_, i) => new Varve(`number ${i}`))
  await Promise.all(all.map((db, i) => db.put('key', `value of ${i}`)))
  const opened = performance.now() - start
  const read = wrongIn(await Promise.all(all.map((db) => db.get('key'))))

  // A database that is closed is free for another owner; those that share an instance with it go on.
  await Promise.all(all.map((db, i) => i % 2 === 0 ? db.close() : undefined))
  await Promise.all(all.map((db, i) => i % 2 === 0 ? db.open() : db.put('later', 'x')))
  const again = wrongIn(await Promise.all(all.map((db) => db.get('key'))))

  await Promise.all(all.map((db) => db.close()))
  await Promise.all(all.map((_, i) => Varve.destroy(`number ${i}`)))
  const root = await navigator.storage.getDirectory()
  const left = await Array.fromAsync((await root.getDirectoryHandle('varve')).keys())
  return { opened, read, again, left }
}
