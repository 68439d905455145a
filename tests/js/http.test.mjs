// Databases on a web server: results, number of requests, and misbehaving servers.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ClassicLevel } from 'classic-level'
import { Varve } from '../../src/js/index.js'
import { testReadOnlyStorage } from '../../src/js/storage/contract.js'
import { HttpStorage } from '../../src/js/storage/http/storage.js'
import { MapStorage } from '../../src/js/storage/map.js'
import { FileServer, filesOf } from './lib/file-server.mjs'
import { KIB, LONG, codeOf, keyOf, made, opened, over, quiet, randomOf, tablesOf, valueOf } from './lib/remote.mjs'

// ---- The contract ----

describe('the contract of a read-only storage', () => {
  const servers = []
  after(() => servers.forEach((server) => server.stop()))
  const storageWith = (flags, options) => async (files) => {
    const server = await FileServer.start({ after() {} }, new Map([...files].map(([name, content]) => [name, Buffer.from(content)])), flags)
    servers.push(server)
    return new HttpStorage(server.url, { ...quiet, ...options })
  }
  const whole = { wholeFileSizeMax: 1 << 20 }
  testReadOnlyStorage(storageWith({}), { test, prefix: 'ranges: ' })
  testReadOnlyStorage(storageWith({}, { cacheSize: 0 }), { test, prefix: 'no cache: ' })
  testReadOnlyStorage(storageWith({ contentRange: false, etag: 'none' }), { test, prefix: 'headers hidden by CORS: ' })
  testReadOnlyStorage(storageWith({ ranges: false }, whole), { test, prefix: 'no ranges: ' })
  testReadOnlyStorage(storageWith({ ranges: false, contentLength: false }, whole), { test, prefix: 'no ranges, no length: ' })
  testReadOnlyStorage(storageWith({ etag: 'none', lastModified: false }), { test, prefix: 'no version: ' })
})

// ---- Reading ----

describe('reading', () => {
  const COUNT = LONG ? 1_000_000 : 100_000
  const READS = LONG ? 5000 : 600
  const place = mkdtempSync(join(tmpdir(), 'varve-http-'))
  after(() => rmSync(place, { recursive: true, force: true }))

  for (const [maker, Level] of [['classic-level', ClassicLevel], ['Varve', Varve]]) {
    describe(`a database made by ${maker}`, () => {
      let files
      before(async () => {
        const directory = join(place, maker)
        const db = new Level(directory)
        for (let from = 0; from < COUNT; from += 5000) {
          await db.batch(Array.from({ length: 5000 }, (_, i) => ({ type: 'put', key: keyOf(from + i), value: valueOf(from + i) })))
        }
        await db.compactRange(keyOf(0), 'l')
        await db.put('log only', 'v1')
        await db.close()
        files = filesOf(directory)
      })

      test('get() fetches the end of each table once, then one block per key', async (t) => {
        const server = await FileServer.start(t, files)
        const db = await opened(t, server)
        const opening = server.log.length
        assert.ok(opening <= 20, `${opening} requests to open: ${server.log.map(({ name }) => name)}`)
        assert.equal(server.requestsOf('.ldb').length, 0)
        assert.equal(await db.get('log only'), 'v1')
        assert.equal(server.log.length, opening, 'what the log has needs no request')

        const random = randomOf(7)
        const tables = new Set()
        for (let i = 0; i < READS; i++) {
          const index = random(COUNT)
          const before = server.log.length
          assert.equal(await db.get(keyOf(index)), valueOf(index))
          const requests = server.log.slice(before)
          for (const { start, end, sent } of requests) assert.ok(sent <= end - start, 'no more than asked for')
          const [look, ...others] = requests.filter(({ name }) => !name.endsWith('.ldb'))
          const parts = requests.filter(({ name }) => name.endsWith('.ldb'))
          if (parts.length === 0) continue
          const [{ name, start, end }] = parts
          assert.ok(parts.every((part) => part.name === name), 'one table')
          if (tables.has(name)) {
            assert.equal(requests.length, 1, 'one block')
            assert.ok(end - start < 8 * KIB)
            continue
          }
          tables.add(name)
          assert.equal(end, files.get(name).length, 'first the end of a table')
          assert.equal(end - start, Math.min(end, 64 * KIB))
          assert.ok(look.sent === 1 && others.length === 0, 'one look at the manifest')
          // The rest of a large filter, and the block.
          assert.ok(parts.length <= 3, JSON.stringify(parts))
          for (const one of parts) for (const two of parts) assert.ok(one === two || one.end <= two.start || two.end <= one.start, 'no byte twice')
        }

        const before = server.log.length
        assert.equal(await db.get('missing'), undefined)
        assert.equal(await db.get(keyOf(COUNT)), undefined)
        assert.ok(server.log.length - before <= 4)
        t.diagnostic(`${READS} reads: ${server.log.length} requests, ${server.bytesSent} bytes, ${tables.size} tables of ${tablesOf(files).length}`)
      })

      test('scans in both directions read ahead', async (t) => {
        const server = await FileServer.start(t, files)
        const db = await opened(t, server)
        const size = [...files.values()].reduce((sum, { length }) => sum + length, 0)
        for (const reverse of [false, true]) {
          server.log.length = 0
          let index = reverse ? COUNT - 1 : 0
          const iterator = db.iterator({ gte: keyOf(0), lt: 'log', reverse })
          for (let rows; (rows = await iterator.nextv(1000)).length > 0;) {
            for (const [key, value] of rows) {
              if (key !== keyOf(index) || value !== valueOf(index)) assert.deepEqual([key, value], [keyOf(index), valueOf(index)])
              index += reverse ? -1 : 1
            }
          }
          await iterator.close()
          assert.equal(index, reverse ? -1 : COUNT)
          const perTable = server.requestsOf('.ldb').length / tablesOf(files).length
          assert.ok(server.log.length < 8 + size / (24 * KIB), `reverse ${reverse}: ${server.log.length} requests for ${size} bytes`)
          assert.ok(server.bytesSent < size * 1.4, `${server.bytesSent} of ${size} bytes`)
          t.diagnostic(`reverse ${reverse}: ${server.log.length} requests, ${perTable} a table, ${server.bytesSent} of ${size} bytes`)
        }
      })

      test('seeks, ranges, several iterators, concurrent reads and snapshots work', async (t) => {
        const server = await FileServer.start(t, files)
        const db = await opened(t, server, { concurrency: 4 })
        const random = randomOf(11)
        await Promise.all(Array.from({ length: 8 }, async (_, i) => {
          const reverse = i % 2 === 1
          const iterator = db.iterator({ reverse, gte: keyOf(0), lte: keyOf(COUNT) })
          for (let round = 0; round < 6; round++) {
            const target = 100 + random(COUNT - 200)
            iterator.seek(keyOf(target))
            const rows = await iterator.nextv(40)
            assert.deepEqual(rows, rows.map((_, row) => {
              const index = reverse ? target - row : target + row
              return [keyOf(index), valueOf(index)]
            }))
          }
          await iterator.close()
        }))
        const keys = Array.from({ length: 200 }, () => random(COUNT))
        assert.deepEqual(await db.getMany(keys.map(keyOf)), keys.map((key) => valueOf(key)))
        assert.deepEqual(await Promise.all(keys.map((key) => db.get(keyOf(key)))), keys.map((key) => valueOf(key)))
        const snapshot = db.snapshot()
        assert.equal(await db.get(keyOf(5), { snapshot }), valueOf(5))
        await snapshot.close()
        assert.ok(await db.approximateSize(keyOf(0), keyOf(COUNT)) > 0)
        const { findings, entries } = await db.verify()
        assert.deepEqual(findings, [])
        assert.ok(entries >= COUNT)
      })
    })
  }

  test('concurrent reads of a block share one request', async (t) => {
    const server = await FileServer.start(t, await made(3000))
    const db = await opened(t, server)
    const before = server.log.length
    const values = await Promise.all(Array.from({ length: 50 }, () => db.get(keyOf(1))))
    assert.deepEqual(values, values.map(() => valueOf(1)))
    assert.ok(server.log.length - before <= 3, 'the end of the table, the manifest, the block')
  })

  test('the number of concurrent requests is limited', async (t) => {
    const server = await FileServer.start(t, await made(20_000))
    let running = 0
    let most = 0
    const storage = new HttpStorage(server.url, { ...quiet, concurrency: 3, async fetch(url, init) {
      most = Math.max(most, ++running)
      try { return await fetch(url, init) } finally { running-- }
    } })
    const db = new Varve(null, { storage, readOnly: true, cacheSize: 0 })
    t.after(() => db.close())
    await Promise.all(Array.from({ length: 300 }, (_, i) => db.get(keyOf(i * 60))))
    assert.ok(most <= 3 && most > 1, `${most} at once`)
  })

  test('no read fetches more than 64 KiB in addition to the requested bytes', async (t) => {
    const server = await FileServer.start(t, await made(20_000, { compression: false }))
    const storage = new HttpStorage(server.url, quiet)
    const [name] = tablesOf(server.files).sort((a, b) => server.files.get(b).length - server.files.get(a).length)
    const { length } = server.files.get(name)
    const file = await storage.open(name, 'read', length)
    const random = randomOf(3)
    const into = new Uint8Array(20_000)
    for (let at = length, i = 0; i < 400; i++) {
      // Backward for a while, then anywhere.
      const size = 1 + random(into.length)
      at = i % 50 < 40 ? Math.max(0, at - size) : random(length)
      const before = server.bytesSent
      const answer = await file.read(at, into.subarray(0, size))
      const bytes = typeof answer === 'number' ? into.subarray(0, answer) : answer
      assert.deepEqual(Buffer.from(bytes), server.files.get(name).subarray(at, at + size))
      assert.ok(server.bytesSent - before <= size + 64 * KIB)
    }
  })

  test('a log larger than the first request can be read', async (t) => {
    const place = new MapStorage.Place()
    const db = new Varve(null, { storage: new MapStorage(place), writeBufferSize: 4 << 20 })
    const value = 'x'.repeat(700)
    for (let i = 0; i < 2000; i++) await db.put(keyOf(i), value + i)
    await db.sync()
    const files = new Map([...place.files].map(([name, { bytes, size }]) => [name, Buffer.from(bytes.slice(0, size))]))
    await db.close()
    assert.ok([...files].some(([name, { length }]) => name.endsWith('.log') && length > 1_000_000))
    const server = await FileServer.start(t, files)
    const read = await opened(t, server)
    for (const i of [0, 1000, 1999]) assert.equal(await read.get(keyOf(i)), value + i)
    assert.ok(server.bytesSent < 1.2 * [...files.values()].reduce((sum, { length }) => sum + length, 0))
  })
})

// ---- Misbehaving servers ----

describe('in a worker', () => {
  test('a database can be read, with headers', async (t) => {
    const files = await made(3000)
    const server = await FileServer.start(t, files)
    server.onRequest = ({ headers }) => headers.authorization === 'Bearer x' ? undefined : 401
    const options = { headers: new Headers({ authorization: 'Bearer x' }), retryDelay: 1, fetch: undefined }
    const db = new Varve(null, { storage: new HttpStorage(server.url, options), readOnly: true, worker: true })
    t.after(() => db.close())
    assert.equal(await db.get(keyOf(1234)), valueOf(1234))
    assert.equal((await db.keys().all()).length, 3001)
  })

  test('options that are functions are refused', () => {
    for (const options of [{ fetch: () => {} }, { headers: () => ({}) }, { onWarning: () => {} }]) {
      const storage = new HttpStorage('http://localhost/x', options)
      assert.throws(() => new Varve(null, { storage, readOnly: true, worker: true }), { code: 'LEVEL_NOT_SUPPORTED' })
    }
  })
})

describe('misbehaving servers', () => {
  let files
  before(async () => { files = await made(12_000, { compression: false }) })

  /** Checks that every value is right, or fails with one of these codes. */
  async function rightOr(db, codes) {
    const seen = new Set()
    for (let i = 0; i < 6000; i += 97) {
      try {
        assert.equal(await db.get(keyOf(i)), valueOf(i))
        seen.add('right')
      } catch (error) {
        if (!codes.includes(error.code)) throw error
        seen.add(error.code)
      }
    }
    return [...seen]
  }

  test('200 instead of 206: small files are read whole, of others only the beginning', async (t) => {
    const server = await FileServer.start(t, files, { ranges: false })
    const db = await opened(t, server)
    assert.equal(await db.get('log only'), 'v1')
    assert.deepEqual(await rightOr(db, ['LEVEL_NOT_SUPPORTED']), ['LEVEL_NOT_SUPPORTED'])
    server.log.length = 0
    const patient = await opened(t, server, { wholeFileSizeMax: 1 << 20, cacheSize: 4 << 20 })
    assert.deepEqual(await rightOr(patient, []), ['right'])
    const tables = server.requestsOf('.ldb')
    assert.equal(tables.length, new Set(tables.map(({ name }) => name)).size, 'each table once')
  })

  test('200 instead of 206: the stream is cancelled after the requested bytes', async (t) => {
    const server = await FileServer.start(t, new Map([['large', Buffer.alloc(64 << 20, 'x')]]), { ranges: false })
    const storage = new HttpStorage(server.url, quiet)
    const file = await storage.open('large', 'read')
    assert.equal(file.size(), 64 << 20)
    assert.equal((await file.read(0, new Uint8Array(100_000))).length, 100_000)
    await wait(100)
    assert.ok(server.bytesSent < 16 << 20, `${server.bytesSent} bytes left the server`)
    await assert.rejects(async () => file.read(1 << 20, new Uint8Array(10)), { code: 'LEVEL_NOT_SUPPORTED' })
  })

  test('compressed responses are refused', async (t) => {
    const server = await FileServer.start(t, files, { gzip: true })
    assert.equal(await codeOf(over(server).open()), 'LEVEL_NOT_SUPPORTED')
    server.flags.gzip = false
    const db = await opened(t, server)
    await db.get(keyOf(1))
    server.flags.gzip = true
    assert.deepEqual(await rightOr(db, ['LEVEL_NOT_SUPPORTED', 'LEVEL_SOURCE_CHANGED']).then((seen) => seen.filter((what) => what !== 'right')),
      ['LEVEL_NOT_SUPPORTED'])
  })

  test('redirects are followed within the origin, to others only if allowed', async (t) => {
    const server = await FileServer.start(t, files)
    const other = await FileServer.start(t, files)
    const via = await FileServer.start(t, new Map())
    let target = `${via.origin}/elsewhere/`
    via.onRequest = ({ name }) => name.startsWith('/elsewhere/') ? undefined : { status: 302, headers: { location: target + name } }
    via.files = new Map([...files].map(([name, content]) => [`/elsewhere/${name}`, content]))
    assert.equal(await (await opened(t, via)).get(keyOf(1)), valueOf(1))
    assert.equal(await codeOf(over(via, { redirect: 'error' }).open()), 'LEVEL_IO_ERROR')
    assert.equal(await codeOf(over(via, { headers: { 'x-token': 'secret' } }).open()), 'LEVEL_IO_ERROR')
    target = other.url
    assert.equal(await codeOf(over(via).open()), 'LEVEL_IO_ERROR')
    assert.equal(await (await opened(t, via, { redirect: 'follow' })).get(keyOf(1)), valueOf(1))
    assert.equal(server.log.length, 0)
  })

  test('truncated responses are retried, and finally an error, never the end of the file', async (t) => {
    const server = await FileServer.start(t, files)
    let count = 0
    server.onRequest = (entry) => { if (count++ % 3 === 0) entry.cutAfter = Math.floor((entry.end - entry.start) / 2) % 4000 }
    const db = await opened(t, server)
    assert.deepEqual(await rightOr(db, []), ['right'])
    server.onRequest = (entry) => { entry.cutAfter = 10 }
    assert.equal(await codeOf(over(server).open()), 'LEVEL_IO_ERROR')
  })

  test('a 206 with a shorter range than requested is an error', async (t) => {
    const server = await FileServer.start(t, files)
    const storage = new HttpStorage(server.url, { ...quiet, fetch: async (url, init) => {
      const response = await fetch(url, init)
      const bytes = await response.arrayBuffer()
      if (response.status !== 206 || bytes.byteLength < 100) return new Response(bytes, response)
      const [, start] = /(\d+)-/.exec(response.headers.get('content-range'))
      const headers = new Headers(response.headers)
      headers.set('content-range', response.headers.get('content-range').replace(/-\d+/, `-${Number(start) + 99}`))
      headers.delete('content-length')
      return new Response(bytes.slice(0, 100), { status: 206, headers })
    } })
    const db = new Varve(null, { storage, readOnly: true })
    await db.open().then(() => db.get(keyOf(1))).then(() => assert.fail('it is read'), (error) => assert.equal((error.cause ?? error).code, 'LEVEL_IO_ERROR'))
    await db.close()
  })

  test('a wrong Content-Range or number of bytes is an error', async (t) => {
    const server = await FileServer.start(t, files)
    const change = { range: (headers) => headers.set('content-range', headers.get('content-range').replace(/\d+-/, '1-')), more: () => {} }
    for (const [what, act] of Object.entries(change)) {
      const storage = new HttpStorage(server.url, { ...quiet, retries: 0, fetch: async (url, init) => {
        const response = await fetch(url, init)
        const headers = new Headers(response.headers)
        if (response.status === 206) act(headers)
        headers.delete('content-length')
        const body = await response.arrayBuffer()
        return new Response(what === 'more' ? Buffer.concat([Buffer.from(body), Buffer.alloc(70_000)]) : body, { status: response.status, headers })
      } })
      assert.equal(await codeOf(new Varve(null, { storage, readOnly: true }).open()), 'LEVEL_IO_ERROR', what)
    }
  })

  test('slow responses time out', async (t) => {
    const server = await FileServer.start(t, files)
    const db = await opened(t, server, { timeout: 100, retries: 1 })
    server.onRequest = () => wait(5000, undefined, { ref: false })
    let start = performance.now()
    assert.equal(await codeOf(db.get(keyOf(1))), 'LEVEL_IO_ERROR')
    assert.ok(performance.now() - start < 2000)
    server.onRequest = (entry) => { entry.stallAfter = 20 }
    start = performance.now()
    assert.equal(await codeOf(db.get(keyOf(1))), 'LEVEL_IO_ERROR')
    assert.ok(performance.now() - start < 2000)
    server.onRequest = () => undefined
    assert.equal(await db.get(keyOf(1)), valueOf(1), 'a failure leaves nothing behind')
  })

  test('server errors are retried a limited number of times', async (t) => {
    const server = await FileServer.start(t, files)
    const db = await opened(t, server)
    for (const status of [500, 502, 503, 429, 408]) {
      let left = 3
      server.onRequest = () => left-- > 0 ? status : undefined
      assert.equal(await db.get(keyOf(status)), valueOf(status))
    }
    server.onRequest = () => 503
    const before = server.log.length
    assert.equal(await codeOf(db.get(keyOf(5999))), 'LEVEL_IO_ERROR')
    assert.ok(server.log.length - before <= 8, `${server.log.length - before} requests`)
    server.onRequest = () => 'destroy'
    assert.equal(await codeOf(db.get(keyOf(5999))), 'LEVEL_IO_ERROR')
  })

  test('Retry-After is respected', async (t) => {
    const server = await FileServer.start(t, files)
    const db = await opened(t, server)
    let left = 1
    server.onRequest = () => left-- > 0 ? { status: 429, headers: { 'retry-after': '1' } } : undefined
    const start = performance.now()
    assert.equal(await db.get(keyOf(1)), valueOf(1))
    assert.ok(performance.now() - start > 900)
  })

  test('a log whose request fails is not treated as missing', async (t) => {
    const server = await FileServer.start(t, files)
    for (const status of [403, 500, 401, 418]) {
      server.onRequest = ({ name }) => name.endsWith('.log') ? status : undefined
      assert.equal(await codeOf(over(server, { retries: 0 }).open()), 'LEVEL_IO_ERROR')
    }
  })

  test('403 means not found with forbiddenIsMissing', async (t) => {
    const server = await FileServer.start(t, files)
    server.onRequest = ({ name }) => files.has(name) ? undefined : 403
    assert.equal(await codeOf(over(server).open()), 'LEVEL_IO_ERROR')
    const db = await opened(t, server, { forbiddenIsMissing: true })
    assert.equal(await db.get('log only'), 'v1')
    assert.equal(await db.get(keyOf(1)), valueOf(1))
  })

  test('a missing database and an unreachable server are distinct errors', async (t) => {
    const server = await FileServer.start(t, new Map())
    assert.equal(await codeOf(over(server).open()), 'LEVEL_INVALID_ARGUMENT')
    const nobody = over(server)
    server.stop()
    assert.equal(await codeOf(nobody.open()), 'LEVEL_IO_ERROR')
  })

  test('a server that sends no lengths is refused', async (t) => {
    const server = await FileServer.start(t, files, { contentRange: false, contentLength: false })
    assert.equal(await codeOf(over(server).open()), 'LEVEL_NOT_SUPPORTED')
  })
})

// ---- Options ----

describe('options', () => {
  let files
  before(async () => { files = await made(500) })

  test('headers can be a function; the query of the URL is kept', async (t) => {
    const server = await FileServer.start(t, files)
    let count = 0
    for (const headers of [{ authorization: 'Bearer a' }, new Headers({ authorization: 'Bearer a' }), async () => [['authorization', `Bearer ${++count}`]]]) {
      server.log.length = 0
      const db = new Varve(null, { storage: new HttpStorage(`${server.url.slice(0, -1)}?sig=a%2Fb`, { headers }), readOnly: true })
      await db.open()
      assert.equal(await db.get(keyOf(1)), valueOf(1))
      await db.close()
      for (const { headers: sent, search } of server.log) {
        assert.match(sent.authorization, /^Bearer (a|\d+)$/)
        assert.equal(search, '?sig=a%2Fb')
        assert.match(sent.range, /^bytes=\d+-\d+$/)
      }
    }
    assert.ok(count > 5)
  })

  test('a custom fetch may lack streams, ignore the signal and throw anything', async (t) => {
    const server = await FileServer.start(t, files)
    const plain = async (url, init) => {
      const response = await fetch(url, init)
      const body = await response.arrayBuffer()
      return { status: response.status, ok: response.ok, statusText: '', headers: response.headers, body: null, arrayBuffer: async () => body }
    }
    assert.equal(await (await opened(t, server, { fetch: plain })).get(keyOf(1)), valueOf(1))

    let calls = 0
    const moody = async (url, init) => {
      if (++calls % 2 === 1) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
      return fetch(url, init)
    }
    assert.equal(await (await opened(t, server, { fetch: moody, retries: 30 })).get(keyOf(1)), valueOf(1), 'it is asked again')
    assert.equal(await codeOf(over(server, { fetch: async () => { throw undefined } }).open()), 'LEVEL_IO_ERROR')

    const start = performance.now()
    const deaf = () => new Promise(() => {})
    assert.equal(await codeOf(over(server, { fetch: deaf, timeout: 50, retries: 1 }).open()), 'LEVEL_IO_ERROR')
    assert.ok(performance.now() - start < 2000)
  })

  test('invalid addresses and options are refused', () => {
    for (const url of [undefined, null, '', 'db/', 5, {}, 'ftp://example.org/', 'file:///db', 'https://user:word@example.org/', 'data:,x']) {
      assert.throws(() => new HttpStorage(url), { code: 'LEVEL_INVALID_ARGUMENT' }, String(url))
    }
    const wrong = {
      timeout: [0, -1, 1.5, '5', Infinity], retries: [-1, 101, 0.5], retryDelay: [-1], concurrency: [0], cacheSize: [-1, NaN], wholeFileSizeMax: [-1],
      fetch: [5, null], headers: [5, [['a']], { 'a b': 'c' }], credentials: ['yes'], redirect: ['manual'], cache: ['only-if-cached'], forbiddenIsMissing: [1],
      onWarning: ['x']
    }
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        assert.throws(() => new HttpStorage('http://localhost/', { [name]: value }), { code: 'LEVEL_INVALID_ARGUMENT', message: new RegExp(name) }, name)
      }
    }
    assert.throws(() => new HttpStorage('http://localhost/', 5), { code: 'LEVEL_INVALID_ARGUMENT' })
    assert.equal(new HttpStorage(new URL('http://localhost/a/b?c#d')).url, 'http://localhost/a/b/?c')
  })

  test('a database is opened to be read, and nothing else', async (t) => {
    const server = await FileServer.start(t, files)
    const storage = new HttpStorage(server.url, quiet)
    assert.equal(await codeOf(new Varve(null, { storage }).open()), 'LEVEL_NOT_SUPPORTED')
    assert.equal(await codeOf(Varve.destroy(null, { storage })), 'LEVEL_NOT_SUPPORTED')
    assert.equal(await codeOf(Varve.repair(null, { storage })), 'LEVEL_NOT_SUPPORTED')
    const db = await opened(t, server)
    assert.throws(() => db.getSync(keyOf(1)), { code: 'LEVEL_NOT_SUPPORTED' })
    for (const write of [() => db.put('a', 'b'), () => db.del('a'), () => db.batch([{ type: 'del', key: 'a' }]), () => db.clear(), () => db.flush(), () => db.compactRange()]) {
      assert.equal(await codeOf(write()), 'LEVEL_NOT_SUPPORTED', String(write))
    }
    const info = await db.info()
    assert.equal(info.storage, 'custom')
    assert.equal(info.backgroundWork, false)
  })
})
