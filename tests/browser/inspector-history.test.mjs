// Going through the inspector's page: the browser's history, addresses, drops, and what lists say.
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Varve } from '../../src/js/index.js'
import { blockOf, footer, internal, sealed, varint } from '../js/lib/tables.mjs'
import { KINDS, seldom } from './lib/browser.mjs'
import { inspectorIn } from './lib/inspector.mjs'

/** @typedef {import('./lib/inspector.mjs').Inspector} Inspector */

const DEMO = (/** @type {string} */ name) => inRoot('pkg', 'inspector', 'demo', name, '000005.ldb')

/** The rest of it: other links, and what axe says of every step. */
const long = process.env.VARVE_LONG !== undefined

/** @param {Inspector} inspector */
const hashOf = (inspector) => inspector.page.evaluate(() => location.hash)
/** @param {Inspector} inspector */
const lengthOf = (inspector) => inspector.page.evaluate(() => history.length)

/** Goes through the history, and waits for the address. @param {Inspector} inspector @param {'back' | 'forward'} way @param {RegExp} address */
async function go(inspector, way, address) {
  await inspector.page.evaluate((way) => history[/** @type {'back' | 'forward'} */ (way)](), way)
  for (let tries = 0; !address.test(await hashOf(inspector)); tries++) {
    assert.ok(tries < 200, `${way} leads to ${await hashOf(inspector)} instead of ${address}`)
    await sleep(20)
  }
}

for (const kind of KINDS) {
  describe(`ways through the inspector in ${kind}`, { skip: seldom(kind) }, () => {
    const rig = inspectorIn(kind)
    const { folder } = rig
    before(async () => {
      paths = await database()
    })

    /** The files of a database of a few tables and a log. @type {string[]} */
    let paths = []
    async function database() {
      const place = join(folder, 'db')
      const db = /** @type {import('../../src/js/types/index.js').Varve<string, string>} */ (new Varve(place, { writeBufferSize: 64 << 10 }))
      for (let i = 0; i < 12; i++) {
        await db.put(`key ${i}`, `value ${i}`)
        if (i % 4 === 3) await db.flush()
      }
      await db.put('key 1', 'newer')
      await db.close()
      return readdirSync(place).filter((name) => name !== 'LOCK').map((name) => join(place, name))
    }

    test('Back and Forward go through what was opened, files, views and selections', async () => {
      const inspector = await rig.open()
      const start = await lengthOf(inspector)
      await inspector.give(DEMO('one-bit'))
      await inspector.until('.swept', /81 of 82/)
      await inspector.show('Entries')
      await inspector.until('#entries', /sensor/)
      await inspector.page.click('#entries [data-index="3"]')
      await inspector.until('aside', /entry 3/)
      await inspector.page.click('#entries [data-index="2"]')
      await inspector.until('aside', /entry 2/)
      await inspector.show('Hex')
      await inspector.until('.path', /Data block 0/)
      // The file's map, its entries and its bytes: selections add none.
      assert.equal(await lengthOf(inspector), start + 3)

      await go(inspector, 'back', /\/entries\?/)
      await inspector.until('#entries .row.selected', /^2 /)
      await inspector.until('aside', /entry 2/)
      await go(inspector, 'back', /\/map\?/)
      await inspector.until('.swept', /81 of 82/)
      assert.equal(await inspector.page.$('aside'), null)
      await go(inspector, 'back', /^$/)
      await inspector.until('.open', /Still open: 000005\.ldb/)
      await inspector.check()
      const files = await inspector.page.evaluateHandle(() => /** @type {any} any: the page's own */ (document.querySelector('inspector-app')).model.files)
      await go(inspector, 'forward', /\/map\?/)
      await inspector.until('.swept', /81 of 82/)
      await go(inspector, 'forward', /\/entries\?.*&entry=2/)
      await inspector.until('#entries .row.selected', /^2 /)
      // Nothing was opened again, and no entry was added.
      assert.equal(await inspector.page.evaluate((files) => /** @type {any} any: as above */ (document.querySelector('inspector-app')).model.files === files, files), true)
      assert.equal(await lengthOf(inspector), start + 3)

      // Another file takes the place of the entries ahead; the one before is opened again from memory.
      await inspector.give(DEMO('hostile'))
      await inspector.until('.swept', /data blocks? sound/)
      assert.equal(await lengthOf(inspector), start + 3)
      await go(inspector, 'back', /\/entries\?.*&entry=2/)
      await inspector.until('#entries .row.selected', /^2 /)
      await go(inspector, 'forward', /^(?!.*entry)/)
      await inspector.until('main', /\d+ of \d+ data blocks? sound/)
      if (long) {
        // An example, opened by its button, and away from it.
        await inspector.page.click('.home')
        await inspector.until('.open', /Still open/)
        await inspector.page.evaluate(() => [...document.querySelectorAll('.demos button')].find(({ textContent }) => textContent === 'Torn log')?.dispatchEvent(new MouseEvent('click')))
        await inspector.until('.swept', /records? read/)
        await go(inspector, 'back', /^#?$/)
        await inspector.until('.open', /Still open: Torn log/)
        await go(inspector, 'back', /^#\/file:/)
        await inspector.until('.swept', /data blocks? sound/)
        await go(inspector, 'forward', /^#?$/)
        await go(inspector, 'forward', /^#\/demo:torn-log\/map/)
        await inspector.until('.swept', /records? read/)
        await inspector.check({ axe: long })

        // The history outlives the page.
        await inspector.page.evaluate(() => { location.hash = '#/demo:one-bit/damage?file=000005.ldb' })
        await inspector.until('.findings', /T10/)
        await inspector.page.evaluate(() => { location.hash = '#/demo:one-bit/blocks?file=000005.ldb' })
        await inspector.until('#blocks', /1 data/)
        const before = await lengthOf(inspector)
        await inspector.page.reload()
        await inspector.until('#blocks', /1 data/)
        await go(inspector, 'back', /damage/)
        await inspector.until('.findings', /T10/)
        assert.equal(await lengthOf(inspector), before)
      }
      await inspector.page.close()
    })

    test('the list of files and a traced key have addresses, also of files that the page must ask for', async () => {
      const inspector = await rig.open()
      await inspector.give(...paths)
      await inspector.until('.database', /live tables 3/)
      assert.match(await hashOf(inspector), /^#\/files:\d-[0-9a-f]{8}\/files\?name=/)
      assert.deepEqual((await inspector.rows('files')).map(([name]) => name.replace(/\d+/, '')), ['CURRENT', 'MANIFEST-', '.log', '.ldb', '.ldb', '.ldb', 'LOG'].filter((name) => paths.some((path) => path.includes(name))))
      await inspector.check()
      // By size, the largest first, and in the usual order again.
      for (const [direction, isInOrder] of /** @type {[string, (sizes: number[]) => boolean][]} */ ([
        ['descending', (sizes) => sizes.every((size, i) => i === 0 || size <= sizes[i - 1])], ['ascending', (sizes) => sizes.every((size, i) => i === 0 || size >= sizes[i - 1])], ['none', () => true]
      ])) {
        await inspector.page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('#files .sorter.number')).click())
        await inspector.page.waitForSelector(`#files [role=columnheader][aria-sort=${direction}] .sorter.number`)
        const sizes = (await inspector.rows('files')).map((cells) => Number(cells[3].replaceAll(',', '')))
        assert.ok(isInOrder(sizes), `${direction}: ${sizes}`)
      }
      await inspector.show('Key trace')
      await inspector.until('main', /Give a key/)
      await inspector.page.type('main form .query', 'key 1')
      await inspector.page.type('main form [name=at]', '5')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('.answer', /^Found in level \d, in \d+\.ldb, sequence 2: value 1$/)
      const hash = await hashOf(inspector)
      assert.match(hash, /\/trace\?name=.*&key=6b65792031&sequence=5$/)
      await inspector.page.$eval('main form [name=at]', (field) => { /** @type {HTMLInputElement} */ (field).value = '' })
      await inspector.page.focus('main form .query')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('.answer', /^Found in the log .*: newer$/)
      // The key before, and a link to another.
      await go(inspector, 'back', /&sequence=5$/)
      await inspector.until('.answer', /value 1$/)
      await inspector.page.evaluate((hash) => { location.hash = hash }, hash.replace('6b65792031', '6b65792032'))
      await inspector.until('.answer', /value 2$/)
      assert.equal(await inspector.page.$eval('main form .query', (field) => /** @type {HTMLInputElement} */ (field).value), 'key 2')
      await inspector.check({ axe: long })

      await inspector.page.close()
      const again = await rig.open({ fragment: hash })
      await again.until('.open', new RegExp(`The link is about ${paths.length} files of your machine\\. Drop them here`))
      await again.give(...paths)
      await again.until('.answer', /value 1$/)
      assert.equal(await hashOf(again), hash)
      await again.page.close()
      if (!long) return
      const other = await rig.open({ fragment: hash.replace(/files:\d/, 'files:9') })
      await other.give(...paths)
      await other.until('main', /These are other files than those of the link/)
      await other.until('.answer', /value 1$/)
      await other.check({ axe: long })
      await other.page.close()

      const example = await rig.open({ fragment: '#/demo:indexeddb/files' })
      await example.until('.database', /comparator idb_cmp1/)
      assert.equal(await example.page.evaluate(() => history.length), 2)
      await example.page.close()
    })

    test('a key is looked up in one table alone, and in one log', async () => {
      const table = paths.find((path) => path.endsWith('.ldb')) ?? ''
      const other = join(folder, 'a table.bin')
      writeFileSync(other, readFileSync(table))
      const inspector = await rig.open()
      await inspector.give(other)
      await inspector.show('Key trace')
      await inspector.until('main', /This table alone/)
      await inspector.page.type('main form .query', 'key 1')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('.answer', /^Found in a table\.bin, sequence 2: value 1$/)
      const [row] = await inspector.rows('steps')
      assert.deepEqual([row[1], row[2], row[3], row[4]], ['table', 'a table.bin', 'filter 0: maybe', '0'])
      await inspector.page.click('#steps [data-index="0"]')
      await inspector.until('aside', /Data block 0 ▸ entry 1/)
      await inspector.check({ axe: long })
      await inspector.page.click('#tab-history')
      await inspector.until('main .foot', /^1 entry of the key/)
      assert.match(await hashOf(inspector), /^#\/file:.*\/trace\?file=a%20table\.bin&key=6b65792031&tab=history/)
      await inspector.page.click('#tab-trace')
      await inspector.page.type('main form .query', ' and more')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('.answer', /^Absent: this table does not have it\.$/)
      await inspector.give(paths.find((path) => path.endsWith('.log')) ?? '')
      await inspector.show('Key trace')
      await inspector.until('main', /This log alone/)
      // As it was asked for before.
      await inspector.page.$eval('main form .query', (field) => { /** @type {HTMLInputElement} */ (field).value = 'key 1' })
      await inspector.page.focus('main form .query')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('main .foot', /^1 entry of the key/)
      await inspector.check({ axe: long })
      await inspector.page.close()
    })

    test('entries of a damaged block are marked and counted where they are listed', async () => {
      const blocks = ['a', 'b'].map((letter, place) => sealed(blockOf([1, 2, 3].map((number) => [internal(`${letter}${number}`, 10 * place + number), Buffer.from(`value ${letter}${number}`)]))))
      const metaindex = sealed(blockOf([]))
      const end = blocks[0].length + blocks[1].length
      const index = sealed(blockOf(blocks.map((block, place) => [internal(['a9', 'b9'][place], 1), [...varint(place * blocks[0].length), ...varint(block.length - 5)]])))
      const bytes = Buffer.concat([...blocks, metaindex, index, footer({ offset: end, size: metaindex.length - 5 }, { offset: end + metaindex.length, size: index.length - 5 })])
      // In a value: all of the block can be read, and its checksum is wrong.
      bytes[bytes.indexOf('value b2')] ^= 0x20
      const path = join(folder, '000007.ldb')
      writeFileSync(path, bytes)
      const inspector = await rig.open()
      await inspector.give(path)
      await inspector.until('.swept', /1 of 2 data blocks sound\. 1 finding$/)
      await inspector.show('Search')
      await inspector.page.type('.query', 'alue')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('.foot', /^6 matches in 2 blocks · 3 matches from damaged or doubtful blocks · the file is damaged, so that entries may be missing$/)
      assert.deepEqual((await inspector.rows('matches')).map((cells) => cells[5]), ['value a1', 'value a2', 'value a3', 'damaged block value b1', 'damaged block Value b2', 'damaged block value b3'])
      await inspector.check({ axe: long })
      await inspector.page.$eval('.query', (field) => { /** @type {HTMLInputElement} */ (field).value = 'value:ue a1' })
      await inspector.page.focus('.query')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('.foot', /^1 match in 2 blocks · the file is damaged/)
      await inspector.page.evaluate(() => /** @type {any} any: the page's own */ (document.querySelector('inspector-app')).model.setScope('all'))
      await inspector.show('Entries')
      await inspector.until('.foot', /^6 entries · 3 entries from damaged or doubtful blocks$/)
      await inspector.check()
      assert.deepEqual((await inspector.rows('entries')).map((cells) => cells[7].startsWith('damaged block')), [false, false, false, true, true, true])
      await inspector.page.close()
    })

    test('a search goes through all tables and logs, and leads to each match', async () => {
      const inspector = await rig.open()
      await inspector.give(...paths)
      await inspector.until('.database', /live tables 3/)
      const log = (paths.find((path) => path.endsWith('.log')) ?? '').slice(folder.length + 4)
      await inspector.page.evaluate((log) => {
        const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
        return model.look(model.files.find((/** @type {any} any: an OpenFile */ { name }) => name === log))
      }, log)
      // A log alone.
      await inspector.show('Search')
      await inspector.page.type('.query', 'key:key 1')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('.foot', /^1 match in 1 file, live or not$/)
      // What is listed is of the other choice, so that it is searched anew.
      await inspector.page.select('select[name=where]', 'files')
      await inspector.until('.foot', /^4 matches in 4 files, live or not$/)
      await go(inspector, 'back', /\/search\?.*q=key%3Akey%201(?!&in)/)
      await inspector.until('.foot', /^1 match in 1 file, live or not$/)
      await go(inspector, 'forward', /q=key%3Akey%201&in=files/)
      await inspector.until('.foot', /^4 matches in 4 files, live or not$/)
      const rows = await inspector.rows('matches')
      assert.deepEqual(rows.map((cells) => [cells[1].endsWith(' the log') ? 'log' : 'table', cells[4], cells[6]]).sort(), [['log', 'key 1', 'newer'], ['table', 'key 1', 'value 1'], ['table', 'key 10', 'value 10'], ['table', 'key 11', 'value 11']])
      // Each leads to its file, and the list stays.
      const place = rows.findIndex((cells) => cells[4] === 'key 10')
      await inspector.page.click(`#matches .layer [data-index="${place}"]`)
      const chosen = () => inspector.page.evaluate(() => {
        const { file, view, selection } = /** @type {any} any: as above */ (document.querySelector('inspector-app')).model
        return [file.name, view, selection?.entry]
      })
      for (const end = performance.now() + 20_000; typeof (await chosen())[2] !== 'number'; await sleep(20)) assert.ok(performance.now() < end)
      assert.deepEqual(await chosen(), [rows[place][1].split(' ')[0], 'search', Number(rows[place][3])])
      assert.equal((await inspector.rows('matches')).length, 4)
      await inspector.until('aside', /key 10/)
      await inspector.check({ axe: long })
      // The list has the focus still.
      await inspector.page.keyboard.press('Enter')
      await inspector.until('#entries', /key 10/)
      await inspector.page.close()
    })

    test('the navigation says what to press, and at its edges that there is more', async () => {
      const inspector = await rig.open({ fragment: '#/demo:healthy/map?file=000005.ldb', width: 390, height: 844 })
      await inspector.until('.swept', /82 of 82/)
      const items = await inspector.page.$$eval('nav .item', (all) => all.map((item) => [item.querySelector('span')?.textContent?.trim(), item.querySelector('kbd')?.textContent, item.getAttribute('title')]))
      assert.deepEqual(items.find(([name]) => name === 'Blocks')?.slice(1), ['g b', 'every block with its offset, size, compression and checksum (press g, then b)'])
      assert.match(items.find(([name]) => name === 'Search')?.slice(1).join() ?? '', /^\/,.*\(press \/\)$/)
      const edges = () => inspector.page.$eval('nav', (nav) => {
        const box = nav.getBoundingClientRect()
        const current = nav.querySelector('[aria-current]')?.getBoundingClientRect()
        const last = nav.querySelector('.item:last-child')?.getBoundingClientRect()
        return { fade: getComputedStyle(nav, '::after').position, isScrolled: nav.scrollLeft > 0, current: [(current?.left ?? 0) - box.left, box.right - (current?.right ?? 0)], beyond: (last?.right ?? 0) - box.right, isAtEnd: nav.scrollLeft + nav.clientWidth >= nav.scrollWidth - 1 }
      })
      const before = await edges()
      assert.equal(before.fade, 'sticky')
      assert.ok(before.beyond > 100 && before.current[0] >= 8 && !before.isScrolled, JSON.stringify(before))
      // The view that is shown is scrolled to, out of the fade.
      await inspector.page.keyboard.press('g')
      await inspector.page.keyboard.press('d')
      await inspector.until('main', /No findings|Nothing|sound/)
      const after = await edges()
      assert.ok(after.isScrolled && after.current.every((space) => space >= 12), JSON.stringify(after))
      await inspector.check({ axe: long })
      await inspector.page.close()
    })

    test('files, a folder and a report are dropped', { skip: kind === 'firefox' && 'puppeteer can drop in Chromium only' }, async () => {
      const inspector = await rig.open()
      const session = await inspector.page.createCDPSession()
      const drop = async (/** @type {string[]} */ ...files) => {
        for (const type of /** @type {const} */ (['dragEnter', 'dragOver', 'drop'])) await session.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data: { items: [], files, dragOperationsMask: 1 } })
      }
      await drop(...paths)
      await inspector.until('.database', /live tables 3, .*findings none/)
      await inspector.until('header', new RegExp(`${paths.length} files`))
      // A folder, with another in it.
      const whole = join(folder, 'profile')
      mkdirSync(join(whole, 'inner'), { recursive: true })
      for (const path of paths) writeFileSync(join(whole, path.slice(path.lastIndexOf('/') + 1)), readFileSync(path))
      writeFileSync(join(whole, 'inner', '000001.log'), '')
      await drop(whole)
      await inspector.until('header', /profile/)
      await inspector.until('.database', /live tables 3, .*findings none/)
      assert.equal((await inspector.rows('files')).at(-1)?.[0], 'inner/000001.log')
      assert.match(await hashOf(inspector), /\/files\?name=profile$/)
      await inspector.check({ axe: long })
      // An empty folder, and a report.
      mkdirSync(join(folder, 'nothing'))
      await drop(join(folder, 'nothing'))
      await inspector.until('main', /There is no file in what was dropped/)
      const report = join(folder, 'x.report.json')
      writeFileSync(report, '{\n  "report": "Varve inspector",\n  "version": "0.1.0",\n  "files": []\n}\n')
      await drop(report)
      await inspector.until('main', /This is no LevelDB file, but a report of the inspector\. It tells what was found in the files that it names/)
      await inspector.check({ axe: long })
      await inspector.page.close()
    })
  })
}
