// Concurrent writes share one write, which is visible only in the time that it takes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { MapStorage } from '../../src/js/storage/map.js'
import { later } from './lib/later.mjs'

const PLACES = { 'at once': () => new MapStorage(), later: () => later(new MapStorage()) }

async function opened(storage, options) {
  const db = new Varve(null, { storage, ...options })
  await db.open()
  return db
}

const range = (n) => Array.from({ length: n }, (_, i) => i)
const recordsOf = async (db) => (await db.info()).counters.logRecords

test('64 concurrent puts share two log records, and 64 consecutive puts take 64', async () => {
  const db = await opened(new MapStorage())
  const before = await recordsOf(db)
  await Promise.all(range(64).map((i) => db.put(`k${i}`, `${i}`)))
  assert.equal(await recordsOf(db) - before, 2)
  for (const i of range(64)) await db.put(`k${i}`, `${i + 1}`)
  assert.equal(await recordsOf(db) - before, 66)
  assert.deepEqual(await db.getMany(range(64).map((i) => `k${i}`)), range(64).map((i) => `${i + 1}`))
  await db.close()
})

for (const [name, storage] of Object.entries(PLACES)) {
  test(`later calls see earlier grouped writes: ${name}`, async () => {
    const db = await opened(storage())
    const asks = {
      get: async () => assert.equal(await db.get('c'), '3'),
      getMany: async () => assert.deepEqual(await db.getMany(['a', 'c']), ['1', '3']),
      has: async () => assert.equal(await db.has('c'), true),
      hasMany: async () => assert.deepEqual(await db.hasMany(['c', 'd']), [true, false]),
      iterator: async () => assert.deepEqual(await db.iterator().all(), [['a', '1'], ['b', '2'], ['c', '3']]),
      snapshot: async () => {
        const snapshot = db.snapshot()
        await db.clear()
        assert.equal(await db.get('c', { snapshot }), '3')
        await snapshot.close()
      },
      clear: async () => {
        await db.clear()
        assert.deepEqual(await db.keys().all(), [])
      },
      batch: async () => {
        await db.batch([{ type: 'del', key: 'c' }])
        assert.deepEqual(await db.keys().all(), ['a', 'b'])
      },
      flush: async () => {
        await db.flush()
        assert.equal(await db.get('c'), '3')
      },
      'a put that is synced': async () => {
        await db.put('c', '4', { sync: true })
        assert.equal(await db.get('c'), '4')
      },
      'a long put': async () => {
        await db.put('c', 'x'.repeat(10_000))
        assert.equal((await db.get('c')).length, 10_000)
      }
    }
    if (name === 'at once') asks.getSync = async () => assert.equal(db.getSync('c'), '3')
    for (const [what, ask] of Object.entries(asks)) {
      // If an append takes time, unacknowledged writes are not visible yet, but keep their order.
      if (name === 'later' && !/put|batch/.test(what)) continue
      await db.clear()
      const writes = [db.put('a', '1'), db.put('b', '2'), db.put('c', '0'), db.put('c', '3')]
      await ask().catch((error) => assert.fail(`${what}: ${error.stack}`))
      await Promise.all(writes)
    }
    await db.close()
  })

  test(`the last of several mixed puts and deletes of a key wins: ${name}`, async () => {
    const db = await opened(storage())
    const model = new Map()
    let x = 1
    for (let round = 0; round < 50; round++) {
      await Promise.all(range(100).map(() => {
        x = Math.imul(x, 1103515245) + 12345 >>> 0
        const key = `k${(x >>> 8) % 13}`
        if ((x >>> 20) % 3 === 0) {
          model.delete(key)
          return db.del(key)
        }
        const value = `${x}`.repeat((x >>> 24) % 4 === 0 ? 800 : 1)
        model.set(key, value)
        return db.put(key, value)
      }))
      assert.deepEqual(new Map(await db.iterator().all()), new Map([...model].sort(([a], [b]) => a < b ? -1 : 1)))
    }
    await db.close()
    await db.open()
    assert.equal((await db.keys().all()).length, model.size)
    await db.close()
  })
}

test('a caller can change its bytes once put() has returned', async () => {
  const db = await opened(new MapStorage(), { keyEncoding: 'view', valueEncoding: 'view' })
  const [key, value] = [new Uint8Array([1]), new Uint8Array([1])]
  const writes = range(5).map((i) => {
    key[0] = value[0] = i
    return db.put(key, value)
  })
  key[0] = value[0] = 99
  await Promise.all(writes)
  assert.deepEqual((await db.iterator().all()).map(([k, v]) => [k[0], v[0]]), range(5).map((i) => [i, i]))
  await db.close()
})

test('a failed append rejects exactly the writes that shared it', async () => {
  let failing = false
  const storage = new MapStorage()
  const create = storage.create.bind(storage)
  storage.create = (...args) => {
    const file = create(...args)
    const append = file.append.bind(file)
    file.append = (data) => {
      if (failing) throw Object.assign(new Error('EIO: no'), { code: 'EIO' })
      return append(data)
    }
    return file
  }
  const db = await opened(storage)
  await db.put('a', '1')
  const first = db.put('b', '1')
  failing = true
  const shared = [db.put('c', '1'), db.put('d', '1'), db.put('e', '1')]
  const results = await Promise.allSettled([first, ...shared])
  failing = false
  assert.deepEqual(results.map(({ status }) => status), ['fulfilled', 'rejected', 'rejected', 'rejected'])
  for (const { reason } of results.slice(1)) assert.equal(reason.code, 'LEVEL_IO_ERROR')
  await db.put('c', '2')
  assert.deepEqual(await db.iterator().all(), [['a', '1'], ['b', '1'], ['c', '2']])
  await db.close()
})

test('a write that is too long fails alone', async () => {
  const db = await opened(new MapStorage(), { maxValueBytes: 1024 })
  const writes = [db.put('a', '1'), db.put('b', '2'), db.put('c', 'x'.repeat(1025)), db.put('d', '4')]
  const results = await Promise.allSettled(writes)
  assert.deepEqual(results.map(({ reason }) => reason?.code), [undefined, undefined, 'LEVEL_LIMIT_EXCEEDED', undefined])
  assert.deepEqual(await db.keys().all(), ['a', 'b', 'd'])
  await db.close()
})

test('concurrent writes can fill several groups', async () => {
  const db = await opened(new MapStorage())
  await Promise.all(range(5000).map((i) => db.put(`${i}`, 'x'.repeat(100))))
  assert.equal((await db.keys().all()).length, 5000)
  await db.close()
})

for (const [name, options] of Object.entries({ 'at once': {}, 'in a worker': { worker: true } })) {
  test(`write events are emitted in commit order: ${name}`, async () => {
    const db = await opened('memory', options)
    const told = []
    db.on('write', (operations) => told.push(...operations.map(({ value }) => value)))
    const asked = []
    const writes = range(3000).map((i) => {
      asked.push(i)
      const [key, value] = ['k', i]
      if (i % 7 === 3) return db.batch([{ type: 'put', key, value }], { valueEncoding: 'json' })
      if (i % 11 === 5) return db.batch().put(key, value, { valueEncoding: 'json' }).write()
      return db.put(key, value, { valueEncoding: 'json' })
    })
    await Promise.all(writes)
    assert.deepEqual(told, asked)
    assert.equal(await db.get('k'), '2999')
    await db.close()
  })
}

/** A storage that calls `inside` once, in the middle of the next append. */
function writingFromInside() {
  const storage = new MapStorage()
  const told = { storage, inside: null }
  const create = storage.create.bind(storage)
  storage.create = (...args) => {
    const file = create(...args)
    const append = file.append.bind(file)
    file.append = (data) => {
      const { inside } = told
      told.inside = null
      inside?.()
      return append(data)
    }
    return file
  }
  return told
}

test('a storage that writes inside an append gets its own results', async () => {
  const told = writingFromInside()
  const db = await opened(told.storage)
  const inner = []
  const inside = () => { for (const key of ['x', 'y', 'z']) inner.push(db.put(key, '1')) }
  // At the end of the turn, and before a read in the same turn.
  for (const read of [() => {}, () => db.getSync('a')]) {
    await db.clear()
    const writes = [db.put('a', '1'), db.put('b', '1'), db.put('c', '1')]
    told.inside = inside
    read()
    await Promise.all(writes)
    await Promise.all(inner.splice(0))
    assert.deepEqual(await db.keys().all(), ['a', 'b', 'c', 'x', 'y', 'z'])
  }
  await db.clear()
  told.inside = () => {
    inner.push(db.batch([{ type: 'put', key: 'x', value: '1' }, { type: 'put', key: 'y', value: '1' }]))
    throw Object.assign(new Error('EIO: no'), { code: 'EIO' })
  }
  const refused = db.batch([{ type: 'put', key: 'a', value: '1' }, { type: 'put', key: 'b', value: '1' }])
  await assert.rejects(refused, { code: 'LEVEL_IO_ERROR' })
  await Promise.all(inner)
  assert.deepEqual(await db.keys().all(), ['x', 'y'])
  await db.close()
})
