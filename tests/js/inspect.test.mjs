// varve/inspect on tables: maps, sweeps, blocks and kinds of files, over the fixtures and the shared
// corpus ($VARVE_CORPUS or ../shared/corpus).
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import zlib from 'node:zlib'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import * as inspect from '../../src/js/inspect/index.js'
import { corpusFiles, noCorpus } from './lib/corpus.mjs'
import { blockOf, footer, internal, sealed, sourceOfBytes, tableOf, varint } from './lib/tables.mjs'

const { CODECS, REGION_KINDS, REGION_STATES, detect, inspectTable, keyOf, mapTable, openBlock, searchBlocks, sourceOf, sweepTable, valueOf } = inspect

const FIXTURES = inRoot('tests', 'fixtures')
const files = fs.readdirSync(FIXTURES, { recursive: true }).filter((name) => /\.ldb$/.test(name)).map((name) => join(FIXTURES, name))
const fixture = (name) => fs.readFileSync(join(FIXTURES, name))

/** All of a sweep. */
async function swept(bytes) {
  const all = { rows: [], findings: [], summary: undefined, done: 0 }
  for await (const { done, regions, findings, summary } of sweepTable(sourceOfBytes(bytes))) {
    all.rows.push(...rowsOf(regions))
    all.findings.push(...findings)
    all.summary ??= summary
    all.done = done
  }
  return all
}

/** Columns as objects. */
function rowsOf({ length, ...columns }) {
  for (const column of Object.values(columns)) assert.equal(column.length, length)
  return Array.from({ length }, (_, i) => {
    const row = Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[i]]))
    return { ...row, kind: REGION_KINDS[row.kind], state: REGION_STATES[row.state], codec: CODECS[row.codec] }
  })
}

function assertTiles(rows, size) {
  const end = rows.reduce((at, row) => { assert.equal(row.offset, at); assert.ok(row.size > 0); return at + row.size }, 0)
  assert.equal(end, size)
}

const worst = (findings) => findings.filter(({ severity }) => severity !== 'info').map(({ code }) => code)

async function spansOf(bytes, options) {
  const spans = []
  for await (const span of inspectTable(sourceOfBytes(bytes), options)) spans.push(span)
  return spans
}

/** The map, the sweep, the spans and the blocks of one table agree. */
async function agree(bytes, name) {
  const [map, sweep, spans] = [await mapTable(sourceOfBytes(bytes)), await swept(bytes), await spansOf(bytes)]
  const mapped = rowsOf(map.regions)
  assertTiles(mapped, bytes.length)
  assert.deepEqual(sweep.summary, spans.at(-1), name)
  assert.deepEqual(sweep.findings, spans.flatMap(({ findings }) => findings), name)
  const rows = sweep.rows.toSorted((a, b) => a.offset - b.offset)
  const known = new Map(spans.filter(({ kind }) => kind !== 'table').map((span) => [span.offset, span]))
  for (const row of rows) {
    const span = known.get(row.offset)
    assert.deepEqual([row.kind, row.size], [span.kind, span.length], name)
    assert.equal(row.entries, span.facts.entries ?? 0, name)
    assert.equal(row.raw, span.facts.rawSize ?? 0, name)
    assert.equal(row.codec ?? 'unread', span.facts.codec ?? 'unread', name)
  }
  if (worst(sweep.findings).length === 0) {
    assert.deepEqual(rows.map(({ kind, offset, size }) => [kind, offset, size]), mapped.map(({ kind, offset, size }) => [kind, offset, size]), name)
    assertTiles(rows, bytes.length)
  }
  return { map, rows, spans, mapped }
}

describe('tables', () => {
  test('map, sweep and spans agree, for the fixtures', async () => {
    assert.ok(files.length > 10)
    for (const path of files) await agree(fs.readFileSync(path), path)
  })

  test('and for the corpus', { skip: noCorpus }, async () => {
    const tables = corpusFiles(/\.(ldb|sst)$/).filter((path) => fs.statSync(path).size < 3e6)
    assert.ok(tables.length > 80)
    for (const path of tables) await agree(fs.readFileSync(path), path)
  })

  test('the index names the data blocks, and each block opens with its entries', async () => {
    for (const path of files) {
      const bytes = fs.readFileSync(path)
      const { map, rows } = await agree(bytes, path)
      if (map.index === undefined) continue
      const data = rows.filter(({ kind }) => kind === 'data')
      assert.equal(map.index.entries.length, map.handles.offset.length)
      for (const [i, row] of data.entries()) {
        if (row.state !== 'sound') continue
        assert.deepEqual([map.handles.offset[i], map.handles.size[i]], [row.offset, row.size - 5])
        const block = await openBlock(sourceOfBytes(bytes), { kind: 'data', offset: row.offset, size: row.size - 5 })
        assert.deepEqual([block.entries.length, block.raw.length, block.restarts.length], [row.entries, row.raw, row.restarts])
        assert.deepEqual(block.span.findings, [])
        assert.equal(block.plain, row.codec === 'none')
        let at = 0
        for (let entry = 0; entry < block.entries.length; entry++) {
          const { offset, keyStart, valueStart, end, shared, restart, type, sequence } = block.entries
          assert.equal(offset[entry], at)
          at = end[entry]
          const key = keyOf(block, entry)
          assert.equal(key.length, shared[entry] + valueStart[entry] - keyStart[entry])
          assert.deepEqual(keyOf(block, entry, 3), key.subarray(0, 3))
          assert.equal(valueOf(block, entry).length, end[entry] - valueStart[entry])
          if (restart[entry]) assert.equal(shared[entry], 0)
          assert.deepEqual([type[entry], sequence[entry]], [key.at(-8), Buffer.from([...key.subarray(-7), 0]).readUIntLE(0, 6)])
        }
        assert.equal(Buffer.from(keyOf(block, 0).subarray(0, -8)).toString('hex'), block.span.facts.firstKey.key)
        assert.equal(Buffer.from(keyOf(block, block.entries.length - 1).subarray(0, -8)).toString('hex'), block.span.facts.lastKey.key)
      }
    }
  })

  test('parts are explained to their fields, without gaps', async () => {
    const bytes = fixture('leveldb-table/bloom10-none.ldb')
    const { parts } = await mapTable(sourceOfBytes(bytes))
    assert.deepEqual(parts.map(({ kind }) => kind), ['footer', 'metaindex', 'index', 'filter'])
    for (const part of parts) {
      const end = part.spans.reduce((at, { offset, length }) => { assert.equal(offset, at, part.kind); return at + length }, part.offset)
      assert.equal(end, part.offset + part.length)
    }
    const [footerSpan, metaindex] = parts
    assert.deepEqual(footerSpan.spans.map(({ name, facts }) => [name, facts.value]).slice(0, 4), [
      ['metaindex handle offset', footerSpan.facts.metaindexOffset], ['metaindex handle size', footerSpan.facts.metaindexSize],
      ['index handle offset', footerSpan.facts.indexOffset], ['index handle size', footerSpan.facts.indexSize]
    ])
    assert.equal(metaindex.spans[0].facts.inside, true)
    assert.equal(metaindex.spans[0].spans[0].kind, 'entry')
  })

  test('every flipped bit of a small table is a finding', async () => {
    const bytes = fixture('leveldb-table/one-entry.ldb')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const mutant = Buffer.from(bytes)
      mutant[bit >> 3] ^= 1 << (bit & 7)
      const { findings } = await swept(mutant)
      assert.ok(worst(findings).length > 0, `bit ${bit}`)
      for (const { offset, length } of findings) assert.ok(offset >= 0 && length >= 0 && offset + length <= bytes.length, `bit ${bit}`)
      assertTiles(rowsOf((await mapTable(sourceOfBytes(mutant))).regions), bytes.length)
    }
  })

  test('a table that is cut anywhere gives all its whole blocks', async () => {
    const bytes = fixture('leveldb-table/block256-none.ldb')
    const data = (await swept(bytes)).rows.filter(({ kind }) => kind === 'data')
    for (let cut = 48; cut < bytes.length; cut += 97) {
      const { rows } = await swept(bytes.subarray(0, cut))
      const whole = data.filter(({ offset, size }) => offset + size <= cut)
      assert.deepEqual(rows.filter(({ kind, state }) => kind === 'data' && state === 'found').map(({ offset }) => offset), whole.map(({ offset }) => offset), `cut at ${cut}`)
    }
  })

  test('a search in blocks finds the entries that have the bytes, and no other', async () => {
    const bytes = fixture('leveldb-table/block256-none.ldb')
    const source = sourceOfBytes(bytes)
    const { handles } = await mapTable(source)
    const text = (value) => Buffer.from(value).toString('latin1')
    const all = []
    for (let number = 0; number < handles.offset.length; number++) {
      const view = await openBlock(source, { kind: 'data', offset: handles.offset[number], size: handles.size[number] })
      all.push(Array.from({ length: view.entries.length }, (_, i) => ({ key: text(keyOf(view, i).subarray(0, -8)), value: text(valueOf(view, i)) })))
    }
    /** Number of block and entry. */
    const found = async (from, handles, wanted) => {
      const [pairs, sums] = [[], { done: 0, unread: 0 }]
      for await (const { done, unread, block, entry } of searchBlocks(from, handles, wanted)) {
        assert.ok(done > sums.done)
        Object.assign(sums, { done, unread: sums.unread + unread })
        pairs.push(...Array.from(block, (number, i) => [number, entry[i]]))
      }
      assert.equal(sums.done, handles.offset.length)
      return { pairs, unread: sums.unread }
    }
    const those = (has) => all.flatMap((entries, number) => [...entries.keys()].filter((i) => has(entries[i])).map((i) => [number, i]))
    let matches = 0
    for (let number = 0; number < all.length; number += 7) {
      const sought = all[number][0].key.slice(-2)
      const expected = {
        keys: ({ key }) => key.includes(sought), values: ({ value }) => value.includes(sought),
        both: ({ key, value }) => key.includes(sought) || value.includes(sought), 'key starts': ({ key }) => key.startsWith(sought)
      }
      for (const [where, has] of Object.entries(expected)) {
        const { pairs } = await found(source, handles, { bytes: Buffer.from(sought, 'latin1'), where })
        assert.deepEqual(pairs, those(has), `${where} of ${sought}`)
        matches += pairs.length
      }
      const any = await found(source, handles, { bytes: Buffer.from(sought, 'latin1'), mask: Uint8Array.of(0, 1), where: 'keys' })
      assert.deepEqual(any.pairs, those(({ key }) => key.indexOf(sought[1], 1) > 0), `masked ${sought}`)
    }
    assert.ok(matches > 10, `${matches} matches`)
    // In any order, and one twice.
    const [last, some] = [all.length - 1, { offset: Float64Array.of(handles.offset[all.length - 1], handles.offset[1], handles.offset[1]), size: Float64Array.of(handles.size[all.length - 1], handles.size[1], handles.size[1]) }]
    const everything = { bytes: Uint8Array.of(0), mask: Uint8Array.of(0), where: 'keys' }
    assert.deepEqual((await found(source, some, everything)).pairs, [last, 1, 1].flatMap((number, i) => [...all[number].keys()].map((entry) => [i, entry])))
    // Bytes that are no block, and a sector that cannot be read: the other blocks are searched.
    const cut = { ...source, size: handles.offset[1] }
    assert.equal((await found(cut, handles, everything)).unread, all.length - 1)
    const torn = {
      ...source,
      async read(offset, into) {
        if (offset <= handles.offset[3] && offset + into.length > handles.offset[3]) throw Object.assign(new Error('read error'), { code: 'EIO' })
        return source.read(offset, into)
      }
    }
    const left = await found(torn, handles, everything)
    assert.equal(left.unread, 1)
    assert.deepEqual(left.pairs, those(() => true).filter(([number]) => number !== 3))
    await assert.rejects(found(source, handles, { bytes: Buffer.from('a'), where: 'everywhere' }), { code: 'LEVEL_INVALID_ARGUMENT', message: /keys, values, both, key starts/ })
  })

  test('a block with a wrong checksum is decoded, and its findings say both sums', async () => {
    const bytes = fixture('leveldb-table/block256-none.ldb')
    const { rows } = await agree(bytes)
    const { offset, size, entries } = rows.find(({ kind }) => kind === 'data')
    const mutant = Buffer.from(bytes)
    mutant[offset + size - 30] ^= 1
    const block = await openBlock(sourceOfBytes(mutant), { kind: 'data', offset, size: size - 5 })
    const [finding] = block.span.findings
    assert.deepEqual([finding.code, finding.offset, finding.length], ['T10', offset + size - 4, 4])
    assert.match(finding.reason, /[0-9a-f]{8} stored, [0-9a-f]{8} computed/)
    assert.ok(block.entries.length >= entries - 1)
    const swept2 = await swept(mutant)
    assert.equal(swept2.rows.find((row) => row.offset === offset).state, 'bad')
  })

  test('overlapping handles are T31, and the first is kept', async () => {
    const data = sealed(blockOf([[internal('a', 1), [1]]]))
    const table = tableOf([data], [internal('b', 1)])
    assert.deepEqual(worst((await mapTable(sourceOfBytes(table))).findings), [])
    const index = sealed(blockOf([[internal('b', 1), [...varint(0), ...varint(data.length - 5)]], [internal('c', 1), [...varint(3), ...varint(4)]], [internal('d', 1), [...varint(2 ** 40), ...varint(9)]]]))
    const metaindex = sealed(blockOf([]))
    const bytes = Buffer.concat([data, metaindex, index, footer({ offset: data.length, size: 8 }, { offset: data.length + metaindex.length, size: index.length - 5 })])
    const map = await mapTable(sourceOfBytes(bytes))
    assert.deepEqual(map.findings.map(({ code }) => code).sort(), ['T30', 'T31'])
    assertTiles(rowsOf(map.regions), bytes.length)
  })

  test('a signal ends a sweep', async () => {
    const controller = new AbortController()
    const sweep = sweepTable(sourceOfBytes(fixture('leveldb-table/bloom10-none.ldb')), { signal: controller.signal })
    await sweep.next()
    controller.abort()
    await assert.rejects(async () => { for await (const _ of sweep); }, { name: 'AbortError' })
    await assert.rejects(mapTable(sourceOfBytes(Buffer.alloc(9)), { signal: controller.signal }), { name: 'AbortError' })
  })

  test('bytes that cannot be read are S02; errors of the source are passed on', async () => {
    const bytes = fixture('leveldb-table/block256-none.ldb')
    const source = sourceOfBytes(bytes)
    const short = { ...source, read: (offset, into) => offset < 1000 ? source.read(offset, into.subarray(0, 1000 - offset)) : source.read(offset, into) }
    const findings = []
    for await (const part of sweepTable(short)) findings.push(...part.findings)
    assert.ok(findings.some(({ code }) => code === 'S02'))
    const gone = { ...source, read: () => { throw Object.assign(new Error('gone'), { name: 'NotReadableError' }) } }
    await assert.rejects(mapTable(gone), { name: 'NotReadableError' })
    const blob = sourceOf(new File([bytes], '000005.ldb'))
    assert.deepEqual([blob.name, blob.size], ['000005.ldb', bytes.length])
    assert.deepEqual((await mapTable(blob)).findings, [])
  })
})

describe('bombs are refused in time', () => {
  const limit = (work) => async () => {
    const start = performance.now()
    await work()
    assert.ok(performance.now() - start < 2000, `${performance.now() - start} ms`)
  }
  /** The codes of a table whose one data block is this, and of the block alone. */
  async function codesOf(contents, codec) {
    const block = sealed(contents, codec)
    const table = tableOf([block], [internal('z', 1)])
    const { findings } = await swept(table)
    const view = await openBlock(sourceOfBytes(table), { kind: 'data', offset: 0, size: block.length - 5 })
    assert.deepEqual(worst(view.span.findings), worst(findings))
    return worst(findings)
  }

  test('20 bytes of Snappy that declare 4 GiB', limit(async () => {
    assert.deepEqual(await codesOf([...varint(0xffffffff), 0, ...Array(14).fill(97)], 1), ['T12'])
  }))

  test('100 bytes of zstd that become 1 GiB', limit(async () => {
    // A frame of 8,192 run-length blocks of 128 KiB, one byte each, is 32 kB; a smaller one says its size.
    const blocks = Array.from({ length: 25 }, () => [0x02 | 1 << 20 - 1 & 0xf8, 0, 0])
    const header = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40]
    assert.deepEqual(await codesOf([...header, ...blocks.flat()], 2), ['T12'])
  }))

  const deflated = zlib.deflateRawSync(Buffer.alloc(80 << 20), { level: 9 })
  test('80 kB of deflate that become 80 MiB', limit(async () => {
    assert.deepEqual(await codesOf(deflated, 4), ['T12'])
  }))

  test('2 MiB whose keys sum to 100 GiB', limit(async () => {
    const parts = [Buffer.from([0, ...varint(100 << 10), 0]), Buffer.alloc(100 << 10, 107)]
    for (let i = 0; i < 200_000; i++) parts.push(Buffer.from([...varint((100 << 10) - 8), 8, 0, 1, i & 255, i >> 8 & 255, 255 - (i >> 16), 0, 0, 0, 0]))
    const contents = Buffer.concat([...parts, Buffer.from([0, 0, 0, 0, 1, 0, 0, 0])])
    const block = sealed(contents)
    const view = await openBlock(sourceOfBytes(block), { kind: 'data', offset: 0, size: block.length - 5 })
    assert.equal(view.entries.length, 200_001)
    assert.equal(keyOf(view, 150_000).length, 100 << 10)
  }))

  test('a handle at 2^63, 2^32 - 1 restarts, and a metaindex that points at itself', limit(async () => {
    const table = tableOf([sealed(blockOf([[internal('a', 1), [1]]]))], [internal('b', 1)])
    const far = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 8])
    const mutant = Buffer.from(table)
    mutant.fill(0, mutant.length - 48, mutant.length - 8)
    far.copy(mutant, mutant.length - 48)
    far.copy(mutant, mutant.length - 37)
    assert.ok(worst((await mapTable(sourceOfBytes(mutant))).findings).includes('T30'))
    assert.deepEqual(await codesOf([0, 0, 0, 0, 255, 255, 255, 255]), ['T20'])
    const own = sealed(blockOf([[Buffer.from('filter.x'), [0, 24]]]))
    const index = sealed(blockOf([]))
    const loop = Buffer.concat([own, index, footer({ offset: 0, size: own.length - 5 }, { offset: own.length, size: index.length - 5 })])
    assert.ok((await swept(loop)).summary)
  }))
})

describe('kinds of files', () => {
  const kindOf = async (bytes, name = '') => detect(sourceOfBytes(Buffer.from(bytes, 'latin1'), name))

  test('are told by content first', async () => {
    const table = fixture('leveldb-table/bloom10-none.ldb')
    assert.deepEqual(await kindOf(table, 'notes.txt'), { kind: 'table', format: 'LevelDB table', reason: `the magic number at ${table.length - 8}` })
    assert.deepEqual((await kindOf(table, '000003.log')).named, 'log')
    assert.equal((await kindOf(fixture('versions/MANIFEST-000002'), 'x')).kind, 'manifest')
    assert.equal((await kindOf(fixture('wal-flip-middle/000008.log'), 'x')).kind, 'log')
    assert.equal((await kindOf(fixture('versions/CURRENT'), 'x')).kind, 'current')
    for (const [bytes, kind, format] of [['', 'empty'], [Buffer.alloc(4096), 'zeros'], ['SQLite format 3\0', 'foreign', 'SQLite database'], ['\x89PNG', 'foreign'], ['some text', 'foreign', 'text']]) {
      const found = await kindOf(bytes, '000005.ldb')
      assert.equal(found.named, 'table')
      if (kind !== 'foreign' || format !== 'text') assert.equal(found.kind, kind)
      if (format) assert.equal(found.format, format)
    }
    const noise = Buffer.from(Array.from({ length: 1 << 16 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24))
    assert.equal((await kindOf(noise)).kind, 'unknown')
    assert.equal((await kindOf(noise, '000005.ldb')).kind, 'table')
  })

  test('of the corpus', { skip: noCorpus }, async () => {
    let count = 0
    for (const path of corpusFiles(/\.(ldb|log)$|MANIFEST-\d+$|CURRENT$/)) {
      if (/rocksdb|foreign|footer-magic|table-cut|current-|dialect/.test(path)) continue
      const bytes = fs.readFileSync(path)
      const found = await detect(sourceOfBytes(bytes, path.split('/').at(-1)))
      const expected = bytes.length === 0 ? 'empty' : /\.ldb$/.test(path) ? 'table' : /\.log$/.test(path) ? 'log' : /CURRENT$/.test(path) ? 'current' : 'manifest'
      assert.equal(found.kind, expected, path)
      count++
    }
    assert.ok(count > 100, String(count))
    for (const path of corpusFiles(/rocksdb-sst\/.*\.sst$/)) {
      const found = await detect(sourceOfBytes(fs.readFileSync(path), 'x'))
      const version = /\/v(\d)/.exec(path)?.[1]
      if (version === '0') assert.equal(found.kind, 'table', path)
      else if (version) assert.match(found.format, new RegExp(`^RocksDB table, format version ${version}, checksums `), path)
    }
  })
})
