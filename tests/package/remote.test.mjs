// varve/http and varve/blob in a page with the database on another origin, whose headers a browser
// hides.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findChromium } from '../../pkg-scripts/lib/system.mjs'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { FileServer } from '../js/lib/file-server.mjs'
import { keyOf, made, valueOf } from '../js/lib/remote.mjs'
import { htmlOf, visit } from './browser.mjs'
import { tellSkipped } from './lib.mjs'

const COUNT = 12_000
const INDEXES = [0, 1, 77, 4321, 9999, COUNT - 1]

const chromium = findChromium()
const skip = chromium === undefined && tellSkipped('no Chromium here: varve/http and varve/blob are not tried in a page')

const folder = mkdtempSync(join(tmpdir(), 'varve-page-'))
let files
let changed

before(async () => {
  cpSync(inRoot('pkg'), folder, { recursive: true })
  files = await made(COUNT, { compression: false })
  changed = await made(COUNT, { version: 'v2', compression: false })
})
after(() => rmSync(folder, { recursive: true, force: true }))

/** Runs `act` in the page and returns its result. */
async function inPage(act, ...given) {
  writeFileSync(join(folder, 'main.js'), `
    import * as varve from './browser.js'
    import { HttpStorage } from './http.js'
    import { BlobStorage } from './blob.js'
    const act = ${act}
    let answer
    try { answer = await act({ varve, HttpStorage, BlobStorage }, ...${JSON.stringify(given)}) }
    catch (error) { answer = { failed: [String(error), error.code, error.cause && String(error.cause)] } }
    await fetch('/result', { method: 'POST', body: JSON.stringify(answer) })
  `)
  writeFileSync(join(folder, 'index.html'), htmlOf('./main.js'))
  return visit(chromium, { folder })
}

const readRemote = async ({ varve, HttpStorage }, url, keys, signal) => {
  const warnings = []
  const storage = new HttpStorage(url, { retryDelay: 1, onWarning: (message) => warnings.push(message) })
  const db = new varve.Varve(null, { storage, readOnly: true, cacheSize: 0 })
  const values = await Promise.all(keys.map((key) => db.get(key)))
  const rows = (await db.iterator({ gte: keys[0], lt: 'log' }).all()).length
  const last = (await db.keys({ reverse: true, lt: 'log', limit: 3000 }).all()).at(-1)
  // The server has other files from here on.
  await fetch(signal)
  const after = await db.getMany(keys).then((found) => ({ found }), (error) => ({ code: error.code, name: error.name, isOne: error instanceof varve.SourceChangedError }))
  await db.close()
  return { values, rows, last, warnings: warnings.length, after }
}

for (const [what, flags] of Object.entries({
  'all shown': { cors: 'exposed' },
  'only Last-Modified and the length shown': { cors: 'hidden' },
  'a weak ETag': { cors: 'exposed', etag: 'weak', lastModified: false }
})) {
  test(`another origin, ${what}`, { skip }, async (t) => {
    const server = await FileServer.start(t, files, flags)
    server.onRequest = ({ name }) => {
      if (name !== 'change') return undefined
      server.files = changed
      server.modified = new Date(Date.now() + 5000)
    }
    const answer = await inPage(readRemote, server.url, INDEXES.map(keyOf), `${server.url}change`)
    assert.deepEqual(answer, {
      values: INDEXES.map((index) => valueOf(index)),
      rows: COUNT,
      last: keyOf(COUNT - 3000),
      warnings: what === 'all shown' ? 0 : 1,
      after: { code: 'LEVEL_SOURCE_CHANGED', name: 'SourceChangedError', isOne: true }
    })
    assert.ok(server.log.every(({ method }) => method !== 'OPTIONS'), 'no request needs a preflight')
  })
}

test('compressed responses, which the browser decompresses, are an error', { skip }, async (t) => {
  const server = await FileServer.start(t, files, { cors: 'hidden', gzip: true })
  const { failed } = await inPage(readRemote, server.url, INDEXES.map(keyOf), server.url)
  assert.equal(failed?.[1], 'LEVEL_DATABASE_NOT_OPEN', JSON.stringify(failed))
})

test('an origin without CORS is an error', { skip }, async (t) => {
  const server = await FileServer.start(t, files)
  const { failed } = await inPage(readRemote, server.url, INDEXES.map(keyOf), server.url)
  assert.equal(failed?.[1], 'LEVEL_DATABASE_NOT_OPEN', JSON.stringify(failed))
})

test('invalid arguments throw the error class that the package exports', { skip }, async () => {
  const answer = await inPage(({ varve, HttpStorage, BlobStorage }) => [() => new HttpStorage('ftp://x/'), () => new BlobStorage(5)].map((act) => {
    try { act() } catch (error) { return [error.code, error instanceof varve.InvalidArgumentError] }
    return undefined
  }))
  assert.deepEqual(answer, [['LEVEL_INVALID_ARGUMENT', true], ['LEVEL_INVALID_ARGUMENT', true]])
})

test('Files and Blobs can be read', { skip }, async (t) => {
  const server = await FileServer.start(t, files, { cors: 'exposed' })
  const answer = await inPage(async ({ varve, BlobStorage }, url, names, keys) => {
    const chosen = []
    for (const name of names) chosen.push(new File([await (await fetch(url + name)).blob()], name))
    const found = []
    for (const given of [chosen, new Map(chosen.map((file) => [file.name, file]))]) {
      const db = new varve.Varve(null, { storage: new BlobStorage(given), readOnly: true })
      found.push(await db.getMany(keys), (await db.keys().all()).length)
      await db.close()
    }
    return found
  }, server.url, [...files.keys()], INDEXES.map(keyOf))
  const values = INDEXES.map((index) => valueOf(index))
  assert.deepEqual(answer, [values, COUNT + 1, values, COUNT + 1])
})
