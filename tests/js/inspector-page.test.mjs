// The parts of the inspector's page that need no page: text, numbers, addresses, long lists, regions.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { groupEnd, ruleOf } from '../../www/model/grouping.js'
import { grouped } from '../../www/groups.js'
import { addressOf, parseAddress, placeOf, tagOfAll } from '../../www/model/address.js'
import { readAhead } from '../../www/model/cache.js'
import { doubtOf } from '../../www/model/doubt.js'
import { OpenFile } from '../../www/model/file.js'
import { inOrder, placesIn, USUAL } from '../../www/model/file-order.js'
import { Regions } from '../../www/model/regions.js'
import { asHtml, asJson, reportOf } from '../../www/report.js'
import { timesIn } from '../../www/model/times.js'
import { scrollOf, topOf, Window } from '../../www/model/window.js'
import { partsOf, plainText } from '../../www/ui/bytes.js'
import { counted, offsetOf, sized } from '../../www/ui/numbers.js'
import { columnsOf, ticksOf } from '../../www/ui/paint.js'
import { CODES } from '../../www/views/damage.js'
import { detect, openLive, REGION_KINDS, REGION_STATES } from '../../src/js/inspect/index.js'
import { randomOf } from './lib/remote.mjs'
import { sourceOfBytes } from './lib/tables.mjs'

const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text)

describe('bytes as text', () => {
  test('what could hide, move or reorder other text is shown by its number', () => {
    /** @type {[Uint8Array, string][]} */
    const cases = [
      [bytes('user:1'), 'user:1'],
      [bytes('a\0b\n'), 'a⟦00⟧b⟦0A⟧'],
      [Uint8Array.of(0x61, 0xc3, 0x28, 0xff), 'a⟦C3⟧(⟦FF⟧'],
      [bytes('\u202eevil\u2066'), '⟦U+202E⟧evil⟦U+2066⟧'],
      [bytes('zero\u200bwidth\ufeff'), 'zero⟦U+200B⟧width⟦U+FEFF⟧'],
      [bytes('\u3164x\u115f'), '⟦U+3164⟧x⟦U+115F⟧'],
      [bytes('\ue000'), '⟦U+E000⟧'],
      [bytes('é ü 中 😀'), 'é ü 中 😀'],
      [bytes('👩‍👩‍👧‍👦'), '👩‍👩‍👧‍👦'],
      [bytes('a\u200db'), 'a⟦U+200D⟧b'],
      // A surrogate, an overlong form and a number above the last, as bytes.
      [Uint8Array.of(0xed, 0xa0, 0x80), '⟦ED⟧⟦A0⟧⟦80⟧'],
      [Uint8Array.of(0xc0, 0x80), '⟦C0⟧⟦80⟧'],
      [Uint8Array.of(0xf4, 0x90, 0x80, 0x80), '⟦F4⟧⟦90⟧⟦80⟧⟦80⟧'],
      // Cut in a character.
      [bytes('中').subarray(0, 2), '⟦E4⟧⟦B8⟧']
    ]
    for (const [given, expected] of cases) assert.equal(plainText(given), expected)
  })

  test('every byte is in one part, and text is what it was', () => {
    const below = randomOf(7)
    const random = () => below(2 ** 31)
    for (let round = 0; round < 300; round++) {
      const given = Uint8Array.from({ length: random() % 40 }, () => random() % 3 === 0 ? random() % 256 : 0x20 + random() % 96)
      const { parts, end } = partsOf(given, Infinity)
      assert.equal(end, given.length)
      for (const [index, part] of parts.entries()) {
        const until = parts[index + 1]?.at ?? end
        if (!part.chip) assert.deepEqual(bytes(part.text), given.slice(part.at, until))
      }
    }
  })

  test('a long value is cut, and told to be', () => {
    assert.match(plainText(bytes('A'.repeat(1000)), 10), /^A{10} … \+990 B$/)
  })
})

describe('numbers', () => {
  test('offsets are read as people type them', () => {
    const from = { at: 1000, size: 711_171 }
    for (const [text, offset] of /** @type {const} */ ([
      ['0', 0], ['17,652', 17_652], ['0x1a0', 416], ['end-48', 711_123], ['+16', 1016], ['-16', 984], [' 12 ', 12], ['end', undefined],
      ['711171', undefined], ['-2000', undefined], ['', undefined], ['x', undefined], ['1e3', undefined], ['end - 0x30', 711_123]
    ])) assert.equal(offsetOf(text, from), offset, text)
  })

  test('one is not many', () => {
    assert.deepEqual([counted(0, 'match', 'matches'), counted(1, 'match', 'matches'), counted(1000, 'finding')], ['0 matches', '1 match', '1,000 findings'])
  })

  test('sizes are short', () => {
    assert.deepEqual([0, 999, 1000, 711_171, 5 << 20, 5 * 2 ** 30].map(sized), ['0 B', '999 B', '1.0 kB', '711 kB', '5.2 MB', '5.4 GB'])
  })

  test('ticks are at round numbers, and few', () => {
    const below = randomOf(3)
    const random = () => below(2 ** 31)
    for (let round = 0; round < 200; round++) {
      const from = random() % 1e9
      const to = from + 8 + random() % 1e9
      const ticks = ticksOf(from, to, 9)
      assert.ok(ticks.length <= 10 && ticks.every((tick) => tick >= from && tick < to && Number.isInteger(tick)), `${from} ${to}: ${ticks}`)
    }
  })
})

test('every code has its own sentence, and is in the documentation', () => {
  const documented = [...readFileSync(inRoot('docs', 'inspector.md'), 'utf8').matchAll(/^\| ([A-Z]\d\d) \|/gm)].map(([, code]) => code)
  assert.deepEqual(Object.keys(CODES).sort(), [...new Set(documented)].sort())
  assert.equal(new Set(Object.values(CODES)).size, Object.keys(CODES).length)
})

test('an error of a browser is told by its name, not by its old number', () => {
  const file = new OpenFile({ name: 'a', size: 1, blob: new Blob(['a']) }, () => {})
  file.fail({ name: 'NotReadableError', code: 0, message: 'changed' })
  assert.equal(file.failure?.code, 'NotReadableError')
  file.fail({ name: 'Error', code: 'LEVEL_IO_ERROR', message: 'lost' })
  assert.equal(file.failure?.code, 'LEVEL_IO_ERROR')
})

describe('the list of files', () => {
  const named = (/** @type {string[]} */ names) => names.map((name, place) => ({ name, size: [30, 10, 20][place % 3] }))

  test('is folder by folder, as LevelDB\'s files are looked for, with numbers as numbers', () => {
    const names = ['CURRENT', 'MANIFEST-000002', 'MANIFEST-000010', '9.log', '000010.log', '000007.sst', '000008.ldb', '100000.ldb', '1000001.ldb', 'file 2.ldb', 'file 10.ldb', 'LOCK', 'LOG', 'LOG.old', 'a/CURRENT', 'a/000001.ldb', 'a 10/x', 'b/000001.ldb']
    const expected = ['CURRENT', 'MANIFEST-000002', 'MANIFEST-000010', '9.log', '000010.log', '000007.sst', '000008.ldb', '100000.ldb', '1000001.ldb', 'file 2.ldb', 'file 10.ldb', 'LOCK', 'LOG', 'LOG.old']
    const below = randomOf(5)
    for (let round = 0; round < 20; round++) {
      const mixed = [...names].sort(() => below(3) - 1)
      const ordered = inOrder(named(mixed)).map(({ name }) => name)
      assert.deepEqual(ordered.slice(0, expected.length), expected)
      assert.deepEqual(ordered.filter((name) => name.startsWith('a/')), ['a/CURRENT', 'a/000001.ldb'])
      assert.equal(ordered.at(-1), 'b/000001.ldb')
    }
  })

  test('has names and sizes up and down, equal sizes in the usual order', () => {
    const files = named(['CURRENT', '000002.log', '000010.ldb', 'LOG', 'x', 'y'])
    const by = (/** @type {import('../../www/model/file-order.js').Order} */ order) => placesIn(files, order)
    assert.deepEqual(by(USUAL), [0, 1, 2, 3, 4, 5])
    assert.deepEqual(by({ by: 'size', isDown: true }), [0, 3, 2, 5, 1, 4])
    assert.deepEqual(by({ by: 'size', isDown: false }), [1, 4, 2, 5, 0, 3])
    assert.deepEqual(by({ by: 'name', isDown: false }).map((place) => files[place].name), ['000002.log', '000010.ldb', 'CURRENT', 'LOG', 'x', 'y'])
    assert.deepEqual(by({ by: 'name', isDown: true }), [...by({ by: 'name', isDown: false })].reverse())
  })
})

test('what is doubted of a block is the worst that is known of it', () => {
  const found = (/** @type {('info' | 'warn' | 'bad')[]} */ ...severities) => severities.map((severity) => ({ severity }))
  assert.deepEqual(
    [doubtOf('sound'), doubtOf('unread', found('info')), doubtOf('found'), doubtOf('doubtful'), doubtOf('unread', found('warn')), doubtOf('bad'), doubtOf('unread', found('warn', 'bad'))],
    [undefined, undefined, undefined, 'doubtful', 'doubtful', 'damaged', 'damaged'])
})

test('a report is known as one when it is given to the page', async () => {
  const report = reportOf({ source: '1 file', files: [new OpenFile({ name: 'a', size: 1, blob: new Blob(['a']) }, () => {})], folders: [] })
  const { kind, format } = await detect(sourceOfBytes(bytes(asJson(report)), 'a.report.json'))
  assert.deepEqual([kind, format], ['foreign', 'report of the inspector'])
  const html = asHtml(report)
  assert.equal((await detect(sourceOfBytes(bytes(html), 'a.report.html'))).format, 'HTML page')
  assert.match(html, /<p>1 file, no damage/)
  assert.match(html, /<td>1 byte</)
})

describe('addresses', () => {
  test('what was written is read', () => {
    /** @type {import('../../www/model/address.js').Address[]} */
    const all = [
      { source: 'demo:healthy', file: '000005.ldb', view: 'map', selection: undefined, zoom: undefined },
      { source: 'file:711171-1a2b3c4d', file: 'a b/ü&=?#.ldb', view: 'hex', selection: { from: 0, to: 5 * 2 ** 30, entry: 3 }, zoom: [4, 99] },
      { source: 'demo:indexeddb', file: '', view: 'files', selection: undefined, zoom: undefined },
      { source: 'files:12-1a2b3c4d', file: '000005.ldb', view: 'trace', selection: { from: 5, to: 9 }, zoom: undefined, name: 'a & b', traced: { key: '00ff', sequence: '7', tab: 'history' } },
      { source: 'opfs:a b', file: '', view: 'trace', selection: undefined, zoom: undefined, traced: { key: '' } },
      { source: 'demo:healthy', file: '000005.ldb', view: 'search', selection: undefined, zoom: undefined, searched: { text: 'hex:6b ?? 31&#é', where: 'files' } },
      { source: 'demo:healthy', file: '000005.ldb', view: 'search', selection: { from: 5, to: 9 }, zoom: undefined, searched: { text: 'a', where: 'file' } }
    ]
    for (const address of all) assert.deepEqual(parseAddress(addressOf(address)), address)
  })

  test('anything else is no address', () => {
    for (const text of ['', '#', '#/', '#/x/none?file=a', '#/%zz/map?file=a', '#/demo:x/map', 'javascript:alert(1)']) assert.equal(parseAddress(text), undefined, text)
    assert.equal(parseAddress('#/demo:x/map?file=a&at=9-3&zoom=1-99999999999999999')?.selection, undefined)
    for (const key of ['0', 'zz', '%3Cimg%3E']) assert.equal(parseAddress(`#/demo:x/trace?key=${key}`)?.traced, undefined)
    assert.deepEqual(parseAddress('#/demo:x/trace?key=00&sequence=-1&tab=x')?.traced, { key: '00' })
  })

  test('a selection and a zoom are no other place; a file, a view and a key are', () => {
    const address = /** @type {const} */ ({ source: 'demo:x', file: 'a', view: 'hex' })
    const place = placeOf(address)
    assert.equal(placeOf({ ...address, selection: { from: 1, to: 2 }, zoom: [0, 9] }), place)
    assert.notEqual(placeOf({ ...address, file: 'b' }), place)
    assert.notEqual(placeOf({ ...address, view: 'map' }), place)
    // The steps of one trace are in several files.
    const traced = { ...address, view: /** @type {const} */ ('trace'), traced: { key: '00' } }
    assert.equal(placeOf({ ...traced, file: 'b' }), placeOf(traced))
    assert.notEqual(placeOf({ ...traced, traced: { key: '01' } }), placeOf(traced))
  })

  test('several files are named alike in any order, and otherwise if one has another name or size', () => {
    const files = [{ name: 'a', size: 1 }, { name: 'b', size: 2 }]
    const tag = tagOfAll(files)
    assert.match(tag, /^files:2-[0-9a-f]{8}$/)
    assert.equal(tagOfAll([...files].reverse()), tag)
    assert.notEqual(tagOfAll([files[0], { name: 'b', size: 3 }]), tag)
    assert.notEqual(tagOfAll([files[0], { name: 'c', size: 2 }]), tag)
  })
})

describe('long lists', () => {
  test('every row can be reached, by the bar and by the keys', () => {
    for (const count of [0, 1, 20, 34, 1000, 625_000, 1_000_000, 100_000_000, 335_544_320]) {
      for (const visible of [0, 1, 20.5, 33.33]) {
        const window = new Window(count, visible, 24)
        assert.equal(topOf(window, 0), 0)
        const end = Math.max(0, window.scrollHeight - visible * 24)
        assert.ok(Math.abs(topOf(window, end) - window.topMax) < 1e-6, `${count} ${visible}`)
        for (const part of [0, 0.1, 0.5, 0.999, 1]) {
          const top = window.topMax * part
          assert.ok(Math.abs(topOf(window, scrollOf(window, top)) - top) < 1e-3, `${count} ${visible} ${part}`)
        }
        assert.equal(window.clamp(-5), 0)
        assert.equal(window.clamp(1e12), window.topMax)
      }
    }
  })
})

describe('regions', () => {
  const kind = (/** @type {string} */ name) => REGION_KINDS.indexOf(name)
  const state = (/** @type {string} */ name) => REGION_STATES.indexOf(name)
  /** @param {[number, number, string, string, number?][]} rows offset, size, kind, state, entries */
  const columns = (rows) => ({
    length: rows.length,
    offset: Float64Array.from(rows, ([offset]) => offset),
    size: Float64Array.from(rows, ([, size]) => size),
    kind: Uint8Array.from(rows, ([, , name]) => kind(name)),
    state: Uint8Array.from(rows, ([, , , name]) => state(name)),
    codec: new Uint8Array(rows.length),
    raw: new Uint32Array(rows.length),
    entries: Uint32Array.from(rows, ([, , , , entries]) => entries ?? 0),
    deletions: new Uint32Array(rows.length),
    restarts: new Uint32Array(rows.length)
  })
  const listed = (/** @type {Regions} */ regions) => Array.from({ length: regions.length }, (_, index) => {
    const { offset, size, kind, state } = regions.at(index)
    return [offset, size, kind, state]
  })

  test('a sweep tells the state of blocks, and replaces gaps by what it found', () => {
    const regions = new Regions(columns([[0, 100, 'data', 'unread'], [100, 900, 'gap', 'unread'], [1000, 48, 'footer', 'sound']]))
    regions.apply(columns([[0, 100, 'data', 'sound', 7]]))
    regions.apply(columns([[300, 50, 'data', 'found', 3], [120, 30, 'data', 'found', 2]]))
    regions.flush()
    assert.deepEqual(listed(regions), [
      [0, 100, 'data', 'sound'], [100, 20, 'gap', 'unread'], [120, 30, 'data', 'found'], [150, 150, 'gap', 'unread'],
      [300, 50, 'data', 'found'], [350, 650, 'gap', 'unread'], [1000, 48, 'footer', 'sound']
    ])
    assert.deepEqual([...regions.entriesBefore], [0, 7, 9, 12])
    assert.deepEqual([regions.numberOf(2), regions.numberOf(3), regions.numberOf(4)], [1, -1, 2])
    assert.equal(regions.having(310)?.offset, 300)
    assert.equal(regions.having(2000), undefined)
    const { kinds, unread, bad, data } = regions.totals()
    assert.deepEqual([unread, bad, data], [0, 0, 3])
    assert.equal(kinds.reduce((sum, { bytes }) => sum + bytes, 0), 1048)
  })

  test('half a million blocks that are found one after the other cost seconds, not a minute', () => {
    const parts = 512
    const each = 1024
    const regions = new Regions(columns([[0, parts * each * 10, 'gap', 'unread']]))
    const begun = performance.now()
    for (let part = 0; part < parts; part++) {
      regions.apply(columns(Array.from({ length: each }, (_, i) => [(part * each + i) * 10, 10, 'data', 'found', 1])))
    }
    regions.flush()
    assert.equal(regions.data.length, parts * each)
    assert.equal(regions.entriesBefore.at(-1), parts * each)
    assert.ok(performance.now() - begun < 20_000)
  })

  test('a damaged block among a million is seen on the map', () => {
    const rows = 1_000_000
    const all = columns([])
    const big = { ...all, length: rows, offset: new Float64Array(rows), size: new Float64Array(rows).fill(10), kind: new Uint8Array(rows).fill(kind('data')), state: new Uint8Array(rows).fill(state('sound')) }
    for (let i = 0; i < rows; i++) big.offset[i] = i * 10
    for (const name of /** @type {const} */ (['codec'])) big[name] = new Uint8Array(rows)
    for (const name of /** @type {const} */ (['raw', 'entries', 'deletions', 'restarts'])) big[name] = new Uint32Array(rows)
    big.state[654_321] = state('bad')
    const drawn = columnsOf(new Regions(big), 0, rows * 10, 1000)
    assert.deepEqual(drawn.flatMap((column, x) => column?.state === 'bad' ? [x] : []), [654])
  })
})

describe('namespaces', () => {
  const keys = (/** @type {string[]} */ ...texts) => texts.map(bytes)

  test('the separator is guessed that most keys have, and that comes first', () => {
    assert.deepEqual(ruleOf(keys('user:1/a', 'user:2/b', 'post:3/c')), { at: 0x3a })
    assert.deepEqual(ruleOf(keys('!users!1', '!users!2', '!posts!1:2')), { at: 0x21 })
    assert.deepEqual(ruleOf(keys('a\x001', 'b\x002', 'c')), { at: 0 })
    assert.deepEqual(ruleOf(keys('item001', 'item002', 'item113')), { bytes: 5 })
    assert.deepEqual(ruleOf([]), { bytes: 1 })
  })

  test('a part ends behind its separator, unless nothing follows', () => {
    const [key] = keys('!a!b!c!')
    assert.equal(groupEnd(key, 0, { at: 0x21 }), 3)
    assert.equal(groupEnd(key, 3, { at: 0x21 }), 5)
    assert.equal(groupEnd(key, 5, { at: 0x21 }), -1)
    assert.equal(groupEnd(key, 0, { bytes: 4 }), 4)
    assert.equal(groupEnd(key, 0, { bytes: 7 }), -1)
  })

  test('groups of a table have what its entries have, all together and one by one', async () => {
    const live = await openLive({ blockSize: 512, compression: 'snappy' })
    /** @type {Map<string, { count: number, deletes: number, keyBytes: number, valueBytes: number }>} */
    const expected = new Map()
    const below = randomOf(11)
    for (let i = 0; i < 3000; i++) {
      const group = ['user:', 'post:', 'post:x:', 'log:', ''][below(5)]
      const key = bytes(`${group}${String(i).padStart(6, '0')}`)
      const value = bytes('v'.repeat(below(50)))
      const isDelete = below(4) === 0
      await (isDelete ? live.del(key) : live.put(key, value))
      const name = group === 'post:x:' ? 'post:' : group
      const sum = expected.get(name) ?? { count: 0, deletes: 0, keyBytes: 0, valueBytes: 0 }
      expected.set(name, { count: sum.count + 1, deletes: sum.deletes + Number(isDelete), keyBytes: sum.keyBytes + key.length, valueBytes: sum.valueBytes + (isDelete ? 0 : value.length) })
    }
    // Tombstones with nothing beneath would be left out.
    await live.put(bytes('~'), bytes(''))
    const snapshotOf = async () => live.files().filter(({ name }) => name.endsWith('.ldb'))
    await live.flush()
    const tables = await snapshotOf()
    const last = async (/** @type {{ prefix: Uint8Array }} */ wanted) => {
      let part
      for await (part of grouped(tables, wanted, new AbortController().signal));
      assert.ok(part)
      return part
    }
    const part = await last({ prefix: new Uint8Array() })
    assert.deepEqual(part.rule, { at: 0x3a })
    assert.equal(part.blocks, part.total)
    const found = new Map(part.groups.map(({ prefix, kind, ...sums }) => [prefix === undefined ? '' : new TextDecoder().decode(prefix), sums]))
    const total = part.groups.reduce((sum, { stored }) => sum + stored, 0)
    assert.ok(total > 0 && total <= tables.reduce((sum, { size }) => sum + size, 0))
    for (const [name, { deletes, ...sums }] of expected) {
      const { stored, deletes: kept = 0, ...own } = found.get(name) ?? {}
      // A flush to an empty tree leaves tombstones out.
      const lost = deletes - kept
      assert.ok(lost === 0 || kept === 0, `${name}: ${kept} of ${deletes} deletes`)
      if (name !== '') assert.equal(own.count, sums.count - lost)
      if (name !== '') assert.equal(own.valueBytes, sums.valueBytes)
    }
    const inside = await last({ prefix: bytes('post:') })
    assert.equal(inside.entries, found.get('post:')?.count)
    await live.close()
  })
})

test('LOG tells when tables were written', () => {
  const text = `2026/11/21-02:21:05.260845 139892952782528 Level-0 table #5: started
2026/11/21-02:21:05.269263 139892952782528 Level-0 table #5: 61373 bytes OK
2026/11/21-02:21:05.553881 140400648115904 Compacting 1@1 + 1@2 files
2026/11/21-02:21:05.556229 140400648115904 Generated table #8@1: 480 keys, 9633 bytes
2026/11/21-02:21:06.000000 140400648115904 Level-0 table #9: 0 bytes IO error: disk full
Level-0 table #10: 1 bytes OK, without a time
2026-11-21T02:21:07.123+01:00 7f00 Level-0 table #11: 5 bytes OK
`
  assert.deepEqual([...timesIn(text)], [['5', '2026-11-21 02:21:05.269'], ['8', '2026-11-21 02:21:05.556'], ['11', '2026-11-21 02:21:07.123']])
  assert.equal(timesIn('').size, 0)
})

describe('reading ahead', () => {
  const content = Uint8Array.from({ length: 9_000_000 }, (_, at) => at * 31 ^ at >> 8)
  const piece = (/** @type {number} */ from, /** @type {number} */ length) => content.subarray(from, from + length)

  test('reads of any order and size give the bytes of the file', async () => {
    const source = readAhead(sourceOfBytes(content, '000005.ldb'))
    const below = randomOf(11)
    let at = 0
    for (let round = 0; round < 400; round++) {
      // Mostly onwards, or a little back; sometimes far away, or past the end.
      at = below(8) === 0 ? below(content.length + 10) : Math.max(0, at - below(5000))
      const into = new Uint8Array(below(20) === 0 ? below(6_000_000) : below(70_000))
      const count = await source.read(at, into)
      assert.equal(count, Math.max(0, Math.min(into.length, content.length - at)))
      assert.ok(Buffer.compare(into.subarray(0, count), piece(at, count)) === 0, `${into.length} bytes at ${at}`)
      at += count
    }
  })

  test('a sweep reads each byte once, and no window waits for the one before to be used', async () => {
    const inner = sourceOfBytes(content, '000005.ldb')
    let [read, started] = [0, 0]
    const source = readAhead({ ...inner, read: (at, into) => { started++; read += into.length; return inner.read(at, into) } })
    const into = new Uint8Array(4101)
    for (let at = 0; at < content.length; at += into.length) {
      if (at > 0) assert.ok(read > at + into.length || read === content.length)
      await source.read(at, into)
    }
    assert.equal(read, content.length)
    assert.ok(started < 10, `${started} reads`)
  })

  test('a part that cannot be read does not take what is before it', async () => {
    const inner = sourceOfBytes(content, '000005.ldb')
    const [from, to] = [1_000_000, 1_004_096]
    const source = readAhead({
      ...inner,
      async read(at, into) {
        if (at < to && at + into.length > from) throw Object.assign(new Error('read error'), { code: 'EIO' })
        return inner.read(at, into)
      }
    })
    const into = new Uint8Array(4096)
    for (let at = 0; at + into.length <= content.length; at += into.length) {
      if (at < to && at + into.length > from) await assert.rejects(source.read(at, into), { code: 'EIO' })
      else {
        assert.equal(await source.read(at, into), into.length)
        assert.ok(Buffer.compare(into, piece(at, into.length)) === 0, `at ${at}`)
      }
    }
  })
})
