// varve/inspect on manifests, over the fixtures and the shared corpus.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { EDIT_REASONS, REGION_STATES, levelsAt, mapManifest, openEdit, sweepManifest } from '../../src/js/inspect/index.js'
import { corpus, noCorpus } from './lib/corpus.mjs'
import { internal, logOf, sourceOfBytes, varint } from './lib/tables.mjs'

const FIXTURES = inRoot('tests', 'fixtures')
const codesOf = ({ findings }) => findings.map(({ code, severity }) => `${code} ${severity}`)

const lp = (bytes) => [...varint(bytes.length), ...Buffer.from(bytes)]
const added = (level, number, size, smallest, largest) => [7, level, ...varint(number), ...varint(size), ...lp(internal(smallest, 9)), ...lp(internal(largest, 1))]
const removed = (level, number) => [6, level, ...varint(number)]
const FIRST = [1, ...lp('leveldb.BytewiseComparator')]
const OPENED = [2, 3, 9, 0, 3, 4, 4, 0]

const manifestOf = logOf

/** A map, checked against what holds for all. */
async function mapped(bytes, name) {
  const source = sourceOfBytes(bytes, name)
  const map = await mapManifest(source)
  const { edits, regions } = map
  let at = 0
  for (let i = 0; i < regions.length; i++) {
    assert.equal(regions.offset[i], at, name)
    at += regions.size[i]
  }
  assert.equal(at, bytes.length, name)
  assert.equal(map.summary.facts.edits, edits.length, name)
  for (let i = 0; i < edits.length; i++) {
    if (REGION_STATES[edits.state[i]] !== 'sound') continue
    const { span, contents, raw } = await openEdit(source, { offset: edits.offset[i], end: edits.end[i] })
    assert.deepEqual([span.findings, contents.findings], [[], []], name)
    let end = 0
    for (const field of contents.spans) {
      assert.equal(field.offset, end)
      for (const part of field.spans) {
        assert.equal(part.offset, end, `${name} ${field.name} ${part.name}`)
        end += part.length
      }
      assert.equal(end, field.offset + field.length)
    }
    assert.equal(end, raw.length)
    const count = (name) => contents.spans.filter((field) => field.name === name).length
    assert.deepEqual([count('new file'), count('deleted file')], [edits.added[i], edits.removed[i]])
    const version = await levelsAt(source, map, i)
    assert.deepEqual([version.edits, version.tables.length, version.tableBytes], [i + 1, edits.tables[i], edits.tableBytes[i]], name)
  }
  return map
}

const reasonsOf = ({ edits }) => Array.from(edits.reason, (reason, i) => `${EDIT_REASONS[reason]} ${edits.from[i]} ${edits.to[i]}`)

describe('manifests', () => {
  test('edits are replayed, and each has a reason', async () => {
    const map = await mapped(manifestOf([
      FIRST,
      OPENED,
      [2, 4, 3, 6, 4, ...varint(40), ...added(0, 5, 700, 'a', 'k')],
      added(0, 6, 800, 'b', 'z'),
      [...removed(0, 5), ...added(1, 5, 700, 'a', 'k')],
      [...removed(0, 6), ...removed(1, 5), 3, 9, ...added(1, 7, 900, 'a', 'm'), ...added(1, 8, 500, 'n', 'z')],
      removed(1, 8)
    ]))
    assert.deepEqual(codesOf(map), [])
    assert.deepEqual(reasonsOf(map), ['new database 0 0', 'opened 0 0', 'flush 0 0', 'flush 0 0', 'move 0 1', 'compaction 0 1', 'drop 1 1'])
    assert.deepEqual([...map.edits.tables], [0, 0, 1, 2, 2, 2, 1])
    assert.deepEqual([...map.edits.tableBytes], [0, 0, 700, 1500, 1500, 1400, 900])
    const { edits, damagedEdits, logNumber, previousLogNumber, nextFileNumber, lastSequence, tables, tableBytes } = map.summary.facts
    assert.deepEqual([edits, damagedEdits, logNumber, previousLogNumber, nextFileNumber, lastSequence, tables, tableBytes], [7, 0, 4, 0, 9, 40, 1, 900])
    assert.equal(Buffer.from(map.summary.facts.comparator, 'hex').toString(), 'leveldb.BytewiseComparator')
  })

  test('tables of a level that overlap, and other findings', async () => {
    const overlapping = [FIRST, OPENED, [...added(1, 5, 1, 'a', 'k'), ...added(1, 6, 1, 'c', 'z'), ...added(0, 7, 1, 'z', 'a')]]
    assert.deepEqual(codesOf(await mapped(manifestOf(overlapping))), ['M05 bad', 'M06 bad'])
    assert.deepEqual(codesOf(await mapped(manifestOf([[1, ...lp('other.order')], OPENED, ...overlapping.slice(2)]))), ['M07 info'])
    assert.deepEqual(codesOf(await mapped(manifestOf([OPENED]))), ['M01 info'])
    assert.deepEqual(codesOf(await mapped(manifestOf([FIRST]))), ['M08 bad', 'M08 bad', 'M08 bad'])
    const unknown = await mapped(manifestOf([FIRST, OPENED, [77], added(0, 5, 1, 'a', 'b')]))
    assert.deepEqual(codesOf(unknown), ['W06 bad', 'W08 bad'])
    assert.deepEqual([unknown.edits.reason[2], unknown.summary.facts.tables], [255, 1])
  })

  test('of the fixtures and the corpus name the tables that are there', async () => {
    const folders = fs.readdirSync(FIXTURES).map((name) => join(FIXTURES, name))
    if (!noCorpus) {
      for (const { kind, path } of JSON.parse(fs.readFileSync(join(corpus, 'manifest.json'), 'utf8')).cases) {
        if (kind === 'leveldb-db') folders.push(join(corpus, path))
      }
    }
    let count = 0
    for (const folder of folders) {
      const names = fs.statSync(folder).isDirectory() ? fs.readdirSync(folder) : []
      for (const name of names.filter((name) => name.startsWith('MANIFEST-'))) {
        const map = await mapped(fs.readFileSync(join(folder, name)), join(folder, name))
        const expected = /manifest-cut/.test(folder) ? ['W04 info', 'M08 bad', 'M08 bad', 'M08 bad'] : /manifest-flip/.test(folder) ? ['W01 bad', 'W08 bad'] : []
        if (!/manifest-flip/.test(folder)) assert.deepEqual(codesOf(map).filter((code) => code !== 'M07 info'), expected, folder)
        else assert.ok(codesOf(map).includes('W01 bad'), folder)
        count++
        if (/table-|manifest-|block-flip|lost/.test(folder)) continue
        const { tables } = await levelsAt(sourceOfBytes(fs.readFileSync(join(folder, name))), map, map.edits.length - 1)
        for (const { number, size } of tables) {
          const file = ['ldb', 'sst'].map((ending) => join(folder, `${String(number).padStart(6, '0')}.${ending}`)).find((path) => fs.existsSync(path))
          assert.ok(file, `${folder} ${number}`)
          assert.equal(fs.statSync(file).size, size)
        }
      }
    }
    assert.ok(count > (noCorpus ? 6 : 40), String(count))
  })

  test('every flipped bit is a finding', async () => {
    const bytes = manifestOf([FIRST, OPENED, added(0, 5, 700, 'a', 'k'), [...removed(0, 5), ...added(1, 5, 700, 'a', 'k')]])
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const mutant = Buffer.from(bytes)
      mutant[bit >> 3] ^= 1 << (bit & 7)
      assert.ok(codesOf(await mapManifest(sourceOfBytes(mutant))).length > 0, `bit ${bit}`)
    }
  })

  test('a large manifest is usable from the first MiB, keeps what it is told to, and finds each version', async () => {
    // Each edit adds a table and removes the one before the last.
    const edits = [FIRST, OPENED]
    let number = 10
    for (let size = 0; size < 5 << 20; size += edits.at(-1).length + 7, number++) {
      edits.push([...added(0, number, number, 'a', 'k'), ...number > 11 ? removed(0, number - 2) : []])
    }
    const source = sourceOfBytes(logOf(edits))
    const sweep = sweepManifest(source)
    const first = await sweep.next()
    assert.ok(first.value.done <= 1 << 20 && first.value.edits.length > 1000)
    await sweep.return()
    const map = await mapManifest(source, { maxEdits: 5000 })
    assert.deepEqual(codesOf(map), [])
    assert.ok(map.edits.length >= 5000 && map.edits.length < 20_000 && map.checkpoints.length >= 3)
    const last = await levelsAt(source, map, map.summary.facts.edits - 1)
    assert.deepEqual(last.tables.map(({ number }) => number), [number - 2, number - 1])
    const all = await mapManifest(source)
    for (const edit of [0, 1, 2, 3, 4095, 4096, 4097, 20_000, all.edits.length - 2]) {
      const version = await levelsAt(source, map, edit)
      assert.deepEqual([version.edits, version.tables.length, version.tableBytes], [edit + 1, all.edits.tables[edit], all.edits.tableBytes[edit]])
    }
    assert.equal((await levelsAt(source, map, 1e9)).edits, all.edits.length)
  })
})
