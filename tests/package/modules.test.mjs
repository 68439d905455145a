// The modules that a page fetches: varve the lean one, varve/full the full one. With varve, only
// tasks that the lean module lacks fetch the full one, in a worker.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findChromium } from '../../pkg-scripts/lib/system.mjs'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { htmlOf, visit } from './browser.mjs'
import { tellSkipped } from './lib.mjs'

const chromium = findChromium()
const skip = chromium === undefined && tellSkipped('no Chromium: the modules that a page fetches were NOT tested')

const folder = mkdtempSync(join(tmpdir(), 'varve-modules-'))
before(() => {
  cpSync(inRoot('pkg'), folder, { recursive: true })
  cpSync(inRoot('src', 'js', 'storage', 'map.js'), join(folder, 'map.js'))
  cpSync(inRoot('tests', 'fixtures', 'bedrock-zlib'), join(folder, 'zlib'), { recursive: true })
})
after(() => rmSync(folder, { recursive: true, force: true }))

/**
 * Runs `act` in a page that imports `entry`; returns its result and the .wasm files fetched, which
 * `requested(page)` returns meanwhile.
 * @param {string} entry
 * @param {(varve: any, tools: any) => Promise<unknown>} act
 */
async function inPage(entry, act) {
  writeFileSync(join(folder, 'main.js'), `
    import * as varve from './${entry}.js'
    import { HttpStorage } from './http.js'
    import { MapStorage } from './map.js'
    const fetched = async () => (await fetch('/fetched')).json()
    const code = (error) => [error.code, error.message]
    let answer
    try { answer = await (${act})(varve, { HttpStorage, MapStorage, fetched, code }) }
    catch (error) { answer = { failed: [String(error.stack), error.code, error.cause && String(error.cause)] } }
    await fetch('/result', { method: 'POST', body: JSON.stringify(answer) })
  `)
  writeFileSync(join(folder, 'index.html'), htmlOf('./main.js'))
  const fetched = []
  return visit(chromium, {
    folder,
    before(request, response, next) {
      if (request.url === '/fetched') return response.end(JSON.stringify(fetched))
      if (request.url.endsWith('.wasm')) fetched.push(request.url)
      next()
    }
  })
}

/** Uses all operations of an open database, and exports it. */
const useAll = async ({ Varve }, { MapStorage, fetched }) => {
  for (const options of [{ storage: 'memory' }, { storage: new MapStorage() }, { storage: 'memory', worker: true }]) {
    const db = new Varve(null, options)
    await db.batch(Array.from({ length: 2000 }, (_, i) => ({ type: 'put', key: `key${i}`, value: 'x'.repeat(100) })))
    await db.flush()
    await db.compactRange()
    await db.iterator({ limit: 10 }).all()
    if ((await db.verify()).findings.length > 0) throw new Error('findings')
    await new Response(db.export()).arrayBuffer()
    await db.close()
  }
  return fetched()
}

test('varve/blob and varve/http contain neither workers nor an engine', () => {
  for (const entry of ['blob.js', 'http.js']) {
    const files = [entry]
    for (const file of files) {
      const text = readFileSync(inRoot('pkg', file), 'utf8')
      assert.doesNotMatch(text, /new Worker\(|\.wasm/, `${entry}: ${file}`)
      for (const [, name] of text.matchAll(/^(?:import|export|\}) ?.*["']\.\/([^"']+\.js)["'];?$/gm)) if (!files.includes(name)) files.push(name)
    }
    assert.ok(files.length > 1, `${entry} imports nothing`)
  }
})

test('a page that imports varve fetches only the lean module for an open database', { skip }, async () => {
  const fetched = await inPage('browser', useAll)
  assert.deepEqual([...new Set(fetched)], ['/engine.wasm'])
})

test('a page that imports varve/full fetches only the full module, also in workers', { skip }, async () => {
  const fetched = await inPage('full', useAll)
  assert.deepEqual([...new Set(fetched)], ['/full.wasm'])
})

/** Exports a zip, imports it, damages a database and repairs it. Returns `fetched` after each. */
const repairAndImport = async ({ Varve, VarveError }, { MapStorage, fetched }) => {
  const seen = []
  const place = new MapStorage.Place()
  const storage = () => new MapStorage(place)
  const db = new Varve(null, { storage: storage() })
  await db.batch(Array.from({ length: 3000 }, (_, i) => ({ type: 'put', key: `key${i}`, value: 'x'.repeat(100) })))
  await db.flush()
  const zip = new Uint8Array(await new Response(db.export()).arrayBuffer())
  await db.close()
  seen.push(await fetched())

  const counts = []
  for (const options of [{ storage: 'memory' }, { storage: new MapStorage() }]) {
    const copy = await Varve.import(null, new Blob([zip]).stream(), options)
    await copy.put('more', '1')
    counts.push((await copy.keys().all()).length)
    await copy.close()
  }
  const refused = await Varve.import(null, zip.subarray(0, 5000), { storage: new MapStorage() }).catch((error) => error.code)
  seen.push(await fetched())

  const sound = await Varve.verify(null, { storage: storage() })
  const files = storage()
  const table = (await files.list()).find((name) => name.endsWith('.ldb'))
  const file = await files.open(table, 'read', 0)
  const size = await file.size()
  const bytes = new Uint8Array(size)
  await file.read(0, bytes)
  await file.close()
  bytes[50] ^= 1
  const other = await files.create(table, 'table', size)
  await other.append(bytes)
  await other.sync()
  await other.close()
  const report = await Varve.repair(null, { storage: storage() })
  const [finding] = report.findings
  const again = new Varve(null, { storage: storage() })
  const rows = (await again.keys().all()).length
  await again.close()
  return {
    seen, counts, refused, sound: [sound.tables, sound.findings.length], table,
    finding: [finding instanceof VarveError, finding.code, finding.file], rows
  }
}

for (const [entry, expected] of [
  ['browser', [['/engine.wasm'], ['/engine.wasm', '/full.wasm']]],
  ['full', [['/full.wasm'], ['/full.wasm']]],
  ['inline', [[], ['/full.wasm']]]
]) {
  test(`pkg/${entry}.js: Varve.import, verify and repair work, and fetch the expected modules`, { skip }, async () => {
    const { seen, counts, refused, sound, table, finding, rows, failed } = await inPage(entry, repairAndImport)
    assert.equal(failed, undefined)
    assert.deepEqual(seen.map((urls) => [...new Set(urls)]), expected)
    assert.deepEqual(counts, [3001, 3001])
    assert.equal(refused, 'LEVEL_CORRUPTION')
    assert.deepEqual(sound, [1, 0])
    assert.deepEqual(finding, [true, 'LEVEL_CORRUPTION', table])
    assert.ok(rows > 2900 && rows < 3000, `${rows} rows are left: all but a block's`)
  })
}

const readZlib = async ({ Varve }, { HttpStorage, code, fetched }) => {
  const url = new URL('./zlib/', location.href).href
  const db = new Varve(null, { storage: new HttpStorage(url), readOnly: true, keyEncoding: 'view', valueEncoding: 'view' })
  const read = await db.iterator().all().then((rows) => rows.length, code)
  const verified = await db.verify().then(({ findings }) => findings.length, code)
  await db.close()
  return { read, verified, fetched: await fetched() }
}

test('a table with zlib blocks: an error that names varve/full in a lean page, and rows in a full one', { skip }, async () => {
  const lean = await inPage('browser', readZlib)
  for (const [code, message] of [lean.read, lean.verified]) {
    assert.equal(code, 'LEVEL_NOT_SUPPORTED')
    assert.match(message, /000005\.ldb, block at offset \d+: compressed with zlib\b.*varve\/full/)
  }
  assert.deepEqual([...new Set(lean.fetched)], ['/engine.wasm'])
  const full = await inPage('full', readZlib)
  assert.deepEqual([full.read, full.verified], [125, 0])
  assert.deepEqual([...new Set(full.fetched)], ['/full.wasm'])
})

test('if the worker cannot be started, the error names varve/full', { skip }, async () => {
  const away = ['entry-full.js', 'full.wasm']
  for (const name of away) rmSync(join(folder, name))
  try {
    const [code, message] = await inPage('inline', async ({ Varve }, { MapStorage, code }) => Varve.repair(null, { storage: new MapStorage() }).catch(code))
    assert.equal(code, 'LEVEL_ENGINE_UNAVAILABLE')
    assert.match(message, /varve\/full/)
  } finally {
    for (const name of away) cpSync(inRoot('pkg', name), join(folder, name))
  }
})
