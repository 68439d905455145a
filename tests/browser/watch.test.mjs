// A watch in a window: the engine is in a worker, which sends only what is asked for.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'

for (const kind of KINDS) {
  test(`${kind}: a window watches a database, and continues after it was loaded again`, { skip: lacking(kind) }, async (t) => {
    const { url, close } = await serve({ '/': inRoot() })
    t.after(close)
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    const page = await browser.page(`${url}/tests/browser/pages/database.html`)
    await page.waitForFunction('globalThis.isReady')
    const first = await page.evaluate(async () => {
      const db = globalThis.db = new Varve('watched')
      const notes = db.sublevel('notes', { valueEncoding: 'json' })
      const watch = globalThis.watch = notes.watch({ gte: 'b' })
      const told = (async () => {
        const items = []
        for await (const item of watch) {
          items.push(item)
          if (item.changes?.some(({ key }) => key === 'end')) return items
        }
      })()
      await notes.put('a', 0)
      await db.batch([{ type: 'put', key: 'b', value: 1, sublevel: notes }, { type: 'put', key: 'elsewhere', value: 'x' }, { type: 'del', key: 'c', sublevel: notes }])
      const many = Array.from({ length: 2000 }, (_, i) => notes.put(`d${i}`, i))
      await Promise.all(many)
      await notes.clear({ gte: 'd', lt: 'e' })
      await notes.put('end', true)
      const items = await told
      const puts = items.slice(1, -2).flatMap(({ changes }) => changes)
      return { first: items[0], puts: puts.map(({ key }) => key), clear: items.at(-2).changes, end: items.at(-1) }
    })
    assert.deepEqual(first.first.changes, [{ type: 'put', key: 'b', value: 1 }, { type: 'del', key: 'c' }])
    assert.deepEqual(first.puts, Array.from({ length: 2000 }, (_, i) => `d${i}`))
    assert.deepEqual(first.clear, [{ type: 'clear', gte: 'd', lt: 'e' }])
    assert.deepEqual(first.end.changes, [{ type: 'put', key: 'end', value: true }])

    const idle = await page.evaluate(async () => {
      const watch = globalThis.db.watch()
      const waiting = watch.next()
      // It may be sent before the end of the owner is known: then only a read tells its fate.
      await globalThis.db.put('last', '1').catch(async (error) => {
        if (!error.maybeApplied) throw error
        if (!await globalThis.db.has('last')) await globalThis.db.put('last', '1')
      })
      const { value: { changes, sequence } } = await waiting
      const closing = watch.next()
      await globalThis.db.close()
      return { changes, sequence, end: (await closing).done }
    })
    assert.deepEqual(idle.changes, [{ type: 'put', key: 'last', value: '1' }])
    assert.equal(idle.end, true)

    await page.reload()
    await page.waitForFunction('globalThis.isReady')
    const again = await page.evaluate(async (since) => {
      const db = new Varve('watched')
      const watch = db.watch({ since })
      await db.put('new', '2')
      const { value } = await watch.next()
      await watch.close()
      const lost = await db.watch({ since: 1e12 }).next()
      await db.close()
      return { changes: value.changes, lost: lost.value.type }
    }, idle.sequence)
    assert.deepEqual(again, { changes: [{ type: 'put', key: 'new', value: '2' }], lost: 'gap' })
  })

  test(`${kind}: a tab sees what another one writes, also when that one is closed`, { skip: lacking(kind) }, async (t) => {
    const { url, close } = await serve({ '/': inRoot() })
    t.after(close)
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    const open = async () => {
      const page = await browser.page(`${url}/tests/browser/pages/database.html`)
      await page.waitForFunction('globalThis.isReady')
      await page.evaluate(() => { globalThis.db = new Varve('shared') })
      return page
    }
    const owner = await open()
    await owner.evaluate(() => globalThis.db.put('first', '0'))
    const reader = await open()
    await reader.evaluate(async () => {
      globalThis.told = []
      const watch = globalThis.db.watch()
      globalThis.following = (async () => {
        for await (const item of watch) {
          if (item.type === 'gap') globalThis.told.push('gap')
          else for (const { key } of item.changes) globalThis.told.push(key)
        }
      })()
      await globalThis.db.get('first')
    })
    await owner.evaluate(async () => {
      for (let i = 0; i < 50; i++) await globalThis.db.put(`a${i}`, 'x')
    })
    await owner.close()
    await reader.evaluate(async () => {
      // The fate of a write at the end of its owner is not known: then it is repeated.
      await globalThis.db.put('last', '1').catch(({ code }) => code === 'LEVEL_FENCED' && globalThis.db.put('last', '1'))
      while (globalThis.told.at(-1) !== 'last') await new Promise((resolve) => setTimeout(resolve, 5))
    })
    const told = await reader.evaluate(() => globalThis.told)
    const expected = Array.from({ length: 50 }, (_, i) => `a${i}`)
    assert.deepEqual(told.filter((key, at) => key !== 'last' || at === told.indexOf('last')), [...expected, 'last'])
    assert.equal(await reader.evaluate(async () => {
      await globalThis.db.close()
      return globalThis.following.then(() => 'ended')
    }), 'ended')
  })
}
