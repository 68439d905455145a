// Several tabs with one database: pages of one browser, each with its own worker.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking, seldom } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'

const isLong = process.env.VARVE_LONG === '1'

/** A browser, and what opens a tab with `Varve`; `options` are the server's. */
async function start(t, kind, folders = {}, options = {}) {
  const { url, close } = await serve({ '/': inRoot(), ...folders }, options)
  t.after(close)
  const browser = await Browser.start(kind)
  t.after(() => browser.close())
  const tab = async () => {
    const page = await browser.page(`${url}/tests/browser/pages/tabs.html`)
    await ready(page)
    return page
  }
  return { url, browser, tab }
}

const ready = (page) => page.waitForFunction('globalThis.isReady')

const until = async (what, is, patience = 30_000) => {
  for (const end = Date.now() + patience; !await is();) {
    if (Date.now() > end) assert.fail(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

for (const kind of KINDS) {
  test(`${kind}: tabs read and write the same database, and go on when its owner is closed`, { skip: lacking(kind) }, async (t) => {
    const { tab } = await start(t, kind)
    const [first, second, third] = [await tab(), await tab(), await tab()]
    await first.evaluate(async () => { await open('notes').put('a', '1') })
    const seen = await second.evaluate(async () => {
      const db = open('notes')
      const before = await db.get('a')
      await db.batch([{ type: 'put', key: 'b', value: '2' }, { type: 'put', key: 'big', value: 'x'.repeat(300_000) }])
      return [before, (await db.get('big')).length, await db.keys().all()]
    })
    assert.deepEqual(seen, ['1', 300_000, ['a', 'b', 'big']])
    await third.evaluate(async () => {
      const db = open('notes')
      await db.open()
      globalThis.iterator = db.iterator({ limit: 100 })
      globalThis.snapshot = db.snapshot()
      await globalThis.iterator.next()
    })
    assert.equal(await first.evaluate(() => open('notes').get('b')), '2', 'another object of the same page')

    await first.close()
    const after = await third.evaluate(async () => {
      const codes = []
      const { db } = globalThis
      // It may be sent before the end of the owner is known: then nobody can tell its fate.
      await db.put('c', '3').catch((error) => error.maybeApplied ? db.put('c', '3') : Promise.reject(error))
      const keys = await db.keys().all()
      // Made while another tab was the owner.
      const { iterator, snapshot } = globalThis
      for (const act of [() => iterator.seek('b') ?? iterator.next(), () => db.get('a', { snapshot }), () => db.keys({ snapshot }).all()]) await act().then(() => codes.push('none'), (error) => codes.push(error.code))
      return { keys, codes, again: await db.keys({ reverse: true }).all() }
    })
    assert.deepEqual(after.keys, ['a', 'b', 'big', 'c'])
    assert.deepEqual(after.again, ['c', 'big', 'b', 'a'])
    assert.deepEqual(after.codes, ['LEVEL_FENCED', 'LEVEL_FENCED', 'LEVEL_FENCED'])
    assert.equal(await second.evaluate(async () => {
      const db = open('notes')
      return db.get('c')
    }), '3')
  })
}

for (const kind of KINDS) {
  test(`${kind}: a window and a user's own worker have the same entries`, { skip: lacking(kind) }, async (t) => {
    const { tab } = await start(t, kind)
    const [first, second] = [await tab(), await tab()]
    /** Starts a worker that runs functions with its own database. */
    const own = (page) => page.evaluate(() => {
      const script = `import { Varve } from '${location.origin}/pkg/browser.js'
        let db
        onmessage = async ({ data }) => {
          try { postMessage({ value: await new Function('Varve', 'own', 'return (' + data + ')(Varve, own)')(Varve, globalThis) }) }
          catch (error) { postMessage({ value: 'failed ' + error.code }) }
        }`
      globalThis.worker = new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' })
    })
    const run = (page, act) => page.evaluate((source) => new Promise((resolve) => {
      globalThis.worker.onmessage = ({ data }) => resolve(data.value)
      globalThis.worker.postMessage(source)
    }), String(act))
    await own(first)
    assert.equal(await run(first, async (Varve, own) => {
      const db = own.db = new Varve('both')
      await db.open()
      db.putSync('a', 'from the worker')
      return db.getSync('a')
    }), 'from the worker')
    assert.equal(await second.evaluate(async () => {
      const db = open('both')
      await db.put('b', 'from the window')
      return db.get('a')
    }), 'from the worker')
    assert.equal(await run(first, (Varve, own) => own.db.getSync('b')), 'from the window')

    // The worker closes, the window goes on alone; then the worker joins it.
    assert.equal(await run(first, (Varve, own) => own.db.close()), undefined)
    assert.equal(await second.evaluate(() => globalThis.db.get('b')), 'from the window')
    assert.equal(await run(first, async (Varve, own) => {
      await own.db.open()
      return own.db.get('b')
    }), 'from the window')
    assert.equal(await run(first, (Varve, own) => own.db.getSync('b')), 'failed LEVEL_NOT_SUPPORTED')
    await second.close()
    assert.deepEqual(await run(first, async (Varve, own) => {
      // The owner may still end: a read is asked again of the next one, and the fate of a put would be unknown.
      await own.db.get('b')
      await own.db.put('c', '3')
      return own.db.keys().all()
    }), ['a', 'b', 'c'])
    assert.equal(await run(first, (Varve, own) => own.db.close()), undefined)
  })

  test(`${kind}: multiTab: false keeps others out, and read-only tabs make way for one that writes`, { skip: lacking(kind) }, async (t) => {
    const { tab } = await start(t, kind)
    const [first, second] = [await tab(), await tab()]
    await first.evaluate(() => open('alone', { multiTab: false }).put('a', '1'))
    const refused = (options) => second.evaluate((options) => {
      const start = performance.now()
      return open('alone', options).open().then(() => 'opened', (error) => [error.cause.code, performance.now() - start < 4000])
    }, options)
    assert.deepEqual(await refused({}), ['LEVEL_LOCKED', true])
    assert.deepEqual(await refused({ multiTab: false }), ['LEVEL_LOCKED', true])
    await first.evaluate(() => globalThis.db.close())
    assert.equal(await refused({}), 'opened')
    await second.evaluate(() => globalThis.db.close())

    assert.equal(await first.evaluate(() => open('alone', { readOnly: true }).get('a')), '1')
    assert.equal(await second.evaluate(() => open('alone', { readOnly: true }).get('a')), '1')
    assert.equal(await second.evaluate(async () => {
      await globalThis.db.close()
      await open('alone').put('b', '2')
      return globalThis.db.get('b')
    }), '2')
    assert.deepEqual(await first.evaluate(async () => {
      const code = await globalThis.db.put('c', '3').then(() => 'written', ({ code }) => code)
      return [await globalThis.db.get('b'), code]
    }), ['2', 'LEVEL_NOT_SUPPORTED'])
  })

  test(`${kind}: a database is opened and closed many times, and nothing is left over`, { skip: seldom(kind) }, async (t) => {
    const { tab } = await start(t, kind)
    const page = await tab()
    const times = isLong ? 100 : 30
    const left = await page.evaluate(async (times) => {
      // Mounted twice, as React does in development.
      for (let i = 0; i < times; i++) {
        const [first, second] = [new Varve('again'), new Varve('again')]
        if (i % 3 === 0) first.close()
        await second.put(String(i), 'x')
        await Promise.all([first.close(), second.close()])
      }
      const db = open('again')
      const { length } = await db.keys().all()
      await db.close()
      await new Promise((resolve) => setTimeout(resolve, 500))
      const { held, pending } = await navigator.locks.query()
      return { length, held: held.map(({ name }) => name), pending: pending.map(({ name }) => name) }
    }, times)
    assert.deepEqual(left, { length: times, held: [], pending: [] })
    if (kind === 'chromium') assert.equal(page.workers().length, 0)
  })
}

/** The package with another protocol between tabs. */
function otherProtocol(t) {
  const folder = mkdtempSync(join(tmpdir(), 'varve-protocol-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(inRoot('pkg'), folder, { recursive: true })
  let changed = 0
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.js'))) {
    const text = readFileSync(join(folder, name), 'utf8')
    const other = text.replace(/\bvar PROTOCOL ?= ?(\d+);/, (_, number) => `var PROTOCOL=${Number(number) + 1};`)
    if (other !== text) changed++
    writeFileSync(join(folder, name), other)
  }
  assert.ok(changed > 0)
  return folder
}

for (const kind of KINDS) {
  test(`${kind}: a tab of another protocol waits, the tabs before it are told, and it opens when they close`, { skip: lacking(kind) }, async (t) => {
    const { url, tab, browser } = await start(t, kind, { '/other/pkg/': otherProtocol(t), '/other/': inRoot() })
    const old = [await tab(), await tab()]
    for (const page of old) {
      await page.evaluate(async () => {
        globalThis.told = []
        const db = open('versions')
        db.on('versionchange', (info) => globalThis.told.push(info))
        await db.put('a', '1')
      })
    }
    const page = await browser.page(`${url}/other/tests/browser/pages/tabs.html`)
    await page.evaluate(async () => {
      const { Varve } = await import('/other/pkg/browser.js')
      globalThis.told = []
      const db = globalThis.db = new Varve('versions')
      db.on('blocked', (info) => globalThis.told.push(info))
      db.get('a').then((value) => { globalThis.value = value })
    })
    await until('the new tab is told', () => page.evaluate(() => globalThis.told.length > 0))
    for (const each of old) await until('the old tabs are told', () => each.evaluate(() => globalThis.told.length > 0))
    assert.deepEqual(await page.evaluate(() => globalThis.told), [{ protocol: 1 }])
    assert.deepEqual(await old[0].evaluate(() => globalThis.told[0]), { protocol: 2 })
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(await page.evaluate(() => globalThis.value), undefined)
    assert.equal(await old[1].evaluate(() => globalThis.db.get('a')), '1', 'they go on until then')
    const begin = Date.now()
    for (const each of old) await each.evaluate(() => globalThis.db.close())
    await until('the new tab has opened', () => page.evaluate(() => globalThis.value === '1'))
    t.diagnostic(`opened ${Date.now() - begin} ms after the old tabs began to close`)
  })

  test(`${kind}: the next tab takes over within half a second`, { skip: lacking(kind) }, async (t) => {
    const { tab } = await start(t, kind)
    const times = []
    let waiting = await tab()
    await waiting.evaluate(() => open('takeover').put('n', '0'))
    for (let i = 1; i <= (isLong ? 100 : 6); i++) {
      const owner = waiting
      waiting = await tab()
      await waiting.evaluate(() => open('takeover').open())
      // Calls without a pause: the longest is the one that met the end of the owner.
      await waiting.evaluate(() => {
        globalThis.longest = 0
        globalThis.calls = 0
        globalThis.calling = (async () => {
          while (!globalThis.isEnough) {
            const start = performance.now()
            await globalThis.db.put('n', String(++globalThis.calls)).catch((error) => { if (!error.maybeApplied) throw error })
            globalThis.longest = Math.max(globalThis.longest, performance.now() - start)
          }
        })()
      })
      await until('calls', () => waiting.evaluate(() => globalThis.calls > 20))
      if (kind === 'chromium' && i % 2 === 0) await EVENTS.crash({ page: owner, tab: () => {} })
      else await owner.close()
      const before = await waiting.evaluate(() => globalThis.calls)
      await until('calls after the owner', () => waiting.evaluate((before) => globalThis.calls > before + 50, before))
      times.push(await waiting.evaluate(async () => {
        globalThis.isEnough = true
        await globalThis.calling
        return globalThis.longest
      }))
    }
    times.sort((a, b) => a - b)
    t.diagnostic(`${kind}: longest calls: p50 ${Math.round(times[Math.floor(times.length / 2)])} ms, p95 ${Math.round(times[Math.floor(times.length * 0.95)])} ms, max ${Math.round(times.at(-1))} ms`)
    // Generous: other programs run on the machine of a test.
    assert.ok(times[Math.floor(times.length / 2)] < 2000, String(times))
  })
}

/** What happens to a tab while it works, by name; returns the page to go on with. */
const EVENTS = {
  async reload({ page }) {
    await page.reload()
    return page
  },
  async close({ page, tab }) {
    await page.close()
    return tab()
  },
  /** Its process dies. */
  async crash({ page, tab }) {
    const { session } = await cdp(page)
    session.send('Page.crash').catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 50))
    page.close().catch(() => {})
    return tab()
  },
  /** Frozen, as a hidden page may be. */
  async freeze({ page }) {
    const { session } = await cdp(page)
    await session.send('Page.setWebLifecycleState', { state: 'frozen' })
    await new Promise((resolve) => setTimeout(resolve, 300))
    await session.send('Page.setWebLifecycleState', { state: 'active' })
    return page
  },
  /** To another page and back, maybe from the back/forward cache. */
  async away({ page, url }) {
    await page.goto(`${url}/tests/browser/pages/blank.html`)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await page.goBack()
    return page
  }
}

const cdp = async (page) => ({ session: await page.createCDPSession() })

const EVENTS_OF = { chromium: ['reload', 'close', 'crash', 'freeze', 'away'], firefox: ['reload', 'close', 'away'] }

/** Random numbers from a seed (mulberry32). */
function randomFrom(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/**
 * Tabs count up to `target`, each its own numbers, while something happens to one of them every now
 * and then. In the end all numbers are there.
 */
async function count(t, kind, { tabs, target, pause, events = EVENTS_OF[kind] }) {
  const { url, tab } = await start(t, kind)
  const seed = Number(process.env.VARVE_SEED ?? Date.now() % 1e9)
  const random = randomFrom(seed)
  const all = []
  for (let i = 0; i < tabs; i++) all.push({ client: i, page: await tab() })
  const go = async ({ client, page }) => {
    await ready(page)
    await page.evaluate((client, target) => {
      if (!globalThis.state().done) return
      if (globalThis.state().wrote === 0) globalThis.open('count')
      work(client, target)
    }, client, target)
  }
  for (const each of all) await go(each)
  const totals = { fenced: 0, unknown: 0, happened: {}, longest: [] }
  const done = async () => {
    const states = []
    for (const { page } of all) states.push(await page.evaluate(() => globalThis.state?.()))
    for (const each of states) {
      assert.equal(each?.error, undefined, `seed ${seed}`)
      assert.deepEqual(each?.wrong ?? [], [], `seed ${seed}`)
    }
    // A page that was loaded once more after it was told to go on is told again.
    for (const [i, each] of states.entries()) if (each?.done && each.wrote !== target) await go(all[i])
    return states.every((each) => each?.done && each.wrote === target)
  }
  const end = Date.now() + 120_000 + tabs * target * 20
  while (!await done()) {
    if (Date.now() > end) assert.fail(`seed ${seed}: not finished: ${JSON.stringify(await Promise.all(all.map(({ page }) => page.evaluate(() => globalThis.state()))))}`)
    await new Promise((resolve) => setTimeout(resolve, pause / 2 + random(pause)))
    const victim = all[random(all.length)]
    const event = events[random(events.length)]
    const state = await victim.page.evaluate(() => globalThis.state())
    if (state.done) continue
    totals.happened[event] = (totals.happened[event] ?? 0) + 1
    totals.longest.push(state.longest)
    totals.fenced += state.fenced
    totals.unknown += state.unknown
    victim.page = await EVENTS[event]({ page: victim.page, tab, url })
    await go(victim)
  }
  const [{ page }] = all
  const missing = await page.evaluate(async (tabs, target) => {
    const { db } = globalThis
    const missing = []
    for (let client = 0; client < tabs; client++) {
      const entries = await db.iterator({ gte: `entry/${client}/`, lt: `entry/${client}0` }).all()
      if (entries.length !== target) missing.push(`client ${client} has ${entries.length}`)
      entries.forEach(([key, value], i) => {
        if (Number(key.split('/')[2]) !== i + 1 || value !== `value ${i + 1} of ${client}`) missing.push(`${key}: ${value}`)
      })
    }
    const { findings } = await db.verify()
    return [...missing, ...findings.map(String)]
  }, tabs, target)
  assert.deepEqual(missing, [], `seed ${seed}`)
  t.diagnostic(`${kind}, ${tabs} tabs, ${target} numbers each, seed ${seed}: ${JSON.stringify(totals.happened)}, ${totals.fenced} calls fenced, ${totals.unknown} of unknown fate, slowest call ${Math.round(Math.max(0, ...totals.longest))} ms`)
}

for (const kind of KINDS) {
  test(`${kind}: a tab that cannot load the engine when its turn comes goes on once it can`, { skip: lacking(kind) }, async (t) => {
    let lacks = () => false
    const { tab: newTab } = await start(t, kind, {}, { lacks: (path) => lacks(path) })
    const tab = async () => {
      const page = await newTab()
      await page.evaluate(() => { globalThis.db = (name) => (globalThis.same ??= new Varve(name)) })
      return page
    }
    const get = (page) => page.evaluate(() => db('redeployed').get('a').catch((error) => (error.cause ?? error).code ?? error.code))
    const first = await tab()
    await first.evaluate(() => db('redeployed').put('a', '1'))
    lacks = (path) => path === '/pkg/engine.wasm'
    const second = await tab()
    assert.equal(await get(second), '1')
    await first.close()
    await until('the calls fail', async () => await get(second) === 'LEVEL_ENGINE_UNAVAILABLE')
    assert.equal(await second.evaluate(() => db('redeployed').status), 'open')
    lacks = () => false
    assert.equal(await get(second), '1')
    await second.evaluate(() => db('redeployed').put('b', '2'))

    // Another tab has it: this one is its client.
    lacks = (path) => path === '/pkg/engine.wasm'
    const third = await tab()
    assert.equal(await get(third), '1')
    await second.close()
    await until('the calls fail', async () => await get(third) === 'LEVEL_ENGINE_UNAVAILABLE')
    lacks = () => false
    const fourth = await tab()
    await fourth.evaluate(() => db('redeployed').put('c', '3'))
    lacks = (path) => path === '/pkg/engine.wasm'
    await until('the fourth tab serves it', async () => await get(third) === '1')
    assert.deepEqual(await third.evaluate(() => db('redeployed').keys().all()), ['a', 'b', 'c'])
    await third.evaluate(() => db('redeployed').close())
  })
}

for (const kind of KINDS) {
  for (const tabs of isLong ? [2, 4, 8] : [2]) {
    test(`${kind}: ${tabs} tabs count while they are killed, frozen and loaded again`, { skip: lacking(kind) }, async (t) => {
      await count(t, kind, { tabs, target: isLong ? 10_000 : 1000, pause: isLong ? 1000 : 300 })
    })
  }
}
