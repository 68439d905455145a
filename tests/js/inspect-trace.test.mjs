// varve/inspect: a traced look-up says what `get` says, and why; the history of a key; filters.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Varve } from '../../src/js/index.js'
import { keyHistory, mapDirectory, mapTable, measureFilter, openFilter, probeFilter, testFilter, traceKey, traceTable } from '../../src/js/inspect/index.js'
import { corpus, noCorpus } from './lib/corpus.mjs'
import { footer, internal, blockOf, logOf, sealed, sourceOfBytes, varint } from './lib/tables.mjs'
import { varve } from './lib/cli.mjs'

const FIXTURES = inRoot('tests', 'fixtures')
const bytesOf = (text) => new TextEncoder().encode(text)
const textOf = (bytes) => bytes && new TextDecoder().decode(bytes)

const namesIn = (folder) => fs.readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name)
const sourcesIn = (folder, changes = {}) => namesIn(folder).filter((name) => changes[name] !== null).map((name) => sourceOfBytes(changes[name]?.(fs.readFileSync(join(folder, name))) ?? fs.readFileSync(join(folder, name)), name))

/** Numbers from a seed. */
function randomOf(seed) {
  let state = seed
  return (below) => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0
    return ((state ^ state >>> 13) >>> 0) % below
  }
}

describe('traces of look-ups', () => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'varve-trace-'))
  const path = join(folder, 'db')
  /** What the database has: `undefined` where a key was deleted. @type {Map<string, string | undefined>} */
  const truth = new Map()
  const key = (number) => `user:${String(number).padStart(8, '0')}`

  before(async () => {
    const random = randomOf(7)
    const db = new Varve(path, { valueEncoding: 'utf8', writeBufferSize: 64 << 10, maxFileSize: 64 << 10, compression: false })
    await db.open()
    const some = async (count, deletes) => {
      for (let i = 0; i < count; i++) {
        const name = key(random(2000) * 2)
        const value = deletes && random(5) === 0 ? undefined : `${i} ${'x'.repeat(60)}`
        truth.set(name, value)
        if (value === undefined) await db.del(name)
        else await db.put(name, value)
      }
    }
    await some(4000, false)
    await db.compactRange(key(0), key(9999))
    await some(1500, true)
    await db.flush?.()
    await some(300, true)
    await db.close()
  })
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  test('a table alone has the answer that it has in its database', async () => {
    const sources = sourcesIn(path)
    let traced = 0
    for (let number = 0; number < 4004; number += 390) {
      const asked = bytesOf(key(number))
      const whole = await traceKey(sources, asked)
      for (const step of whole.steps.filter(({ kind, outcome }) => kind === 'table' && outcome !== 'skipped')) {
        const { read, size } = sources.find(({ name }) => name === step.file) ?? {}
        // Also under a name that is no table's.
        const { answer, value, steps: [one], bill } = await traceTable({ name: `some/where/copy of ${step.file}`, size, read }, asked)
        const { file, skipped, ...rest } = step
        assert.deepEqual(one, { ...rest, level: 0, file: `copy of ${file}` })
        if (step.outcome === 'found') assert.deepEqual([answer, value], [whole.answer, whole.value])
        assert.equal(answer, step.outcome === 'found' ? 'value' : step.outcome === 'deleted' ? 'deleted' : 'absent')
        assert.equal(bill.tables, 1)
        traced++
      }
    }
    assert.ok(traced > 10, String(traced))
    const source = sources.find(({ name }) => name.endsWith('.ldb'))
    // A source of the caller's own class, whose methods a copy of its properties would not have.
    const own = new class {
      name = '$&.ldb'
      get size() { return source.size }
      read(/** @type {number} */ offset, /** @type {Uint8Array} */ into) { return source.read(offset, into) }
    }()
    assert.equal((await traceTable(own, bytesOf(key(2)))).answer, (await traceTable(source, bytesOf(key(2)))).answer)
    const cut = await traceTable({ ...source, name: 'x.bin', size: source.size - 1 }, bytesOf('a'))
    assert.equal(cut.answer, 'unknown')
    assert.match(cut.reason, /^x\.bin /)
    assert.equal(cut.steps[0].reason, cut.reason)
    assert.match((await traceTable(source, bytesOf('a'), { comparator: 'reversed' })).reason, /the order of reversed, which is not known/)
    const controller = new AbortController()
    await assert.rejects(traceTable(source, bytesOf(key(2)), { signal: controller.signal, progress: () => controller.abort() }), { name: 'AbortError' })
  })

  test('every key has the answer that it has, and the bill adds up', async () => {
    const sources = sourcesIn(path)
    const outcomes = new Set()
    for (let number = 0; number < 4004; number += 39) {
      const name = key(number)
      const { answer, value, steps, bill } = await traceKey(sources, bytesOf(name))
      const expected = truth.get(name)
      assert.equal(answer, expected !== undefined ? 'value' : answer === 'deleted' && truth.has(name) ? 'deleted' : 'absent', name)
      assert.equal(textOf(value), expected)
      for (const { outcome } of steps) outcomes.add(outcome)
      assert.equal(bill.blocks + bill.noes, bill.blocksUnfiltered)
      assert.equal(steps.filter(({ falsePositive }) => falsePositive).length, bill.falsePositives)
      assert.equal(steps.filter(({ filter }) => filter !== undefined).length, bill.filters)
      assert.equal(steps.filter(({ kind, bytes }) => kind === 'table' && bytes > 0).reduce((sum, { bytes }) => sum + bytes, 0), bill.blockBytes)
      assert.equal(steps[0].kind, 'log')
    }
    for (const outcome of ['absent', 'filtered', 'found', 'deleted']) assert.ok(outcomes.has(outcome), `${outcome}: ${[...outcomes]}`)
  })

  test('a damaged block makes the answer unknown, and a key above it is still found', async () => {
    const sources = sourcesIn(path)
    let checked = 0
    for (let number = 0; number < 4004 && checked < 6; number += 2) {
      const { answer, steps } = await traceKey(sources, bytesOf(key(number)))
      const step = steps.find(({ kind, bytes, outcome }) => kind === 'table' && bytes > 0 && outcome !== 'absent')
      if (answer !== 'value' || step === undefined) continue
      checked++
      const changes = { [step.file]: (bytes) => { bytes[step.offset + 3] ^= 1; return bytes } }
      const damaged = await traceKey(sourcesIn(path, changes), bytesOf(key(number)))
      assert.equal(damaged.answer, 'unknown')
      assert.match(damaged.reason, new RegExp(`${step.file} at offset \\d+: block checksum mismatch`))
      assert.equal(damaged.steps.at(-1).outcome, 'unknown')
      const missing = await traceKey(sourcesIn(path, { [step.file]: null }), bytesOf(key(number)))
      assert.deepEqual([missing.answer, missing.reason, missing.steps.at(-1).file], ['unknown', `${step.file} is missing`, step.file])
    }
    assert.equal(checked, 6)
  })

  test('what cannot be read, and what no manifest names, is unknown', async () => {
    const sources = sourcesIn(path)
    const asked = bytesOf(key(2))
    const without = await traceKey(sourcesIn(path, { CURRENT: null }), asked)
    assert.deepEqual([without.answer, without.reason], ['unknown', 'CURRENT is missing, which names the manifest'])
    const lost = sources.map((source) => source.name.endsWith('.log') ? { ...source, read: () => { throw new Error('permission denied') } } : source)
    const unread = await traceKey(lost, asked)
    assert.equal(unread.answer, 'unknown')
    assert.match(unread.reason, /permission denied/)
    const alone = await traceKey([sourceOfBytes(new Uint8Array(100), '000005.ldb')], asked)
    assert.equal(alone.answer, 'unknown')
    const controller = new AbortController()
    await assert.rejects(traceKey(sources, asked, { signal: controller.signal, progress: () => controller.abort() }), { name: 'AbortError' })
  })

  test('a log of many parts is streamed, and a snapshot sees what it saw', async () => {
    const lp = (bytes) => [...varint(bytes.length), ...bytes]
    const batch = (sequence, ...puts) => [...new Uint8Array(new BigUint64Array([BigInt(sequence)]).buffer), puts.length, 0, 0, 0, ...puts.flatMap(([key, value]) => value === undefined ? [0, ...lp(bytesOf(key))] : [1, ...lp(bytesOf(key)), ...lp(value)])]
    const filler = new Uint8Array(200_000).fill(7)
    const records = [batch(1, ['a', bytesOf('first')], ['b', bytesOf('b')]), ...Array.from({ length: 15 }, (_, i) => batch(3 + i, [`filler${i}`, filler])), batch(18, ['a', bytesOf('second')]), batch(19, ['a', undefined])]
    const log = logOf(records)
    const files = {
      CURRENT: 'MANIFEST-000002\n',
      'MANIFEST-000002': logOf([[1, ...lp(bytesOf('leveldb.BytewiseComparator')), 2, 3, 3, 9, 4, 0]]),
      '000003.log': log
    }
    let largest = 0
    const sources = Object.entries(files).map(([name, bytes]) => sourceOfBytes(Buffer.from(bytes), name)).map((source) => ({ ...source, read: (offset, into) => { largest = Math.max(largest, into.length); return source.read(offset, into) } }))
    const told = []
    for (const [sequence, answer, value, outcome, entry] of [[undefined, 'deleted', undefined, 'deleted', 19], [18, 'value', 'second', 'found', 18], [17, 'value', 'first', 'found', 1], [0, 'absent', undefined, 'newer', 1]]) {
      const trace = await traceKey(sources, bytesOf('a'), { sequence, progress: (done) => told.push(done) })
      assert.deepEqual([trace.answer, textOf(trace.value), trace.steps[0].outcome, trace.steps[0].mentions], [answer, value, outcome, 3], String(sequence))
      if (outcome !== 'newer') assert.equal(trace.steps[0].sequence, entry)
    }
    assert.ok(log.length > 3_000_000 && largest <= 1 << 20, `${largest} of ${log.length} bytes at once`)
    assert.ok(told.length > 3)
    // A flipped bit in the middle: what was lost could be newer.
    log[100_000] ^= 1
    const { answer, reason } = await traceKey([...sources.slice(0, 2), sourceOfBytes(log, '000003.log')], bytesOf('b'))
    assert.equal(answer, 'unknown')
    assert.match(reason, /^000003\.log is damaged at offset/)
  })

  test('the command prints the steps, and its exit code tells the answer', async () => {
    const [name, value] = [...truth].find(([, value]) => value !== undefined)
    const found = await varve(['trace', path, name])
    assert.equal(found.code, 0)
    assert.ok(found.text.includes(value) && /\d+ filters? asked/.test(found.text), found.text)
    assert.equal((await varve(['trace', path, 'nothing'])).code, 1)
    const { code, text } = await varve(['trace', path, Buffer.from(name).toString('hex'), '--hex', '--json'])
    assert.equal(code, 0)
    const { answer, steps, bill } = JSON.parse(text)
    assert.deepEqual([answer, typeof bill.blocks, steps[0].kind], ['value', 'number', 'log'])
    assert.equal((await varve(['trace', path, name, '--at', '0'])).code, 1)
    assert.equal((await varve(['trace', folder, name])).code, 2)
  })

  test('look-ups in the corpus have the answers of the engines that made it', { skip: noCorpus }, async () => {
    let asked = 0
    for (const { id, kind, path, gets, comparator } of JSON.parse(fs.readFileSync(join(corpus, 'manifest.json'), 'utf8')).cases) {
      if (kind !== 'leveldb-db' || gets === undefined || gets.length === 0) continue
      const sources = sourcesIn(join(corpus, path))
      for (const { key, absent, value_len: length } of gets.slice(0, 3)) {
        const { answer, value, reason } = await traceKey(sources, Buffer.from(key, 'hex'))
        asked++
        if (answer === 'unknown') {
          assert.ok(reason.length > 10, reason)
          assert.ok(comparator !== 'leveldb.BytewiseComparator' || (await mapDirectory(sources, { sweep: true })).findings.some(({ severity }) => severity === 'bad'), `${id}: ${reason}`)
        } else if (absent) assert.match(answer, /absent|deleted/, `${id} ${key}`)
        else assert.equal(value?.length, length, `${id} ${key}`)
      }
    }
    assert.ok(asked > 60, String(asked))
  })

  test('the history of a key has every entry of it, with how its file came to be', async () => {
    const sources = sourcesIn(path)
    const { steps } = await traceKey(sources, bytesOf(key(2)))
    let most = 0
    for (let number = 0; number < 400; number += 10) {
      const found = []
      for await (const { mentions, events, file } of keyHistory(sources, bytesOf(key(number)))) found.push(...mentions.map((mention) => ({ ...mention, file, events })))
      const sequences = found.map(({ sequence }) => sequence)
      assert.equal(new Set(sequences).size, sequences.length)
      assert.ok(found.every(({ file, events }) => file.endsWith('.log') || events.some(({ added }) => added)), JSON.stringify(found))
      const newest = found.toSorted((a, b) => b.sequence - a.sequence)[0]
      assert.equal(newest?.type === 'value', truth.get(key(number)) !== undefined)
      most = Math.max(most, found.length)
    }
    assert.ok(most >= 3 && steps.length > 0, String(most))
  })

  test('a history finds entries in orphans, damaged tables and lost records', async () => {
    const table = fs.readdirSync(path).filter((name) => name.endsWith('.ldb'))[0]
    const bytes = fs.readFileSync(join(path, table))
    const { parts } = await mapTable(sourceOfBytes(bytes))
    const index = parts.find(({ kind }) => kind === 'index')
    const damaged = Buffer.from(bytes)
    damaged[index.offset + 2] ^= 1
    const key = textOf(Buffer.from((await mapTable(sourceOfBytes(bytes))).index.raw.subarray(3, 16)))
    const first = []
    for await (const part of keyHistory([sourceOfBytes(bytes, '000099.ldb')], bytesOf('user:00000000'))) first.push(...part.mentions)
    const second = []
    let damage = 0
    for await (const part of keyHistory([sourceOfBytes(damaged, '000099.ldb')], bytesOf('user:00000000'))) {
      second.push(...part.mentions)
      damage = part.damage
    }
    assert.ok(key.startsWith('user:'), key)
    assert.deepEqual(second.map(({ sequence, state }) => [sequence, state]), first.map(({ sequence }) => [sequence, 'found']))
    assert.ok(damage > 0)
  })
})

describe('filters', () => {
  const tables = ['bloom10-none.ldb'].map((name) => join(FIXTURES, 'leveldb-table', name))

  async function check(path) {
    const bytes = fs.readFileSync(path)
    const source = sourceOfBytes(bytes)
    const map = await mapTable(source)
    const filter = await openFilter(source, map)
    const { facts } = map.parts.find(({ kind }) => kind === 'filter')
    assert.deepEqual([filter.known, filter.count, filter.base, filter.reason], [true, facts.filters, 2048, undefined])
    const { slots } = filter
    assert.equal(slots.set.reduce((sum, set) => sum + set, 0), facts.bitsSet)
    assert.equal(slots.length, filter.count)
    // A key that is there: all of its bits are set, and they are those in the bytes.
    const key = Buffer.from(map.index.raw.subarray(3, 3))
    assert.equal(key.length, 0)
    const first = await firstKey(source, map)
    const probe = await probeFilter(source, map, first)
    assert.deepEqual([probe.verdict, probe.isThere, probe.block.offset], ['maybe', true, 0])
    assert.equal(probe.bits.length, slots.probes[probe.slot])
    for (const [at, bit] of probe.bits.entries()) {
      const byte = filter.raw[slots.start[probe.slot] + (bit >> 3)]
      assert.deepEqual([probe.set[at], byte >> (bit & 7) & 1], [1, 1])
    }
    const end = await probeFilter(source, map, new Uint8Array(20).fill(255))
    assert.equal(end.verdict, 'past end')
    const { asked, passed } = await measureFilter(source, map)
    return { source, map, filter, bytes, rate: passed / asked, asked }
  }

  async function firstKey(source, map) {
    const { openBlock, keyOf } = await import('../../src/js/inspect/index.js')
    const block = await openBlock(source, { kind: 'data', offset: map.handles.offset[0], size: map.handles.size[0] })
    return keyOf(block, 0).subarray(0, -8)
  }

  async function tested(source) {
    const findings = []
    let last
    for await (const part of testFilter(source)) {
      findings.push(...part.findings)
      last = part
    }
    return { findings, keys: last.keys, denied: last.denied }
  }

  test('their slots, the bits of a key, and their rate of false positives', async () => {
    const { source, rate, bytes, filter, map } = await check(tables[0])
    assert.ok(rate > 0 && rate < 0.03, String(rate))
    const sound = await tested(source)
    assert.deepEqual([sound.denied, sound.findings], [0, []])
    assert.ok(sound.keys > 0)
    // Every bit that is flipped to 0 denies the keys that ask for it.
    const probe = await probeFilter(source, map, await firstKey(source, map))
    const flipped = Buffer.from(bytes)
    assert.equal(map.parts.find(({ kind }) => kind === 'filter').facts.codec ?? 'none', 'none')
    flipped[filter.offset + filter.slots.start[probe.slot] + (probe.bits[0] >> 3)] ^= 1 << (probe.bits[0] & 7)
    const broken = await tested(sourceOfBytes(flipped))
    assert.ok(broken.denied > 0 && broken.findings.length > 0)
    assert.ok(broken.findings.every(({ code, severity }) => code === 'T41' && severity === 'bad'))
    const denied = await probeFilter(sourceOfBytes(flipped), map, await firstKey(source, map))
    assert.deepEqual([denied.verdict, denied.isThere], ['no', true])
  })

  test('of the corpus, by their bits for each key', { skip: noCorpus }, async () => {
    const rates = {}
    for (const { id, path } of JSON.parse(fs.readFileSync(join(corpus, 'manifest.json'), 'utf8')).cases.filter(({ id }) => id === 'bloom-5' || id === 'bloom-24')) {
      for (const name of fs.readdirSync(join(corpus, path)).filter((name) => /\.(ldb|sst)$/.test(name)).slice(0, 1)) {
        const { rate, asked, source } = await check(join(corpus, path, name))
        assert.ok(asked > 1000, String(asked))
        rates[id] = rate
        assert.equal((await tested(source)).denied, 0)
      }
    }
    assert.ok(rates['bloom-5'] > 0.04 && rates['bloom-5'] < 0.2, JSON.stringify(rates))
    assert.ok(rates['bloom-24'] < 0.001, JSON.stringify(rates))
  })

  /** A table of one key with these contents of a filter block. */
  function withFilter(contents, name = 'filter.leveldb.BuiltinBloomFilter2') {
    const data = sealed(blockOf([[internal('key', 1), [1]]]))
    const filter = sealed(contents)
    const metaindex = sealed(blockOf([[bytesOf(name), [...varint(data.length), ...varint(filter.length - 5)]]]))
    const index = sealed(blockOf([[internal('l', 1), [0, ...varint(data.length - 5)]]]))
    const at = data.length + filter.length
    return Buffer.concat([data, filter, metaindex, index, footer({ offset: at, size: metaindex.length - 5 }, { offset: at + metaindex.length, size: index.length - 5 })])
  }

  test('that are missing, unknown, reserved or damaged are told', async () => {
    const opened = async (bytes) => {
      const source = sourceOfBytes(bytes)
      const map = await mapTable(source)
      return { filter: await openFilter(source, map), probe: await probeFilter(source, map, bytesOf('key')), measured: await measureFilter(source, map) }
    }
    const none = fs.readFileSync(join(FIXTURES, 'leveldb-table', 'one-entry.ldb'))
    assert.deepEqual(await opened(none), { filter: undefined, probe: undefined, measured: undefined })
    const unknown = await opened(withFilter([1, 2, 3], 'filter.other'))
    assert.deepEqual([unknown.filter.known, unknown.filter.name, unknown.filter.slots.length, unknown.probe], [false, 'filter.other', 0, undefined])
    const reserved = await opened(withFilter([0, 0, 0, 0, 0, 0, 0, 0, 31, 0, 0, 0, 0, 9, 0, 0, 0, 11]))
    assert.deepEqual([reserved.filter.slots.probes[0], reserved.probe.verdict, reserved.probe.bits.length], [31, 'maybe', 0])
    const impossible = await opened(withFilter([0, 0, 0, 0, 200, 0, 0, 0, 4, 0, 0, 0, 11]))
    assert.equal(impossible.filter.slots.state[0], 1)
    const short = await opened(withFilter([1, 2, 3]))
    assert.match(short.filter.reason, /3 bytes/)
  })
})
