// Databases whose quota is used up (scorecard R22): most of it holds live data before LEVEL_FULL; then
// reads, iterators, exports and deletes go on, the database opens again, and once space was freed and
// the host was idle, writes go on.
//
//   VARVE_LONG=1   20 rounds instead of 1, and 64 MiB too (a minute a round; tests/engine/quota.rs has it)
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'

const ROUNDS = process.env.VARVE_LONG === undefined ? 1 : 20
const MIB = 1 << 20

/** Quotas in MiB, the percentage of it that live data must reach before the first error, and every which entry is then kept. */
const QUOTAS = [
  { size: 64, least: 60, keep: 3, kinds: ROUNDS > 1 ? KINDS : [] },
  { size: 5, least: 25, keep: 4, kinds: KINDS }
]

/** Firefox gives an origin a fifth of the limit, or 10 MiB of it. */
const limitOf = (size) => (size > 10 ? size * 5 : size) * 1024

const PREFS = (size) => ({
  'dom.quotaManager.temporaryStorage.fixedLimit': limitOf(size),
  'dom.quotaManager.temporaryStorage.chunkSize': 1024
})

/** A page of its own profile whose origin has `size` MiB. */
async function open(t, kind, size) {
  const { url, close } = await serve({ '/': inRoot() })
  t.after(close)
  const browser = await Browser.start(kind, kind === 'firefox' ? { prefs: PREFS(size) } : {})
  t.after(() => browser.close())
  const page = await browser.page(`${url}/tests/browser/pages/filled.html`)
  await page.waitForFunction('globalThis.isReady')
  if (kind === 'chromium') {
    const client = await page.createCDPSession()
    await client.send('Storage.overrideQuotaForOrigin', { origin: url, quotaSize: size * MIB })
  }
  return page
}

for (const kind of KINDS) {
  for (const { size, least, keep } of QUOTAS.filter(({ kinds }) => kinds.includes(kind))) {
    test(`${kind}: a quota of ${size} MiB is filled, and nothing is lost`, { skip: lacking(kind) }, async (t) => {
      const page = await open(t, kind, size)
      for (let round = 0; round < ROUNDS; round++) {
        const seed = Number(process.env.VARVE_SEED ?? Math.floor(Math.random() * 2 ** 31))
        const call = (method, ...given) => page.evaluate((method, given) => globalThis.page[method](...given), method, given)
        const told = async (when) => t.diagnostic(`round ${round}, seed ${seed}, ${when}: ${(await call('live') / MIB).toFixed(1)} MiB live; ${JSON.stringify(await call('info'))}`)
        await call('seed', seed)
        assert.equal(await call('open', 'filled'), 'open')

        const codes = await call('fill')
        await told('full')
        assert.deepEqual(Object.keys(codes), ['LEVEL_FULL'])
        const [live, first] = [await call('live'), await call('firstError')]
        t.diagnostic(`${(first / MIB).toFixed(1)} of ${size} MiB were live at the first error`)
        assert.ok(first >= size * MIB * least / 100, `${first} of ${size} MiB were live at the first error`)
        assert.equal(await call('wrongOnes', 200), 0)
        assert.deepEqual(await call('differences'), [])
        assert.ok(await call('exported') > live)

        await call('close')
        assert.equal(await call('open', 'filled'), 'open')
        assert.equal(await call('wrongOnes', 200), 0)
        assert.deepEqual(Object.keys(await call('keepEvery', keep)), [])
        await told('after deletes')
        assert.deepEqual(await call('differences'), [])
        const attempts = []
        while (attempts.at(-1) !== 'written') {
          attempts.push(await call('putNew') ?? 'written')
          assert.ok(attempts.length < 100, `writes do not resume: ${attempts.at(-1)}; ${JSON.stringify(await call('info'))}`)
          await new Promise((resolve) => setTimeout(resolve, 300))
        }
        const left = await call('live')
        assert.deepEqual(Object.keys(await call('fill')), ['LEVEL_FULL'])
        await told('full again')
        const second = await call('firstError')
        assert.ok(second >= left + (first - left) / 2, `${second} bytes were live at the next error, ${first} at the first`)
        assert.deepEqual(await call('differences'), [])
        await call('close')
        assert.equal(await call('open', 'filled'), 'open')
        assert.deepEqual(await call('differences'), [])
        await call('close')
        await page.evaluate(() => Varve.destroy('filled'))
        await page.evaluate(() => globalThis.page.tell([[], []]))
      }
    })
  }
}
