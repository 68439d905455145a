// varve/inspect on write-ahead logs, over the fixtures and the shared corpus.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { REGION_KINDS, REGION_STATES, mapLog, openRecord, sweepLog } from '../../src/js/inspect/index.js'
import { corpus, noCorpus } from './lib/corpus.mjs'
import { crc32c, fragment, sourceOfBytes } from './lib/tables.mjs'

const FIXTURES = inRoot('tests', 'fixtures')
const logs = fs.readdirSync(FIXTURES, { recursive: true }).filter((name) => /\.log$/.test(name))
const read = (name) => fs.readFileSync(join(FIXTURES, name))

/** A map, checked against what holds for all. */
async function mapped(bytes, name) {
  const map = await mapLog(sourceOfBytes(bytes, name))
  const { regions, records } = map
  let at = 0
  for (let i = 0; i < regions.length; i++) {
    assert.equal(regions.offset[i], at, name)
    at += regions.size[i]
  }
  assert.equal(at, bytes.length, name)
  for (let i = 0; i < records.length; i++) {
    assert.equal(regions.offset[records.region[i]], records.offset[i], name)
    assert.match(REGION_KINDS[regions.kind[records.region[i]]], /^(full|first)$/)
    if (REGION_STATES[records.state[i]] !== 'sound') continue
    const view = await openRecord(sourceOfBytes(bytes), { offset: records.offset[i], end: records.end[i] })
    assert.deepEqual([view.span.findings, view.contents.findings], [[], []], name)
    assert.deepEqual([view.raw.length, view.operations.length], [records.size[i], records.operations[i]], name)
    const { offset, keyStart, keyEnd, valueStart, end, type, sequence } = view.operations
    let next = 12
    for (let op = 0; op < offset.length; op++) {
      assert.deepEqual([offset[op], view.raw[offset[op]], sequence[op]], [next, type[op], records.sequence[i] + op], name)
      assert.ok(offset[op] < keyStart[op] && keyStart[op] <= keyEnd[op] && keyEnd[op] <= valueStart[op] && valueStart[op] <= end[op])
      next = end[op]
    }
    assert.equal(next, view.raw.length, name)
  }
  return map
}

const codesOf = ({ findings }) => findings.map(({ code, severity }) => `${code} ${severity}`)

/** Records that are sound, up to the one where recovery to a point in time ends. */
function soundOf({ records, summary }) {
  let count = 0
  for (let i = 0; i < records.length; i++) if (REGION_STATES[records.state[i]] === 'sound') count++
  return { all: count, inOrder: count - summary.facts.recordsLeftBehind }
}

describe('logs', () => {
  test('of the fixtures are explained, record by record', async () => {
    assert.ok(logs.length > 8)
    for (const name of logs) {
      const map = await mapped(read(name), name)
      if (/wal-flip|repair-log/.test(name)) assert.ok(codesOf(map).includes('W01 bad'), name)
      else assert.deepEqual(codesOf(map), [], name)
    }
  })

  test('of the corpus have the records that LevelDB reads', { skip: noCorpus }, async () => {
    const { cases } = JSON.parse(fs.readFileSync(join(corpus, 'manifest.json'), 'utf8'))
    const damaged = {
      'wal-cut-3': ['W04 info'],
      'wal-cut-header': ['W04 info'],
      'wal-zero-tail': ['W05 info'],
      'wal-flip-first-checksum': ['W01 bad', 'W08 bad'],
      'wal-flip-middle': ['W01 bad', 'W08 bad'],
      'wal-length-overrun': ['W02 bad', 'W08 bad']
    }
    let count = 0
    for (const { id, kind, path, logs = [], files } of cases) {
      if (kind !== 'leveldb-db') continue
      for (const { name } of files.filter(({ name }) => /\.log$/.test(name))) {
        const map = await mapped(fs.readFileSync(join(corpus, path, name)), `${id} ${name}`)
        assert.deepEqual(codesOf(map), damaged[id] ?? [], `${id} ${name}`)
        const expected = logs.find(({ file }) => file === name)
        if (expected && !/wal-flip|overrun/.test(id)) {
          assert.equal(soundOf(map).inOrder, expected.batches, `${id} ${name}`)
          assert.equal(map.summary.facts.operations, expected.puts + expected.deletes, `${id} ${name}`)
          assert.equal(map.summary.facts.deletions, expected.deletes, `${id} ${name}`)
        }
        if (/wal-flip|overrun/.test(id)) assert.equal(soundOf(map).all, 149, id)
        count++
      }
    }
    assert.ok(count > 40, String(count))
  })

  test('are read in parts, and a signal ends that', async () => {
    const bytes = read('wal-flip-middle/000008.log')
    const controller = new AbortController()
    const sweep = sweepLog(sourceOfBytes(bytes), { signal: controller.signal })
    const { value } = await sweep.next()
    assert.equal(value.done, bytes.length)
    controller.abort()
    await assert.rejects(sweep.next(), { name: 'AbortError' })
    let told = 0
    await mapLog(sourceOfBytes(bytes), { progress: (done) => { told = done } })
    assert.equal(told, bytes.length)
  })

  test('a record that claims 1 GiB is read in a bounded memory', async () => {
    const size = 2 ** 30
    const payload = Buffer.alloc(32768 - 7)
    const [first, middle, last] = [2, 3, 4].map((type) => fragment(payload, type))
    const source = {
      name: '000003.log',
      size,
      read(offset, into) {
        for (let at = 0; at < into.length; at += 32768) {
          const start = offset + at
          const block = start === 0 ? first : start === size - 32768 ? last : middle
          into.set(block.subarray(0, into.length - at), at)
        }
        return into.length
      }
    }
    const start = performance.now()
    let rows = 0
    for await (const { regions, records, findings, done } of sweepLog(source)) {
      rows += regions.length
      assert.deepEqual(findings, [])
      if (done < 64e6) continue
      if (records.length) assert.equal(records.size[0], rows * payload.length)
      if (performance.now() - start > 1500) break
    }
    assert.ok(rows > 1000)
    const view = await openRecord(source, { offset: 0, end: size })
    assert.ok(view.raw.length <= 66 << 20)
    assert.equal(crc32c(view.raw.subarray(0, 100)), crc32c(payload.subarray(0, 100)))
  })
})
