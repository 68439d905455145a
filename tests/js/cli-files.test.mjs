// `npx varve` on files: damage, layouts, digests, valid and hostile zips.
//
//   VARVE_CORPUS=...   the shared corpus, default ../shared/corpus; else only tests/fixtures are read
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, existsSync, lstatSync, openSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { FIXTURES, MAIN, cannot, fixture, json, made, ok, place, root, scratch, stateOf, varve } from './lib/cli.mjs'

describe('damage', { concurrency: 2 }, () => {
  test('of a block is found by verify and shown by layout, and other blocks are read', async () => {
    const db = fixture('block-flip-snappy')
    const { code, text } = await varve(['verify', db, '--json'])
    assert.equal(code, 1)
    const report = JSON.parse(text)
    assert.equal(report.sound, false)
    assert.equal(report.findings[0].code, 'LEVEL_CORRUPTION')
    assert.match(report.findings[0].file, /^00000[57]\.ldb$/)
    const spoken = await varve(['verify', db])
    assert.equal(spoken.code, 1)
    assert.match(spoken.text, /LEVEL_CORRUPTION: .*checksum[^]*finding/)

    const table = join(db, report.findings[0].file)
    const layout = await varve(['layout', table, '--json'])
    assert.equal(layout.code, 1)
    const { spans, sound } = JSON.parse(layout.text)
    assert.equal(sound, false)
    const data = spans.filter(({ kind }) => kind === 'data')
    assert.equal(data.filter(({ facts }) => facts.checksum === 'wrong').length, 1)
    assert.ok(data.filter(({ facts }) => facts.checksum === 'sound' && facts.entries > 0).length > 3)
    assert.match((await varve(['layout', table])).text, /wrong[^]*! T10 at [\d,]+: block checksum mismatch/)
    await cannot(['digest', db], /LEVEL_CORRUPTION/)
  })

  test('of log, manifest and CURRENT is found', async () => {
    for (const [name, pattern] of [['wal-flip-middle', /\.log/], ['manifest-cut', /MANIFEST/]]) {
      const { code, text } = await varve(['verify', fixture(name)])
      assert.equal(code, 1, name)
      assert.match(text, pattern)
    }
    const db = await made(100)
    rmSync(join(db, 'CURRENT'))
    assert.equal((await varve(['verify', db])).code, 1)
    assert.equal((await varve(['verify', fixture('tiny-table-and-wal')])).code, 0)
  })

  test('is repaired', async () => {
    const expected = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')).verified_repairs['repair-log-damage']
    const db = fixture('repair-log-damage')
    const { code, text } = await varve(['repair', db, '--json'])
    const report = JSON.parse(text)
    assert.equal(code, 1)
    assert.ok(report.findings.some(({ file, offset }) => file === '000008.log' && offset === 867), text)
    assert.deepEqual(await json('digest', db), { entries: expected.count, sha256: expected.sha256 })
    assert.equal((await varve(['verify', db])).code, 0)
  })
})

describe('layout', { concurrency: 2 }, () => {
  test('of a table covers every byte', async () => {
    for (const name of ['block256-none.ldb', 'block256-restart1.ldb', 'bloom10-none.ldb', 'empty.ldb', 'one-entry.ldb']) {
      const path = join(FIXTURES, 'leveldb-table', name)
      const { spans, size, sound } = await json('layout', path)
      assert.equal(sound, true)
      const regions = spans.filter(({ kind }) => kind !== 'table').sort((a, b) => a.offset - b.offset)
      assert.equal(regions.reduce((at, { offset, length }) => { assert.equal(offset, at); return at + length }, 0), size, name)
    }
    const text = await ok('layout', join(FIXTURES, 'leveldb-table', 'bloom10-none.ldb'))
    for (const pattern of [/^footer .*magic 57fb808b247547db/m, /^metaindex/m, /^index/m, /^filter .*BuiltinBloomFilter2/m, /^ +block +offset +stored +raw/m, /^sound$/m]) assert.match(text, pattern)
    assert.match(await ok('layout', join(FIXTURES, 'leveldb-table', 'one-entry.ldb'), '--entries'), /restart {2}\S+ @/)
  })

  test('of a database shows its levels and files', async () => {
    const db = await made()
    const { levels, files, unused } = await json('layout', db)
    const live = levels.flatMap(({ tables }) => tables.map(({ name }) => name))
    assert.deepEqual(live.sort(), readdirSync(db).filter((name) => name.endsWith('.ldb')).sort())
    assert.deepEqual([unused, files.find(({ name }) => name === 'CURRENT').kind], [[], 'current'])
    assert.match(await ok('layout', db), /^level \d: /m)
  })

  test('of another file ends, and names its format', async () => {
    const table = readFileSync(join(FIXTURES, 'leveldb-table', 'block256-none.ldb'))
    const rocks = Buffer.concat([Buffer.alloc(200, 1), Buffer.from('f7cff485b741e288', 'hex')])
    const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24))
    const cases = [
      ['empty', Buffer.alloc(0), /T01/],
      ['short', Buffer.alloc(47), /T01/],
      ['zeros', Buffer.alloc(10_000), /T01/],
      ['noise', noise, /T02/],
      ['rocksdb', rocks, /RocksDB/],
      ['sqlite', Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4080)]), /SQLite database/],
      ['cut', table.subarray(0, table.length / 2), /found by checksum alone/],
      ['endless handles', Buffer.concat([table.subarray(0, -48), Buffer.alloc(40, 0xff), table.subarray(-8)]), /T30/]
    ]
    await Promise.all(cases.map(async ([name, bytes, pattern]) => {
      const path = join(scratch, `${name}.ldb`)
      writeFileSync(path, bytes)
      const { code, text, error } = await varve(['layout', path])
      assert.deepEqual([code, error], [1, ''], name)
      assert.match(text, pattern, name)
      JSON.parse((await varve(['layout', path, '--json'])).text)
    }))
    await cannot(['layout', join(FIXTURES, 'versions', '000012.log')], /LEVEL_NOT_SUPPORTED/)
  })
})

describe('digest', () => {
  const check = async (base, cases) => {
    let compared = 0
    for (const { id, kind, path, comparator, expect } of cases) {
      if (kind !== 'leveldb-db' || expect === undefined) continue
      const { code, text, error } = await varve(['digest', join(base, path), '--json'])
      // The package lacks other comparators and codecs.
      if (code === 2 && (comparator !== 'leveldb.BytewiseComparator' || /LEVEL_NOT_SUPPORTED/.test(error))) continue
      assert.equal(code, 0, `${id}: ${error}`)
      const { entries, sha256 } = JSON.parse(text)
      assert.equal(entries, expect.count, id)
      // Others come as they are stored, or have a digest of another order.
      if (comparator === 'leveldb.BytewiseComparator') assert.equal(sha256, expect.sha256, id)
      compared++
    }
    return compared
  }

  test('equals that of the native build, for the fixtures', async () => {
    assert.ok(await check(FIXTURES, JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')).cases) >= 4)
    const db = place()
    await ok('put', db, 'k', 'vv')
    const bytes = Buffer.concat([Buffer.from([1, 0, 0, 0]), Buffer.from('k'), Buffer.from([2, 0, 0, 0]), Buffer.from('vv')])
    assert.equal(await ok('digest', db), `${createHash('sha256').update(bytes).digest('hex')}  ${db}\n`)
  })

  const corpus = process.env.VARVE_CORPUS ?? join(root, '..', 'shared', 'corpus')
  const manifest = join(corpus, 'manifest.json')
  test('equals that of the native build, for the corpus', { skip: existsSync(manifest) ? false : `SKIPPED: no corpus at ${corpus} (set VARVE_CORPUS)` }, async () => {
    assert.ok(await check(corpus, JSON.parse(readFileSync(manifest, 'utf8')).cases) >= 20)
  })
})

describe('export and import', { skip: Varve.import === undefined ? 'not in this build' : false }, () => {
  test('round trip, through a file and a pipe', async () => {
    const db = await made()
    const { entries, sha256 } = await json('digest', db)
    const before = stateOf(db)
    const zip = join(scratch, 'db.zip')
    const { bytes } = await json('export', db, zip)
    assert.equal(statSync(zip).size, bytes)
    assert.deepEqual(stateOf(db), before)
    const back = place()
    await ok('import', back, zip)
    assert.deepEqual(await json('digest', back), { entries, sha256 })

    const { code, out } = await varve(['export', db])
    assert.equal(code, 0)
    const piped = place()
    assert.equal((await varve(['import', piped], { input: out })).code, 0)
    assert.deepEqual(await json('digest', piped), { entries, sha256 })
    await cannot(['import', back, zip], /^varve: LEVEL_/)
    writeFileSync(join(scratch, 'no.zip'), 'this is no zip')
    await cannot(['import', place(), join(scratch, 'no.zip')], /^varve: LEVEL_/)
    await cannot(['export', db, '--json'], /--json needs a file/)
  })

  // The zip was renamed to the target: as root, `varve export db /dev/null` replaced the device.
  const noPipes = spawnSync('mkfifo', ['--version']).status === 0 ? false : 'SKIPPED: no mkfifo here'
  test('to a pipe, a link or a directory replaces none of them', { skip: noPipes }, async () => {
    const db = await made()
    const pipe = join(scratch, 'a.pipe')
    spawnSync('mkfifo', [pipe])
    const reader = readFile(pipe)
    await ok('export', db, pipe)
    assert.ok(statSync(pipe).isFIFO())
    assert.deepEqual(await reader, (await varve(['export', db])).out)

    const [file, link] = [join(scratch, 'linked.zip'), join(scratch, 'link.zip')]
    writeFileSync(file, 'old')
    symlinkSync(file, link)
    await ok('export', db, link)
    assert.ok(lstatSync(link).isSymbolicLink())
    assert.deepEqual(readFileSync(file), (await varve(['export', db])).out)
    await cannot(['export', db, scratch], /is a directory/)
    assert.deepEqual(readdirSync(scratch).filter((name) => name.endsWith('.partial')), [])
  })
})

// Writing standard output to a full disk printed a stack trace and exited with 1 ("not found").
test('a failure of standard output is exit code 2, with one line', { skip: existsSync('/dev/full') ? false : 'SKIPPED: needs /dev/full' }, async () => {
  const db = await made()
  for (const args of [['scan', db], ['digest', db], ['export', db], ['stats', db, '--json']]) {
    const full = openSync('/dev/full', 'w')
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' })
    closeSync(full)
    assert.deepEqual([status, stderr.trim().split('\n').length], [2, 1], `${args}: ${stderr}`)
    assert.match(stderr, /^varve: standard output: ENOSPC/)
  }
})

test('an error code is not printed twice', async () => {
  await cannot(['verify', place()], /^(?!.*ENOENT.*ENOENT).*ENOENT/s)
  const full = spawnSync(process.execPath, [MAIN, 'bench', '--dir', '/proc/self', '--num', '1'], { encoding: 'utf8' })
  assert.doesNotMatch(full.stderr, /(E[A-Z]{4,}).*\1/)
})
