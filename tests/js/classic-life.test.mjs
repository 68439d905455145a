// The behaviour that users of classic-level rely on, part three: closing during operations, objects
// that are not closed, and leaks.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { CLASSES, codeOf, entries, forBoth, group, keyOf, newPlace, noise } from './lib/both.mjs'

const LONG = process.env.VARVE_LONG !== undefined

group('close() waits for', () => {
  const acts = {
    'get()': (db) => db.get('key'),
    'getMany()': (db) => db.getMany(['key', 'other']),
    'has()': (db) => db.has('key'),
    'put()': (db) => db.put('key2', 'value'),
    'put() with sync': (db) => db.put('key2', 'value', { sync: true }),
    'del()': (db) => db.del('key'),
    'del() with sync': (db) => db.del('key', { sync: true }),
    'batch([])': (db) => db.batch([{ type: 'del', key: 'key' }]),
    'batch([]) with sync': (db) => db.batch([{ type: 'del', key: 'key' }], { sync: true }),
    'batch()': (db) => db.batch().del('key').write(),
    'batch() with sync': (db) => db.batch().put('a', 'b').write({ sync: true }),
    'clear()': (db) => db.clear(),
    'all()': (db) => db.iterator().all(),
    'approximateSize()': (db) => db.approximateSize('a', 'z'),
    'compactRange()': (db) => db.compactRange('a', 'z')
  }
  acts['all of these at once'] = (db) => Promise.all(Object.values(acts).slice(0, -1).map((act) => act(db)))

  for (const [title, act] of Object.entries(acts)) {
    forBoth(title, async ({ Level, place }) => {
      const db = new Level(place)
      await db.open()
      await db.put('key', 'value')
      let outcome = 'nothing'
      act(db).then(() => { outcome = 'done' }, (error) => { outcome = error.code })
      await db.close()
      // Closing may interrupt an iterator; every other operation succeeds before the close.
      assert.ok(outcome === 'done' || (/all/.test(title) && outcome === 'LEVEL_ITERATOR_NOT_OPEN'), outcome)
    })
  }

  forBoth('acknowledged writes, which are kept', async ({ open }) => {
    const db = await open()
    const writes = Array.from({ length: 500 }, (_, i) => db.put(keyOf(i), String(i)))
    const closed = db.close()
    await Promise.all(writes)
    await closed
    await db.open()
    assert.equal((await db.keys().all()).length, 500)
  })

  test('Varve: flush(), sync(), verify() and info()', async () => {
    const db = new Varve(newPlace())
    await db.batch(entries(2000))
    const done = []
    for (const name of ['flush', 'sync', 'verify', 'info', 'compactRange', 'resume']) db[name]().then(() => done.push(name), (error) => done.push(error.code))
    await db.close()
    assert.deepEqual(done.sort(), ['compactRange', 'flush', 'info', 'resume', 'sync', 'verify'])
  })
})

group('iterators that are not closed', () => {
  const seeded = async (open) => {
    const db = await open()
    await db.batch([...'abc'].map((key, i) => ({ type: 'put', key, value: String(i) })))
    return db
  }

  for (const highWaterMarkBytes of [0, 64 << 10]) {
    forBoth(`do not block close() (highWaterMarkBytes ${highWaterMarkBytes})`, async ({ open }) => {
      for (const moves of [0, 1, 2]) {
        const db = await seeded(open)
        const it = db.iterator({ highWaterMarkBytes })
        for (let i = 0; i < moves; i++) assert.equal((await it.next())[0], 'abc'[i])
        await db.close()
        assert.equal(await codeOf(() => it.next()), 'LEVEL_ITERATOR_NOT_OPEN')
      }
    })

    forBoth(`many, with pending reads (highWaterMarkBytes ${highWaterMarkBytes})`, async ({ open }) => {
      const db = await seeded(open)
      for (let i = 0; i < 200; i++) {
        db.iterator({ highWaterMarkBytes })
        db.iterator({ highWaterMarkBytes }).next().catch(() => {})
        db.snapshot()
        db.batch().put('x', 'y')
      }
      await sleep(Math.random() * 20)
      await db.close()
      await db.open()
      assert.equal((await db.keys().all()).length, 3)
    })
  }

  forBoth('one that is moved continuously', async ({ open }) => {
    const db = await seeded(open)
    const codes = []
    const it = db.iterator({ highWaterMarkBytes: 0 })
    const again = (entry) => { if (entry !== undefined) { it.seek('a'); it.next().then(again, failed) } }
    const failed = (error) => codes.push(error.code)
    it.next().then(again, failed)
    await sleep(5)
    await db.close()
    await sleep(1)
    assert.ok(codes.every((code) => code === 'LEVEL_ITERATOR_NOT_OPEN'), String(codes))
  })

  forBoth('ones that are being closed', async ({ open }) => {
    const db = await seeded(open)
    const [one, two] = [db.iterator(), db.iterator()]
    await Promise.all([one.next(), two.next()])
    one.close()
    const closing = two.close()
    await db.close()
    await closing
    await two.close()
  })
})

group('before open() and after close()', () => {
  forBoth('operations wait for open()', async ({ Level, name, place }) => {
    const db = new Level(place)
    assert.equal(db.status, 'opening')
    const results = await Promise.all([
      db.put('a', '1'), db.get('a'), db.batch([{ type: 'put', key: 'b', value: '2' }]), db.getMany(['a', 'b']), db.has('b'),
      db.put('c', '3'), db.iterator().all(), db.clear({ lt: 'b' }), db.keys().all(), db.sublevel('s').put('x', 'y')
    ])
    // With threads, a later call may finish first.
    assert.deepEqual((await db.getMany(['a', 'b', 'c'])).slice(name === 'Varve' ? 0 : 1), name === 'Varve' ? [undefined, '2', '3'] : ['2', '3'])
    assert.equal(await db.sublevel('s').get('x'), 'y')
    if (name === 'Varve') assert.deepEqual(results.slice(0, 9), [undefined, '1', undefined, ['1', '2'], true, undefined, [['a', '1'], ['b', '2'], ['c', '3']], undefined, ['b', 'c']])
    await db.close()
  })

  forBoth('a failed open() rejects all queued operations', async ({ Level, place }) => {
    const db = new Level(place, { createIfMissing: false })
    const codes = await Promise.all([db.put('a', '1'), db.get('a'), db.iterator().all(), db.batch([{ type: 'put', key: 'a', value: '1' }])]
      .map((act) => act.then(() => 'done', (error) => error.code)))
    assert.deepEqual(new Set(codes).size, 2, String(codes))
    assert.ok(codes.every((code) => code === 'LEVEL_DATABASE_NOT_OPEN' || code === 'LEVEL_ITERATOR_NOT_OPEN'), String(codes))
    assert.equal(db.status, 'closed')
  })

  forBoth('operations fail after close(), and properties can be read', async ({ Level, place }) => {
    const db = new Level(place, { valueEncoding: 'json' })
    await db.open()
    const [batch, snapshot, it, sub] = [db.batch(), db.snapshot(), db.iterator(), db.sublevel('s')]
    await db.close()
    for (const act of [() => db.get('a'), () => db.put('a', 1), () => db.del('a'), () => db.getMany(['a']), () => db.has('a'), () => db.batch([]), () => db.clear(),
      () => db.iterator().all(), () => db.approximateSize('a', 'b')]) {
      assert.match(await codeOf(act), /^LEVEL_(DATABASE|ITERATOR)_NOT_OPEN$/, String(act))
    }
    assert.throws(() => db.getSync('a'), { code: 'LEVEL_DATABASE_NOT_OPEN' })
    assert.throws(() => batch.put('a', 1), { code: 'LEVEL_BATCH_NOT_OPEN' })
    assert.equal(await codeOf(() => it.next()), 'LEVEL_ITERATOR_NOT_OPEN')
    assert.equal(await codeOf(() => sub.get('a')), 'LEVEL_DATABASE_NOT_OPEN')
    assert.equal(db.status, 'closed')
    assert.equal(db.location, place)
    assert.equal(db.supports.seek, true)
    assert.equal(db.valueEncoding().name.startsWith('json'), true)
    await snapshot.close()
    await db.close()
    await db.open()
    await db.put('a', { again: true })
    assert.deepEqual(await db.get('a'), { again: true })
    await db.close()
  })
})

// ---- Leaks ----

/** Runs `body` in a process that can collect garbage; returns the JSON that it prints. */
function measured(name, body, place = newPlace()) {
  const code = `
    import * as varve from ${JSON.stringify(new URL('../../src/js/index.js', import.meta.url).href)}
    import * as classic from 'classic-level'
    const Level = { ...varve, ...classic }[${JSON.stringify(name)}]
    const place = ${JSON.stringify(place)}
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    const collected = async () => { for (let i = 0; i < 4; i++) { gc(); await turn() } return process.memoryUsage() }
    const descriptors = async () => (await import('node:fs')).readdirSync('/proc/self/fd').length
    console.log(JSON.stringify(await (${body})()))`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '--eval', code], { encoding: 'utf8', cwd: new URL('../..', import.meta.url) })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

const ROUNDS = LONG ? 20 : 4

/** Returns the memory in use, without the free part of the JavaScript heap. */
const USED = '(await collected().then(({ rss, heapTotal, heapUsed }) => rss - heapTotal + heapUsed))'

for (const name of ['Varve']) {
  test(`${name}: iterators, snapshots and batches that were not closed are freed by close()`, () => {
    // The memory of closed databases is collected some at a time, so the lowest of several rounds
    // is what counts.
    const grown = measured(name, `async () => {
      const sizes = []
      const db = new Level(place)
      for (let round = 0; round < 6 * ${ROUNDS}; round++) {
        await db.open()
        await db.batch(Array.from({ length: 100 }, (_, i) => ({ type: 'put', key: String(i), value: 'x'.repeat(1000) })))
        for (let i = 0; i < 1500; i++) { const it = db.iterator(); if (i % 3 === 0) await it.next(); db.snapshot(); db.batch().put('a', 'b') }
        await db.close()
        sizes.push(${USED})
      }
      return Math.min(...sizes.slice(-8)) - Math.min(...sizes.slice(1, 9))
    }`)
    assert.ok(grown < 40 << 20, `${grown} bytes stay; each opening takes some 6 MiB`)
  })

  test(`${name}: closed iterators, gets and puts do not leak memory`, () => {
    // JavaScript's heap grows in steps of megabytes at times of its own, so the lowest of several
    // rounds is what counts, and rounds enough that a step or two are little for each.
    const rounds = 5 * ROUNDS
    const grown = measured(name, `async () => {
      const db = new Level(place, { writeBufferSize: 256 << 10, cacheSize: 1 << 20 })
      const sizes = []
      for (let round = 0; round < 2 * ${rounds} + 2; round++) {
        for (let i = 0; i < 2000; i++) {
          await db.put('key' + i % 500, 'x'.repeat(500))
          await db.get('key' + i % 500)
          if (i % 4 === 0) for await (const entry of db.iterator({ limit: 20 })) void entry
          if (i % 9 === 0) { const snapshot = db.snapshot(); await db.get('key1', { snapshot }); await snapshot.close() }
          if (i % 7 === 0) await db.batch().put('a', 'b').close()
        }
        sizes.push(${USED})
      }
      await db.close()
      return (Math.min(...sizes.slice(-${rounds})) - Math.min(...sizes.slice(2, ${rounds} + 2))) / ${rounds}
    }`)
    assert.ok(grown < 1 << 20, `${grown} bytes a round`)
  })
}

for (const name of Object.keys(CLASSES)) {
  test(`${name}: close() closes every file descriptor`, { skip: process.platform !== 'linux' && 'no /proc' }, () => {
    const [before, during, after] = measured(name, `async () => {
      const before = await descriptors()
      const db = new Level(place, { writeBufferSize: 64 << 10, maxFileSize: 1 << 20 })
      for (let i = 0; i < 3000; i++) await db.put('key' + i, 'x'.repeat(500) + Math.random())
      for await (const entry of db.iterator()) void entry
      db.iterator()
      const during = await descriptors()
      await db.close()
      for (let i = 0; i < 20; i++) { await db.open(); await db.put('a', 'b'); await db.close() }
      await turn()
      return [before, during, await descriptors()]
    }`)
    assert.ok(during > before)
    // Some runtimes keep one or two descriptors open after files were used.
    assert.ok(after <= before + 3, `${before} before, ${after} after`)
  })

  test(`${name}: the number of files does not grow`, () => {
    const place = newPlace()
    measured(name, `async () => {
      const db = new Level(place, { writeBufferSize: 64 << 10, maxFileSize: 1 << 20 })
      for (let round = 0; round < 40; round++) {
        await db.batch(Array.from({ length: 100 }, (_, i) => ({ type: 'put', key: 'key' + i, value: 'x'.repeat(1000) + round })))
        await turn()
      }
      await db.compactRange('a', 'z')
      await db.close()
      return 0
    }`, place)
    const files = fs.readdirSync(place)
    const bytes = files.reduce((sum, name) => sum + fs.statSync(`${place}/${name}`).size, 0)
    assert.ok(files.length < 25, `${files.length} files: ${files}`)
    assert.ok(bytes < 2 << 20, `${bytes} bytes for 100 kB`)
  })

  test(`${name}: a database that is not closed does not keep the process alive, and keeps acknowledged writes`, async () => {
    const place = newPlace()
    measured(name, `async () => {
      const db = new Level(place)
      await db.batch(Array.from({ length: 1000 }, (_, i) => ({ type: 'put', key: 'key' + i, value: 'x'.repeat(100) })))
      db.iterator().next()
      return 0
    }`, place)
    const db = new Varve(place)
    assert.equal((await db.keys().all()).length, 1000)
    await db.close()
  })
}

test('Varve: memory of a large batch and of large values is reused', () => {
  const sizes = measured('Varve', `async () => {
    const db = new Level(place, { compression: false })
    const sizes = []
    for (let round = 0; round < 8; round++) {
      await db.put('large', Buffer.alloc(16 << 20, round))
      await db.batch(Array.from({ length: 8 }, (_, i) => ({ type: 'put', key: 'k' + i, value: Buffer.alloc(2 << 20, i) })))
      await db.get('large', { valueEncoding: 'view' })
      sizes.push(${USED})
    }
    await db.close()
    return sizes
  }`)
  assert.ok(sizes.at(-1) - sizes[3] < 48 << 20, sizes.map((size) => `${size >> 20} MiB`).join(', '))
})

forBoth('values can be read in the next session', async ({ open }) => {
  const db = await open({ writeBufferSize: 64 << 10 })
  for (let session = 0; session < 4; session++) {
    for (let i = 0; i < 200; i++) await db.put(keyOf(i), noise(800, session * 1000 + i + 1))
    await db.close()
    await db.open()
    const values = await db.values().all()
    assert.ok(values.length === 200 && values.every((value, i) => value === noise(800, session * 1000 + i + 1)))
  }
})
