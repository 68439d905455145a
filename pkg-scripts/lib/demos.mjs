// Makes the inspector's examples with the package itself, so that they are real files, or copies those
// of another writer. The same files each time.
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inRoot } from './paths.mjs'

const ENTRIES = 5000

/** @param {string} folder */
export async function writeDemos(folder) {
  const healthy = await tableOf(readings())
  const middle = healthy.length >> 1
  const damaged = Uint8Array.from(healthy)
  damaged[middle] ^= 0x10
  const made = {
    healthy,
    'one-bit': damaged,
    'no-footer': healthy.subarray(0, Math.floor(healthy.length * 0.6)),
    hostile: await tableOf(hostile())
  }
  for (const [name, bytes] of Object.entries(made)) {
    mkdirSync(join(folder, name), { recursive: true })
    writeFileSync(join(folder, name, '000005.ldb'), bytes)
  }
  mkdirSync(join(folder, 'torn-log'))
  writeFileSync(join(folder, 'torn-log', '000003.log'), await tornLog())
  mkdirSync(join(folder, 'indexeddb'))
  for (const name of readdirSync(CHROMIUM)) copyFileSync(join(CHROMIUM, name), join(folder, 'indexeddb', name))
}

/** Databases of a page in IndexedDB, made by Chromium. */
const CHROMIUM = inRoot('tests', 'fixtures', 'chromium-library')

/**
 * A table file with these operations, in one batch.
 * @param {Iterable<{ type: 'put' | 'del', key: Uint8Array | string, value?: Uint8Array | string }>} operations
 * @returns {Promise<Uint8Array>}
 */
async function tableOf(operations) {
  const { place, db } = await opened()
  await db.batch(Array.from(operations, ({ type, key, value }) => type === 'del' ? { type, key: bytesOf(key) } : { type, key: bytesOf(key), value: bytesOf(value) }))
  await db.flush()
  await db.close()
  return contentOf(place, /\.ldb$/)
}

/** A new database in memory, and its files. */
async function opened() {
  const [{ Varve }, { MapStorage }] = await Promise.all([import('../../src/js/index.js'), import('../../src/js/storage/map.js')])
  const place = new MapStorage.Place()
  return { place, db: new Varve(null, { storage: new MapStorage(place), keyEncoding: 'view', valueEncoding: 'view' }) }
}

/** The bytes of the file whose name fits. */
function contentOf(place, pattern) {
  const [, { bytes, size }] = [...place.files].find(([name]) => pattern.test(name))
  return bytes.slice(0, size)
}

/** A log whose last record was cut off by a crash. */
async function tornLog() {
  const { place, db } = await opened()
  let batch = []
  for (const { type, key, value } of readings()) {
    batch.push({ type, key: bytesOf(key), ...type === 'put' && { value: bytesOf(value) } })
    if (batch.length < 50) continue
    await db.batch(batch)
    batch = []
  }
  const log = contentOf(place, /\.log$/)
  await db.close()
  return log.subarray(0, log.length - 1000)
}

const bytesOf = (value) => typeof value === 'string' ? new TextEncoder().encode(value) : value

/** Keys with a long common prefix, values that compress: what a sorted table is for. */
function * readings() {
  let state = 7
  for (let i = 0; i < ENTRIES; i++) {
    state = Math.imul(state, 1103515245) + 12345 >>> 0
    const key = `sensor/${String(i % 20).padStart(2, '0')}/2026-03-${String(1 + Math.floor(i / 200)).padStart(2, '0')}T${String(i % 24).padStart(2, '0')}:${String(i % 60).padStart(2, '0')}#${i}`
    if (i % 97 === 0) yield { type: 'del', key }
    else yield { type: 'put', key, value: JSON.stringify({ id: i, celsius: Number((10 + state % 2000 / 100).toFixed(2)), ok: state % 11 !== 0, unit: 'C' }) }
  }
}

function * hostile() {
  const texts = [
    '<img src=x onerror=alert(1)>', '<script>alert(2)</script>', '"><svg/onload=alert(3)>', 'javascript:alert(4)', '\u202eevil\u2066 right to left',
    '\u0627\u0644\u0639\u0631\u0628\u064a\u0629', '👩‍👩‍👧‍👦', `a${'\u0301'.repeat(10_000)}`, 'nul\0here', 'A'.repeat(1 << 20), 'two\nlines', '=HYPERLINK("http://example.invalid")',
    '{"__proto__":{"polluted":true}}', ''
  ]
  for (const [index, text] of texts.entries()) {
    yield { type: 'put', key: `${text.slice(0, 200)}/${index}`, value: text }
    yield { type: 'put', key: Uint8Array.of(0xff, 0xfe, 0x80, 0, index), value: Uint8Array.of(0xc3, 0x28, 0xff) }
  }
}
