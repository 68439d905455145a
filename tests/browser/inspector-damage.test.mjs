// The inspector's page with damaged, hostile and changing files: what is wrong is named, and the rest is
// read and saved; zips are looked into.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Varve } from '../../src/js/index.js'
import { mapTable } from '../../src/js/inspect/index.js'
import { BOMBS, manifestOfSmallEdits } from '../js/lib/bombs.mjs'
import { sourceOfBytes } from '../js/lib/tables.mjs'
import { zip } from '../js/lib/zip.mjs'
import { lacking } from './lib/browser.mjs'
import { inspectorIn } from './lib/inspector.mjs'

const DEMO = inRoot('pkg', 'inspector', 'demo', 'healthy', '000005.ldb')
const long = process.env.VARVE_LONG === '1'

describe('the inspector and damage in chromium', { skip: lacking('chromium') }, () => {
  const rig = inspectorIn('chromium')
  const { folder } = rig
  const newPlace = () => mkdtempSync(join(folder, 'db-'))
  const written = (/** @type {string} */ name, /** @type {Uint8Array} */ bytes, place = newPlace()) => {
    writeFileSync(join(place, name), bytes)
    return join(place, name)
  }
  /** A database with a table of several blocks, and a log. */
  async function database() {
    const place = newPlace()
    const db = new Varve(place, { blockSize: 1024, compression: false })
    for (let i = 0; i < 300; i++) await db.put(`key${String(i).padStart(4, '0')}`, `value ${i} `.repeat(8))
    await db.flush()
    for (let i = 0; i < 20; i++) await db.put(`key${String(i).padStart(4, '0')}`, 'newer')
    await db.del('key0100')
    await db.close()
    return place
  }
  /** @param {string} place @param {RegExp} pattern */
  const nameOf = (place, pattern) => readdirSync(place).find((name) => pattern.test(name) && readFileSync(join(place, name)).length > 0) ?? ''
  /** @param {string} place */
  const pathsOf = (place) => readdirSync(place).filter((name) => !/LOCK/.test(name)).map((name) => join(place, name))
  /** What the buttons save. @param {import('./lib/inspector.mjs').Inspector} inspector @param {() => Promise<unknown>} act */
  async function savedBy(inspector, act) {
    await inspector.page.evaluate(() => {
      const page = /** @type {any} any: kept on the page */ (globalThis)
      page.saved = new Promise((resolve) => {
        const make = URL.createObjectURL
        URL.createObjectURL = (blob) => {
          URL.createObjectURL = make
          const reader = new FileReader()
          reader.onload = () => resolve(String(reader.result).split(',')[1])
          reader.readAsDataURL(/** @type {Blob} */ (blob))
          return make(blob)
        }
      })
    })
    await act()
    return Buffer.from(await inspector.page.evaluate(() => /** @type {any} any: as above */ (globalThis).saved), 'base64')
  }
  /** Presses a button once it is there. @param {import('./lib/inspector.mjs').Inspector} inspector @param {string} scope @param {string} text */
  const press = (inspector, scope, text) => inspector.page.evaluate(async (scope, text) => {
    const found = () => [...document.querySelectorAll(`${scope} button`)].find((each) => each instanceof HTMLButtonElement && !each.disabled && each.textContent?.trim() === text)
    for (let tries = 0; found() === undefined; tries++) {
      if (tries === 200) throw new Error(`there is no button ${text}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    /** @type {HTMLButtonElement} */ (found()).click()
  }, scope, text)

  test('a log that was cut, a bit of a handle, a bit of a filter and an empty manifest are told apart', async () => {
    const place = await database()
    const log = readFileSync(join(place, nameOf(place, /\.log$/)))
    const inspector = await rig.open()
    await inspector.give(written('000004.log', log.subarray(0, log.length - 3)))
    await inspector.until('.swept', /20 records read\. 1 finding/)
    await inspector.show('Damage')
    await inspector.until('.findings', /W04 .* note /)
    assert.doesNotMatch(await inspector.text('.findings'), /damage/)

    const table = readFileSync(DEMO)
    const { parts } = await mapTable(sourceOfBytes(table))
    const part = (/** @type {string} */ kind) => parts.find((each) => each.kind === kind) ?? parts[0]
    const flipped = (/** @type {number} */ at) => {
      const bytes = Buffer.from(table)
      bytes[at] ^= 4
      return bytes
    }
    const index = part('index')
    await inspector.give(written('index.ldb', flipped(index.offset + Math.floor(index.length / 2))))
    // Nothing else names blocks.
    await inspector.until('.swept', /82 of 82 data blocks sound, all found only by their checksums\. \d+ findings?/)
    await inspector.show('Blocks')
    await inspector.until('#blocks', /found/)
    await inspector.show('Damage')
    await inspector.until('.findings', /^T10 .* T32 .*\d+ more of T32, from byte [\d,]+ on$/)
    await inspector.page.evaluate(() => document.querySelector('.findings details').open = true)
    assert.equal(await inspector.page.evaluate(() => document.querySelectorAll('.findings .finding').length), await inspector.page.evaluate(() => document.querySelector('inspector-app').model.file.findings.length))

    const filter = part('filter')
    await inspector.give(written('filter.ldb', flipped(filter.offset + Math.floor(filter.length / 2))))
    await inspector.until('.swept', /82 of 82 data blocks sound\. \d+ findings?/)
    await inspector.show('Damage')
    await inspector.until('.findings', /T10 .*Filter, bytes/)
    await inspector.check()

    const manifest = nameOf(place, /^MANIFEST/)
    writeFileSync(join(place, manifest), Buffer.alloc(readFileSync(join(place, manifest)).length))
    await inspector.give(...pathsOf(place))
    await inspector.until('.database', /M08|D01|M0/)
    await inspector.until('#files', /zeros/)
    await inspector.page.close()
  })

  test('a damaged database is counted, saved as a zip that LevelDB opens, and not changed', async () => {
    const place = await database()
    const name = nameOf(place, /\.ldb$/)
    const bytes = readFileSync(join(place, name))
    bytes[5000] ^= 1
    writeFileSync(join(place, name), bytes)
    const hash = () => pathsOf(place).map((path) => createHash('sha256').update(readFileSync(path)).digest('hex')).join()
    const before = hash()
    const inspector = await rig.open()
    await inspector.give(...pathsOf(place))
    await inspector.until('main', /Salvage what can be read/)
    // What was not read is not sound.
    await inspector.until('.database', /findings none so far: not all is read/)
    await inspector.page.evaluate(async (/** @type {string} */ damaged) => {
      const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
      for (const file of model.files) if (/ldb$|log$|MANIFEST/.test(file.name)) await model.work.sweep(file)
      await model.look(model.files.find((/** @type {any} any: as above */ { name }) => name === damaged), 'files')
    }, name)
    await inspector.until('.database', /findings 1(?! so far)/)
    await inspector.page.click('.salvages summary')
    await inspector.check()
    const counts = async (/** @type {string} */ strictness) => {
      await inspector.page.select('.salvage select[name=strictness]', strictness)
      await press(inspector, '.salvage', 'Dry run')
      // What was counted before may be shown for a moment.
      const counted = await inspector.page.waitForFunction((/** @type {string} */ wanted) => {
        const { status, report } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app')).model.salvage
        return status === 'counted' && report.strictness === wanted && { live: report.live }
      }, {}, strictness)
      const { live } = /** @type {{ live: number }} */ (await counted.jsonValue())
      await inspector.until('.salvage .counts', new RegExp(`Can be saved: ${live.toLocaleString('en-US')} live keys`))
      return live
    }
    const [sound, doubtful] = [await counts('sound'), await counts('doubtful')]
    assert.ok(sound < 299 && sound > 250, String(sound))
    assert.equal(doubtful, 299)
    await inspector.until('.salvage', new RegExp(`Used, and may be wrong: 1 ${name} at `))
    assert.equal(await counts('carved'), sound)
    const lost = 299 - sound
    await inspector.until('.salvage', new RegExp(`Left behind: 1 with ${lost} entries ${name} at [\\d,]+, [\\d,]+ bytes, ${lost} entries: block checksum mismatch.*Ranges of keys that may be missing, old or back from deletion: 1`))
    assert.match(await inspector.page.$$eval('.salvage li', (items) => items.map(({ textContent }) => textContent).join('\n')), new RegExp(`there can be saved, ${lost} entries are lost`))
    // Each choice says what it gains and risks.
    await inspector.until('.salvage', /each entry is as it was written, but such a table can be an old one/)
    await inspector.check()
    const archive = await savedBy(inspector, () => press(inspector, '.salvage', 'Save'))
    await inspector.until('.salvage .saved', new RegExp(`Saved \\S+\\.salvaged\\.zip, ${archive.length.toLocaleString('en-US')} bytes, .*Unzip it, and open the folder with LevelDB`))
    await inspector.page.select('.salvage select[name=target]', 'table')
    const table = await savedBy(inspector, () => press(inspector, '.salvage', 'Save'))
    await inspector.until('.salvage .saved', /Saved \S+\.salvaged\.ldb, .*empty folder and repair/)
    await inspector.check()
    await inspector.page.select('.salvage select[name=target]', 'ndjson')
    const lines = (await savedBy(inspector, () => press(inspector, '.salvage', 'Save'))).toString('utf8').trimEnd().split('\n').map((line) => JSON.parse(line))
    assert.equal(lines.length, sound)
    assert.deepEqual(lines[0], { key: { enc: 'utf8', v: 'key0000' }, value: { enc: 'utf8', v: 'newer' } })

    // To a database of this site, which is opened and has the same entries.
    await inspector.page.select('.salvage select[name=target]', 'opfs')
    await inspector.until('.salvage .bar', /named/)
    await inspector.page.$eval('.salvage input[name=name]', (/** @type {any} any: an input */ field) => { field.value = 'rescued <b>'; field.dispatchEvent(new Event('change')) })
    await press(inspector, '.salvage', 'Save')
    await inspector.until('.salvage', /The database rescued <b> of this site is complete/)
    await press(inspector, '.salvage', 'Save')
    await inspector.until('.salvage', /This origin has a database named "rescued <b>": choose another name/)
    await inspector.page.$eval('.salvage input[name=name]', (/** @type {any} any: as above */ field) => { field.value = 'again'; field.dispatchEvent(new Event('change')) })
    await press(inspector, '.salvage', 'Save')
    await inspector.until('.salvage', /The database again of this site is complete/)
    // A copy that is stopped is either complete by then, or nothing of it is left.
    const stopped = await inspector.page.evaluate(async () => {
      const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
      const found = []
      for (const [target, waits] of [['opfs', [0, 1, 4, 16]], ['indexeddb', [1, 8]]]) {
        for (const wait of waits) {
          const name = `stopped ${wait} ${target}`
          if (model.salvage.status !== 'counted') await model.salvage.count('')
          model.salvage.choose({ target, name })
          const copied = model.salvage.write()
          await new Promise((resolve) => setTimeout(resolve, wait))
          model.salvage.stop()
          await copied
          const { made } = model.salvage
          const names = (await model.now.call('databases', [])).map((/** @type {any} any: as above */ { name }) => name)
          found.push([made?.name === name, names.includes(name)])
        }
      }
      await model.salvage.count('')
      model.salvage.choose({ target: 'opfs', name: 'again too' })
      await model.salvage.write()
      return found
    })
    assert.deepEqual(stopped.filter(([isMade, isThere]) => isMade !== isThere), [], JSON.stringify(stopped))
    assert.ok(stopped.some(([isMade]) => !isMade), JSON.stringify(stopped))
    await press(inspector, '.salvage', 'Open it')
    await inspector.until('header', /again too/)
    await inspector.until('.database', /live tables \d/)
    await inspector.page.click('.salvages summary')
    assert.equal(await counts('sound'), sound)
    await inspector.check()

    // And to one in IndexedDB; its name must be free in both storages.
    await inspector.page.select('.salvage select[name=target]', 'indexeddb')
    const named = (/** @type {string} */ name) => inspector.page.$eval('.salvage input[name=name]', (/** @type {any} any: an input */ field, name) => { field.value = name; field.dispatchEvent(new Event('change')) }, name)
    await named('again')
    await press(inspector, '.salvage', 'Save')
    await inspector.until('.salvage', /This origin has a database named "again": choose another name/)
    await named('rows <i>')
    await press(inspector, '.salvage', 'Save')
    await inspector.until('.salvage', /The database rows <i> of this site is complete/)
    await press(inspector, '.salvage', 'Open it')
    await inspector.until('header', /rows <i>/)
    assert.equal(await inspector.page.evaluate(() => /** @type {any} any: the page's own */ (document.querySelector('inspector-app')).model.sourceTag), 'indexeddb:rows <i>')
    await inspector.until('.database', /live tables \d/)
    await inspector.page.click('.salvages summary')
    assert.equal(await counts('sound'), sound)
    await inspector.check()

    const alone = newPlace()
    writeFileSync(join(alone, '000001.ldb'), table)
    await ClassicLevel.repair(alone)
    const made = newPlace()
    for (let at = 0; archive.readUInt32LE(at) === 0x04034b50;) {
      const from = at + 30 + archive.readUInt16LE(at + 26) + archive.readUInt16LE(at + 28)
      const end = from + archive.readUInt32LE(at + 18)
      writeFileSync(join(made, archive.toString('utf8', at + 30, at + 30 + archive.readUInt16LE(at + 26))), archive.subarray(from, end))
      at = end
    }
    for (const each of [made, alone]) {
      const db = new ClassicLevel(each, { createIfMissing: false })
      assert.equal((await db.keys().all()).length, sound)
      await db.close()
    }
    assert.equal(hash(), before)
    // What was kept meanwhile goes with the files.
    await inspector.page.click('.home')
    await inspector.until('h1', /every byte/)
    await inspector.page.close()
  })

  test('a file of another program has no findings and no salvage, and a table without its footer has both', async () => {
    const inspector = await rig.open()
    const noise = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24))
    const table = readFileSync(DEMO)
    const others = () => inspector.page.evaluate(async () => {
      const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
      await model.work.compare()
      if (model.file.regions !== undefined) await model.sweep(model.file)
      // What changed is drawn in the next frame.
      for (let frames = 0; frames < 3; frames++) await new Promise(requestAnimationFrame)
      return [model.file.findings.length, document.querySelectorAll('.salvage, nav .badge').length]
    })
    for (const [name, bytes, said] of /** @type {[string, Uint8Array, RegExp][]} */ ([
      ['<b>.png', Buffer.concat([Buffer.from('\x89PNG\r\n', 'latin1'), noise]), /This is no LevelDB file, but a PNG image/],
      ['000005.ldb', Buffer.concat([Buffer.from('SQLite format 3\0'), noise]), /no LevelDB file, but a SQLite database/],
      ['noise.bin', noise, /No known structure/]
    ])) {
      await inspector.give(written(name, bytes))
      await inspector.until('main', said)
      if (name !== 'noise.bin') await inspector.until('main', /000010 /)
      else await inspector.show('Damage')
      assert.deepEqual(await others(), [0, 0], name)
      await inspector.show('Files')
      assert.deepEqual(await others(), [0, 0], name)
      await inspector.check({ axe: name === '<b>.png' })
    }
    // By its name, by its first block, or by a block far behind.
    for (const [name, bytes] of /** @type {[string, Uint8Array][]} */ ([
      ['000005.ldb', table.subarray(100, 30_000)], ['f1234567', table.subarray(0, table.length - 9)], ['image.bin', Buffer.concat([noise, table.subarray(0, -9)])]
    ])) {
      await inspector.give(written(name, bytes))
      await inspector.until('.swept', /data blocks? sound/)
      await inspector.show('Damage')
      await inspector.until('.findings', /T02/)
      await press(inspector, '.salvage', 'Dry run')
      await inspector.until('.salvage .counts', /Can be saved: [\d,]{3,} live keys/)
    }
    await inspector.page.close()
  })

  test('the databases in a zip are listed, and one is opened where it is', async () => {
    const place = await database()
    const files = pathsOf(place).map((path) => ({ name: `profile/db/${path.split('/').at(-1)}`, data: readFileSync(path), deflate: /ldb$/.test(path) }))
    const archive = zip([...files, { name: 'profile/db/000099.ldb', data: 'x', flags: 1 }, { name: '../<img src=x>/000001.log', data: 'x' }, { name: 'wrong/000001.log', data: 'xyz', crc: 5 }])
    const inspector = await rig.open()
    await inspector.give(written('evidence.zip', archive))
    await inspector.until('.zip', /Inside: \d+ entries, 3 databases .*profile\/db\/: \d+ files.*<img src=x>.*000099\.ldb at [\d,]+ cannot be opened: it is encrypted/)
    await inspector.check()
    await press(inspector, '.zip', 'Open')
    await inspector.until('main', /Left out: 000099\.ldb: it is encrypted/)
    await inspector.until('.database', /comparator leveldb\.BytewiseComparator .*live tables 1/)
    await inspector.until('header', /evidence\.zip ▸ profile\/db\//)
    const [row] = await inspector.page.$$eval('#files .layer .row', (rows) => rows.filter((each) => /\.ldb/.test(each.textContent ?? '')).map((each) => each.getAttribute('data-index')))
    await inspector.page.click(`#files [data-index="${row}"]`)
    await inspector.until('.swept', /data blocks sound\. No findings/)
    await inspector.check()

    await inspector.give(written('wrong.zip', zip([{ name: '000001.log', data: 'xyz', crc: 5 }])))
    await inspector.until('.zip', /its outermost files: 1 file/)
    await press(inspector, '.zip', 'Open')
    await inspector.until('header', /000001\.log/)
    await inspector.show('Damage')
    await inspector.until('.findings', /Z01 .*its checksum is [0-9a-f]{8}, the entry says 00000005/)

    const bomb = zip([{ name: 'db/000001.log', data: Buffer.alloc(64 << 20), deflate: true }])
    await inspector.give(written('bomb.zip', bomb))
    await inspector.until('.zip', /1 database/)
    await press(inspector, '.zip', 'Open')
    await inspector.until('main', /Nothing of this folder can be opened: 000001\.log: .*bytes out of/)
    await inspector.give(written('cut.zip', archive.subarray(0, 2000)))
    await inspector.until('.zip, main', /It cannot be looked into: .*no end record/)
    await inspector.check()
    await inspector.page.close()
  })

  test('bombs are refused or windowed, and the page answers meanwhile', async () => {
    const inspector = await rig.open()
    for (const { what, code, name = '000005.ldb', make } of BOMBS) {
      await inspector.give(written(name, make()))
      const since = performance.now()
      await inspector.until('.swept', /\./, 10_000)
      assert.ok(performance.now() - since < 5000, `${what}: ${performance.now() - since} ms`)
      if (code === undefined) continue
      await inspector.show('Damage')
      await inspector.until('.findings', new RegExp(code))
    }
    // Its keys are 20 GiB; rows of a block with such keys are shown all the same.
    const prefix = BOMBS.find(({ what }) => /keys sum/.test(what))
    await inspector.give(written('000007.ldb', /** @type {NonNullable<typeof prefix>} */ (prefix).make()))
    await inspector.until('.swept', /1 of 1|0 of 1/)
    await inspector.show('Entries')
    await inspector.until('main', /200,001/)

    await inspector.give(written('MANIFEST-000001', manifestOfSmallEdits(long ? 1 << 30 : 16 << 20)))
    const answers = await inspector.page.evaluate(async () => {
      let longest = 0
      for (let i = 0; i < 20; i++) {
        const since = performance.now()
        await new Promise((resolve) => setTimeout(resolve))
        longest = Math.max(longest, performance.now() - since)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      return longest
    })
    // A click waits no longer, also on a machine with other work.
    assert.ok(answers < 5000, `${answers} ms`)
    await inspector.until('.progress, .swept', /edits/)
    const isRunning = await inspector.page.$('.progress button')
    if (isRunning !== null) {
      await inspector.page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('.progress button'))?.click())
      await inspector.until('.progress, .swept', /Check again|edits read/)
    }
    await inspector.check({ axe: false })
    await inspector.page.close()
  })

  test('a file that changes or is removed after it was opened is not read any more', async () => {
    const place = await database()
    mkdirSync(join(place, 'copy'))
    const log = join(place, 'copy', '000009.log')
    writeFileSync(log, Buffer.concat(Array(40).fill(readFileSync(join(place, nameOf(place, /\.log$/))))))
    const inspector = await rig.open()
    await inspector.give(log)
    await inspector.until('.swept', /records read/)
    const shown = await inspector.text('.swept')
    appendFileSync(log, 'more')
    await inspector.show('Hex')
    await inspector.until('main', /S01 The file changed on disk since it was opened.*drop it again, or refresh/)
    await inspector.show('Map')
    // What was read before stays, and nothing new is among it.
    await inspector.until('.swept', /records read/)
    assert.equal(await inspector.text('.swept'), shown)
    await inspector.give(log)
    await inspector.until('.swept', /records read/)
    unlinkSync(log)
    await inspector.show('Hex')
    await inspector.until('main', /S01 The file is gone since it was opened|S01 The file changed on disk/)
    await inspector.check({ axe: false })
    await inspector.page.close()
  })
})
