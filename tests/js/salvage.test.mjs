// Salvage: a new database of what can be read of a damaged one, whose files are never changed.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Varve } from '../../src/js/index.js'
import { mapTable, salvage, sweepTable } from '../../src/js/inspect/index.js'
import { NodeStorage } from '../../src/js/storage/node/directory.js'
import { corpus, noCorpus } from './lib/corpus.mjs'
import { logOf } from './lib/tables.mjs'

const long = process.env.VARVE_LONG === '1'
const MAIN = inRoot('src', 'js', 'cli', 'main.js')
const folder = mkdtempSync(join(tmpdir(), 'varve-salvage-test-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const newPlace = () => mkdtempSync(join(folder, 'db-'))

/** @param {string} name @param {Uint8Array} bytes @returns {import('../../src/js/types/inspect.js').Source} */
const sourceOf = (name, bytes) => ({
  name,
  size: bytes.length,
  read(offset, into) {
    const part = bytes.subarray(offset, offset + into.length)
    into.set(part)
    return part.length
  }
})

/** @param {string} place */
const filesOf = (place) => readdirSync(place, { withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name).sort()
/** @param {string} place */
const sourcesOf = (place) => filesOf(place).map((name) => sourceOf(name, readFileSync(join(place, name))))
/** @param {string} place */
const hashOf = (place) => filesOf(place).map((name) => `${name} ${createHash('sha256').update(readFileSync(join(place, name))).digest('hex')}`)

/** @param {AsyncIterable<Uint8Array>} pieces */
async function joined(pieces) {
  const parts = []
  for await (const piece of pieces) parts.push(piece)
  return Buffer.concat(parts)
}

/** Unpacks a zip of stored entries. @param {Buffer} zip @param {string} place */
function unpack(zip, place) {
  for (let at = 0; zip.readUInt32LE(at) === 0x04034b50;) {
    const [size, name, extra] = [zip.readUInt32LE(at + 18), zip.readUInt16LE(at + 26), zip.readUInt16LE(at + 28)]
    const from = at + 30 + name + extra
    writeFileSync(join(place, zip.toString('utf8', at + 30, at + 30 + name)), zip.subarray(from, from + size))
    at = from + size
  }
}

/** What LevelDB itself reads, and what is in the tables. @param {string} place */
async function countsOf(place) {
  let [entries, tombstones] = [0, 0]
  for (const name of filesOf(place).filter((each) => /\.(ldb|sst)$/.test(each))) {
    for await (const { summary } of sweepTable(sourceOf(name, readFileSync(join(place, name))))) {
      entries += Number(summary?.facts.entries ?? 0)
      tombstones += Number(summary?.facts.deletions ?? 0)
    }
  }
  const db = new ClassicLevel(place, { createIfMissing: false, keyEncoding: 'buffer', valueEncoding: 'buffer' })
  let live = 0
  for await (const _ of db.keys()) live++
  await db.close()
  return { live, entries, tombstones }
}

/** The rows of a table, in the database that LevelDB repairs around it. @param {Buffer} table */
async function rowsOfTable(table) {
  const findings = []
  for await (const part of sweepTable(sourceOf('000001.ldb', table))) findings.push(...part.findings)
  assert.deepEqual(findings, [])
  const place = newPlace()
  writeFileSync(join(place, '000001.ldb'), table)
  await ClassicLevel.repair(place)
  const { live, entries, tombstones } = await countsOf(place)
  assert.deepEqual([entries, tombstones], [live, 0])
  const db = new ClassicLevel(place, { createIfMissing: false, keyEncoding: 'buffer', valueEncoding: 'buffer' })
  const rows = []
  for await (const [key, value] of db.iterator()) rows.push({ key: inJson(key), value: inJson(value) })
  await db.close()
  return rows
}

/** As the lines of JSON have it. @param {Buffer} bytes */
function inJson(bytes) {
  const text = bytes.toString('utf8')
  return Buffer.from(text).equals(bytes) && !text.startsWith('\ufeff') ? { enc: 'utf8', v: text } : { enc: 'base64', v: bytes.toString('base64') }
}

/** Databases that LevelDB made and that were then damaged, each in its own way. */
const fixtures = inRoot('tests', 'fixtures')
const DAMAGED = noCorpus
  ? ['block-flip-snappy', 'manifest-cut', 'repair-log-damage', 'wal-flip-middle'].map((name) => join(fixtures, name))
  : readdirSync(join(corpus, 'leveldb')).map((name) => join(corpus, 'leveldb', name))
/** Of another comparator, or compressed in a way that the LevelDB inside classic-level does not know. */
const OTHER = /comparator|zstd/


test('0 and -0 are one key of IndexedDB: what the one deletes does not come back with the other', async () => {
  const number = (/** @type {number} */ value) => {
    const bytes = Buffer.alloc(9, 3)
    bytes.writeDoubleLE(value, 1)
    return Buffer.concat([Buffer.from([0, 1, 1, 1]), bytes])
  }
  const batch = (/** @type {number} */ sequence, /** @type {Buffer} */ key, /** @type {string} */ value) => {
    const head = Buffer.alloc(12)
    head.writeBigUInt64LE(BigInt(sequence))
    head.writeUInt32LE(1, 8)
    return Buffer.concat([head, Buffer.from([value === '' ? 0 : 1, key.length]), key, ...value === '' ? [] : [Buffer.from([value.length]), Buffer.from(value)]])
  }
  for (const [value, live] of /** @type {const} */ ([['', 0], ['new', 1]])) {
    const log = logOf([batch(1, number(-0), 'old'), batch(2, number(0), value)])
    const salvaged = await salvage([sourceOf('000003.log', log)], { comparator: 'idb_cmp1' })
    assert.deepEqual([salvaged.report.live, salvaged.report.keys, salvaged.report.entries], [live, 1, 2])
    assert.equal((await joined(salvaged.ndjson())).toString().split('\n').length - 1, live)
    if (live === 1) {
      const again = await salvage([sourceOf('000001.ldb', await joined(salvaged.table()))], { comparator: 'idb_cmp1' })
      assert.deepEqual([again.report.entries, again.report.live], [1, 1])
      assert.match((await joined(again.ndjson())).toString(), /"new"/)
      await again.close()
    }
    await salvaged.close()
  }
})

test('a reader of a salvage ends when another of its kind begins', async () => {
  const db = new Varve(newPlace())
  await db.batch(Array.from({ length: 3000 }, (_, i) => ({ type: 'put', key: `key ${i}`, value: randomBytes(1000) })), { valueEncoding: 'view' })
  await db.close()
  const salvaged = await salvage(sourcesOf(db.location))
  for (const kind of /** @type {const} */ (['zip', 'table', 'ndjson'])) {
    const [first, second] = [salvaged[kind](), salvaged[kind]()]
    const begun = Buffer.from((await first.next()).value ?? [])
    const whole = [await second.next()].map(({ value }) => Buffer.from(value ?? []))
    await assert.rejects(first.next(), { code: 'LEVEL_BUSY', message: /one after the other/ })
    whole.push(await joined(second))
    assert.deepEqual(Buffer.concat(whole), await joined(salvaged[kind]()), kind)
    assert.ok(begun.length > 0)
  }
  await salvaged.close()
})

describe('salvage', () => {
  for (const place of DAMAGED.filter((each) => !OTHER.test(each))) {
    const inside = existsSync(join(place, 'before')) ? join(place, 'before') : place
    test(`${place.split('/').at(-1)} opens in LevelDB with the counts of the dry run`, async () => {
      const before = hashOf(inside)
      const made = newPlace()
      const salvaged = await salvage(sourcesOf(inside))
      const { live, entries, tombstones, keys, tables } = salvaged.report
      unpack(await joined(salvaged.zip()), made)
      const rows = (await joined(salvaged.ndjson())).toString('utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line))
      const table = live === 0 ? undefined : await joined(salvaged.table())
      const copied = join(folder, `copy-${place.split('/').at(-1)}`)
      await salvaged.copy(new NodeStorage(copied))
      await salvaged.close()
      assert.equal(filesOf(made).filter((name) => /\.(ldb|sst)$/.test(name)).length, tables)
      for (const each of [made, copied]) assert.deepEqual(await countsOf(each), { live, entries, tombstones })
      assert.equal(rows.length, live)
      if (table !== undefined) assert.deepEqual(await rowsOfTable(table), rows)
      assert.ok(keys >= live && entries >= keys)
      assert.deepEqual(hashOf(inside), before)
    })
  }

  test('a database of another comparator is refused, and sorted anew if asked', async () => {
    const sources = sourcesOf(join(fixtures, 'comparator-reverse'))
    await assert.rejects(salvage(sources), { code: 'LEVEL_INVALID_ARGUMENT' })
    await assert.rejects(salvage(sources, { comparator: 'idb_cmp2' }), { code: 'LEVEL_NOT_SUPPORTED' })
    const salvaged = await salvage(sources, { comparator: 'leveldb.BytewiseComparator' })
    const made = newPlace()
    unpack(await joined(salvaged.zip()), made)
    const { live, entries, tombstones } = salvaged.report
    assert.ok(live > 0)
    assert.deepEqual(await countsOf(made), { live, entries, tombstones })
    await salvaged.close()
  })
})

/** A database with one table of many blocks. @param {'none' | 'snappy'} compression */
async function oneTable(compression) {
  const place = newPlace()
  const db = new Varve(place, { compression: compression === 'snappy', blockSize: 512 })
  for (let i = 0; i < 400; i++) await db.put(`key${String(i).padStart(6, '0')}`, `value ${i} `.repeat(6))
  await db.compactRange('', '~')
  await db.close()
  const name = filesOf(place).find((each) => /\.ldb$/.test(each)) ?? ''
  return { place, name, bytes: readFileSync(join(place, name)) }
}

describe('salvage of a table', () => {
  test('without its footer has every block; cut at any byte, every whole block', async () => {
    const { bytes } = await oneTable('snappy')
    const map = await mapTable(sourceOf('000005.ldb', bytes))
    /** @type {{ end: number, entries: number }[]} */
    const blocks = []
    for await (const { regions } of sweepTable(sourceOf('000005.ldb', bytes))) {
      for (let i = 0; i < regions.length; i++) if (regions.entries[i] > 0 && regions.kind[i] === 5) blocks.push({ end: regions.offset[i] + regions.size[i], entries: regions.entries[i] })
    }
    assert.equal(blocks.length, map.handles?.offset.length)
    const broken = Uint8Array.from(bytes)
    broken.fill(0, bytes.length - 48)
    const step = long ? 1 : 211
    const cuts = [bytes.length]
    for (let cut = 1; cut < bytes.length; cut += step) cuts.push(cut)
    for (const { end } of blocks.slice(0, 3)) cuts.push(end - 1, end, end + 1)
    for (const cut of cuts) {
      const expected = blocks.filter(({ end }) => end <= cut).reduce((sum, { entries }) => sum + entries, 0)
      const salvaged = await salvage([sourceOf('lost.ldb', cut === bytes.length ? broken : bytes.subarray(0, cut))])
      assert.equal(salvaged.report.live, expected, `cut at ${cut}`)
      assert.ok(salvaged.report.leftBehind.length > 0)
      await salvaged.close()
    }
  })

  test('sound blocks, those found, and those with a wrong checksum are told apart', async () => {
    const { place, name, bytes } = await oneTable('none')
    const [{ from, size, count }] = await oneBlock(bytes)
    const flipped = Uint8Array.from(bytes)
    // A bit of a value: the layout stays right.
    flipped[from + 40] ^= 1
    const others = () => filesOf(place).filter((each) => each !== name).map((each) => sourceOf(each, readFileSync(join(place, each))))
    const counted = async (/** @type {Uint8Array} */ table, /** @type {'sound' | 'carved' | 'doubtful'} */ strictness) => {
      const salvaged = await salvage([...others(), sourceOf(name, table)], { strictness })
      await salvaged.close()
      return salvaged.report
    }
    const sound = await counted(flipped, 'sound')
    assert.equal(sound.live, 400 - count)
    assert.equal(sound.doubtful.length, 0)
    // The block is told once, with its bytes and entries.
    const [{ reason, ...left }] = sound.leftBehind
    assert.deepEqual([sound.leftBehind.length, left], [1, { file: name, offset: from, length: size, entries: { count, is: 'exact' } }])
    assert.match(reason, /checksum mismatch/)
    assert.deepEqual(sound.atRisk[0].entries, left.entries)
    assert.equal(sound.oldDataMayReappear, true)
    const [risk] = sound.atRisk
    assert.equal(risk.file, name)
    assert.ok(risk.live <= 1 && risk.from !== undefined && risk.to !== undefined)
    const doubtful = await counted(flipped, 'doubtful')
    assert.equal(doubtful.live, 400)
    assert.deepEqual(doubtful.doubtful.map(({ file, offset, length, entries }) => [file, offset, length, entries]), [[name, from, size, { count, is: 'exact' }]])
    // What is used is not left behind.
    assert.deepEqual(doubtful.leftBehind, [])
    assert.match(doubtful.doubtful[0].reason, new RegExp(`its ${count} entries are used, and may be wrong`))

    const headless = Uint8Array.from(bytes)
    headless[headless.length - 1] ^= 1
    assert.equal((await counted(headless, 'sound')).live, 0)
    assert.equal((await counted(headless, 'carved')).live, 400)
    assert.equal((await counted(headless, 'carved')).atRisk.length, 0)
  })

  test('a key that damage would put out of order is no doubtful entry', async () => {
    const { place, name, bytes } = await oneTable('none')
    const [{ from, count }] = await oneBlock(bytes)
    const flipped = Uint8Array.from(bytes)
    flipped[from + 3] ^= 0x40
    const sources = filesOf(place).map((each) => sourceOf(each, each === name ? flipped : readFileSync(join(place, each))))
    const salvaged = await salvage(sources, { strictness: 'doubtful' })
    assert.equal(salvaged.report.live, 400 - count)
    await salvaged.close()
  })
})

/** A block in the middle. @param {Uint8Array} bytes */
async function oneBlock(bytes) {
  const found = []
  for await (const { regions } of sweepTable(sourceOf('000005.ldb', bytes))) {
    for (let i = 0; i < regions.length; i++) if (regions.kind[i] === 5 && regions.entries[i] > 0) found.push({ from: regions.offset[i], size: regions.size[i], count: regions.entries[i] })
  }
  return found.slice(found.length >> 1)
}

describe('salvage to one table', () => {
  test('has one entry for each live key, comes in pieces, and can be stopped', async () => {
    const place = newPlace()
    const db = new Varve(place, { compression: false })
    for (let round = 0; round < 3; round++) {
      await db.batch(Array.from({ length: 2000 }, (_, i) => i % 5 === round ? { type: 'del', key: `k${i}` } : { type: 'put', key: `k${i}`, value: `${round} ${randomBytes(600).toString('base64')}` }))
    }
    const expected = await db.iterator().all()
    await db.close()
    const salvaged = await salvage(sourcesOf(place))
    const pieces = []
    for await (const piece of salvaged.table()) pieces.push(piece)
    assert.ok(pieces.length > 1 && pieces.every(({ length }) => length > 0 && length < 2 << 20), pieces.map(({ length }) => length).join())
    assert.deepEqual(await rowsOfTable(Buffer.concat(pieces)), expected.map(([key, value]) => ({ key: { enc: 'utf8', v: key }, value: { enc: 'utf8', v: value } })))
    const control = new AbortController()
    await assert.rejects(async () => { for await (const _ of salvaged.table({ signal: control.signal })) control.abort() }, { name: 'AbortError' })
    // Another begins anew.
    assert.deepEqual(await joined(salvaged.table()), Buffer.concat(pieces))
    await salvaged.close()
    await assert.rejects(joined(salvaged.table()), { code: 'LEVEL_DATABASE_NOT_OPEN' })
  })

  test('is refused without a live key, since LevelDB cannot read an empty table', async () => {
    const place = newPlace()
    const db = new Varve(place)
    await db.put('a', 'b')
    await db.del('a')
    await db.close()
    const salvaged = await salvage(sourcesOf(place))
    await assert.rejects(joined(salvaged.table()), { code: 'LEVEL_INVALID_ARGUMENT', message: /no live entry/ })
    assert.ok((await joined(salvaged.zip())).length > 0)
    await salvaged.close()
  })
})

describe('salvage of what is left', () => {
  test('a log alone, tables of other names, and old versions that come back', async () => {
    const place = newPlace()
    const db = new Varve(place)
    await db.batch(Array.from({ length: 100 }, (_, i) => ({ type: 'put', key: `k${i}`, value: 'old' })))
    await db.flush()
    await db.del('k1')
    await db.put('k2', 'new')
    await db.close()
    const log = filesOf(place).find((each) => /\.log$/.test(each) && statSync(join(place, each)).size > 0) ?? ''
    const table = filesOf(place).find((each) => /\.ldb$/.test(each)) ?? ''
    const of = async (/** @type {import('../../src/js/types/inspect.js').Source[]} */ sources) => {
      const salvaged = await salvage(sources)
      await salvaged.close()
      return salvaged.report
    }
    const alone = await of([sourceOf('f1234567.log', readFileSync(join(place, log)))])
    assert.deepEqual([alone.live, alone.tombstones, alone.entries], [1, 1, 2])
    assert.deepEqual(alone.adopted, [{ file: 'f1234567.log', as: '000001.log' }])
    assert.equal(alone.files[0].file, 'f1234567.log')
    // It lacks nothing, but newer entries may be elsewhere; and that its keys are in bytewise order, only a table shows.
    assert.deepEqual([alone.leftBehind.map(({ reason }) => reason), alone.oldDataMayReappear], [['no manifest names the comparator: leveldb.BytewiseComparator is assumed'], true])
    const tableAlone = await of([sourceOf(table, readFileSync(join(place, table)))])
    assert.deepEqual([tableAlone.leftBehind, tableAlone.oldDataMayReappear, tableAlone.live], [[], true, 100])
    const both = await of([sourceOf('f1.ldb', readFileSync(join(place, table))), sourceOf('x (1).log', readFileSync(join(place, log)))])
    assert.equal(both.live, 99)
    // A manifest tells which files belong to the database: another one is left out, and told.
    const withManifest = await of([...sourcesOf(place), sourceOf('copy.ldb', readFileSync(join(place, table)))])
    assert.equal(withManifest.live, 99)
    assert.deepEqual(withManifest.leftBehind.map(({ file }) => file), ['copy.ldb'])
    assert.equal(withManifest.oldDataMayReappear, false)
    // Without the log, what it deleted is back, and the report says that any key may be.
    const without = await of(sourcesOf(place).filter(({ name }) => name !== log))
    assert.equal(without.live, 100)
    assert.deepEqual(without.atRisk.map(({ from, to, live }) => [from, to, live]), [[undefined, undefined, 100]])
    await assert.rejects(of([sourceOf('note.txt', Buffer.from('hello'))]), { code: 'LEVEL_INVALID_ARGUMENT' })
  })

  test('a file of no known structure is searched for blocks, one of another program is not', async () => {
    const { bytes } = await oneTable('snappy')
    const noise = Uint8Array.from({ length: 150_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24)
    const of = async (/** @type {string} */ name, /** @type {Uint8Array[]} */ ...parts) => {
      const salvaged = await salvage([sourceOf(name, Buffer.concat(parts))])
      await salvaged.close()
      return salvaged.report
    }
    const found = await of('image.bin', noise, bytes.subarray(0, -9))
    assert.deepEqual([found.live, found.adopted], [400, [{ file: 'image.bin', as: '000001.ldb' }]])
    const nothing = await of('noise.bin', noise)
    assert.deepEqual([nothing.live, nothing.files.map(({ use }) => use)], [0, ['none']])
    for (const head of ['\x89PNG', 'SQLite format 3\0', 'a text\n']) {
      await assert.rejects(of('x', Buffer.from(head, 'latin1'), head === 'a text\n' ? Buffer.alloc(0) : noise), { code: 'LEVEL_INVALID_ARGUMENT' })
    }
  })

  test('can be stopped, and keeps no more than it may', async () => {
    const { place } = await oneTable('none')
    const control = new AbortController()
    await assert.rejects(salvage(sourcesOf(place).filter(({ name }) => name !== 'CURRENT'), { signal: control.signal, progress: () => control.abort() }), { code: 'LEVEL_ABORTED' })
    const log = newPlace()
    const db = new Varve(log)
    await db.put('a', 'b'.repeat(100_000))
    await db.close()
    await assert.rejects(salvage(sourcesOf(log), { scratchMax: 1000 }), { code: 'LEVEL_FULL', message: /scratchMax/ })
    const broken = sourcesOf(log).map((source) => ({ ...source, read: () => { throw Object.assign(new Error('it changed'), { name: 'NotReadableError' }) } }))
    await assert.rejects(salvage(broken), { code: 'LEVEL_SOURCE_CHANGED' })
  })
})

describe('varve salvage', () => {
  const run = (/** @type {string[]} */ ...args) => spawnSync(process.execPath, [MAIN, 'salvage', ...args], { encoding: 'utf8' })

  test('writes what the dry run counted, to a directory, a zip and lines of JSON', async () => {
    const source = join(fixtures, 'block-flip-snappy')
    const before = hashOf(source)
    const dry = run(source, '--dry-run', '--json')
    assert.equal(dry.status, 1, dry.stderr)
    const { live, entries, tombstones } = JSON.parse(dry.stdout)
    assert.ok(live > 0)
    const [place, zip, lines, table] = ['cli', 'cli.zip', 'cli.ndjson', 'cli.ldb'].map((name) => join(folder, name))
    for (const target of [place, zip, lines, table]) assert.equal(run(source, target).status, 1)
    const unpacked = newPlace()
    unpack(readFileSync(zip), unpacked)
    for (const made of [place, unpacked]) assert.deepEqual(await countsOf(made), { live, entries, tombstones })
    assert.equal(readFileSync(lines, 'utf8').split('\n').length - 1, live)
    assert.equal((await rowsOfTable(readFileSync(table))).length, live)
    assert.deepEqual(hashOf(source), before)
    for (const target of [place, zip, lines, table]) {
      const again = run(source, target)
      assert.equal(again.status, 2)
      assert.match(again.stderr, /is not empty|is there already/)
    }
    const text = run(source, '--dry-run').stdout
    assert.match(text, /^would have [\d,]+ live keys: /)
    assert.match(text, /left behind: 00000\d\.ldb at [\d,]+, [\d,]+ bytes, \d+ entries: block checksum mismatch/)
    assert.match(text, /at risk by 00000\d\.ldb: keys /)
  })

  test('refuses what makes no sense', () => {
    mkdirSync(join(folder, 'nothing'))
    for (const [args, pattern] of /** @type {[string[], RegExp][]} */ ([
      [[join(fixtures, 'empty')], /name the new directory/], [[join(fixtures, 'empty'), 'x', '--dry-run'], /leave the target out/],
      [[join(fixtures, 'empty'), '--dry-run', '--strictness', 'lax'], /--strictness is one of/], [[join(folder, 'nothing'), '--dry-run'], /no database to repair/],
      [[join(folder, 'absent'), '--dry-run'], /ENOENT/]
    ])) {
      const { status, stderr } = run(...args)
      assert.equal(status, 2)
      assert.match(stderr, pattern)
    }
  })
})

describe('what opening and copying leave', () => {
  test('exports, checkpoints and salvaged databases name no log that is not there', async () => {
    const place = newPlace()
    const db = new Varve(place)
    await db.batch(Array.from({ length: 500 }, (_, i) => ({ type: 'put', key: `key${i}`, value: 'x'.repeat(50) })))
    const copies = [newPlace(), newPlace(), newPlace()]
    rmSync(copies[0], { recursive: true })
    await db.checkpoint(copies[0])
    unpack(await joined(db.export()), copies[1])
    await db.close()
    unpack(await joined((await salvage(sourcesOf(place))).zip()), copies[2])
    for (const copy of copies) {
      assert.deepEqual((await Varve.verify(copy)).findings, [])
      const strict = new Varve(copy, { recovery: 'strict', createIfMissing: false })
      assert.equal((await strict.keys().all()).length, 500)
      await strict.close()
      assert.equal((await countsOf(copy)).live, 500)
    }
  })

  test('a log that opening has set aside is salvaged as repair reads it', async () => {
    const place = newPlace()
    const db = new Varve(place)
    for (let i = 0; i < 40; i++) await db.put(`key${String(i).padStart(2, '0')}`, 'x'.repeat(50))
    // Closing would write a table.
    const log = filesOf(place).find((name) => name.endsWith('.log'))
    const copy = newPlace()
    for (const name of filesOf(place)) writeFileSync(join(copy, name), readFileSync(join(place, name)))
    await db.close()
    rmSync(join(copy, 'LOCK.varve'), { force: true })
    const bytes = readFileSync(join(copy, log))
    bytes[20 * 70] ^= 1
    writeFileSync(join(copy, log), bytes)
    const opened = new Varve(copy)
    await opened.put('more', '1')
    await opened.close()
    assert.ok(filesOf(copy).includes(`${log}.damaged`), filesOf(copy).join())
    const salvaged = await salvage(sourcesOf(copy))
    const target = newPlace()
    unpack(await joined(salvaged.zip()), target)
    const { live } = await countsOf(target)
    await Varve.repair(copy)
    const repaired = new Varve(copy)
    assert.equal(live, (await repaired.keys().all()).length)
    await repaired.close()
    assert.ok(live >= 40, `${live} keys`)
  })

  test('a missing log is told when the database opens, and that old data can be visible again', async () => {
    const place = newPlace()
    const first = new ClassicLevel(place)
    await first.batch([{ type: 'put', key: 'changed', value: 'old' }, { type: 'put', key: 'gone', value: 'x' }])
    await first.close()
    const second = new ClassicLevel(place)
    await second.batch([{ type: 'put', key: 'changed', value: 'new' }, { type: 'del', key: 'gone' }])
    await second.close()
    const log = filesOf(place).filter((name) => name.endsWith('.log')).at(-1)
    rmSync(join(place, log))
    const db = new Varve(place, { readOnly: true })
    const told = new Promise((resolve) => { db.once('damage', resolve) })
    assert.equal(await db.get('changed'), 'old')
    const { findings: [{ code, file }] } = await told
    assert.deepEqual([code, file], ['LEVEL_CORRUPTION', log])
    await db.close()
    const salvaged = await salvage(sourcesOf(place))
    assert.equal(salvaged.report.oldDataMayReappear, true)
    await salvaged.close()
    assert.equal((await Varve.repair(place)).oldDataMayReappear, true)
  })
})
