// The files of OPFS: opened, closed and removed, while others have them open, and while all are closed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { inWorker } from './lib/in-worker.mjs'
import { serve } from './lib/serve.mjs'

/** The default limit of waiting. */
const PATIENCE_MS = 10_000

for (const kind of KINDS) {
  test(`raw files in ${kind}`, { skip: lacking(kind) }, async (t) => {
    const { url, close } = await serve({ '/': inRoot() })
    t.after(close)
    const browser = await Browser.start(kind)
    t.after(() => browser.close())
    const page = await browser.page(`${url}/tests/browser/pages/blank.html`)

    await t.test('a directory is created, listed and removed', async () => {
      assert.deepEqual(await inWorker(page, async (origin) => {
        const { RawFiles } = await import(`${origin}/src/js/storage/browser/raw-files.js`)
        const files = new RawFiles(['listed', 'inner'])
        const seen = [await files.list(false).catch(({ name }) => name), await files.list(true)]
        for (const name of ['a', 'b']) files.close(await files.open(name, true))
        seen.push(await files.open('c', false).catch(({ name }) => name), (await files.list(false)).sort())
        await files.remove('a')
        seen.push(await files.list(false))
        await files.removeAll()
        seen.push(await files.list(false).catch(({ name }) => name), await files.list(true))
        files.close(await files.open('a', true))
        return [...seen, await files.list(false), files.count]
      }), ['NotFoundError', [], 'NotFoundError', ['a', 'b'], ['b'], 'NotFoundError', [], ['a'], 0])
    })

    await t.test('a file that is open elsewhere is waited for, up to the limit', async () => {
      assert.deepEqual(await inWorker(page, async (origin) => {
        const { RawFiles } = await import(`${origin}/src/js/storage/browser/raw-files.js`)
        const holder = new RawFiles(['busy'])
        const files = new RawFiles(['busy'])
        const impatient = new RawFiles(['busy'], { patience: 50 })
        await holder.list(true)
        const handles = [await holder.open('a', true), await holder.open('b', true)]
        const seen = [await impatient.open('a', false).catch(({ name }) => name), await impatient.remove('a').catch(({ name }) => name)]
        const opening = files.open('a', false)
        const removing = files.remove('b')
        await new Promise((resolve) => setTimeout(resolve, 100))
        for (const handle of handles) holder.close(handle)
        await Promise.all([opening, removing])
        seen.push(files.count, await files.list(false))
        await files.closeAll()
        return seen
      }), ['NoModificationAllowedError', 'NoModificationAllowedError', 1, ['a']])
    })

    await t.test('closing all closes what is being opened, and nothing that is opened later', async () => {
      assert.deepEqual(await inWorker(page, async (origin) => {
        const { RawFiles } = await import(`${origin}/src/js/storage/browser/raw-files.js`)
        const files = new RawFiles(['closed'])
        await files.list(true)
        await files.open('a', true)
        const overtaken = files.open('b', true)
        const closing = files.closeAll()
        const later = files.open('a', true)
        const seen = [await overtaken.catch(({ name }) => name)]
        await closing
        const handle = await later
        handle.write(new Uint8Array(3))
        seen.push(handle.getSize(), files.count)
        const other = new RawFiles(['closed'], { patience: 0 })
        await other.open('b', false)
        await Promise.all([other.closeAll(), files.closeAll()])
        return seen
      }), ['AbortError', 3, 1])
    })

    await t.test('closing all does not wait for the files of others', async () => {
      const ms = await inWorker(page, async (origin) => {
        const { RawFiles } = await import(`${origin}/src/js/storage/browser/raw-files.js`)
        const holder = new RawFiles(['held'])
        const files = new RawFiles(['held'])
        await holder.list(true)
        await holder.open('a', true)
        const waiting = files.open('a', false).catch(({ name }) => name)
        await new Promise((resolve) => setTimeout(resolve, 1500))
        const start = performance.now()
        await files.closeAll()
        const ms = performance.now() - start
        if (await waiting !== 'AbortError') throw new Error('it was opened')
        await holder.closeAll()
        return ms
      })
      assert.ok(ms < PATIENCE_MS / 2, `${ms} ms`)
    })
  })
}
