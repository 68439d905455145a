// Databases whose files are Blobs: everything can be read, nothing is written, and a changed file
// is an error.
import assert from 'node:assert/strict'
import { File } from 'node:buffer'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ClassicLevel } from 'classic-level'
import { SourceChangedError, Varve } from '../../src/js/index.js'
import { BlobStorage } from '../../src/js/storage/blob.js'
import { testReadOnlyStorage } from '../../src/js/storage/contract.js'
import { codeOf, keyOf, randomOf, valueOf } from './lib/remote.mjs'

const COUNT = 20_000
const place = fs.mkdtempSync(join(tmpdir(), 'varve-blob-'))
after(() => fs.rmSync(place, { recursive: true, force: true }))
const original = join(place, 'original')
let copies = 0

before(async () => {
  const db = new ClassicLevel(original, { maxFileSize: 200 << 10, compression: false })
  for (let from = 0; from < COUNT; from += 1000) {
    await db.batch(Array.from({ length: 1000 }, (_, i) => ({ type: 'put', key: keyOf(from + i), value: valueOf(from + i) })))
  }
  await db.compactRange(keyOf(0), 'l')
  await db.put('log only', 'v1')
  await db.close()
})

/** Copies the directory; returns the copy and its files as Blobs. */
async function copied() {
  const directory = join(place, String(copies++))
  fs.cpSync(original, directory, { recursive: true })
  const blobs = new Map()
  for (const name of fs.readdirSync(directory)) if (name !== 'LOCK') blobs.set(name, await fs.openAsBlob(join(directory, name)))
  return { directory, blobs }
}

async function opened(t, files, options) {
  const db = new Varve(null, { storage: new BlobStorage(files), readOnly: true, ...options })
  t.after(() => db.close())
  await db.open()
  return db
}

const inMemory = () => fs.readdirSync(original).filter((name) => name !== 'LOCK').map((name) => [name, fs.readFileSync(join(original, name))])

// ---- The contract ----

testReadOnlyStorage((files) => new BlobStorage(new Map([...files].map(([name, content]) => [name, new Blob([content])]))), { test, prefix: 'Blobs: ' })
testReadOnlyStorage((files) => new BlobStorage([...files].map(([name, content]) => new File([content], name))), { test, prefix: 'Files: ' })
testReadOnlyStorage(async (files) => {
  const directory = join(place, `contract ${copies++}`)
  fs.mkdirSync(directory)
  const blobs = {}
  for (const [name, content] of files) {
    fs.writeFileSync(join(directory, name), content)
    blobs[name] = await fs.openAsBlob(join(directory, name))
  }
  return new BlobStorage(blobs)
}, { test, prefix: 'files of a directory: ' })

// ---- Reading ----

test('gets, scans in both directions, seeks, snapshots and verify() work', async (t) => {
  const { blobs } = await copied()
  const db = await opened(t, blobs)
  assert.equal(await db.get('log only'), 'v1')
  const random = randomOf(3)
  await Promise.all(Array.from({ length: 300 }, async () => {
    const index = random(COUNT)
    assert.equal(await db.get(keyOf(index)), valueOf(index))
  }))
  assert.equal(await db.get('missing'), undefined)
  for (const reverse of [false, true]) {
    const rows = await db.iterator({ gte: keyOf(0), lt: 'log', reverse }).all()
    assert.equal(rows.length, COUNT)
    rows.forEach(([key, value], row) => {
      const index = reverse ? COUNT - 1 - row : row
      if (key !== keyOf(index) || value !== valueOf(index)) assert.fail(`row ${row} is ${key}`)
    })
  }
  const iterator = db.iterator()
  iterator.seek(keyOf(777))
  assert.deepEqual(await iterator.next(), [keyOf(777), valueOf(777)])
  await iterator.close()
  const snapshot = db.snapshot()
  assert.equal(await db.get(keyOf(5), { snapshot }), valueOf(5))
  await snapshot.close()
  assert.deepEqual((await db.verify()).findings, [])
})

test('a database can be read in a worker', async (t) => {
  const blobs = new Map(inMemory().map(([name, content]) => [name, new Blob([content])]))
  const db = await opened(t, blobs, { worker: true })
  assert.equal(db.supports.getSync, false)
  assert.equal(await db.get('log only'), 'v1')
  assert.equal(await db.get(keyOf(77)), valueOf(77))
  assert.equal((await db.keys().all()).length, COUNT + 1)
})

test('only the needed ranges are read', async (t) => {
  let bytes = 0
  class Counted extends Blob {
    slice(start, end) {
      bytes += end - start
      return super.slice(start, end)
    }
  }
  const files = new Map(inMemory().map(([name, content]) => [name, new Counted([content])]))
  const db = await opened(t, files)
  bytes = 0
  assert.equal(await db.get(keyOf(9)), valueOf(9))
  assert.ok(bytes > 0 && bytes < 80 << 10, `${bytes} bytes`)
  bytes = 0
  assert.equal(await db.get(keyOf(12)), valueOf(12))
  assert.equal(bytes, 0, 'the block is known')
})

test('Files of a chosen directory can be used, other files are ignored', async (t) => {
  const chosen = (path, content) => Object.defineProperty(new File([content], path.split('/').at(-1)), 'webkitRelativePath', { value: path })
  const files = [
    ...inMemory().map(([name, content]) => chosen(`profile/db/${name}`, content)),
    chosen('profile/notes.txt', 'x'), chosen('profile/000005.ldb', 'another'), chosen('profile/db/lost/000005.ldb', 'lost'), chosen('profile/db/LOCK', '')
  ]
  for (const given of [files, new Set(files), { length: files.length, ...files, [Symbol.iterator]: () => files[Symbol.iterator]() }]) {
    const db = await opened(t, given)
    assert.equal(await db.get(keyOf(1)), valueOf(1))
    assert.equal(await db.get('log only'), 'v1')
  }
  const two = [chosen('a/CURRENT', 'x'), chosen('b/CURRENT', 'x')]
  assert.throws(() => new BlobStorage(two), { code: 'LEVEL_INVALID_ARGUMENT', message: /a\/CURRENT, b\/CURRENT/ })
})

test('invalid files are refused', () => {
  const blob = new Blob([])
  for (const files of [undefined, null, 5, 'CURRENT', blob, [blob], [5], { CURRENT: 'text' }, new Map([['CURRENT', 5]]), [new File([], 'a'), new File([], 'a')]]) {
    assert.throws(() => new BlobStorage(files), { code: 'LEVEL_INVALID_ARGUMENT' })
  }
})

test('a missing database is reported, and nothing is written', async () => {
  assert.equal(await codeOf(new Varve(null, { storage: new BlobStorage([]), readOnly: true }).open()), 'LEVEL_INVALID_ARGUMENT')
  const storage = new BlobStorage(new Map(inMemory().map(([name, content]) => [name, new Blob([content])])))
  assert.equal(await codeOf(new Varve(null, { storage }).open()), 'LEVEL_NOT_SUPPORTED')
  assert.equal(await codeOf(Varve.destroy(null, { storage })), 'LEVEL_NOT_SUPPORTED')
  assert.equal(await codeOf(Varve.repair(null, { storage })), 'LEVEL_NOT_SUPPORTED')
  const db = new Varve(null, { storage, readOnly: true })
  assert.equal(await codeOf(db.put('a', 'b')), 'LEVEL_NOT_SUPPORTED')
  await db.close()
})

// ---- Files that change ----

describe('a file that changes while it is open', () => {
  const change = {
    modified: (path) => {
      const handle = fs.openSync(path, 'r+')
      fs.writeSync(handle, Buffer.from('x'), 0, 1, 1000)
      fs.closeSync(handle)
    },
    truncated: (path) => fs.truncateSync(path, 100),
    grown: (path) => fs.appendFileSync(path, 'x'),
    removed: (path) => fs.rmSync(path),
    replaced: (path) => {
      fs.writeFileSync(`${path}.new`, fs.readFileSync(path))
      fs.renameSync(`${path}.new`, path)
    }
  }

  for (const [how, act] of Object.entries(change)) {
    test(how, async (t) => {
      const { directory, blobs } = await copied()
      const db = await opened(t, blobs, { cacheSize: 0 })
      const random = randomOf(9)
      const check = async () => { const index = random(COUNT); assert.equal(await db.get(keyOf(index)), valueOf(index)) }
      for (let i = 0; i < 100; i++) await check()
      await wait(20)
      for (const name of fs.readdirSync(directory)) if (name.endsWith('.ldb')) act(join(directory, name))
      for (let i = 0; i < 200; i++) {
        const error = await check().then(() => assert.fail('it is read'), (reason) => reason)
        assert.ok(error instanceof SourceChangedError, error.stack)
        assert.equal(error.code, 'LEVEL_SOURCE_CHANGED')
      }
      assert.equal(await db.get('log only'), 'v1', 'what is in memory is still there')
      assert.equal(await codeOf(db.iterator().all()), 'LEVEL_SOURCE_CHANGED')
    })

    test(`${how}, before the database is opened`, async () => {
      const { directory, blobs } = await copied()
      await wait(20)
      act(join(directory, 'CURRENT'))
      assert.equal(await codeOf(new Varve(null, { storage: new BlobStorage(blobs), readOnly: true }).open()), 'LEVEL_SOURCE_CHANGED')
    })
  }
})
