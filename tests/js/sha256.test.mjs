// sha256() of varve/inspect, compared with Node's own.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { sha256 } from '../../src/js/inspect/index.js'

const noise = Uint8Array.from({ length: 9_000_001 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24)

/** @param {number} size @param {number} most bytes of one read */
const source = (size, most) => ({
  name: 'noise',
  size,
  read(/** @type {number} */ offset, /** @type {Uint8Array} */ into) {
    const part = noise.subarray(offset, Math.min(size, offset + Math.min(most, into.length)))
    into.set(part)
    return part.length
  }
})

test('the digest is the same however the file is read', async () => {
  for (const [size, most] of [[0, 1], [1, 1], [55, 7], [56, 56], [64, 64], [1000, 3], [4 << 20, 1 << 20], [9_000_001, Infinity]]) {
    assert.equal(await sha256(source(size, most)), createHash('sha256').update(noise.subarray(0, size)).digest('hex'), `${size} bytes`)
  }
})

test('it tells its progress, and can be stopped', async () => {
  /** @type {number[]} */
  const told = []
  await sha256(source(9_000_001, Infinity), { progress: (done) => told.push(done) })
  assert.deepEqual(told, [4 << 20, 8 << 20, 9_000_001])
  await assert.rejects(sha256(source(9_000_001, 1000), { signal: AbortSignal.timeout(5) }), { name: 'TimeoutError' })
})

test('bytes that cannot be read are an error', async () => {
  const cut = { ...source(1000, 1000), read: (/** @type {number} */ offset) => offset === 0 ? 500 : 0 }
  await assert.rejects(sha256(cut), { code: 'LEVEL_IO_ERROR', message: /bytes from 500 on/ })
})
