// `npx varve`: each command as a process of its own, its output, exit code and errors, on sound, damaged and hostile input.
//
//   VARVE_CORPUS=...   the shared corpus; else ../shared/corpus; without it, only tests/fixtures are read
import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Varve } from '../../src/js/index.js'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const MAIN = join(root, 'src', 'js', 'cli', 'main.js')
const FIXTURES = join(root, 'tests', 'fixtures')
const scratch = mkdtempSync(join(tmpdir(), 'varve-cli-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

let places = 0
const place = () => join(scratch, String(places++))
const fixture = (name) => {
  const copy = place()
  cpSync(join(FIXTURES, name), copy, { recursive: true })
  return copy
}

/** @returns {Promise<{ code: number, out: Buffer, text: string, error: string }>} */
function varve(args, { input = '' } = {}) {
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, [MAIN, ...args], { encoding: 'buffer', maxBuffer: 1 << 28 }, (failure, out, error) => {
      if (failure && typeof failure.code !== 'number') return reject(failure)
      resolve({ code: failure?.code ?? 0, out, text: out.toString(), error: error.toString() })
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

async function ok(...args) {
  const { code, text, error } = await varve(args)
  assert.deepEqual([code, error], [0, ''], `${args.join(' ')}: ${error}${text}`)
  return text
}

const json = async (...args) => JSON.parse(await ok(...args, '--json'))
const lines = (text) => text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line))

async function cannot(args, pattern, options) {
  const { code, text, error } = await varve(args, options)
  assert.equal(code, 2, `${args.join(' ')}: ${text}${error}`)
  assert.match(error, pattern)
  assert.ok(!error.includes('    at '), `a stack: ${error}`)
}

/** Everything that can be seen of a directory. */
function stateOf(directory) {
  return readdirSync(directory, { recursive: true }).sort().map((name) => {
    const stats = statSync(join(directory, name))
    return `${name} ${stats.size} ${stats.mtimeMs} ${stats.isFile() ? createHash('sha256').update(readFileSync(join(directory, name))).digest('hex') : ''}`
  })
}

/** A database of `count` entries in tables, and some in the log. */
async function made(count = 3000, { size = 100 } = {}) {
  const location = place()
  const db = new Varve(location, { writeBufferSize: 64 << 10, maxFileSize: 64 << 10 })
  for (let at = 0; at < count; at += 500) {
    await db.batch(Array.from({ length: Math.min(500, count - at) }, (_, i) => ({ type: 'put', key: `key${String(at + i).padStart(8, '0')}`, value: `${at + i}`.padEnd(size, 'x') })))
  }
  await db.flush()
  await db.put('last', 'in the log')
  await db.close()
  return location
}

describe('help', { concurrency: 2 }, () => {
  const commands = ['get', 'put', 'del', 'scan', 'stats', 'layout', 'verify', 'digest', 'repair', 'compact', 'export', 'import', 'bench']

  test('of all, of each, and the version', async () => {
    const all = await ok('--help')
    assert.equal(await ok('--version'), `${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}\n`)
    await Promise.all(commands.map(async (name) => {
      assert.match(all, new RegExp(`^  ${name} `, 'm'))
      assert.match(await ok(name, '--help'), new RegExp(`^varve ${name} [^]*--help`))
    }))
  })

  test('bad usage is 2, with the reason on standard error', async () => {
    await Promise.all([
      cannot(['nonsense'], /no command 'nonsense'/),
      cannot(['get'], /too few arguments/),
      cannot(['get', 'a', 'b', 'c'], /too many arguments/),
      cannot(['scan', 'db', '--nonsense'], /LEVEL_INVALID_ARGUMENT.*--nonsense/),
      cannot(['scan', 'db', '--limit', 'many'], /--limit must be a whole number/),
      cannot(['scan', 'db', '--keys', '--values'], /exclude each other/),
      cannot(['get', 'db', 'zz', '--hex'], /the key is not hex/),
      cannot(['get', 'db', '\\q', '--key-encoding', 'escaped'], /unknown escape/),
      cannot(['get', 'db', 'a', '--key-encoding', 'utf7'], /no encoding 'utf7'/),
      cannot(['bench', 'fillnothing'], /no workload 'fillnothing'/),
      cannot(['__proto__'], /no command/),
      cannot(['put', place(), 'a', 'b', '--readonly'], /--readonly forbids/)
    ])
    const { code, text } = await varve([])
    assert.equal(code, 2)
    assert.match(text, /varve <command>/)
  })
})

describe('entries', { concurrency: 2 }, () => {
  test('are put, got, scanned and deleted', async () => {
    const db = place()
    await ok('put', db, 'a', '1')
    await ok('put', db, 'b', '2', '--sync')
    assert.equal((await varve(['put', db, 'c'], { input: 'three\nlines\n' })).code, 0)
    assert.equal(await ok('get', db, 'a'), '1\n')
    assert.equal(await ok('get', db, 'c'), 'three\nlines\n\n')
    assert.equal(await ok('get', db, 'c', '--raw'), 'three\nlines\n')
    assert.equal(await ok('scan', db), 'a\t1\nb\t2\nc\tthree\\nlines\\n\n')
    assert.deepEqual(lines(await ok('scan', db, '--json')), [{ key: 'a', value: '1' }, { key: 'b', value: '2' }, { key: 'c', value: 'three\nlines\n' }])
    assert.deepEqual(await json('get', db, 'b'), { key: 'b', found: true, value: '2' })
    assert.equal((await varve(['del', db, 'b'])).code, 0)
    assert.equal((await varve(['del', db, 'b'])).code, 1)
    const { code, text, error } = await varve(['get', db, 'b'])
    assert.deepEqual([code, text, error], [1, '', ''])
    assert.deepEqual(lines((await varve(['get', db, 'b', '--json'])).text), [{ key: 'b', found: false }])
  })

  test('any bytes go in and out', async () => {
    const db = place()
    await ok('put', db, '00ff0a', 'fe5c', '--hex')
    await ok('put', db, 'e280ae41', '1b5b324a', '--hex')
    assert.equal(await ok('get', db, '00FF0A', '--hex'), 'fe5c\n')
    assert.equal(await ok('get', db, '\\x00\\xff\\n', '--key-encoding', 'escaped'), '\\xfe\\\n')
    assert.equal(await ok('get', db, 'AP8K', '--key-encoding', 'base64', '--value-encoding', 'base64'), '/lw=\n')
    assert.equal(await ok('scan', db), '\\x00\\xff\\n\t\\xfe\\\n\\xe2\\x80\\xaeA\t\\x1b[2J\n')
    assert.deepEqual(lines(await ok('scan', db, '--json')),
      [{ key: { hex: '00ff0a' }, value: { hex: 'fe5c' } }, { key: '\u202eA', value: '\u001b[2J' }])
    // What "escaped" prints, it reads.
    for (const line of (await ok('scan', db, '--key-encoding', 'escaped', '--value-encoding', 'escaped')).trimEnd().split('\n')) {
      const [key, value] = line.split('\t')
      assert.equal(await ok('get', db, key, '--key-encoding', 'escaped', '--value-encoding', 'escaped'), `${value}\n`)
    }
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i * 7))
    assert.equal((await varve(['put', db, 'bytes'], { input: bytes })).code, 0)
    assert.deepEqual((await varve(['get', db, 'bytes', '--raw'])).out, bytes)
  })

  test('ranges', async () => {
    const db = await made(200)
    const keys = async (...args) => (await ok('scan', db, '--keys', ...args)).trimEnd().split('\n').map((key) => key.replace(/^key0*(?=\d)/, ''))
    assert.deepEqual(await keys('--gte', 'key00000010', '--lt', 'key00000013'), ['10', '11', '12'])
    assert.deepEqual(await keys('--gt', 'key00000010', '--lte', 'key00000012'), ['11', '12'])
    assert.deepEqual(await keys('--reverse', '--limit', '2'), ['last', '199'])
    assert.deepEqual(await keys('--limit', '0'), [''])
    assert.equal(await ok('scan', db, '--values', '--gt', 'key00000199'), 'in the log\n')
  })

  test('a reader that goes away is no error', async () => {
    const db = await made(20_000)
    for (const args of [['scan', db], ['scan', db, '--json']]) {
      const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
      let error = ''
      child.stderr.on('data', (part) => { error += part })
      await new Promise((resolve) => child.stdout.once('data', resolve))
      child.stdout.destroy()
      const code = await new Promise((resolve) => child.once('close', resolve))
      assert.deepEqual([code, error], [0, ''])
    }
  })
})

describe('a place', { concurrency: 2 }, () => {
  test('that is not there, no database, or locked, is 2', async () => {
    await cannot(['get', place(), 'a'], /^varve: LEVEL_\w+: /)
    await cannot(['scan', MAIN], /^varve: \w+: /)
    await cannot(['layout', place()], /ENOENT/)
    await cannot(['verify', place()], /^varve: /)
    await cannot(['del', place(), 'a'], /^varve: LEVEL_\w+: /)
    const location = place()
    const db = new Varve(location)
    await db.put('a', '1')
    await cannot(['put', location, 'b', '2'], new RegExp(`LEVEL_LOCKED: .*process ${process.pid}`))
    await cannot(['compact', location], /LEVEL_LOCKED/)
    await cannot(['repair', location], /LEVEL_LOCKED/)
    await db.close()
    assert.equal(await ok('get', location, 'a'), '1\n')
  })

  test('is not changed by a byte by what only reads', async () => {
    const db = await made()
    const before = stateOf(db)
    const table = readdirSync(db).find((name) => name.endsWith('.ldb'))
    for (const args of [['get', db, 'last'], ['scan', db], ['stats', db], ['layout', db], ['layout', join(db, table)], ['verify', db], ['digest', db], ['scan', db, '--readonly']]) {
      await ok(...args)
      assert.deepEqual(stateOf(db), before, args[0])
    }
  })
})

describe('stats, compact and bench', { concurrency: 2 }, () => {
  test('say what there is', async () => {
    const db = await made(5000)
    const stats = await json('stats', db)
    assert.ok(stats.tables > 1)
    assert.equal(stats.tables, stats.levels.reduce((sum, { tables }) => sum + tables, 0))
    assert.equal(stats.tables, stats.filesAtLevel.reduce((sum, count) => sum + count, 0))
    assert.equal(stats.tableBytes, stats.files.filter(({ kind }) => kind === 'table').reduce((sum, { size }) => sum + size, 0))
    assert.ok(stats.amplification.read >= 1 && stats.amplification.space >= 1)
    const text = await ok('stats', db)
    for (const pattern of [/read amplification/, /space amplification/, /Level\s+Files Size\(MB\)/]) assert.match(text, pattern)

    const digest = await json('digest', db)
    const other = new Varve(db)
    await other.clear({ lt: 'key00004000' })
    await other.close()
    const { before, after: left } = await json('compact', db)
    assert.ok(left.bytes <= before.bytes && left.bytes < stats.tableBytes / 2, `${stats.tableBytes}, ${before.bytes} -> ${left.bytes}`)
    const now = await json('digest', db)
    assert.equal(now.entries, 1001)
    assert.notEqual(now.sha256, digest.sha256)
    assert.match(await ok('compact', db, '--gte', 'a', '--lt', 'b'), /tables?, .* -> /)
  })

  test('bench measures what it is asked', async () => {
    const dir = place()
    mkdirSync(dir)
    const { results } = await json('bench', 'fillseq', 'fillbatch,readrandom', 'readseq', 'readmissing', 'seekrandom', 'deleterandom', 'compact', '--num', '2000', '--value-size', '50', '--dir', dir)
    assert.deepEqual(results.map(({ name }) => name), ['fillseq', 'fillbatch', 'readrandom', 'readseq', 'readmissing', 'seekrandom', 'deleterandom', 'compact'])
    for (const { name, ops, opsPerSecond, p50, p99, max } of results) {
      assert.equal(ops, { fillbatch: 2, compact: 1 }[name] ?? 2000, name)
      assert.ok(opsPerSecond > 0 && p50 <= p99 && p99 <= max, name)
    }
    assert.deepEqual(readdirSync(dir), [], 'what it made is gone')
    assert.match(await ok('bench', 'fillrandom', '--num', '500'), /fillrandom +500 /)
  })
})

describe('damage', { concurrency: 2 }, () => {
  test('of a block is found by verify and shown by layout, and the rest is read', async () => {
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
    assert.match((await varve(['layout', table])).text, /wrong[^]*! T10 at [\d,]+: the block's checksum is/)
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
    const expected = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')).cases.find(({ id }) => id === 'repair-log-damage').after_repair
    const db = fixture('repair-log-damage')
    const { code, text } = await varve(['repair', db, '--json'])
    const report = JSON.parse(text)
    assert.equal(code, report.findings.length > 0 ? 1 : 0)
    assert.deepEqual(await json('digest', db), { entries: expected.count, sha256: expected.sha256 })
    assert.equal((await varve(['verify', db])).code, 0)
  })
})

describe('layout', { concurrency: 2 }, () => {
  test('of a table has every byte of it', async () => {
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

  test('of a database has its levels and files', async () => {
    const db = await made()
    const { levels, files, unused } = await json('layout', db)
    const live = levels.flatMap(({ tables }) => tables.map(({ name }) => name))
    assert.deepEqual(live.sort(), readdirSync(db).filter((name) => name.endsWith('.ldb')).sort())
    assert.deepEqual([unused, files.find(({ name }) => name === 'CURRENT').kind], [[], 'current'])
    assert.match(await ok('layout', db), /^level \d: /m)
  })

  test('of what is no table ends, and says what it is', async () => {
    const table = readFileSync(join(FIXTURES, 'leveldb-table', 'block256-none.ldb'))
    const rocks = Buffer.concat([Buffer.alloc(200, 1), Buffer.from('f7cff485b741e288', 'hex')])
    const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24))
    const cases = [
      ['empty', Buffer.alloc(0), /T01/],
      ['short', Buffer.alloc(47), /T01/],
      ['zeros', Buffer.alloc(10_000), /T02/],
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
      // Other comparators and codecs are not in the package.
      if (code === 2 && (comparator !== 'leveldb.BytewiseComparator' || /LEVEL_NOT_SUPPORTED/.test(error))) continue
      assert.equal(code, 0, `${id}: ${error}`)
      assert.deepEqual(JSON.parse(text), { entries: expect.count, sha256: expect.sha256 }, id)
      compared++
    }
    return compared
  }

  test('is the native build\'s, on the fixtures', async () => {
    assert.ok(await check(FIXTURES, JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')).cases) >= 4)
    const db = place()
    await ok('put', db, 'k', 'vv')
    const bytes = Buffer.concat([Buffer.from([1, 0, 0, 0]), Buffer.from('k'), Buffer.from([2, 0, 0, 0]), Buffer.from('vv')])
    assert.equal(await ok('digest', db), `${createHash('sha256').update(bytes).digest('hex')}  ${db}\n`)
  })

  const corpus = process.env.VARVE_CORPUS ?? join(root, '..', 'shared', 'corpus')
  const manifest = join(corpus, 'manifest.json')
  test('is the native build\'s, on the corpus', { skip: existsSync(manifest) ? false : `SKIPPED: no corpus at ${corpus} (set VARVE_CORPUS)` }, async () => {
    assert.ok(await check(corpus, JSON.parse(readFileSync(manifest, 'utf8')).cases) >= 20)
  })
})

describe('export and import', { skip: Varve.import === undefined ? 'not in this build' : false }, () => {
  test('there and back, by file and by pipe', async () => {
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
})

test('progress is shown on a terminal alone', { skip: spawnSync('script', ['--version']).status === 0 ? false : 'no script(1) here' }, async () => {
  const { Progress } = await import('../../src/js/cli/output.js')
  const drawn = []
  const stream = (isTTY) => ({ isTTY, write: (text) => drawn.push(text) })
  const bar = (isTTY) => {
    const progress = new Progress('work', 100, stream(isTTY))
    progress.add(10)
    return progress
  }
  const [silent, early, late] = [bar(false), bar(true), bar(true)]
  assert.deepEqual(drawn, [])
  await new Promise((resolve) => setTimeout(resolve, 1050))
  silent.add(1)
  silent.end()
  early.end()
  assert.deepEqual(drawn, [])
  late.add(40)
  late.end()
  assert.match(drawn[0], /work \[#{15}\.{15}\] 50 %/)
  assert.equal(drawn.length, 2)
  // Through a terminal, what is watched gives the same answer.
  const db = await made(500)
  const plain = await ok('digest', db)
  const { stdout } = spawnSync('script', ['-qec', `${process.execPath} ${MAIN} digest ${db}`, '/dev/null'], { encoding: 'utf8' })
  assert.equal(stdout.replace(/\r\n/g, '\n'), plain)
})
