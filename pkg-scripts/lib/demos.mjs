// Makes the inspector's examples with the package itself, so that they are real files. The same files
// each time.
import { mkdirSync, writeFileSync } from 'node:fs'
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
}

/**
 * A table file with these operations, in one batch.
 * @param {Iterable<{ type: 'put' | 'del', key: Uint8Array | string, value?: Uint8Array | string }>} operations
 * @returns {Promise<Uint8Array>}
 */
async function tableOf(operations) {
  const [{ Varve }, { MapStorage }] = await Promise.all([import('../../src/js/index.js'), import('../../src/js/storage/map.js')])
  const place = new MapStorage.Place()
  const db = new Varve(null, { storage: new MapStorage(place), keyEncoding: 'view', valueEncoding: 'view' })
  const bytes = (value) => typeof value === 'string' ? new TextEncoder().encode(value) : value
  await db.batch(Array.from(operations, ({ type, key, value }) => type === 'del' ? { type, key: bytes(key) } : { type, key: bytes(key), value: bytes(value) }))
  await db.flush()
  await db.close()
  const [, { bytes: content, size }] = [...place.files].find(([name]) => /\.ldb$/.test(name))
  return content.slice(0, size)
}

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
