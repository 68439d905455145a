// `npx varve`: output, exit codes and errors of each command.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { MAIN, cannot, json, lines, made, ok, place, root, scratch, stateOf, varve } from './lib/cli.mjs'

describe('help', { concurrency: 2 }, () => {
  const commands = ['get', 'put', 'del', 'scan', 'stats', 'layout', 'verify', 'digest', 'repair', 'compact', 'export', 'import', 'bench']

  test('is printed for all commands and for each, and the version', async () => {
    const all = await ok('--help')
    assert.equal(await ok('--version'), `${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}\n`)
    await Promise.all(commands.map(async (name) => {
      assert.match(all, new RegExp(`^  ${name} `, 'm'))
      assert.match(await ok(name, '--help'), new RegExp(`^varve ${name} [^]*--help`))
    }))
  })

  test('wrong usage is exit code 2, with the reason on standard error', async () => {
    await Promise.all([
      cannot(['nonsense'], /unknown command 'nonsense'/),
      cannot(['get'], /too few arguments/),
      cannot(['get', 'a', 'b', 'c'], /too many arguments/),
      cannot(['scan', 'db', '--nonsense'], /LEVEL_INVALID_ARGUMENT.*--nonsense/),
      cannot(['scan', 'db', '--limit', 'many'], /--limit must be a whole number/),
      cannot(['scan', 'db', '--keys', '--values'], /cannot be combined/),
      cannot(['get', 'db', 'zz', '--hex'], /the key is not hex/),
      cannot(['get', 'db', '\\q', '--key-encoding', 'escaped'], /unknown escape/),
      cannot(['get', 'db', 'a', '--key-encoding', 'utf7'], /unknown encoding 'utf7'/),
      cannot(['bench', 'fillnothing'], /unknown workload 'fillnothing'/),
      cannot(['__proto__'], /unknown command/),
      cannot(['put', place(), 'a', 'b', '--readonly'], /without --readonly/)
    ])
    const { code, text } = await varve([])
    assert.equal(code, 2)
    assert.match(text, /varve <command>/)
  })
})

describe('entries', { concurrency: 2 }, () => {
  test('can be put, read, scanned and deleted', async () => {
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

  test('can have any bytes', async () => {
    const db = place()
    await ok('put', db, '00ff0a', 'fe5c', '--hex')
    await ok('put', db, 'e280ae41', '1b5b324a', '--hex')
    assert.equal(await ok('get', db, '00FF0A', '--hex'), 'fe5c\n')
    assert.equal(await ok('get', db, '\\x00\\xff\\n', '--key-encoding', 'escaped'), '\\xfe\\\n')
    assert.equal(await ok('get', db, 'AP8K', '--key-encoding', 'base64', '--value-encoding', 'base64'), '/lw=\n')
    assert.equal(await ok('scan', db), '\\x00\\xff\\n\t\\xfe\\\n\\xe2\\x80\\xaeA\t\\x1b[2J\n')
    assert.deepEqual(lines(await ok('scan', db, '--json')),
      [{ key: { hex: '00ff0a' }, value: { hex: 'fe5c' } }, { key: '\u202eA', value: '\u001b[2J' }])
    // The encoding `escaped` reads its own output.
    for (const line of (await ok('scan', db, '--key-encoding', 'escaped', '--value-encoding', 'escaped')).trimEnd().split('\n')) {
      const [key, value] = line.split('\t')
      assert.equal(await ok('get', db, key, '--key-encoding', 'escaped', '--value-encoding', 'escaped'), `${value}\n`)
    }
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i * 7))
    assert.equal((await varve(['put', db, 'bytes'], { input: bytes })).code, 0)
    assert.deepEqual((await varve(['get', db, 'bytes', '--raw'])).out, bytes)
  })

  test('can be selected by ranges', async () => {
    const db = await made(200)
    const keys = async (...args) => (await ok('scan', db, '--keys', ...args)).trimEnd().split('\n').map((key) => key.replace(/^key0*(?=\d)/, ''))
    assert.deepEqual(await keys('--gte', 'key00000010', '--lt', 'key00000013'), ['10', '11', '12'])
    assert.deepEqual(await keys('--gt', 'key00000010', '--lte', 'key00000012'), ['11', '12'])
    assert.deepEqual(await keys('--reverse', '--limit', '2'), ['last', '199'])
    assert.deepEqual(await keys('--limit', '0'), [''])
    assert.equal(await ok('scan', db, '--values', '--gt', 'key00000199'), 'in the log\n')
  })

  test('a closed standard output is not an error', async () => {
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

describe('a directory', { concurrency: 2 }, () => {
  test('that is missing, not a database, or locked, is exit code 2', async () => {
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

  test('is not changed by commands that only read', async () => {
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
  test('stats and compact report sizes', async () => {
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

  test('bench runs the given workloads', async () => {
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

test('progress is shown only on a terminal', { skip: spawnSync('script', ['--version']).status === 0 ? false : 'needs script(1)' }, async () => {
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
  // On a terminal, with progress, the result is the same.
  const db = await made(500)
  const plain = await ok('digest', db)
  const { stdout } = spawnSync('script', ['-qec', `${process.execPath} ${MAIN} digest ${db}`, '/dev/null'], { encoding: 'utf8' })
  assert.equal(stdout.replace(/\r\n/g, '\n'), plain)
})

// ---- Mistakes ----

describe('an error', { concurrency: 2 }, () => {
  // Node's own message was printed, without a suggestion.
  test('in the name of an option or command suggests the right one', async () => {
    const db = await made(10)
    await Promise.all([
      cannot(['scan', db, '--limt', '3'], /unknown option '--limt'; did you mean --limit\?/),
      cannot(['scan', db, '--revrese'], /did you mean --reverse\?/),
      cannot(['scan', db, '--lim=3'], /did you mean --limit\?/),
      cannot(['scan', db, '-limit', '3'], /unknown option '-limit'; did you mean --limit\?/),
      cannot(['get', db, 'a', '--key-encodign', 'hex'], /did you mean --key-encoding\?/),
      cannot(['scan', db, '--nothing-like-it'], /unknown option '--nothing-like-it'\. Put an argument/),
      cannot(['scna', db], /unknown command 'scna'; did you mean scan\?/),
      cannot(['delete', db, 'a'], /did you mean del\?/),
      cannot(['help', 'verfiy'], /did you mean verify\?/),
      cannot(['xyzzy'], /unknown command 'xyzzy'; `varve --help` lists the commands/),
      cannot(['--limt'], /unknown option '--limt' before the command/),
      cannot(['scan', db, '--limit'], /--limit needs a value/),
      cannot(['scan', db, '--gte', '-a'], /--gte needs a value; write one that begins with - as --gte=-/),
      cannot(['get', db, 'a', '--json=1'], /--json takes no value/)
    ])
  })

  // `varve put db key`, without a value by mistake, stored an empty value.
  test('put without a value and without input stores nothing, and explains how to store an empty value', async () => {
    const db = place()
    const advice = /no value given: .*standard input; '' stores an empty value/
    await cannot(['put', db, 'a'], advice)
    await cannot(['put', db, 'a', '--hex'], /the key is not hex/)
    await cannot(['put', db, 'aa', '--hex'], advice)
    for (const stdin of ['ignore', null]) {
      const { status, stderr } = spawnSync(process.execPath, [MAIN, 'put', db, 'a'], { stdio: [stdin, 'pipe', 'pipe'], encoding: 'utf8' })
      assert.deepEqual([status, advice.test(stderr)], [2, true], stderr)
    }
    const closed = spawnSync('sh', ['-c', '"$0" "$1" put "$2" a <&-', process.execPath, MAIN, db], { encoding: 'utf8' })
    assert.deepEqual([closed.status, advice.test(closed.stderr)], [2, true], closed.stderr)
    assert.equal(existsSync(db), false)
    await ok('put', db, 'a', '')
    assert.deepEqual(lines(await ok('scan', db, '--json')), [{ key: 'a', value: '' }])
  })

  test('keys and directories that begin with - must follow --, and errors say so', async () => {
    const db = place()
    await ok('put', db, '--', '-key', '-value')
    await ok('put', '--', db, '--limit', '3')
    await ok('--', 'put', db, '--', '4')
    for (const args of [['get', db, '--', '-key'], ['get', '--raw', '--', db, '-key'], ['get', '--', db, '-key']]) assert.match(await ok(...args), /^-value\n?$/)
    assert.equal(await ok('scan', '--keys', '--', db), '--\n--limit\n-key\n')
    assert.equal(await ok('scan', db, '--keys', '--gte=-k'), '-key\n')
    await ok('del', db, '--', '--limit')
    await cannot(['get', db, '-key'], /unknown option '-key'; did you mean --key-encoding\? Put an argument that begins with - after --, as in: varve get \[options\] -- <directory> <key>/)
    await cannot(['put', db, '-1', 'x'], /begins with - after --/)
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'verify', '--', '-db'], { cwd: mkdtemp('-db', db), encoding: 'utf8' })
    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, /sound/)
  })

  // The commands reported ENOTDIR differently; verify mentioned scandir.
  test('a file instead of a directory names the command that accepts it', async () => {
    const db = await made()
    const files = readdirSync(db)
    const [table, log, manifest] = [/\.ldb$/, /\.log$/, /^MANIFEST/].map((pattern) => join(db, files.find((name) => pattern.test(name))))
    const zip = place()
    await ok('export', db, '-o', zip)
    const text = place()
    writeFileSync(text, 'text')
    const before = stateOf(db)
    const commands = [['get', 'a'], ['put', 'a', 'b'], ['del', 'a'], ['scan'], ['stats'], ['verify'], ['digest'], ['repair'], ['compact'], ['export'], ['import', zip]]
    await Promise.all(commands.map(async ([name, ...rest]) => {
      await cannot([name, table, ...rest], /is a table file, not a directory: use `varve layout`/)
      await cannot([name, zip, ...rest], /is a zip, not a directory: use `varve import <directory> /)
      for (const file of [log, manifest, join(db, 'CURRENT')]) await cannot([name, file, ...rest], new RegExp(`is one file of a database, not a directory: give the directory, ${db}`))
      await cannot([name, text, ...rest], /is a file, not a directory/)
      await cannot([name, join(text, 'below'), ...rest], /a part of the path is a file/)
      if (!['put', 'import'].includes(name)) await cannot([name, place(), ...rest], /directory \S+ does not exist \(ENOENT\); `varve put` and `varve import` create a database/)
      await cannot([name, '', ...rest], /the directory name is empty/)
    }))
    await cannot(['layout', place()], /no such file or directory \(ENOENT\)/)
    await cannot(['import', place(), place()], /no such file or directory \(ENOENT\)/)
    await cannot(['import', place(), db], /is a directory, not a file/)
    await cannot(['import', place()], /no zip given/)
    await cannot(['export', db, '-o', join(place(), 'x.zip')], /no such file or directory \(ENOENT\)/)
    await cannot(['export', db, '-o', zip, zip], /given twice/)
    await cannot(['bench', '--dir', place()], /does not exist/)
    assert.deepEqual(stateOf(db), before)
  })

  // repair, compact and del created a LOCK in an empty directory, and printed the system's message
  // for a missing directory.
  test('without a database, no files are created', async () => {
    const [empty, other, missing] = [place(), place(), place()]
    mkdirSync(empty)
    mkdirSync(other)
    writeFileSync(join(other, 'notes'), 'mine')
    for (const [name, ...rest] of [['repair'], ['verify'], ['compact'], ['del', 'a'], ['get', 'a'], ['scan'], ['stats'], ['digest'], ['export']]) {
      for (const directory of [empty, other]) await cannot([name, directory, ...rest], new RegExp(`${directory}: .*(no database|does not exist)`))
      await cannot([name, missing, ...rest], new RegExp(`directory ${missing} does not exist`))
      assert.deepEqual([readdirSync(empty), readdirSync(other), existsSync(missing)], [[], ['notes'], false], name)
    }
    await Varve.destroy(missing)
    await Varve.destroy(other)
    assert.deepEqual([readdirSync(other), existsSync(missing)], [['notes'], false])
    await assert.rejects(Varve.repair(missing), { code: 'LEVEL_IO_ERROR', message: /no such file/ })
    // An existing LOCK is kept.
    writeFileSync(join(empty, 'LOCK'), '')
    await cannot(['repair', empty], /no database/)
    assert.deepEqual(readdirSync(empty), ['LOCK'])
  })
})

/** A directory with a copy of the database under the name. */
function mkdtemp(name, db) {
  const parent = place()
  cpSync(db, join(parent, name), { recursive: true })
  return parent
}

// The message had only EACCES and a path that the user had not given.
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
const canBeNobody = spawnSync(process.execPath, [MAIN, '--version'], { ...nobody }).status === 0 && process.platform !== 'win32'
test('a path without permission is named, with advice', { skip: canBeNobody ? false : 'SKIPPED: cannot run as another user' }, async () => {
  const db = await made(10)
  chmodSync(scratch, 0o755)
  const as = (...args) => spawnSync(process.execPath, [MAIN, ...args], { ...nobody, encoding: 'utf8' })
  chmodSync(db, 0o500)
  if (nobody.uid === undefined) assert.match(as('compact', db).stderr, /permission denied \(EACCES\); ask its owner/)
  chmodSync(db, 0)
  for (const [name, ...rest] of [['get', 'a'], ['scan'], ['verify'], ['stats'], ['repair'], ['put', 'a', 'b'], ['layout']]) {
    const { status, stderr } = as(name, db, ...rest)
    assert.deepEqual([status, stderr], [2, `varve: LEVEL_IO_ERROR: ${db}: permission denied (EACCES); ask its owner for access, or run as another user\n`], name)
  }
  chmodSync(db, 0o755)
  const zip = place()
  writeFileSync(zip, 'x', { mode: 0 })
  assert.match(as('import', place(), zip).stderr, /permission denied \(EACCES\); ask its owner/)
  // As a user who cannot create the directory.
  chmodSync(scratch, 0o555)
  if (nobody.uid !== undefined) assert.match(as('put', place(), 'a', 'b').stderr, /EACCES.*; ask its owner/)
  chmodSync(scratch, 0o755)
})

test('scan --prefix', async () => {
  const db = place()
  const keys = ['', '61', '6161', '6162', '61ff', '61ff00', '61ffff', '62', 'fe', 'ff', 'ff00', 'ffff', 'ffff01', 'ffffff']
  const store = new Varve(db, { keyEncoding: 'hex' })
  await store.batch(keys.map((key) => ({ type: 'put', key, value: '' })))
  await store.close()
  const scan = async (...args) => (await ok('scan', db, '--keys', '--key-encoding', 'hex', ...args)).split('\n').slice(0, -1)
  for (const prefix of ['', '61', '6161', '61ff', '61ffff', 'ff', 'ffff', 'fffffe', '00', 'fe']) {
    const within = keys.filter((key) => key.startsWith(prefix))
    assert.deepEqual(await scan('--prefix', prefix), within, prefix)
    assert.deepEqual(await scan('--prefix', prefix, '--reverse', '--limit', '2'), within.reverse().slice(0, 2), `${prefix}, reversed`)
  }
  // Combined with bounds, all of them apply.
  for (const [bounds, allow] of [
    [['--gte', '6162'], (key) => key >= '6162'], [['--gt', '61'], (key) => key > '61'], [['--gt', '60'], () => true], [['--gte', '62'], () => false],
    [['--lt', '61ff'], (key) => key < '61ff'], [['--lte', '61ff'], (key) => key <= '61ff'], [['--lte', '62'], () => true], [['--lt', '61'], () => false],
    [['--gte', '61', '--gt', '6161', '--lte', '62', '--lt', '61ff'], (key) => key > '6161' && key < '61ff'],
    [['--gt', '6161', '--lte', '61ff00'], (key) => key > '6161' && key <= '61ff00']
  ]) {
    assert.deepEqual(await scan('--prefix', '61', ...bounds), keys.filter((key) => key.startsWith('61') && allow(key)), bounds.join(' '))
  }
  assert.equal(await ok('scan', db, '--keys', '--prefix', 'a', '--limit', '2'), 'a\naa\n')
  assert.equal(await ok('scan', db, '--keys', '--key-encoding', 'escaped', '--prefix', '\\xff\\xff\\x01'), '\\xff\\xff\\x01\n')
  assert.equal(await ok('scan', db, '--keys', '--key-encoding', 'base64', '--prefix', '//8B'), '//8B\n')
  await cannot(['scan', db, '--hex', '--prefix', 'f'], /--prefix is not hex/)
  await ok('compact', db, '--prefix', 'a')
  assert.equal((await ok('scan', db, '--keys')).split('\n').length, keys.length + 1)
})

const noTerminal = spawnSync('script', ['--version']).status === 0 ? false : 'SKIPPED: no script(1) here'
test('on a terminal, export requires -o FILE, put a value and import a zip', { skip: noTerminal }, async () => {
  const db = await made(10)
  const onTerminal = (...args) => spawnSync('script', ['-qec', [process.execPath, MAIN, ...args].join(' '), '/dev/null'], { encoding: 'utf8', stdio: ['inherit', 'pipe', 'pipe'] })
  const shown = onTerminal('export', db)
  assert.deepEqual([shown.status, shown.stdout.includes('PK')], [2, false])
  assert.match(shown.stdout, /will not write a zip to a terminal: name a file with -o FILE/)
  const zip = place()
  assert.equal(onTerminal('export', db, '-o', zip).status, 0)
  assert.equal(readFileSync(zip).toString('latin1', 0, 2), 'PK')
  assert.match(await ok('export', db, '--output', zip), /bytes/)
  // script(1) gives its child a terminal as standard input, too.
  assert.match(onTerminal('put', db, 'key').stdout, /no value given/)
  assert.match(onTerminal('import', place()).stdout, /no zip given/)
  const copy = place()
  assert.match(await ok('import', copy, zip), /table/)
  assert.equal(await ok('digest', copy).then((line) => line.split(' ')[0]), await ok('digest', db).then((line) => line.split(' ')[0]))
})

// A file name with control characters moved the cursor.
test('control characters in file names are not printed', async () => {
  const db = await made(10)
  writeFileSync(join(db, 'a\x1b[2Jb'), '')
  assert.match(await ok('layout', db), /^a\\x1b\[2Jb /m)
})
