// The inspector's page: a table is given, and map, blocks, entries and bytes show the same of it.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Varve } from '../../src/js/index.js'
import { inspectTable, traceKey } from '../../src/js/inspect/index.js'
import { blockOf, footer, internal, sealed, varint } from '../js/lib/tables.mjs'
import { KINDS, lacking } from './lib/browser.mjs'
import { Inspector, inspectorIn, openInspector } from './lib/inspector.mjs'
import { serve } from './lib/serve.mjs'

const DEMO = (/** @type {string} */ name) => inRoot('pkg', 'inspector', 'demo', name, '000005.ldb')
/** @param {number} offset @param {Uint8Array} into */
const readDemo = (offset, into) => {
  const part = readFileSync(DEMO('healthy')).subarray(offset, offset + into.length)
  into.set(part)
  return part.length
}

/** Looks up a key, in hexadecimal. @param {Inspector} inspector @param {string} key */
const trace = (inspector, key) => inspector.page.evaluate((key) => {
  const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
  Object.assign(model.lookup, { text: key, isHex: true })
  model.show('trace')
  return model.lookup.run()
}, key)

/** Chromium runs everything; Firefox what may differ there. */
const long = process.env.VARVE_LONG === '1'

for (const kind of KINDS) {
  describe(`the inspector in ${kind}`, { skip: lacking(kind) }, () => {
    const rig = inspectorIn(kind)
    const { folder } = rig

    test('a table is drawn to scale, read to its end, and its legend sums to its size', async () => {
      const { size } = readFileSync(DEMO('healthy')) && { size: readFileSync(DEMO('healthy')).length }
      const inspector = await rig.open()
      assert.match(await inspector.text('h1'), /every byte/)
      await inspector.check()
      await inspector.give(DEMO('healthy'))
      await inspector.until('.swept', /(\d+) of \1 data blocks sound\. No findings/)
      const legend = await inspector.page.$$eval('.legend tbody tr', (rows) => rows.map((row) => [...row.children].map((cell) => /** @type {HTMLElement} */ (cell).innerText.trim())))
      const sum = legend.reduce((total, row) => total + Number(row[2].replaceAll(',', '')), 0)
      assert.equal(sum, size)
      assert.match(await inspector.text('.legend tfoot'), new RegExp(size.toLocaleString('en')))
      await inspector.check()
      await inspector.page.close()
    })

    test('a live database grows, stops before a compaction, and its files open', { skip: kind === 'firefox' && !long }, async () => {
      const inspector = await rig.open()
      const { page } = inspector
      const press = (/** @type {string} */ name) => page.evaluate((name) => {
        const button = [...document.querySelectorAll('main button')].find((each) => each.textContent?.trim() === name)
        if (!(button instanceof HTMLButtonElement) || button.disabled) throw new Error(`there is no button ${name}`)
        button.click()
      }, name)
      const figures = async () => {
        const text = await inspector.text('#live-figures')
        const number = (/** @type {RegExp} */ pattern) => Number((pattern.exec(text) ?? [])[1]?.replaceAll(',', ''))
        return { user: number(/user bytes ([\d,]+)/), flushed: number(/flushes ([\d,]+)/), compacted: number(/read, ([\d,]+) written/), written: number(/write amplification ([\d.]+)/) }
      }
      await press('Live')
      await inspector.until('#due', /no job is due/)
      await inspector.check()
      // Step by step: a flush is due, begins, ends ... until a compaction names what it reads.
      for (let steps = 0; !/compaction begins/.test(await inspector.text('#events')); steps++) {
        assert.ok(steps < 100, 'no compaction in 100 steps')
        const before = await inspector.text('main')
        await press('Step')
        for (let tries = 0; await inspector.text('main') === before; tries++) {
          assert.ok(tries < 200, 'nothing changes')
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
      assert.match(await inspector.text('#events'), /compaction begins L\d → L\d: #\d+/)
      assert.match(await inspector.text('#due'), /a job is running/)
      await press('Run')
      await inspector.until('.meters', /1[\d],\d{3} of 50,000 operations/)
      await press('Pause')
      await inspector.until('main', /Run Step/)
      const { user, flushed, compacted, written } = await figures()
      assert.ok(user > 1_000_000 && compacted > 0)
      assert.equal(written, Number(((flushed + compacted) / user).toFixed(2)))

      const type = async (/** @type {string} */ command) => {
        await page.type('input[name=command]', command)
        await page.keyboard.press('Enter')
      }
      await type('put <b>key</b> <img src=x onerror=alert(1)>')
      await inspector.until('.terminal', /^Do it done/)
      await type('get <b>key</b>')
      await inspector.until('.terminal', /<img src=x onerror=alert\(1\)> · 0 blocks read/)
      await type('get nothing')
      await inspector.until('.terminal', /not found · /)
      await type('nonsense')
      await inspector.until('.terminal', /put KEY VALUE, get KEY/)
      await inspector.check()

      // The outputs of a compaction that was stopped midway are not in the manifest yet.
      for (let steps = 0; /a job is running/.test(await inspector.text('#due')); steps++) {
        assert.ok(steps < 20, 'the job does not end')
        const before = await inspector.text('#events')
        await press('Step')
        for (let tries = 0; await inspector.text('#events') === before && tries < 200; tries++) await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await press('Look into its files')
      await inspector.until('main', /live tables .* findings none .*names the manifest .*live, L\d/)
      await inspector.show('Live')
      await inspector.until('#due', /job/)
      await inspector.check()
      await page.close()
    })

    test('one flipped bit is shown in the map, the blocks, the bytes and the damage', async () => {
      const inspector = await rig.open({ fragment: '#' })
      await inspector.give(DEMO('one-bit'))
      await inspector.until('.swept', /81 of 82 data blocks sound\. 1 finding/)
      await inspector.show('Damage')
      await inspector.until('.findings', /T10 .*Data block \d+/)
      const [, number, finding, begin] = /Data block (\d+), bytes ([\d,]+)–.*; the block is at bytes ([\d,]+)–/.exec(await inspector.text('.findings')) ?? []
      assert.ok(Number(begin.replaceAll(',', '')) < Number(finding.replaceAll(',', '')), `${begin} ${finding}`)
      assert.match(await inspector.text('.findings'), /Keys at risk: after sensor\/\S+ up to sensor\/\S+\./)
      await inspector.check()

      // The next damaged region, by its key.
      await inspector.show('Blocks')
      await inspector.page.keyboard.press('n')
      await inspector.until('#blocks .row.selected', /bad/)
      const [row] = (await inspector.rows('blocks')).filter((cells) => cells[9] === 'bad')
      assert.equal(row[0], number)
      await inspector.until('aside', new RegExp(`Data block ${number}.*T10.*checksum`))
      await inspector.check()

      await inspector.show('Map')
      await inspector.until('.told', new RegExp(`Data block ${number}: .*damaged`))
      assert.match(await inspector.page.$eval('[role=slider]', (slider) => slider.getAttribute('aria-valuetext') ?? ''), new RegExp(`Data block ${number}: .*damaged`))
      // The canvas has the colour of damage at all.
      assert.ok(await inspector.page.$eval('file-map canvas', hasRed) > 20)
      await inspector.check()

      await inspector.show('Hex')
      const from = Number(row[2].replaceAll(',', ''))
      await inspector.until('.path', new RegExp(`Data block ${number} ▸ .* ${from.toLocaleString('en')}–`))
      await inspector.until('#hex', new RegExp(from.toString(16).replace(/.$/, '0')))
      await inspector.check()
      await inspector.page.close()
    })

    test('bytes lead to structure and back, and the address restores what was selected', async () => {
      const inspector = await rig.open({ fragment: '#/demo:healthy/map?file=000005.ldb' })
      await inspector.until('.swept', /82 of 82/)
      await inspector.show('Hex')
      await inspector.page.type('input[name=offset]', 'end-8')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('.path', /Footer ▸ magic/)
      await inspector.show('Entries')
      await inspector.until('#entries', /sensor\/00/)
      // Entry 2 of the first block.
      await inspector.page.click('#entries [data-index="2"]')
      await inspector.until('aside', /Data block 0 ▸ entry 2 .*shared \d+ own \d+/)
      const key = (await inspector.rows('entries'))[2][4]
      await inspector.show('Hex')
      await inspector.page.evaluate(() => /** @type {HTMLElement} */ ([...document.querySelectorAll('.choice button')].at(-1)).click())
      await inspector.until('.path', /Data block 0 ▸ entry 2/)
      await inspector.check()
      const { hash } = new URL(inspector.page.url())
      assert.match(hash, /^#\/demo:healthy\/hex\?file=000005\.ldb&at=\d+-\d+&entry=2/)
      await inspector.page.close()

      const again = await rig.open({ fragment: hash })
      await again.until('aside', /Data block 0 ▸ entry 2/)
      await again.show('Entries')
      await again.until('#entries .row.selected', new RegExp(key.replace(/[^\w]/g, '.').slice(0, 20)))
      await again.check()
      await again.page.close()
    })

    test('a table without its end is found by its checksums', { skip: kind === 'firefox' && !long }, async () => {
      const inspector = await rig.open()
      await inspector.give(DEMO('no-footer'))
      await inspector.until('.swept', /data blocks sound, all found only by their checksums\. \d+ findings/)
      await inspector.show('Blocks')
      const rows = await inspector.rows('blocks')
      assert.ok(rows.length > 10 && rows[0][9] === 'found', rows[0].join())
      await inspector.show('Entries')
      await inspector.until('.choice', /All entries/)
      await inspector.page.evaluate(() => /** @type {HTMLElement} */ ([...document.querySelectorAll('.choice button')].find((each) => each.textContent === 'All entries')).click())
      await inspector.until('.foot', /^\d,\d{3} entries$/)
      await inspector.check()
      await inspector.page.close()
    })

    test('files of other kinds are named, and a sound one opens after them', async () => {
      const inspector = await rig.open()
      const write = (/** @type {string} */ name, /** @type {Uint8Array} */ bytes) => {
        writeFileSync(join(folder, name), bytes)
        return join(folder, name)
      }
      const noise = Uint8Array.from({ length: 1 << 20 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24)
      /** @type {[string, Uint8Array, RegExp][]} */
      const cases = [
        ['000001.ldb', new Uint8Array(0), /The file is empty/],
        ['000002.ldb', noise, /No known structure|not known/],
        ['000003.ldb', Buffer.concat([Buffer.from('SQLite format 3\0'), noise.subarray(0, 4096)]), /SQLite/],
        ['picture.png', Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), noise.subarray(0, 999)]), /PNG/],
        ['notes.txt', readFileSync(DEMO('healthy')), /^(?!.*No known)/]
      ]
      for (const [name, bytes, pattern] of cases) {
        await inspector.give(write(name, bytes))
        await inspector.until('main', pattern)
        await inspector.until('header', new RegExp(name.replace('.', '\\.')))
      }
      await inspector.until('.swept', /82 of 82/)
      await inspector.check()
      await inspector.page.close()
    })

    test('a log is shown by fragments, records and operations, and goes on after damage', { skip: kind === 'firefox' && !long }, async () => {
      const inspector = await rig.open()
      await inspector.give(inRoot('tests', 'fixtures', 'wal-flip-middle', '000008.log'))
      await inspector.until('.swept', /149 records read\. 2 findings/)
      await inspector.show('Damage')
      await inspector.until('.findings', /W01 .*bytes 5,694–5,795.*W08 .*77 sound records/)
      await inspector.show('Records')
      await inspector.until('#records', /# offset fragments bytes first sequence operations state/)
      await inspector.page.click('#records [data-index="3"]')
      await inspector.until('aside', /Record 3 .*in one fragment/)
      await inspector.show('Entries')
      await inspector.until('#entries', /w00000 701 put/)
      await inspector.page.click('#entries [data-index="2"]')
      await inspector.until('aside', /Record 2 ▸ operation 0 .*sequence 703 type put Key copy w/)
      await inspector.check()
      await inspector.show('Hex')
      await inspector.until('.path', /record 2 ▸ FULL fragment/)
      await inspector.page.evaluate(() => /** @type {HTMLElement} */ ([...document.querySelectorAll('.choice button')].at(-1)).click())
      await inspector.until('.path', /Record 2 ▸ operation 0/)
      await inspector.check()
      await inspector.page.close()
    })

    test('a manifest is replayed to any of its edits, and its tables are those of the folder', { skip: kind === 'firefox' && !long }, async () => {
      const place = mkdtempSync(join(folder, 'db-'))
      const db = new Varve(place, { writeBufferSize: 1 << 16, maxFileSize: 1 << 16 })
      for (let round = 0; round < 20; round++) {
        await db.batch(Array.from({ length: 300 }, (_, i) => ({ type: /** @type {const} */ ('put'), key: `user:${String((round * 7919 + i * 104_729) % 100_000).padStart(8, '0')}`, value: `${round} `.repeat(40) })))
      }
      await db.close()
      const names = readdirSync(place).filter((name) => name !== 'LOCK')
      const inspector = await rig.open()
      await inspector.give(...names.map((name) => join(place, name)))
      await inspector.until('main', new RegExp(`${names.length} files`))
      const [number] = await inspector.page.$$eval('#files .layer .row', (rows) => rows.filter((row) => /^MANIFEST/.test(row.textContent ?? '')).map((row) => row.getAttribute('data-index')))
      await inspector.page.click(`#files [data-index="${number}"]`)
      await inspector.until('.swept', /\d+ edits read\. No findings/)
      await inspector.show('Versions')
      await inspector.until('#tables', /level table bytes smallest largest/)
      const shown = (await inspector.rows('tables')).map(([, table]) => table)
      const tables = names.filter((name) => /\.ldb$/.test(name)).map((name) => `#${parseInt(name, 10)}`)
      assert.equal(await inspector.page.$eval('#tables .scroller', (grid) => Number(grid.getAttribute('aria-rowcount'))), tables.length + 1)
      assert.ok(shown.length > 1 && shown.every((table) => tables.includes(table)), `${shown} of ${tables}`)
      await inspector.check()
      // The first edit names the comparator, and no table is live yet.
      await inspector.page.focus('#edits .scroller')
      await inspector.page.keyboard.press('Home')
      await inspector.until('main', /No table is live after this edit/)
      await inspector.until('aside', /Edit 0 .*comparator name leveldb\.BytewiseComparator/)
      await inspector.check()
      // From a table of the tree to its file.
      await inspector.page.keyboard.press('End')
      await inspector.until('#tables', /#/)
      await inspector.page.focus('#tables .scroller')
      await inspector.page.keyboard.press('ArrowDown')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('header', /\d{6}\.ldb table/)
      await inspector.until('.swept', /data blocks sound/)
      await inspector.check()
      await inspector.page.close()
    })

    test('a key is traced through the files of its database, and a filter is asked for it', async () => {
      const path = join(folder, 'traced')
      const key = (/** @type {number} */ number) => `user:${String(number).padStart(8, '0')}`
      const db = /** @type {import('../../src/js/types/index.js').Varve<string, string>} */ (new Varve(path, { writeBufferSize: 64 << 10 }))
      for (let number = 0; number < 2000; number++) await db.put(key(number), `old ${number}`)
      await db.compactRange(key(0), key(9999))
      for (let number = 0; number < 2000; number += 3) await (number % 2 === 0 ? db.put(key(number), `new ${number}`) : db.del(key(number)))
      await db.flush()
      await db.put(key(7), 'newest 7')
      await db.close()
      const paths = readdirSync(path).filter((name) => name !== 'LOCK').map((name) => join(path, name))
      const sources = paths.map((each) => ({ name: basename(each), bytes: readFileSync(each) })).map(({ name, bytes }) => ({ name, size: bytes.length, read: (/** @type {number} */ offset, /** @type {Uint8Array} */ into) => bytes.copy(into, 0, offset, offset + into.length) }))
      const traced = (/** @type {number} */ number) => traceKey(sources, new TextEncoder().encode(key(number)))
      const { steps, bill } = await traced(1)
      assert.deepEqual([steps[0].kind, steps.at(-1)?.outcome], ['log', 'found'])

      const inspector = await rig.open({ fragment: '#' })
      await inspector.give(...paths)
      await inspector.until('main', /live/)
      const ask = async (/** @type {string} */ text) => {
        await inspector.page.$eval('main form .query', (field) => { /** @type {HTMLInputElement} */ (field).value = '' })
        await inspector.page.type('main form .query', text)
        await inspector.page.keyboard.press('Enter')
      }
      await inspector.show('Key trace')
      await inspector.until('main', /Give a key/)
      await ask(key(1))
      await inspector.until('.answer', new RegExp(`^Found in level ${steps.at(-1)?.level}, in ${steps.at(-1)?.file}, sequence 2: old 1$`))
      const shown = await inspector.rows('steps')
      assert.deepEqual(shown.map((cells) => cells[2]), steps.map(({ file = '' }) => file))
      assert.ok(steps.every(({ offset }, index) => offset === undefined || shown[index][4] === offset.toLocaleString('en')))
      await inspector.until('#bill', new RegExp(`^${bill.tables} tables? considered, .* ${bill.filters} filters? asked: ${bill.noes} noe?s?, .* ${bill.blocks} blocks? read, ${bill.blockBytes.toLocaleString('en')} B`))
      await inspector.check()
      // A step selects its entry, which leads to a trace again.
      await inspector.page.click(`#steps [data-index="${steps.length - 1}"]`)
      await inspector.until('aside', /Data block 0 ▸ entry 1 .*sequence 2 .*old 1/)
      await inspector.check()
      await inspector.page.click('#tab-history')
      await inspector.until('main .foot', /^1 entry of the key in all tables and logs, live or not\.$/)
      await ask(key(7))
      await inspector.until('main .foot', /^2 entries of the key .* live or not\.$/)
      assert.deepEqual((await inspector.rows('history')).map((cells) => [cells[1], cells[6]]), [['put', 'newest 7'], ['put', 'old 7']])
      await inspector.until('#history', /live in L\d · (compaction|move|flush)/)
      await inspector.check()
      await inspector.page.click('#tab-trace')
      await inspector.until('.answer', /^Found in the log \d+\.log, sequence [\d,]+: newest 7$/)
      await ask(key(3))
      await inspector.until('.answer', /^Deleted in level \d.*tombstone ends the search/)
      await ask('user:00000003x')
      await inspector.until('.answer', /^Absent: no file/)

      // The filter of the table that has the key.
      await ask(key(1))
      await inspector.until('.answer', /old 1/)
      await inspector.page.click(`#steps [data-index="${steps.length - 1}"]`)
      await inspector.until('aside', /Data block 0 ▸ entry 1/)
      await inspector.show('Filter')
      await inspector.until('#filter-facts', /leveldb\.BuiltinBloomFilter2.* k 6 .*bits a key/)
      await ask(key(1))
      await inspector.until('#probe', /Block at 0 → filter 0 → (\d+✓ ){5}\d+✓\. Maybe; it is there, a true positive/)
      await inspector.page.evaluate(() => [...document.querySelectorAll('main button')].forEach((button) => /Measure|Self-test/.test(button.textContent ?? '') && /** @type {HTMLElement} */ (button).click()))
      await inspector.until('#measured', /of 10,000 absent keys passed, \d\.\d\d %/)
      await inspector.until('#self-test', /the filter lets all of [\d,]+ keys pass: no false negative/)
      assert.ok(await inspector.page.$eval('bit-grid canvas', (canvas) => /** @type {HTMLCanvasElement} */ (canvas).height) > 20)
      await inspector.check()
      await inspector.page.close()

      // With the block of the key damaged, nothing is known of it.
      const { file = '', offset = 0 } = steps[steps.length - 1]
      const bytes = readFileSync(join(path, file))
      bytes[offset + 5] ^= 1
      writeFileSync(join(path, file), bytes)
      const damaged = await rig.open({ fragment: '#' })
      await damaged.give(...paths)
      await damaged.until('main', /live/)
      await damaged.show('Key trace')
      await damaged.until('main', /Give a key/)
      await damaged.page.type('main form .query', key(1))
      await damaged.page.keyboard.press('Enter')
      await damaged.until('.answer', new RegExp(`^Unknown below this point \\(step ${steps.length}\\): ${file} at offset \\d+: .*checksum`))
      await damaged.until('#steps .row.bad', /unknown/)
      await damaged.check()
      await damaged.page.close()
    })

    test('a damaged database says what is wrong with the whole, and a report of it is the same twice', { skip: kind === 'firefox' && !long }, async () => {
      const place = inRoot('tests', 'fixtures', 'manifest-cut')
      const inspector = await rig.open()
      await inspector.give(...readdirSync(place).map((name) => join(place, name)))
      await inspector.until('.database', /A database comparator leveldb\.BytewiseComparator .*live tables/)
      const reports = []
      for (let round = 0; round < 2; round++) {
        await inspector.page.evaluate(async () => {
          const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
          await model.work.examine()
        })
        await inspector.until('main', /Report \(JSON\)/)
        reports.push(await inspector.page.evaluate(async () => {
          // What the button saves: the download itself is the browser's.
          const saved = new Promise((resolve) => {
            const make = URL.createObjectURL
            URL.createObjectURL = (blob) => {
              resolve(/** @type {Blob} */ (blob).text())
              URL.createObjectURL = make
              return make(blob)
            }
          })
          const button = [...document.querySelectorAll('button')].find(({ textContent }) => textContent === 'Report (JSON)')
          button?.click()
          return /** @type {Promise<string>} */ (saved)
        }))
      }
      assert.equal(reports[0], reports[1])
      const report = JSON.parse(reports[0])
      for (const { name, size, sha256 } of report.files) {
        const bytes = readFileSync(join(place, name))
        assert.equal(size, bytes.length)
        if (size > 0) assert.equal(sha256, createHash('sha256').update(bytes).digest('hex'), name)
      }
      assert.ok(report.files.some((/** @type {any} any: of the report */ { findings }) => findings.length > 0))
      await inspector.check()
      await inspector.page.close()
    })

    test('entries are exported as they are, and as CSV without formulas', { skip: kind === 'firefox' && !long }, async () => {
      const inspector = await rig.open({ fragment: '#/demo:healthy/entries?file=000005.ldb' })
      await inspector.until('#entries', /sensor/)
      const exported = (/** @type {string} */ format, /** @type {number} */ from, /** @type {number} */ to) => inspector.page.evaluate(async (format, from, to) => {
        const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
        await model.sweep(model.file)
        return (await model.work.export({ format, from, to })).text()
      }, format, from, to)
      const lines = (await exported('ndjson', 1000, 3000)).trimEnd().split('\n').map((line) => JSON.parse(line))
      assert.equal(lines.length, 2000)
      const all = (await exported('ndjson', 0, 5000)).trimEnd().split('\n')
      assert.equal(all.length, 5000)
      assert.deepEqual(JSON.parse(all[1000]), lines[0])
      // Every entry, as the command line's digest of the same table has it: compared with the spans of the inspector.
      let count = 0
      for await (const { kind: of, spans } of inspectTable({ name: '000005.ldb', size: readFileSync(DEMO('healthy')).length, read: readDemo }, { entries: true })) {
        if (of !== 'data') continue
        for (const { facts } of spans) {
          const { key, seq, type } = JSON.parse(all[count++])
          assert.deepEqual([Buffer.from(key.v).toString('hex'), seq, type === 'del' ? 'deletion' : 'value'], [facts.key.key, facts.key.sequence, facts.key.type])
        }
      }
      assert.equal(count, 5000)
      await inspector.page.close()

      const hostile = await rig.open({ fragment: '#/demo:hostile/entries?file=000005.ldb' })
      await hostile.until('#entries', /onerror/)
      const csv = await hostile.page.evaluate(async () => {
        const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
        await model.sweep(model.file)
        return (await model.work.export({ format: 'csv', from: 0, to: 28 })).text()
      })
      assert.match(csv, /\r\n"'=HYPERLINK\(""http/)
      assert.doesNotMatch(csv, /(^|,|\n)"?[=+@]/m)
      await hostile.check({ axe: false })
      await hostile.page.close()
    })

    test('a database of this site is read while its owner writes', async () => {
      const site = await serve({ '/': inRoot('tests', 'browser', 'pages'), '/pkg/': inRoot('pkg'), '/some/where/': inRoot('pkg', 'inspector') })
      const owner = await rig.browser.page(`${site.url}/blank.html`)
      await owner.evaluate(async (/** @type {string} */ url) => {
        const { Varve } = await import(url)
        const db = new Varve('ledger')
        await db.open()
        const state = /** @type {any} any: for this test */ (globalThis).state = { written: 0, stop: false, failure: '' }
        const write = async () => {
          while (!state.stop && state.written < 20_000) {
            await db.batch(Array.from({ length: 20 }, (_, i) => ({ type: 'put', key: String(state.written + i).padStart(8, '0'), value: 'x'.repeat(100) })))
            state.written += 20
          }
          await db.close()
        }
        write().catch((error) => { state.failure = String(error) })
      }, `${site.url}/pkg/browser.js`)
      const inspector = await openInspector(rig.browser, site.url)
      await inspector.until('.open', /Databases of this site .*ledger/)
      const before = await owner.evaluate(() => /** @type {any} any: as above */ (globalThis).state.written)
      await inspector.page.evaluate(() => /** @type {HTMLElement | undefined} */ ([...document.querySelectorAll('.demos button')].find(({ textContent }) => textContent?.includes('ledger')))?.click())
      await inspector.until('.database', /comparator leveldb\.BytewiseComparator .*findings none/)
      // All logs and tables together have a beginning of what was written.
      const keys = await inspector.page.evaluate(async () => {
        const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
        await model.work.examine()
        let count = 0
        for (const file of model.files) count += file.detected.kind === 'log' ? file.operationsBefore.at(-1) : file.detected.kind === 'table' ? file.regions.entriesBefore.at(-1) : 0
        return { count, findings: model.files.flatMap((/** @type {any} any: as above */ { name, findings }) => findings.filter((/** @type {any} any: as above */ { severity }) => severity !== 'info').map((/** @type {any} any: as above */ { code, reason }) => `${name} ${code} ${reason}`)) }
      })
      assert.deepEqual(keys.findings, [])
      assert.ok(keys.count >= before, `${keys.count} entries, ${before} were written before`)
      const { written, failure } = await owner.evaluate(async () => {
        const state = /** @type {any} any: as above */ (globalThis).state
        state.stop = true
        return state
      })
      assert.equal(failure, '')
      assert.ok(written >= before)
      // Read again, it shows the same of it as it is now; so does a link.
      await trace(inspector, '3030303030303030')
      await inspector.until('.answer', /^Found .*: x+/)
      const state = () => inspector.page.evaluate(() => ({ length: history.length, hash: location.hash, files: /** @type {any} any: as above */ (document.querySelector('inspector-app')).model.files.map((/** @type {any} any: as above */ { id }) => id).join() }))
      const shown = await state()
      assert.match(shown.hash, /^#\/opfs:ledger\/trace\?key=3030303030303030$/)
      await inspector.page.evaluate(() => [...document.querySelectorAll('header button')].find(({ textContent }) => textContent === 'Refresh')?.dispatchEvent(new MouseEvent('click')))
      for (let tries = 0; (await state()).files === shown.files; tries++) {
        assert.ok(tries < 200, 'the files are not read again')
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await inspector.until('.answer', /^Found .*: x+/)
      assert.deepEqual({ ...await state(), files: '' }, { ...shown, files: '' })
      await inspector.check()
      await inspector.page.close()
      await owner.close()
      site.close()
    })

    test('a file of five gigabytes is mapped at once, and read only when asked', { skip: kind === 'firefox' && !long }, async () => {
      const GIB = 2 ** 30
      const far = 4 * GIB + 12_345
      const path = join(folder, 'sparse.ldb')
      const block = (/** @type {string} */ key, /** @type {number} */ sequence) => sealed(blockOf([[internal(key, sequence), Buffer.from('value')]]))
      const [first, second] = [block('a', 1), block('m', 2)]
      const metaindex = sealed(blockOf([]))
      const at = 5 * GIB
      const index = sealed(blockOf([[internal('b', 9), [...varint(0), ...varint(first.length - 5)]], [internal('n', 9), [...varint(far), ...varint(second.length - 5)]]]))
      const file = await openFile(path, 'w')
      await file.write(first, 0, first.length, 0)
      await file.write(second, 0, second.length, far)
      const end = Buffer.concat([metaindex, index, footer({ offset: at, size: metaindex.length - 5 }, { offset: at + metaindex.length, size: index.length - 5 })])
      await file.write(end, 0, end.length, at)
      await file.close()

      const inspector = await rig.open()
      await inspector.give(path)
      await inspector.until('.legend tfoot', new RegExp((at + end.length).toLocaleString('en')), 10_000)
      await inspector.until('.progress', /Checked 0 of 2 data blocks/)
      await inspector.show('Blocks')
      await inspector.until('#blocks', new RegExp(`1 data ${far.toLocaleString('en')}`))
      const row = (await inspector.rows('blocks')).findIndex((cells) => cells[2] === far.toLocaleString('en'))
      await inspector.page.click(`#blocks [data-index="${row}"]`)
      await inspector.show('Entries')
      await inspector.until('#entries', /m 2 put value/)
      await inspector.show('Hex')
      await inspector.page.type('input[name=offset]', '4,294,967,296')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('#hex', /100000000/)
      await inspector.page.$eval('input[name=offset]', (field) => { /** @type {HTMLInputElement} */ (field).value = '' })
      await inspector.page.type('input[name=offset]', 'end-8')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('.path', /Footer ▸ magic/)
      // Reading all of it begins, says how fast, and stops at once.
      await inspector.show('Map')
      await inspector.page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('.progress button')).click())
      await inspector.until('.progress', /\/s · \d+ s left/)
      await inspector.page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('.progress button')).click())
      await inspector.until('.progress', /Check again/, 3000)
      await inspector.check()
      await inspector.page.close()
    })

    test('250 files are all listed, hostile names among them', { skip: kind === 'firefox' && !long }, async () => {
      const inside = mkdtempSync(join(folder, 'many-'))
      const hostile = ['<img src=x onerror=alert(1)>.ldb', '"\u202egpj.ldb', '__proto__']
      for (let i = 0; i < 247; i++) writeFileSync(join(inside, `${String(i + 10).padStart(6, '0')}.ldb`), readFileSync(DEMO('healthy')))
      for (const name of hostile) writeFileSync(join(inside, name), readFileSync(DEMO('healthy')))
      const inspector = await rig.open()
      await inspector.give(...readdirSync(inside).map((name) => join(inside, name)))
      await inspector.until('main', /250 files/)
      assert.equal(await inspector.page.$eval('#files .scroller', (grid) => grid.getAttribute('aria-rowcount')), '251')
      await inspector.page.focus('#files .scroller')
      await inspector.page.keyboard.press('End')
      await inspector.until('#files', /__proto__ .*<img src=x onerror=alert\(1\)>\.ldb/)
      await inspector.page.keyboard.press('Enter')
      await inspector.until('.swept', /82 of 82/)
      assert.match(await inspector.page.title(), /^<img src=x onerror=alert\(1\)>\.ldb /)
      await inspector.check()
      await inspector.page.close()
    })

    test('the map, the keys and the focus follow what is chosen', { skip: kind === 'firefox' && !long }, async () => {
      const inspector = await rig.open({ fragment: '#/demo:one-bit/map?file=000005.ldb' })
      await inspector.until('.swept', /81 of 82/)
      const slider = () => inspector.page.$eval('[role=slider]', (element) => [element.getAttribute('aria-valuenow'), element.getAttribute('aria-valuetext')])
      await inspector.page.focus('[role=slider]')
      for (const [now, text] of /** @type {const} */ ([['1', /^Data block 0:/], ['2', /^Data block 1:/], ['3', /^Data block 2:/]])) {
        await inspector.page.keyboard.press('ArrowRight')
        await inspector.until('.told', new RegExp(text.source))
        const [shown, said] = await slider()
        assert.equal(shown, now)
        assert.match(said ?? '', text)
      }
      // A letter after g is of the page, not of the map, which has keys of its own.
      await inspector.page.keyboard.press('g')
      await inspector.page.keyboard.press('d')
      await inspector.until('.findings', /T10/)
      await inspector.page.keyboard.press('/')
      await inspector.until('search', /Search/)
      await inspector.page.keyboard.type('prefix:no')
      assert.equal(await inspector.page.$eval('.query', (field) => /** @type {HTMLInputElement} */ (field).value), 'prefix:no')
      await inspector.page.focus('nav .item')
      await inspector.page.keyboard.press('?')
      await inspector.until('dialog', /Keys/)
      assert.equal(await inspector.page.evaluate(() => document.activeElement?.closest('dialog') !== null), true)
      await inspector.page.keyboard.press('Escape')
      await inspector.page.waitForSelector('dialog', { hidden: true }).catch(() => {})
      assert.equal(await inspector.page.$('dialog[open]'), null)
      await inspector.check()
      await inspector.page.close()
    })

    test('a link to a file of the machine asks for it, and does not take another for it', { skip: kind === 'firefox' && !long }, async () => {
      const first = await rig.open()
      await first.give(DEMO('healthy'))
      await first.until('.swept', /82 of 82/)
      await first.show('Entries')
      await first.until('#entries', /sensor/)
      await first.page.click('#entries [data-index="5"]')
      await first.until('aside', /entry 5/)
      const { hash } = new URL(first.page.url())
      assert.match(hash, /^#\/file:135035-[0-9a-f]{8}\/entries\?file=000005\.ldb&at=.*&entry=5/)
      await first.page.close()

      const again = await rig.open({ fragment: hash })
      await again.until('.open', /The link is about a file of your machine: 000005\.ldb/)
      await again.give(DEMO('healthy'))
      await again.until('aside', /Data block 0 ▸ entry 5/)
      await again.page.close()

      const other = await rig.open({ fragment: hash })
      await other.until('.open', /The link is about/)
      await other.give(DEMO('hostile'))
      await other.until('main', /This is another 000005\.ldb than that of the link/)
      assert.equal(await other.page.$('aside'), null)
      await other.check()
      await other.page.close()
    })

    test('a report names what is missing from a database', { skip: kind === 'firefox' && !long }, async () => {
      const place = inRoot('tests', 'fixtures', 'block-flip-snappy')
      const inspector = await rig.open()
      await inspector.give(...readdirSync(place).filter((name) => name !== 'CURRENT' && !/\.ldb$/.test(name)).map((name) => join(place, name)))
      await inspector.until('.database', /D01.*M02.*M02/)
      await inspector.check()
      await inspector.page.close()
    })

    test('the keyboard alone leads from the first screen to a damaged byte', { skip: kind === 'firefox' && !long }, async () => {
      const inspector = await rig.open()
      const { page } = inspector
      await inspector.until('h1', /every byte/)
      const focused = () => page.evaluate(() => (document.activeElement?.closest('label') ?? document.activeElement)?.textContent?.trim() ?? '')
      const tabTo = async (/** @type {RegExp} */ name, max = 40) => {
        for (let presses = 1; presses <= max; presses++) {
          await page.keyboard.press('Tab')
          if (name.test(await focused())) return presses
        }
        throw new Error(`Tab does not reach ${name}`)
      }
      const first = await tabTo(/^Open files$/)
      assert.ok(first <= 3, `${first} presses of Tab to Open files`)
      await tabTo(/^One bit off$/, 8)
      await page.keyboard.press('Enter')
      await inspector.until('.swept', /81 of 82 data blocks sound\. 1 finding/)
      await page.keyboard.press('g')
      await page.keyboard.press('d')
      await inspector.until('.findings', /T10/)
      await tabTo(/hex|bytes/i)
      await page.keyboard.press('Enter')
      await inspector.until('.path', /Data block \d+/)
      // Into the bytes, and along them.
      assert.equal(await page.evaluate(() => document.querySelector('#hex .scroller')?.contains(document.activeElement)), true)
      const before = await inspector.text('.path')
      await page.keyboard.press('ArrowRight')
      for (let tries = 0; await inspector.text('.path') === before; tries++) {
        assert.ok(tries < 100, 'the arrow does not move the byte')
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await page.keyboard.press('[')
      await page.keyboard.press('?')
      await inspector.until('dialog', /Keys/)
      await page.keyboard.press('Escape')
      await inspector.check()
      await page.close()
    })

    test('every view is usable when it is small, enlarged, dark or has few colours', { skip: kind === 'firefox' && 'only Chromium emulates them' }, async () => {
      for (const { forced, ...options } of [{ width: 390, height: 844, dark: true }, { width: 640, height: 400 }, { width: 1280, height: 800, forced: true }]) {
        const inspector = await rig.open({ ...options, fragment: '#/demo:one-bit/map?file=000005.ldb' })
        if (forced) {
          const session = await inspector.page.createCDPSession()
          await session.send('Emulation.setEmulatedMedia', { features: [{ name: 'forced-colors', value: 'active' }, { name: 'prefers-reduced-motion', value: 'reduce' }] })
          assert.equal(await inspector.page.evaluate(() => matchMedia('(forced-colors: active)').matches), true)
        }
        await inspector.until('.swept', /81 of 82/)
        await inspector.page.keyboard.press('n')
        const views = await inspector.page.$$eval('nav .item:not(:disabled) span:first-child', (items) => items.map((item) => (/^[A-Za-z]+/.exec(item.textContent?.trim() ?? '') ?? [''])[0]))
        assert.ok(views.length >= 9, views.join())
        for (const view of views) {
          await inspector.show(view)
          await new Promise((resolve) => setTimeout(resolve, 60))
          const { wide, cut } = await inspector.page.evaluate(() => ({
            wide: document.documentElement.scrollWidth - innerWidth,
            cut: [...document.querySelectorAll('main button, header button, main label, main select')].filter((each) => {
              const { left, right, width } = each.getBoundingClientRect()
              const isInScroller = each.closest('.scroller, table, .scroll') !== null
              return width > 0 && !isInScroller && (left < -1 || right > innerWidth + 1)
            }).map((each) => each.textContent?.trim())
          }))
          assert.ok(wide <= 0, `${view} at ${options.width} is ${wide} pixels too wide`)
          assert.deepEqual(cut, [], `${view} at ${options.width}`)
        }
        await inspector.check()
        await inspector.page.close()
      }
    })

    test('the page in one file works from a disk', async () => {
      const page = await rig.browser.page('about:blank')
      /** @type {string[]} */
      const wrong = []
      page.on('console', (message) => ['error', 'warn'].includes(message.type()) && wrong.push(message.text()))
      page.on('pageerror', (error) => wrong.push(String(error)))
      await page.goto(pathToFileURL(inRoot('pkg', 'inspector.html')).href)
      const inspector = new Inspector(page, wrong)
      await inspector.until('h1', /every byte/)
      await inspector.give(DEMO('one-bit'))
      await inspector.until('.swept', /81 of 82 data blocks sound\. 1 finding/)
      await inspector.show('Entries')
      await inspector.until('#entries', /sensor/)
      assert.deepEqual(wrong, [])
      await page.close()
    })

    test('entries are found by a prefix in few blocks, and by bytes in all', { skip: kind === 'firefox' && !long }, async () => {
      const inspector = await rig.open({ fragment: '#/demo:healthy/search?file=000005.ldb' })
      await inspector.until('.empty', /prefix:/)
      for (const [query, found] of /** @type {const} */ ([
        ['prefix:sensor/07/2026-03-1', /^100 matches in [23] blocks$/], ['"celsius":12.', /^\d+ matches in 82 blocks$/], ['hex:63 65 ?? 73 69 75 73 22 3a 31 32 2e', /^\d+ matches in 82 blocks$/],
        ['key:celsius', /^0 matches in 82 blocks$/], ['prefix:zzz', /^0 matches in/]
      ])) {
        // Typed again if what had the focus was drawn anew meanwhile.
        const typed = () => inspector.page.$eval('.query', (field) => /** @type {HTMLInputElement} */ (field).value)
        for (let tries = 0; await typed() !== query; tries++) {
          assert.ok(tries < 3, `${await typed()} instead of ${query}`)
          await inspector.page.$eval('.query', (field) => { /** @type {HTMLInputElement} */ (field).value = '' })
          await inspector.page.type('.query', query)
        }
        await inspector.page.$eval('.query', (field) => /** @type {HTMLInputElement} */ (field).form?.requestSubmit())
        await inspector.until('.foot', found)
      }
      await inspector.check()

      // The same entries by how their keys begin.
      await inspector.show('Namespaces')
      await inspector.until('main', /Count the keys/)
      await inspector.page.click('main p button')
      await inspector.until('.foot', /5,000 entries in 1 group, .* 82 of 82 blocks read/)
      await inspector.page.click('#groups [data-index="0"]')
      await inspector.page.keyboard.press('Enter')
      await inspector.until('.foot', /5,000 entries in 20 groups/)
      const groups = await inspector.rows('groups')
      assert.deepEqual(groups.map(([name, count]) => [name, count]).sort(), Array.from({ length: 20 }, (_, i) => [`sensor/${String(i).padStart(2, '0')}/`, '250']))
      await inspector.check()
      await inspector.page.close()
    })

    test('the folder of a page’s IndexedDB names its comparator, its databases and what its keys mean', async () => {
      const place = inRoot('tests', 'fixtures', 'chromium-library')
      const inspector = await rig.open()
      await inspector.give(...readdirSync(place).map((name) => join(place, name)))
      await inspector.until('.database', /comparator idb_cmp1 .*last sequence 18,184 in a log, 18,182 in the manifest .*findings none/)
      const look = (/** @type {string} */ name) => inspector.page.evaluate(async (name) => {
        const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
        await model.look(model.files.find((/** @type {any} any: as above */ file) => file.name === name), 'entries')
        await model.work.sweep(model.file)
        model.setScope('all')
      }, name)
      await look('000008.ldb')
      await inspector.until('#entries', /schema version/)
      assert.deepEqual(await inspector.page.evaluate(() => /** @type {any} any: as above */ (document.querySelector('inspector-app')).model.file.findings), [])
      const shown = (await inspector.rows('entries')).map((row) => row[4])
      assert.match(shown[0], /^schema version/)
      assert.ok(shown.some((key) => /^(name|version) of the database ▸? ?library/.test(key) || /library/.test(key)), shown.join('\n'))
      await inspector.page.evaluate(async () => {
        const { model } = /** @type {any} any: as above */ (document.querySelector('inspector-app'))
        const { regions, blocks } = model.file
        for (const region of regions.data) {
          const offset = regions.columns.offset[region]
          await model.decode(offset)
          const entry = blocks.get(offset).keys.findIndex((/** @type {any} any: as above */ key) => key?.kind === 'record')
          if (entry >= 0) return model.selectEntry(offset, entry)
        }
      })
      await inspector.until('aside', /Meaning IndexedDB, because the comparator of the database is idb_cmp1 what record database 1 library object store 1 books key "978-\d{4}"/)
      await inspector.check()
      const choose = (/** @type {string} */ text) => inspector.page.evaluate((text) => [...document.querySelectorAll('.choice button')].find((each) => each.textContent?.startsWith(text))?.dispatchEvent(new MouseEvent('click')), text)
      await choose('As bytes')
      await inspector.until('#entries', /^(?!.*record library)/)
      assert.doesNotMatch(await inspector.text('aside'), /Meaning/)
      await choose('Keys of IndexedDB')
      await inspector.until('#entries', /record library ▸ books ▸ "978-/)
      await look('000006.log')
      await inspector.show('Files')
      await inspector.until('.database', /IndexedDB library .*books/)
      const db = new Varve(place, { readOnly: true, comparator: 'idb_cmp1', keyEncoding: 'hex' })
      const keys = await db.keys().all()
      await db.close()
      await trace(inspector, keys[keys.length >> 1])
      await inspector.until('.answer', /^Found in level 2, in 000008\.ldb, sequence [\d,]+: /)
      await inspector.check()
      await inspector.page.close()
    })

    test('a table of an order that nobody here knows is no damage, and a torn log is a note', { skip: kind === 'firefox' && !long }, async () => {
      const place = inRoot('tests', 'fixtures', 'comparator-reverse')
      const inspector = await rig.open()
      await inspector.give(...readdirSync(place).map((name) => join(place, name)))
      await inspector.until('.database', /comparator corpus\.ReverseBytewise .*M07/)
      const codes = () => inspector.page.evaluate(async () => {
        const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
        await model.work.examine()
        return model.files.flatMap((/** @type {any} any: as above */ { findings }) => findings.map((/** @type {any} any: as above */ { code, severity }) => `${code} ${severity}`))
      })
      assert.deepEqual(await codes(), ['M07 info'])
      await trace(inspector, '6b')
      await inspector.until('.answer', /^Not looked up: the keys are in the order of corpus\.ReverseBytewise, which is not known\.$/)
      assert.equal(await inspector.page.$('.answer.bad'), null)
      await inspector.check()
      await inspector.page.close()
      const torn = await rig.open({ fragment: '#/demo:torn-log/damage?file=000003.log' })
      await torn.until('.findings', /W04/)
      await torn.check()
      await torn.page.close()
    })

    test('hostile text is shown, and does nothing', async () => {
      const inspector = await rig.open({ fragment: '#/demo:hostile/entries?file=000005.ldb' })
      await inspector.until('#entries', /<img src=x onerror=alert\(1\)>/)
      const before = await inspector.page.evaluate(() => document.querySelectorAll('img, svg, script, a').length)
      for (let i = 0; i < 12; i++) await inspector.page.keyboard.press('.')
      await inspector.page.click('#entries [data-index="1"]')
      await inspector.until('aside', /entry 1/)
      assert.equal(await inspector.page.evaluate(() => document.querySelectorAll('img, svg, script, a').length), before)
      const heights = await inspector.page.$$eval('#entries .layer .row', (rows) => rows.map((row) => row.getBoundingClientRect().height))
      assert.deepEqual([...new Set(heights)], [24])
      await inspector.check()
      await inspector.page.close()
    })
  })
}

/** How many pixels of a canvas are of the colour of damage. @param {Element} element */
function hasRed(element) {
  const canvas = /** @type {HTMLCanvasElement} */ (element)
  const { data } = /** @type {ImageData} */ (canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height))
  let count = 0
  for (let i = 0; i < data.length; i += 4) if (data[i] > 150 && data[i + 1] < 40 && data[i + 2] < 70) count++
  return count
}
