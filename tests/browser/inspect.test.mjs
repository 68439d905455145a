// varve/inspect in a page and in a dedicated worker: files as Blobs, the module beside the script or
// given.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { mapDirectory as mapInNode } from '../../src/js/inspect/index.js'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { inWorker } from './lib/in-worker.mjs'
import { serve } from './lib/serve.mjs'

const FOLDER = 'wal-flip-middle'
const NAMES = ['000005.ldb', '000007.ldb', '000008.log', 'CURRENT', 'MANIFEST-000006']

/** In the page or worker: explains a database of Blobs; `module`: a URL for load(). */
async function explained(origin, folder, names, module) {
  const { load, mapDirectory, mapTable, openBlock, keyOf, sourceOf } = await import(`${origin}/pkg/inspect.js`)
  if (module) await load(new URL(module, origin))
  const sources = await Promise.all(names.map(async (name) => sourceOf(await (await fetch(`${origin}/tests/fixtures/${folder}/${name}`)).blob(), name)))
  const { files, findings, summary } = await mapDirectory(sources, { sweep: true })
  const { handles, regions, index } = await mapTable(sources[0])
  const block = await openBlock(sources[0], { kind: 'data', offset: handles.offset[0], size: handles.size[0] })
  // Columns can be transferred: each has its own memory.
  const columns = [...Object.values(regions), ...Object.values(index.entries)].filter((value) => ArrayBuffer.isView(value))
  structuredClone(columns, { transfer: columns.map(({ buffer }) => buffer) })
  return { files, findings, summary, key: [...keyOf(block, 0)] }
}

/** What Node says of the same files. */
async function expected() {
  const sources = NAMES.map((name) => {
    const bytes = readFileSync(join(inRoot('tests', 'fixtures', FOLDER), name))
    return { name, size: bytes.length, read: (offset, into) => bytes.copy(into, 0, offset, offset + into.length) }
  })
  return mapInNode(sources, { sweep: true })
}

for (const kind of KINDS) {
  test(`a page and a worker explain files (${kind})`, { skip: lacking(kind) }, async (t) => {
    const { url, close } = await serve({ '/': inRoot() })
    t.after(close)
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    const page = await browser.page(`${url}/tests/browser/pages/blank.html`)
    const { files, findings, summary } = await expected()
    assert.ok(findings.some(({ code }) => code === 'W08'))
    for (const found of [
      await page.evaluate(explained, url, FOLDER, NAMES),
      await inWorker(page, explained, FOLDER, NAMES),
      await inWorker(page, explained, FOLDER, NAMES, '/pkg/full.wasm')
    ]) {
      assert.deepEqual({ files: found.files, findings: found.findings, summary: found.summary }, { files, findings, summary })
      assert.equal(found.key.length > 8, true)
    }
    const error = await inWorker(page, async (origin) => {
      const { load } = await import(`${origin}/pkg/inspect.js`)
      return load('/no.wasm').catch(({ code }) => code)
    })
    assert.equal(error, 'LEVEL_ENGINE_UNAVAILABLE')
  })
}
