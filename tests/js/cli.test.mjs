// `npx varve`: usage, entries, places, measurements: output, exit codes and errors of each command.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { MAIN, cannot, json, lines, made, ok, place, root, stateOf, varve } from './lib/cli.mjs'

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
