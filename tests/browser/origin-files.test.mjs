// The files of a database, read while its owner in another tab writes: each reading is a prefix of the
// owner's puts with all that were acknowledged before it began, and the owner notices nothing.
//
//   VARVE_LONG=1   100,000 puts instead of 10,000
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { inWorker } from './lib/in-worker.mjs'
import { serve } from './lib/serve.mjs'

const LONG = process.env.VARVE_LONG === '1'
const PUTS = LONG ? 100_000 : 10_000
const TOGETHER = 8
/** Busy machines take longer than the default allows. */
const PATIENT = { patience: 30_000 }

const READINGS_MIN = 6
const ATTEMPTS_MS = LONG ? 20_000 : 600

/** Small memtables, so that tables are written and removed meanwhile. */
const OPTIONS = { opfs: { storage: 'opfs', writeBufferSize: 128 << 10 }, indexeddb: { storage: 'indexeddb', writeBufferSize: 256 << 10 } }

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]

/** Two tabs of a new browser. */
async function tabs(t, kind) {
  const { url, close } = await serve({ '/': inRoot() })
  t.after(close)
  const browser = await Browser.start(kind)
  t.after(() => browser.close())
  const pages = []
  for (let i = 0; i < 2; i++) {
    const page = await browser.page(`${url}/tests/browser/pages/origin.html`)
    await page.waitForFunction('globalThis.isReady')
    pages.push(page)
  }
  // Firefox delays the timers of a tab behind another one.
  await pages[0].bringToFront()
  return { owner: pages[0], reader: pages[1], browser }
}

const begin = (owner, count) => owner.evaluate((...given) => { globalThis.begin(...given) }, count, TOGETHER)

/** Reads while the owner writes, until it has written `puts` and was read often enough; returns the readings. */
async function readMeanwhile({ owner, reader }, storage, puts, name = 'hot') {
  await begin(owner, Infinity)
  const readings = []
  let before = await owner.evaluate(() => progress())
  for (const end = before.begun + puts; before.acknowledged < end || readings.length < READINGS_MIN; before = await owner.evaluate(() => progress())) {
    const reading = await reader.evaluate((...given) => count(...given), name, storage, PATIENT)
    const after = await owner.evaluate(() => progress())
    assert.ok(reading.count >= before.acknowledged, `${reading.count} puts were read, ${before.acknowledged} were acknowledged before`)
    assert.ok(reading.count <= after.begun, `${reading.count} puts were read, ${after.begun} were begun`)
    readings.push(reading)
  }
  return { readings, wrote: await owner.evaluate(() => stopWriting()), slowest: (await owner.evaluate(() => progress())).slowest }
}

const rate = ({ count, ms }) => Math.round(count / ms * 1000)

for (const kind of KINDS) {
  test(`${kind}: files that another tab writes`, { skip: lacking(kind) }, async (t) => {
    const pages = await tabs(t, kind)
    const { owner, reader } = pages
    console.log(`${kind}: ${await pages.browser.version()}`)

    await t.test('in OPFS, each reading is a prefix, and nothing acknowledged before is missing', async () => {
      await owner.evaluate((...given) => own(...given), 'hot', OPTIONS.opfs)
      await begin(owner, PUTS / 5)
      const alone = await owner.evaluate(() => done())
      const { slowest } = await owner.evaluate(() => progress())
      assert.deepEqual(await reader.evaluate(() => databasesOfOrigin()), [{ name: 'hot', storage: 'opfs', inUse: true }])
      const stored = await reader.evaluate(() => stored())
      const { readings, ...meanwhile } = await readMeanwhile(pages, 'opfs', PUTS * 4 / 5)
      assert.ok(readings.at(-1).sequence > readings[0].sequence, 'names changed meanwhile')
      assert.ok(readings.at(-1).tables > 0)
      const names = await reader.evaluate(() => stored())
      // The owner adds raw files; the reader adds nothing.
      assert.deepEqual(names.filter((name) => !stored.includes(name) && !/^\/varve\/hot\/(p\d{5}|reserve)$/.test(name)), [])
      console.log(`${kind}, opfs: ${readings.length} readings, ${readings.reduce((sum, { repeated }) => sum + repeated, 0)} repeated reads, median ${Math.round(median(readings.map(({ took }) => took)))} ms; puts/s alone ${rate(alone)}, meanwhile ${rate(meanwhile.wrote)}; slowest ${Math.round(slowest)} and ${Math.round(meanwhile.slowest)} ms`)
    })

    await t.test('without repeated reads some openings fail in Chromium, and with them none', async () => {
      await begin(owner, Infinity)
      const counts = {
        once: await reader.evaluate((ms) => attempts('hot', 'opfs', ms, { patience: 0 }, 8), ATTEMPTS_MS),
        repeatedly: await reader.evaluate((ms) => attempts('hot', 'opfs', ms, { patience: 30_000 }), ATTEMPTS_MS),
        // In a page whose policy forbids the older address, say. Only printed: it depends on the writer's pauses.
        'repeatedly, by getFile() alone': kind === 'chromium' && await reader.evaluate(async (ms) => {
          const older = globalThis.webkitRequestFileSystem
          globalThis.webkitRequestFileSystem = undefined
          try {
            return await attempts('hot', 'opfs', ms)
          } finally {
            globalThis.webkitRequestFileSystem = older
          }
        }, ATTEMPTS_MS)
      }
      const wrote = await owner.evaluate(() => stopWriting())
      for (const [how, { openings, failed, repeated, took }] of Object.entries(counts).filter(([, counts]) => counts)) {
        console.log(`${kind}, read ${how}: ${failed} of ${openings} openings failed, ${repeated} reads were repeated; median ${Math.round(median(took) ?? NaN)} ms, at ${rate(wrote)} puts/s`)
      }
      if (kind === 'chromium') assert.ok(counts.once.failed > 0, 'every opening succeeded at once: are repeated reads needed?')
      assert.equal(counts.repeatedly.failed, 0)
      assert.ok(counts.repeatedly.openings > 0)
    })

    await t.test('values larger than the blocks of a log are read whole', async () => {
      await owner.evaluate(async () => {
        await db.close()
        await own('large', { storage: 'opfs' })
        globalThis.putting = true
        globalThis.large = 0
        globalThis.putAll = (async () => {
          while (putting) {
            await db.put(String(large++).padStart(8, '0'), 'v'.repeat(300_000))
            // So that the database stays small.
            if (large % 8 === 0 || large > 200) await new Promise((resolve) => setTimeout(resolve, large > 200 ? 300 : 40))
          }
        })()
      })
      for (let i = 0; i < (LONG ? 50 : 4); i++) {
        const before = await owner.evaluate(() => large)
        const found = await reader.evaluate(async () => {
          const { rows, findings } = await read('large', 'opfs')
          return { count: rows.length, findings, wrong: rows.filter(([key, value], at) => Number(key) !== at || value.length !== 300_000).length }
        })
        assert.deepEqual({ ...found, count: found.count >= before - 1 }, { count: true, findings: [], wrong: 0 })
      }
      await owner.evaluate(async () => {
        putting = false
        await putAll
        await db.close()
      })
    })

    await t.test('a closed database is read in a worker too, and is not in use', async () => {
      const { acknowledged } = await owner.evaluate(() => progress())
      assert.deepEqual((await reader.evaluate(() => databasesOfOrigin())).map(({ name, inUse }) => [name, inUse]).sort(), [['hot', false], ['large', false]])
      assert.equal((await reader.evaluate(() => count('hot', 'opfs'))).count, acknowledged)
      const [here, there] = [await reader.evaluate(() => digests('hot', 'opfs')), await inWorker(reader, async (origin) => {
        const { filesOfOrigin } = await import(`${origin}/pkg/inspect.js`)
        const { files } = await filesOfOrigin('hot', 'opfs')
        return Promise.all(files.map(async ({ name, size, blob }) => [name, size, String(new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer())))]))
      })]
      assert.ok(here.length >= 3)
      assert.deepEqual(there, here)
    })

    await t.test('in IndexedDB too, each reading is a prefix', async () => {
      await owner.evaluate((...given) => own(...given), 'chunks', OPTIONS.indexeddb)
      await owner.evaluate(() => reset())
      const { readings, wrote } = await readMeanwhile(pages, 'indexeddb', LONG ? PUTS : 1000, 'chunks')
      assert.ok(readings.at(-1).sequence > readings[0].sequence)
      assert.deepEqual((await reader.evaluate(() => databasesOfOrigin())).filter(({ inUse }) => inUse), [{ name: 'chunks', storage: 'indexeddb', inUse: true }])
      console.log(`${kind}, indexeddb: ${readings.length} readings, median ${Math.round(median(readings.map(({ took }) => took)))} ms, ${rate(wrote)} puts/s meanwhile`)
      await owner.evaluate(() => db.close())
    })

    await t.test('what is not there is not created, and its name may be any', async () => {
      const name = 'Ä b/c%.db'
      const before = await reader.evaluate(() => stored())
      assert.deepEqual(await reader.evaluate(async (name) => {
        const code = (storage) => filesOfOrigin(name, storage).then(() => 'read', (error) => error.code)
        return [await code('opfs'), await code('indexeddb'), await code('memory')]
      }, name), ['LEVEL_INVALID_ARGUMENT', 'LEVEL_INVALID_ARGUMENT', 'LEVEL_INVALID_ARGUMENT'])
      assert.deepEqual(await reader.evaluate(() => stored()), before)
      for (const storage of ['opfs', 'indexeddb']) {
        await owner.evaluate(async (name, storage) => {
          await own(name, { storage })
          await db.put('a', storage)
        }, name, storage)
        assert.deepEqual((await reader.evaluate((...given) => read(...given), name, storage)).rows, [['a', storage]])
        const listed = await reader.evaluate(() => databasesOfOrigin())
        assert.deepEqual(listed.find((entry) => entry.name === name), { name, storage, inUse: true })
        await owner.evaluate(async (name, storage) => {
          await db.close()
          await Varve.destroy(name, { storage })
        }, name, storage)
      }
    })

    await t.test('damaged superblocks, headers and rows are told, and what is whole is read', async () => {
      await owner.evaluate(async () => {
        await own('small', { storage: 'opfs' })
        await db.put('a', '1')
        await db.flush()
        await db.put('b', '2')
        await db.close()
      })
      const all = await reader.evaluate(() => digests('small', 'opfs'))
      const damage = (edits) => inWorker(reader, async (_, edits) => {
        const directory = await (await (await navigator.storage.getDirectory()).getDirectoryHandle('varve')).getDirectoryHandle('small')
        const before = []
        for (const [name, at, bytes, size] of edits) {
          const handle = await (await directory.getFileHandle(name)).createSyncAccessHandle()
          const old = new Uint8Array(handle.getSize())
          handle.read(old, { at: 0 })
          before.push([name, 0, [...old]])
          handle.write(new Uint8Array(bytes), { at })
          if (size !== undefined) handle.truncate(size)
          handle.close()
        }
        return before
      }, edits)
      const supers = ['super-a', 'super-b', 'super-c']
      let before = await damage(supers.map((name) => [name, 20, [1, 2, 3]]))
      const salvaged = await reader.evaluate(() => digests('small', 'opfs'))
      assert.ok(salvaged.length > 2)
      for (const [name, size, digest] of all.filter(([name]) => name.endsWith('.ldb'))) {
        assert.deepEqual(salvaged.find(([other]) => other === name), [name, size, digest])
      }
      await damage(before)
      assert.deepEqual(await reader.evaluate(() => digests('small', 'opfs')), all)

      const raw = await reader.evaluate(() => rawNames('small'))
      for (const edit of LONG ? [[16, [9]], [0, [0], 100], [0, [], 0]] : [[16, [9]], [0, [], 0]]) {
        before = await damage(raw.map((name) => [name, ...edit]))
        const problems = await reader.evaluate(() => filesOfOrigin('small', 'opfs').then(({ files }) => files.filter(({ problem }) => /raw file p\d{5}/.test(problem)).map(({ name, size }) => [name, size])))
        assert.deepEqual(problems, all.filter(([name]) => name !== 'CURRENT').map(([name]) => [name, 0]))
        await damage(before)
      }

      // Any bytes: a result or an error with a code, and the engine goes on.
      let state = 7
      const random = () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) / 2 ** 32
      for (let i = 0; i < (LONG ? 40 : 2); i++) {
        before = await damage([...supers, raw[0]].map((name) => [name, Math.floor(random() * 200), Array.from({ length: 1 + Math.floor(random() * 20) }, () => Math.floor(random() * 256))]))
        const told = await reader.evaluate(() => filesOfOrigin('small', 'opfs').then(({ files }) => typeof files.length, ({ code }) => code))
        assert.match(told, /^number$|^LEVEL_/)
        await damage(before)
      }
      assert.deepEqual(await reader.evaluate(() => digests('small', 'opfs')), all)

      assert.deepEqual(await reader.evaluate(async () => {
        const change = async (act) => {
          const request = indexedDB.open('varve/chunks')
          await new Promise((resolve) => { request.onsuccess = resolve })
          const transaction = request.result.transaction(['head', 'files', 'chunks'], 'readwrite')
          act((name) => transaction.objectStore(name))
          await new Promise((resolve) => { transaction.oncomplete = resolve })
          request.result.close()
        }
        const told = () => filesOfOrigin('chunks', 'indexeddb').then(({ files }) => files.filter(({ problem }) => problem).length > 0, ({ code }) => code)
        const found = [await told()]
        await change((store) => store('chunks').clear())
        found.push(await told())
        await change((store) => store('files').put('text', 1))
        found.push(await told())
        await change((store) => store('head').clear())
        return [...found, await told()]
      }), [false, true, 'LEVEL_CORRUPTION', 'LEVEL_EVICTED'])
    })
  })
}
