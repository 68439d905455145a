// Databases made by C++ LevelDB and others, dropped on a page as a folder and imported there: their
// entries are those of the corpus.
//
//   VARVE_LONG=1         not tests/fixtures alone, but the shared corpus too, if it exists
//   VARVE_CORPUS=folder  the shared corpus, instead of ../shared/corpus
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, seldom } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'

const SHARED = process.env.VARVE_CORPUS ?? inRoot('..', 'shared', 'corpus')
const FOLDERS = {
  '/fixtures/': { folder: inRoot('tests', 'fixtures'), manifest: 'expected.json' },
  '/corpus/': { folder: SHARED, manifest: 'manifest.json' }
}
const LONG = process.env.VARVE_LONG !== undefined
const hasCorpus = existsSync(join(SHARED, 'manifest.json'))
if (LONG && !hasCorpus) console.error(`SKIPPED: no corpus at ${SHARED} (set VARVE_CORPUS)`)

/** The intact databases of a folder, and the addresses of their files. */
function casesOf(prefix) {
  const { folder, manifest } = FOLDERS[prefix]
  const { cases } = JSON.parse(readFileSync(join(folder, manifest), 'utf8'))
  return cases
    .filter(({ kind, expect, comparator = 'leveldb.BytewiseComparator' }) => kind === 'leveldb-db' && expect !== undefined && comparator === 'leveldb.BytewiseComparator')
    .map(({ id, path, expect }) => ({ id, expect, files: readdirSync(join(folder, path)).map((name) => ({ name, url: `${prefix}${path}/${name}` })) }))
}

/** In the page: imports a database by way of its files, and returns the count and digest of its entries. */
async function imported({ id, files }) {
  const { Varve } = await import('/pkg/full.js')
  const { BlobStorage } = await import('/pkg/blob.js')
  const blobs = new Map()
  for (const { name, url } of files) blobs.set(name, await (await fetch(url)).blob())
  const dropped = new Varve(null, { storage: new BlobStorage(blobs), readOnly: true })
  const db = await Varve.import(`import of ${id}`, dropped.export(), { keyEncoding: 'view', valueEncoding: 'view' })
  await dropped.close()
  await db.compactRange()
  const entries = await db.iterator().all()
  const parts = entries.flat().flatMap((part) => [new Uint8Array(Uint32Array.of(part.length).buffer), part])
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer())
  const { storage } = await db.info()
  await db.close()
  await Varve.destroy(`import of ${id}`)
  return { storage, count: entries.length, sha256: Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('') }
}

for (const kind of KINDS) {
  test(`${kind}: imported databases have the entries of the corpus`, { skip: seldom(kind) }, async (t) => {
    const { url, close } = await serve({ '/': inRoot(), ...Object.fromEntries(Object.entries(FOLDERS).map(([prefix, { folder }]) => [prefix, folder])) })
    t.after(close)
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    const page = await browser.page(`${url}/tests/browser/pages/database.html`)
    const cases = [...casesOf('/fixtures/'), ...LONG && hasCorpus ? casesOf('/corpus/') : []]
    for (const { id, expect, files } of cases) {
      const found = await page.evaluate(imported, { id, files })
      assert.deepEqual(found, { storage: 'opfs', count: expect.count, sha256: expect.sha256 }, id)
    }
    t.diagnostic(`${kind}: ${cases.length} databases`)
  })
}
