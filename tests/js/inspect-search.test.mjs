// varve/inspect: entries with some bytes, in every table and log of a directory.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { mapDirectory, salvage, searchBlocks, searchFiles, traceKey } from '../../src/js/inspect/index.js'
import { corpus, noCorpus } from './lib/corpus.mjs'
import { blockOf, footer, internal, sealed, sourceOfBytes, varint } from './lib/tables.mjs'

const bytesOf = (/** @type {string} */ text) => new TextEncoder().encode(text)
const hexOf = (/** @type {string} */ text) => Buffer.from(text).toString('hex')
const sourcesIn = (/** @type {string} */ folder, /** @type {Record<string, (bytes: Buffer) => Buffer>} */ changes = {}) => fs.readdirSync(folder).map((name) => sourceOfBytes(changes[name]?.(fs.readFileSync(join(folder, name))) ?? fs.readFileSync(join(folder, name)), name))

/** @param {import('../../src/js/types/inspect.js').Source[]} sources @param {import('../../src/js/types/inspect.js').Wanted} wanted */
async function allOf(sources, wanted) {
  const [found, damaged] = [/** @type {any[]} any: mentions with their files */ ([]), /** @type {string[]} */ ([])]
  let [done, more] = [0, 0]
  for await (const part of searchFiles(sources, wanted)) {
    more += part.more ?? 0
    for (const mention of part.mentions) found.push({ ...mention, file: part.file, role: part.role, level: part.level })
    if (part.isEnd && ((part.damage ?? 0) > 0 || part.failure !== undefined)) damaged.push(part.file)
    assert.ok(part.done >= done)
    done = part.done
  }
  return { found, damaged, more }
}

/** A table of one block. @param {Uint8Array} block @param {Uint8Array} last a key that is not before its keys */
function tableOf(block, last) {
  const metaindex = sealed(blockOf([]))
  const index = sealed(blockOf([[last, [...varint(0), ...varint(block.length - 5)]]]))
  return Buffer.concat([block, metaindex, index, footer({ offset: block.length, size: metaindex.length - 5 }, { offset: block.length + metaindex.length, size: index.length - 5 })])
}

describe('a search in all files', () => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'varve-search-'))
  const path = join(folder, 'db')
  const number = (/** @type {number} */ i) => String(i).padStart(6, '0')

  before(async () => {
    const db = new Varve(path, { writeBufferSize: 64 << 10, maxFileSize: 64 << 10 })
    await db.open()
    for (let i = 0; i < 8000; i++) await db.put(`user:${number(i)}`, i % 1000 === 7 ? `a needle, and ${i} more` : `hay ${i}`)
    await db.compactRange('user:000000', 'user:003000')
    await db.del('user:000007')
    await db.put('user:001007', 'overwritten')
    await db.put('needle in a key', 'x'.repeat(1000))
    await db.close()
  })
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  test('tables of all levels and the log are searched, and each match leads to its entry', async () => {
    const { found, damaged } = await allOf(sourcesIn(path), { bytes: bytesOf('needle') })
    assert.deepEqual(damaged, [])
    const texts = found.map(({ key }) => Buffer.from(key, 'hex').toString()).sort()
    assert.deepEqual(texts, ['needle in a key', ...Array.from({ length: 8 }, (_, i) => `user:${number(1000 * i + 7)}`)])
    assert.ok(found.some(({ file, level }) => file.endsWith('.ldb') && level !== undefined))
    const inLog = found.filter(({ file }) => file.endsWith('.log'))
    assert.ok(inLog.some(({ key, value, valueSize }) => key === hexOf('needle in a key') && valueSize === 1000 && value.length === 512))
    assert.ok(found.every(({ state, type }) => state === 'sound' && type === 'value'))
  })

  test('in keys, in values, at the start of keys, and with bytes that do not matter', async () => {
    const count = async (/** @type {import('../../src/js/types/inspect.js').Wanted} */ wanted) => (await allOf(sourcesIn(path), wanted)).found.length
    assert.equal(await count({ bytes: bytesOf('needle'), where: 'keys' }), 1)
    assert.equal(await count({ bytes: bytesOf('needle'), where: 'values' }), 8)
    assert.equal(await count({ bytes: bytesOf('in a'), where: 'key starts' }), 0)
    // Two of the ten were written again.
    assert.equal(await count({ bytes: bytesOf('user:00100'), where: 'key starts' }), 11)
    assert.equal(await count({ bytes: bytesOf('user:000007'), where: 'keys' }), 2)
    assert.equal(await count({ bytes: bytesOf('n..dle'), mask: Uint8Array.of(1, 0, 0, 1, 1, 1) }), 9)
    assert.equal(await count({ bytes: bytesOf('nothing has this') }), 0)
    const deleted = (await allOf(sourcesIn(path), { bytes: bytesOf('user:000007'), where: 'keys' })).found.filter(({ type }) => type === 'deletion')
    assert.equal(deleted.length, 1)
  })

  test('a log alone; a damaged table says that it may have had more; wrong arguments are refused', async () => {
    const log = sourcesIn(path).filter(({ name }) => name.endsWith('.log'))
    assert.ok((await allOf(log, { bytes: bytesOf('overwritten') })).found.length === 1)
    const table = (await allOf(sourcesIn(path), { bytes: bytesOf('needle, and 7 more') })).found[0].file
    const flip = (/** @type {Buffer} */ bytes) => {
      for (let at = 3; at < bytes.length - 60; at += 2000) bytes[at] ^= 0x55
      return bytes
    }
    assert.deepEqual((await allOf(sourcesIn(path, { [table]: flip }), { bytes: bytesOf('needle') })).damaged, [table])
    for (const wanted of [{ bytes: new Uint8Array(0) }, { bytes: bytesOf('a'), mask: new Uint8Array(2) }, { bytes: bytesOf('a'), where: 'here' }, { bytes: 'a' }, undefined, null]) {
      await assert.rejects(allOf([], /** @type {any} any: wrong on purpose */ (wanted)), { code: 'LEVEL_INVALID_ARGUMENT' })
    }
    const control = new AbortController()
    control.abort()
    await assert.rejects(async () => { for await (const _ of searchFiles(sourcesIn(path), { bytes: bytesOf('a') }, { signal: control.signal })); }, { name: 'AbortError' })
  })
})

describe('blocks that would take long', () => {
  const wanted = { bytes: bytesOf('aaaaaaaaaaab') }

  test('what keys share is looked through once', async () => {
    // One key of 60,000 bytes, and 50,000 entries that share all of it.
    const long = new Uint8Array(60_000).fill(0x61)
    const first = [0, ...varint(60_008), 0, ...long, 1, 1, 0, 0, 0, 0, 0, 0]
    const parts = [Uint8Array.from(first)]
    for (let i = 0; i < 50_000; i++) parts.push(Uint8Array.from([...varint(60_000), 8, 0, 1, i & 255, i >> 8, 0, 0, 0, 0, 0]))
    const block = sealed(Buffer.concat([...parts, Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0)]))
    const source = sourceOfBytes(tableOf(block, internal('b', 1)), '000005.ldb')
    // 3,000 million bytes otherwise: a minute.
    assert.equal((await allOf([source], wanted)).found.length, 0)
    const all = await allOf([source], { bytes: bytesOf('a') })
    assert.equal(all.found.length + all.more, 50_001)
    assert.equal(all.found.length, 16_384)
    assert.ok(all.found.every(({ key, keySize }) => key.length === 512 && keySize === 60_000))
  })

  test('an index that lists one block many times is stopped between two of them', async () => {
    const block = sealed(blockOf(Array.from({ length: 20_000 }, (_, i) => [internal(`key ${String(i).padStart(6, '0')}`, 1), bytesOf('x'.repeat(20))])))
    const source = sourceOfBytes(tableOf(block, internal('z', 1)), '000005.ldb')
    const handles = { offset: new Float64Array(2000), size: new Float64Array(2000).fill(block.length - 5) }
    const control = new AbortController()
    let parts = 0
    await assert.rejects(async () => {
      for await (const _ of searchBlocks(source, handles, wanted, { signal: control.signal })) if (++parts === 3) control.abort()
    }, { name: 'AbortError' })
    assert.ok(parts < 6)
    // Handles past the end of the file.
    const none = { offset: new Float64Array(10_000).fill(1e9), size: new Float64Array(10_000).fill(9) }
    let unread = 0
    for await (const part of searchBlocks(source, none, wanted)) unread += part.unread
    assert.equal(unread, 10_000)
  })
})

describe('databases of RocksDB', { skip: noCorpus }, () => {
  const rocks = (/** @type {string} */ name) => sourcesIn(join(corpus, 'rocksdb', name))

  test('beside LevelDB its files are told one by one, and what is LevelDB\'s is read', async () => {
    const ours = sourcesIn(join(corpus, 'leveldb', 'tiny-table-and-wal'))
    const theirs = rocks('whole-7').filter(({ name }) => !ours.some((each) => each.name === name) && !/^(LOCK|LOG|OPTIONS|IDENTITY)/.test(name))
    const mixed = await mapDirectory([...ours, ...theirs], { sweep: true })
    assert.equal(mixed.manifest?.summary.facts.comparator !== undefined, true)
    const codes = new Set(mixed.findings.map(({ code }) => code))
    assert.ok(codes.has('D06') && !codes.has('W03'), [...codes].join())
    // A log with one such operation may be LevelDB's.
    const told = mixed.findings.filter(({ code }) => code === 'W06').map(({ file }) => file)
    assert.deepEqual([new Set(told).size, told.length], [1, 1])
    const salvaged = await salvage([...ours, ...theirs])
    const { report } = salvaged
    assert.ok(report.live > 0)
    assert.ok(report.leftBehind.some(({ file, reason }) => file.startsWith('MANIFEST-') && /RocksDB or Pebble manifest/.test(reason)))
    await salvaged.close()
    // A LevelDB table in a database of RocksDB's.
    const table = ours.find(({ name }) => name.endsWith('.ldb'))
    const bytes = new Uint8Array(table?.size ?? 0)
    await table?.read(0, bytes)
    bytes[20] ^= 1
    const inside = await mapDirectory([...rocks('whole-7').filter(({ name }) => name !== table?.name), sourceOfBytes(bytes, '000004.ldb')], { sweep: true })
    assert.deepEqual(new Set(inside.findings.map(({ code }) => code)), new Set(['D06', 'T10']))
    const { damaged } = await allOf(rocks('whole-7'), { bytes: bytesOf('i0') })
    assert.ok(damaged.length > 10)
    // A log with a field of its own beside a manifest that could be LevelDB's.
    assert.deepEqual(new Set((await mapDirectory(rocks('wal-zstd'), { sweep: true })).findings.map(({ code }) => code)).has('W06'), false)
  })

  for (const name of ['whole-7', 'whole-11', 'recycled-wal', 'plain-table', 'blob-files', 'ingested']) {
    test(`${name} is named, and nothing in it is taken for damage`, async () => {
      const sources = sourcesIn(join(corpus, 'rocksdb', name))
      const map = await mapDirectory(sources, { sweep: true })
      assert.deepEqual(map.findings.map(({ code, severity }) => `${code} ${severity}`), ['D06 warn'])
      assert.ok(map.files.filter(({ name }) => /\.sst$/.test(name)).every(({ detected }) => /RocksDB/.test(detected?.format ?? '')))
      await assert.rejects(salvage(sources), { code: 'LEVEL_NOT_SUPPORTED' })
      const { answer, reason } = await traceKey(sources, bytesOf('a'))
      assert.deepEqual([answer, reason], ['unknown', `${map.files.find(({ name }) => name.startsWith('MANIFEST-'))?.name} is a RocksDB or Pebble manifest, which is not read`])
    })
  }
})
