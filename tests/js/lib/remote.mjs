// Helpers for tests of read-only storages: databases as files in memory, and their entries.
import assert from 'node:assert/strict'
import { Varve, VarveError } from '../../../src/js/index.js'
import { HttpStorage } from '../../../src/js/storage/http/storage.js'
import { MapStorage } from '../../../src/js/storage/map.js'

export const LONG = process.env.VARVE_LONG === '1'
export const KIB = 1024
export const quiet = { onWarning: () => {}, retryDelay: 1 }

export const over = (server, options) => new Varve(null, { storage: new HttpStorage(server.url, { ...quiet, ...options }), readOnly: true })

export async function opened(t, server, options) {
  const db = over(server, options)
  t.after(() => db.close())
  await db.open()
  return db
}

/** Returns the error code of a promise; for a failed open, that of the cause. */
export async function codeOf(promise) {
  const error = await promise.then(() => assert.fail('it does not fail'), (reason) => reason)
  const found = error.code === 'LEVEL_DATABASE_NOT_OPEN' && error.cause ? error.cause : error
  assert.ok(found instanceof VarveError, String(found?.stack))
  return found.code
}

/** Returns random numbers below `n`, the same each time. */
export function randomOf(seed) {
  let state = seed
  return (n) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0
    return ((state ^ (state >>> 13)) >>> 0) % n
  }
}

export const keyOf = (index) => `key ${String(index).padStart(8, '0')}`
export const valueOf = (index, version = 'v1') => `${version} of ${index} `.repeat(1 + index % 9)

/** Returns the files of a database created by Varve. */
export async function made(count, { version = 'v1', ...options } = {}) {
  const place = new MapStorage.Place()
  const db = new Varve(null, { storage: new MapStorage(place), maxFileSize: 200 * KIB, writeBufferSize: 200 * KIB, ...options })
  await db.open()
  for (let from = 0; from < count; from += 1000) {
    const batch = db.batch()
    for (let i = from; i < Math.min(count, from + 1000); i++) batch.put(keyOf(i), valueOf(i, version))
    await batch.write()
  }
  // Makes their manifests differ.
  if (version !== 'v1') await db.put(keyOf(count), version)
  await db.compactRange()
  await db.put('log only', version)
  await db.close()
  return new Map([...place.files].map(([name, { bytes, size }]) => [name, Buffer.from(bytes.subarray(0, size))]))
}

export const tablesOf = (files) => [...files.keys()].filter((name) => name.endsWith('.ldb'))
