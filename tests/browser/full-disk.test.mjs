// A disk that is full under the browser's profile (scorecard R23): nothing is acknowledged that is not
// there, also where Firefox tells counts that mean nothing; a file that cannot be opened is not taken for
// lost; and writes go on once there is space.
//
//   VARVE_LONG=1   20 rounds instead of 2
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { tellSkipped } from '../package/lib.mjs'
import { Browser, KINDS, lacking } from './lib/browser.mjs'
import { serve } from './lib/serve.mjs'

const ROUNDS = process.env.VARVE_LONG === undefined ? 2 : 20
const DISK_MIB = 150

/** A disk in memory; undefined if it cannot be mounted here. */
function smallDisk() {
  const place = mkdtempSync(join(tmpdir(), 'varve-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', place], { stdio: 'ignore' })
    return place
  } catch {
    rmSync(place, { recursive: true })
    return undefined
  }
}

function removeDisk(place) {
  execFileSync('umount', ['-l', place])
  rmSync(place, { recursive: true })
}

/** Fills the disk to the last byte. */
function fillUp(file) {
  const descriptor = openSync(file, 'w')
  for (let size = 1 << 20; size >= 1;) {
    try {
      if (writeSync(descriptor, Buffer.alloc(size)) < size) size >>= 1
    } catch (error) {
      assert.equal(error.code, 'ENOSPC')
      size >>= 1
    }
  }
  closeSync(descriptor)
}

for (const kind of KINDS) {
  test(`${kind}: a full disk`, { skip: lacking(kind) }, async (t) => {
    const disk = smallDisk()
    if (disk === undefined) {
      t.skip(tellSkipped('no disk in memory can be mounted here (that needs root): NOTHING is tested on a full disk'))
      return
    }
    t.after(() => removeDisk(disk))
    const profile = join(disk, 'profile')
    mkdirSync(profile)
    const filler = join(disk, 'filler')
    const { url, close } = await serve({ '/': inRoot() })
    t.after(close)
    // Else Firefox's quota, a part of the disk, would be used up first.
    const browser = await Browser.start(kind, { profile, prefs: { 'dom.quotaManager.temporaryStorage.fixedLimit': 4 << 20 } })
    t.after(() => browser.close())
    const seed = Number(process.env.VARVE_SEED ?? Math.floor(Math.random() * 2 ** 31))
    t.diagnostic(`seed ${seed}`)
    let page
    const call = (method, ...given) => page.evaluate((method, given) => globalThis.page[method](...given), method, given)
    const load = async (told, expected = ['open']) => {
      page = await browser.page(`${url}/tests/browser/pages/filled.html`)
      await page.waitForFunction('globalThis.isReady')
      await call('tell', told)
      const opened = await call('open', 'full disk')
      assert.ok(expected.includes(opened), opened)
      return opened
    }
    await load([[], []])
    await call('seed', seed)
    for (let round = 0; round < ROUNDS; round++) {
      assert.deepEqual(await call('fill', 3 << 20), {})
      fillUp(filler)
      const codes = await call('fill')
      t.diagnostic(`round ${round}: ${JSON.stringify(codes)} ${JSON.stringify(await call('info'))}`)
      assert.ok('LEVEL_FULL' in codes)
      assert.deepEqual(Object.keys(codes).filter((code) => !['LEVEL_FULL', 'LEVEL_POISONED'].includes(code)), [])
      assert.deepEqual(await call('differences'), [])

      // Another page on the full disk: no file can be created, and Firefox opens none.
      let opened = 'open'
      if (round % 4 === 0) {
        const told = await call('told')
        await page.close()
        opened = await load(told, ['open', 'LEVEL_FULL'])
        t.diagnostic(`opened on the full disk: ${opened}`)
      }
      rmSync(filler)
      if (opened !== 'open' && await call('open', 'full disk') !== 'open') {
        // Firefox goes on failing until it is started again.
        assert.equal(kind, 'firefox')
        const told = await call('told')
        await browser.kill()
        await browser.restart()
        await load(told)
      }
      await call('seed', seed + round + 1000)
      assert.equal(await call('resume'), 'resumed')
      assert.deepEqual(await call('fill', 1 << 20), {})
      assert.deepEqual(await call('differences'), [])
      // Room for the next rounds.
      assert.deepEqual(await call('keepEvery', 3), {})
      assert.equal(await call('compact'), 'compacted')
      if (round % 4 === 1) {
        const told = await call('told')
        await browser.kill()
        await browser.restart()
        await load(told)
        assert.deepEqual(await call('differences'), [])
        await call('seed', seed + round + 1)
      }
    }
  })
}
