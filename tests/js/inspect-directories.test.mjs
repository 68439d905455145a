// varve/inspect on directories: roles and findings, over the fixtures and the shared corpus.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { mapDirectory } from '../../src/js/inspect/index.js'
import { corpus, noCorpus } from './lib/corpus.mjs'
import { blockOf, internal, logOf, sealed, sourceOfBytes, tableOf, varint } from './lib/tables.mjs'

const FIXTURES = inRoot('tests', 'fixtures')

const sourcesIn = (folder) => fs.readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile())
  .map(({ name }) => sourceOfBytes(fs.readFileSync(join(folder, name)), name))

const lp = (bytes) => [...varint(bytes.length), ...Buffer.from(bytes)]
const added = (level, number, size, smallest, largest) => [7, level, ...varint(number), ...varint(size), ...lp(smallest), ...lp(largest)]

/** A table of two keys. */
function tableWith(sequence = 5) {
  const keys = [internal('a', sequence), internal('m', 2)]
  const bytes = tableOf([sealed(blockOf([[keys[0], [1]]])), sealed(blockOf([[keys[1], [2]]]))], [internal('b', 1), internal('n', 1)])
  return { bytes, keys }
}

const FIRST = [1, ...lp('leveldb.BytewiseComparator'), 2, 3, 3, 9, 4, 5]

/** A sound database, whose parts tests replace. */
function database(changes = {}) {
  const { bytes, keys } = tableWith()
  const files = {
    CURRENT: 'MANIFEST-000002\n',
    'MANIFEST-000002': logOf([FIRST, added(1, 4, bytes.length, keys[0], keys[1])]),
    '000003.log': '',
    '000004.ldb': bytes,
    LOCK: '',
    ...changes
  }
  return Object.entries(files).filter(([, content]) => content !== undefined).map(([name, content]) => sourceOfBytes(Buffer.from(content), name))
}

const codesOf = ({ findings }) => findings.map(({ code, severity, file }) => `${code} ${severity} ${file ?? '-'}`)
const rolesOf = ({ files }) => Object.fromEntries(files.map(({ name, role, level }) => [name, level === undefined ? role : `${role} ${level}`]))

describe('directories', () => {
  test('files have their roles', async () => {
    const map = await mapDirectory(database(), { sweep: true })
    assert.deepEqual(codesOf(map), [])
    assert.deepEqual(rolesOf(map), { CURRENT: 'current', 'MANIFEST-000002': 'current manifest', '000003.log': 'current log', '000004.ldb': 'live 1', LOCK: 'lock' })
    const { files, bytes, tables, lastSequence, logNumber } = map.summary.facts
    assert.deepEqual([files, tables, lastSequence, logNumber], [5, 1, 5, 3])
    assert.equal(bytes, map.files.reduce((sum, { size }) => sum + size, 0))
    assert.equal(map.manifest.name, 'MANIFEST-000002')
    const old = await mapDirectory(database({ 'MANIFEST-000001': logOf([FIRST]), '000002.log': '', '000007.log': '', '000006.dbtmp': '', 'notes.txt': 'x', LOG: '' }))
    assert.deepEqual([old.findings.find(({ code }) => code === 'D02')?.severity, rolesOf(old)['MANIFEST-000001'], rolesOf(old)['000002.log'], rolesOf(old)['000003.log'], rolesOf(old)['000007.log'], rolesOf(old)['notes.txt']],
      ['info', 'old manifest', 'old log', 'log to replay', 'current log', 'other'])
  })

  const { bytes, keys } = tableWith()
  const manifest = (...edits) => logOf([FIRST, ...edits])
  const cases = {
    'CURRENT is missing': [{ CURRENT: undefined }, ['D01 bad -']],
    'CURRENT is empty': [{ CURRENT: '' }, ['D01 bad CURRENT']],
    'CURRENT has no newline': [{ CURRENT: 'MANIFEST-000002' }, ['D01 bad CURRENT']],
    'CURRENT is doubled': [{ CURRENT: 'MANIFEST-000002\nMANIFEST-000002\n' }, ['D01 bad CURRENT']],
    'CURRENT names a missing manifest': [{ CURRENT: 'MANIFEST-000008\n' }, ['D01 bad CURRENT']],
    'a table is missing': [{ '000004.ldb': undefined }, ['M02 bad MANIFEST-000002']],
    'the log is missing': [{ '000003.log': undefined }, ['M02 warn MANIFEST-000002']],
    'a newer log is there': [{ '000003.log': undefined, '000005.log': '' }, []],
    'the manifest names no log': [{ '000003.log': undefined, 'MANIFEST-000002': manifest([2, 0], added(1, 4, bytes.length, ...keys)) }, []],
    'the manifest names its own number, as a copy without a log': [{ '000003.log': undefined, 'MANIFEST-000002': manifest([2, 2], added(1, 4, bytes.length, ...keys)) }, []],
    'a manifest whose last edit a crash cut off': [{ 'MANIFEST-000002': manifest(added(1, 4, bytes.length, ...keys), added(2, 5, bytes.length, ...keys)).subarray(0, -20), '000005.ldb': bytes }, ['M03 info 000005.ldb', 'W04 info MANIFEST-000002']],
    'a manifest that was cut off with its last logs': [{ 'MANIFEST-000002': manifest(added(1, 4, bytes.length, ...keys), added(2, 5, bytes.length, ...keys)).subarray(0, -20), '000005.ldb': bytes, '000003.log': undefined, '000007.log': '' }, ['M03 warn 000005.ldb', 'W04 info MANIFEST-000002']],
    'an empty manifest': [{ 'MANIFEST-000002': '' }, ['M03 warn 000004.ldb', 'M08 bad MANIFEST-000002', 'M08 bad MANIFEST-000002', 'M08 bad MANIFEST-000002']],
    'a table is not named': [{ '000005.ldb': bytes }, ['M03 info 000005.ldb']],
    'a table is not finished': [{ '000005.ldb': bytes.subarray(0, 60) }, ['M03 info 000005.ldb']],
    'a table has another size': [{ 'MANIFEST-000002': manifest(added(1, 4, bytes.length + 1, ...keys)) }, ['M04 bad 000004.ldb']],
    'a table has other keys': [{ 'MANIFEST-000002': manifest(added(1, 4, bytes.length, internal('a', 4), internal('z', 1))) }, ['M05 bad 000004.ldb', 'M05 bad 000004.ldb']],
    'tables of a level overlap': [{ '000005.ldb': bytes, 'MANIFEST-000002': manifest(added(1, 4, bytes.length, ...keys), added(1, 5, bytes.length, ...keys)) }, ['M06 bad MANIFEST-000002']],
    'another comparator': [{ 'MANIFEST-000002': logOf([[1, ...lp('other.order'), 2, 3, 3, 9, 4, 5, ...added(1, 4, bytes.length, ...keys)]]) }, ['M07 info MANIFEST-000002']],
    'a sequence above the last': [{ '000004.ldb': tableWith(6).bytes, 'MANIFEST-000002': manifest(added(1, 4, bytes.length, internal('a', 6), keys[1])) }, ['T24 bad 000004.ldb']],
    'a table that was renamed': [{ 'f1234567.ldb': bytes }, ['D03 warn f1234567.ldb']],
    'a table that was copied': [{ '000004 (1).ldb': bytes }, ['D03 warn 000004 (1).ldb']],
    'two files of one number': [{ '000004.sst': bytes }, ['D04 warn 000004.sst']],
    'an empty table': [{ '000004.ldb': '' }, ['M04 bad 000004.ldb', 'T01 bad 000004.ldb']],
    'a manifest of zeros': [{ 'MANIFEST-000002': Buffer.alloc(4096) }, ['M03 warn 000004.ldb', 'W05 info MANIFEST-000002', 'M08 bad MANIFEST-000002', 'M08 bad MANIFEST-000002', 'M08 bad MANIFEST-000002']],
    'a log that is a text': [{ '000003.log': 'this was a log before somebody saved it\n' }, ['W03 warn 000003.log']],
    'a log that is of another format': [{ '000003.log': Buffer.concat([Buffer.from('\x1f\x8b\x08\0\0\0', 'latin1'), Buffer.alloc(90, 0x55)]) }, ['W01 bad 000003.log']],
    'a table of zeros': [{ '000004.ldb': Buffer.alloc(bytes.length) }, ['T01 bad 000004.ldb', 'T32 bad 000004.ldb']],
    'no database': [{ CURRENT: undefined, 'MANIFEST-000002': undefined, '000003.log': undefined, '000004.ldb': undefined, 'photo.png': '\x89PNG' }, []],
    nothing: [{ CURRENT: undefined, 'MANIFEST-000002': undefined, '000003.log': undefined, '000004.ldb': undefined, LOCK: undefined }, []]
  }
  for (const [name, [changes, expected]] of Object.entries(cases)) {
    test(name, async () => {
      const map = await mapDirectory(database(changes), { sweep: true })
      assert.deepEqual(codesOf(map), expected)
      if (changes['000004.ldb'] === undefined && '000004.ldb' in changes && map.manifest) assert.equal(rolesOf(map)['000004.ldb'], 'missing 1')
    })
  }

  test('a file that cannot be read is a finding', async () => {
    const sources = database()
    const lost = { ...sources[3], read: () => { throw new Error('permission denied') } }
    const map = await mapDirectory([...sources.slice(0, 3), lost, sources[4]])
    assert.ok(codesOf(map).every((code) => code === 'D05 bad 000004.ldb') && codesOf(map).length > 0, codesOf(map).join())
    assert.match(map.findings[0].reason, /permission denied/)
  })

  test('progress is told, and a signal ends it', async () => {
    const told = []
    await mapDirectory(database(), { progress: (done, of) => told.push([done, of]) })
    assert.deepEqual(told.at(-1), [5, 5])
    const controller = new AbortController()
    await assert.rejects(mapDirectory(database(), { signal: controller.signal, progress: () => controller.abort() }), { name: 'AbortError' })
  })

  const EXPECTED = {
    'block-flip': ['T10 bad'],
    'block-flip-snappy': ['T10 bad'],
    'current-missing': ['D01 bad'],
    'current-no-newline': ['D01 bad'],
    'current-points-nowhere': ['D01 bad'],
    'footer-magic': ['T02 bad'],
    'index-flip': ['T10 bad', 'T32 bad'],
    'manifest-cut': ['M03 warn', 'M08 bad'],
    'manifest-flip': ['W01 bad'],
    'manifest-missing': ['D01 bad'],
    'table-cut': ['M04 bad', 'T02 bad', 'T32 bad'],
    'table-missing': ['M02 bad'],
    'wal-flip-first-checksum': ['W01 bad', 'W08 bad'],
    'wal-flip-middle': ['W01 bad', 'W08 bad'],
    'wal-length-overrun': ['W02 bad', 'W08 bad'],
    'repair-log-damage': ['D01 bad', 'W01 bad', 'W08 bad']
  }

  async function check(id, folder) {
    const map = await mapDirectory(sourcesIn(folder), { sweep: true })
    const found = [...new Set(map.findings.filter(({ severity }) => severity !== 'info').map(({ code, severity }) => `${code} ${severity}`))].sort()
    const expected = EXPECTED[id] ?? []
    if (['footer-magic', 'manifest-flip', 'index-flip', 'table-cut'].includes(id)) for (const code of expected) assert.ok(found.includes(code), `${id}: ${found}`)
    else assert.deepEqual(found, expected, id)
    return map
  }

  test('of the fixtures have the findings of their damage, and sound ones none', async () => {
    for (const name of fs.readdirSync(FIXTURES)) {
      const folder = join(FIXTURES, name)
      if (fs.statSync(folder).isDirectory() && name !== 'leveldb-table') await check(name, folder)
    }
  })

  test('and of the corpus', { skip: noCorpus }, async () => {
    let count = 0
    for (const { id, kind, path } of JSON.parse(fs.readFileSync(join(corpus, 'manifest.json'), 'utf8')).cases) {
      if (kind !== 'leveldb-db') continue
      const map = await check(id, join(corpus, path))
      if (id === 'killed') assert.ok(map.files.some(({ role }) => role === 'orphan' || role === 'live'))
      count++
    }
    assert.equal(count, 50)
  })
})
