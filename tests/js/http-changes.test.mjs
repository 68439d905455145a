// Databases on a web server whose files are replaced while they are read: every result is that of
// the old version, or an error.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { SourceChangedError, Varve } from '../../src/js/index.js'
import { HttpStorage } from '../../src/js/storage/http/storage.js'
import { FileServer } from './lib/file-server.mjs'
import { LONG, codeOf, keyOf, made, opened, over, quiet, randomOf, tablesOf, valueOf } from './lib/remote.mjs'

describe('files that change', () => {
  const COUNT = 20_000
  const versions = {}
  before(async () => {
    // Without compression, tables of the same name have the same size: only headers show the
    // difference.
    for (const version of ['v1', 'v2']) {
      versions[version] = await made(COUNT, { version, compression: false })
      versions[`${version} snappy`] = await made(COUNT, { version: version === 'v2' ? 'v2 and longer' : version })
    }
    const tables = tablesOf(versions.v1)
    assert.ok(tables.length > 5)
    assert.ok(tables.filter((name) => versions.v2.get(name)?.length === versions.v1.get(name).length).length >= tables.length - 1)
  })

  const SHOWN = {
    'ETag': { etag: 'strong', lastModified: false },
    'ETag and Last-Modified': {},
    'weak ETag': { etag: 'weak', lastModified: false },
    'weak ETag and Last-Modified': { etag: 'weak' },
    'Last-Modified': { etag: 'none' },
    'Last-Modified, as another origin sees it': { etag: 'none', contentRange: false }
  }

  /**
   * Reads at random while the files change: results must be those of v1, or an error. Returns the
   * number of errors.
   */
  async function readThroughAChange(t, server, change, { codes = ['LEVEL_SOURCE_CHANGED'], reads = LONG ? 1000 : 400, at = 20 }) {
    const db = new Varve(null, { storage: new HttpStorage(server.url, { ...quiet, cacheSize: 0 }), readOnly: true, cacheSize: 0 })
    t.after(() => db.close())
    await db.open()
    const random = randomOf(at)
    let failed = 0
    for (let i = 0; i < reads; i++) {
      if (i === at) change()
      const index = random(COUNT)
      try {
        assert.equal(await db.get(keyOf(index)), valueOf(index), 'an answer of the old version')
        assert.ok(failed === 0 || codes.length > 1, 'after a change was seen nothing is answered')
      } catch (error) {
        if (!codes.includes(error.code)) throw error
        assert.equal(error instanceof SourceChangedError, error.code === 'LEVEL_SOURCE_CHANGED')
        assert.ok(i >= at)
        failed++
      }
    }
    return failed
  }

  for (const [shown, flags] of Object.entries(SHOWN)) {
    test(`all files, at once, with ${shown}`, async (t) => {
      for (const at of [0, 3, 400]) {
        const server = await FileServer.start(t, versions.v1, flags)
        const failed = await readThroughAChange(t, server, () => {
          server.files = versions.v2
          server.modified = new Date()
        }, { at, reads: at + 100 })
        assert.ok(failed > 0, 'the change is noticed')
      }
    })

    test(`one table that was read from, with ${shown}`, async (t) => {
      const server = await FileServer.start(t, new Map(versions.v1), flags)
      const failed = await readThroughAChange(t, server, () => {
        for (const name of tablesOf(versions.v1).slice(0, 3)) server.files.set(name, versions.v2.get(name))
        server.modified = new Date()
      }, { at: 200 })
      assert.ok(failed > 100, `${failed} reads failed`)
    })
  }

  test('changes without headers are detected by sizes and checksums', async (t) => {
    const messages = []
    const server = await FileServer.start(t, versions['v1 snappy'], { etag: 'none', lastModified: false })
    server.onRequest = () => undefined
    const failed = await readThroughAChange(t, server, () => { server.files = versions['v2 snappy'] }, {
      codes: ['LEVEL_SOURCE_CHANGED', 'LEVEL_CORRUPTION'], at: 300
    })
    assert.ok(failed > 0)
    const db = await opened(t, server, { onWarning: (message) => messages.push(message) })
    await db.get(keyOf(1))
    assert.equal(messages.length, 1, messages.join('\n'))
    assert.match(messages[0], /ETag/)
  })

  test('a server with strong ETags causes no warning', async (t) => {
    const server = await FileServer.start(t, versions.v1)
    const db = await opened(t, server, { onWarning: (message) => assert.fail(message) })
    assert.equal(await db.get(keyOf(1)), valueOf(1))
  })

  test('a running iterator fails, and never returns values of the new version', async (t) => {
    const server = await FileServer.start(t, versions.v1)
    const db = await opened(t, server)
    let index = 0
    const code = await codeOf((async () => {
      for await (const [key, value] of db.iterator({ gte: keyOf(0), lt: 'log', highWaterMarkBytes: 1000 })) {
        assert.deepEqual([key, value], [keyOf(index), valueOf(index)])
        if (++index === 500) server.files = versions.v2
      }
    })())
    assert.equal(code, 'LEVEL_SOURCE_CHANGED')
    assert.ok(index < COUNT)
  })

  test('concurrent reads while the files change', async (t) => {
    const server = await FileServer.start(t, versions.v1)
    let requests = 0
    server.onRequest = async () => {
      if (++requests === 60) server.files = versions.v2
      await wait(requests % 3)
    }
    const db = new Varve(null, { storage: new HttpStorage(server.url, quiet), readOnly: true, cacheSize: 0 })
    t.after(() => db.close())
    const random = randomOf(5)
    const answers = await Promise.allSettled(Array.from({ length: 1000 }, async () => {
      await wait(random(200))
      const index = random(COUNT)
      assert.equal(await db.get(keyOf(index)), valueOf(index))
    }))
    const failures = answers.filter(({ status }) => status === 'rejected')
    for (const { reason } of failures) assert.equal(reason.code, 'LEVEL_SOURCE_CHANGED', reason.stack)
    assert.ok(failures.length > 100 && failures.length < 1000, `${failures.length} failed`)
  })

  test('a file that disappears is reported as changed', async (t) => {
    const server = await FileServer.start(t, new Map(versions.v1))
    const db = await opened(t, server)
    await db.get(keyOf(1))
    for (const name of tablesOf(server.files)) server.files.delete(name)
    // The blocks of the open table are missing; another table is not known to have existed.
    assert.equal(await codeOf(db.getMany(Array.from({ length: 1000 }, (_, i) => keyOf(i)))), 'LEVEL_SOURCE_CHANGED')
  })

  test('a missing table of an unchanged database is reported as missing', async (t) => {
    const server = await FileServer.start(t, new Map(versions.v1))
    const db = await opened(t, server)
    for (const name of tablesOf(server.files)) server.files.delete(name)
    assert.equal(await codeOf(db.get(keyOf(1))), 'LEVEL_IO_ERROR')
  })

  test('an old table with a wrong size is reported as damaged, not changed', async (t) => {
    const server = await FileServer.start(t, new Map(versions.v1))
    const [name] = tablesOf(server.files).sort()
    server.files.set(name, server.files.get(name).subarray(1))
    const db = await opened(t, server)
    assert.equal(await codeOf(db.get(keyOf(1))), 'LEVEL_CORRUPTION')
  })

  test('after a change the database can be opened again in its new state', async (t) => {
    const server = await FileServer.start(t, versions.v1)
    const db = await opened(t, server)
    assert.equal(await db.get(keyOf(1)), valueOf(1))
    server.files = versions['v2 snappy']
    assert.equal(await codeOf(db.get(keyOf(COUNT - 1))), 'LEVEL_SOURCE_CHANGED')
    await db.close()
    await db.open()
    assert.equal(await db.get(keyOf(1)), valueOf(1, 'v2 and longer'))
    // Also if nothing was read between the change and close().
    server.files = versions.v2
    await db.close()
    await db.open()
    assert.equal(await db.get(keyOf(1)), valueOf(1, 'v2'))
  })

  for (const [what, flags] of Object.entries({ ...SHOWN, 'nothing shown': { etag: 'none', lastModified: false } })) {
    test(`CURRENT and the manifest change while opening: ${what}`, async (t) => {
      // One change: opening starts again. Repeated changes: it fails.
      for (const [changes, opens] of [[1, true], [Infinity, false]]) {
        const moved = (version, number) => {
          const files = new Map(versions[version])
          const manifest = [...files.keys()].find((name) => name.startsWith('MANIFEST'))
          files.set(`MANIFEST-00090${number}`, files.get(manifest)).set('CURRENT', Buffer.from(`MANIFEST-00090${number}\n`))
          files.delete(manifest)
          return files
        }
        const server = await FileServer.start(t, moved('v1', 0), flags)
        let left = changes
        let number = 0
        server.onRequest = ({ name }) => {
          if (!name.endsWith('.log') || left === 0 || server.log.at(-2)?.name.endsWith('.log')) return
          left--
          number = 1 + number % 9
          server.files = moved('v2', number)
          server.modified = new Date()
        }
        const db = over(server)
        if (opens) {
          await db.open()
          assert.equal(await db.get(keyOf(9)), valueOf(9, 'v2'))
          assert.equal(await db.get('log only'), 'v2')
          await db.close()
        } else {
          assert.equal(await codeOf(db.open()), 'LEVEL_SOURCE_CHANGED')
          assert.ok(server.requestsOf('CURRENT').filter(({ method }) => method === 'GET').length <= 12, 'it gives up')
        }
      }
    })
  }
})
