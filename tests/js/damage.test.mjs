// Damaged databases: the results of repair, verify, the commands and the API, and the files left on
// disk.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { FIXTURES, MAIN, place, stateOf } from './lib/cli.mjs'

/** Four puts and a close: one log. */
async function fourPuts() {
  const location = place()
  const db = new Varve(location)
  await db.put('a', '1')
  await db.put('balance', '1000')
  await db.put('c', '3')
  await db.put('d', '4')
  await db.close()
  return location
}

/** 1,001 entries in several tables, and one in a log. */
async function manyTables() {
  const location = place()
  const db = new Varve(location, { writeBufferSize: 64 << 10 })
  for (let i = 0; i < 1000; i++) await db.put(`key${String(i).padStart(4, '0')}`, `${i} `.repeat(60) + Math.sin(i))
  await db.flush()
  await db.put('last', '1')
  await db.close()
  return location
}

const filesOf = (location, end) => readdirSync(location).filter((name) => name.endsWith(end)).sort()
const only = (location, end) => filesOf(location, end)[0]

/** Changes the bytes of a file. */
function change(path, act) {
  const bytes = readFileSync(path)
  writeFileSync(path, act(bytes) ?? bytes)
}

async function contentsOf(location) {
  const db = new Varve(location, { readOnly: true })
  try {
    return Object.fromEntries(await db.iterator().all())
  } finally {
    await db.close()
  }
}

/** Runs a command; returns its output, messages and exit code. */
function run(args, options = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', input: '', ...options })
  return { code: status, out: stdout, messages: stderr }
}

describe('a log with a flipped bit', { concurrency: 2 }, () => {
  /** Changes `balance=1000` to `balance=9000`. */
  async function flipped() {
    const location = await fourPuts()
    change(join(location, only(location, '.log')), (bytes) => { bytes[bytes.indexOf('1000')] = 0x39 })
    return location
  }

  test('is not repaired into a record that was never written', async () => {
    const location = await flipped()
    const { code, out } = run(['repair', location])
    assert.equal(code, 1)
    assert.match(out, /000002\.log at offset 24: checksum mismatch/)
    assert.deepEqual(await contentsOf(location), { a: '1', c: '3', d: '4' })
    assert.equal(run(['verify', location]).code, 0)
    assert.deepEqual(readdirSync(join(location, 'lost')).sort(), ['000002.log', 'MANIFEST-000003'])
  })

  test('a second repair changes nothing', async () => {
    const location = await flipped()
    await Varve.repair(location)
    const before = stateOf(location)
    const report = await Varve.repair(location)
    assert.deepEqual([report.findings, report.lost], [[], []])
    assert.deepEqual(stateOf(location), before)
  })

  test('every reading command reports once what was kept, what was skipped and where', async () => {
    const location = await flipped()
    for (const [args, code] of [[['scan'], 1], [['digest'], 1], [['export', `${location}.zip`], 1], [['get', 'a'], 0], [['stats'], 0], [['layout'], 0]]) {
      const [command, ...rest] = args
      const found = run([command, location, ...rest])
      assert.equal(found.code, code, command)
      assert.equal(found.messages.match(/warning/g)?.length, 1, found.messages)
      assert.match(found.messages, /kept: 000002\.log: 1 entry/)
      assert.match(found.messages, /left: 000002\.log: 81 bytes from offset 24/)
    }
    assert.equal(run(['scan', location]).out, 'a\t1\n')
    const written = run(['put', location, 'e', '5'])
    assert.equal(written.code, 0)
    assert.match(written.messages, /copy: 000002\.log\.damaged/)
    // The skipped bytes are in the copy; the database is sound again.
    assert.deepEqual(run(['scan', location]), { code: 0, out: 'a\t1\ne\t5\n', messages: '' })
  })

  for (const worker of [false, true]) {
    test(`is reported by info() and the event 'damage'${worker ? ', with a worker' : ''}`, async () => {
      const location = await flipped()
      const db = new Varve(location, { readOnly: true, worker })
      const told = []
      db.on('damage', (recovery) => told.push([db.status, recovery]))
      await db.open()
      const { recovery } = await db.info()
      assert.deepEqual(told, [['open', recovery]])
      assert.deepEqual(recovery.logs, [{ file: '000002.log', batches: 1, entries: 1 }])
      assert.deepEqual(recovery.left, [{ file: '000002.log', offset: 24, bytes: 81 }])
      assert.deepEqual(recovery.copies, [])
      assert.equal(recovery.findings.length, 1)
      assert.equal(recovery.findings[0].code, 'LEVEL_CORRUPTION')
      assert.deepEqual([recovery.findings[0].file, recovery.findings[0].offset], ['000002.log', 24])
      await db.close()
    })
  }

  test('an undamaged database reports no damage', async () => {
    const db = new Varve(await fourPuts())
    db.on('damage', () => assert.fail('there is none'))
    await db.open()
    const { recovery } = await db.info()
    assert.deepEqual([recovery.findings, recovery.left, recovery.copies], [[], [], []])
    await db.close()
  })

  test('flipping any bit, no repair returns an entry that was never put', async () => {
    const location = await fourPuts()
    const log = only(location, '.log')
    const sound = readFileSync(join(location, log))
    const put = { a: '1', balance: '1000', c: '3', d: '4' }
    for (let at = 0; at < sound.length; at++) {
      const copy = place()
      cpSync(location, copy, { recursive: true })
      change(join(copy, log), (bytes) => { bytes[at] ^= 1 << at % 8 })
      const { findings } = await Varve.repair(copy)
      const found = Object.entries(await contentsOf(copy))
      assert.ok(findings.length > 0, `byte ${at}`)
      assert.ok(found.length >= 3, `byte ${at}: ${found}`)
      for (const [key, value] of found) assert.equal(put[key], value, `byte ${at}`)
      assert.deepEqual(readFileSync(join(copy, 'lost', log)).length, sound.length)
      rmSync(copy, { recursive: true })
    }
  })
})

describe('tables', { concurrency: 2 }, () => {
  test('a missing one is a finding of repair, which keeps the others', async () => {
    const location = await manyTables()
    const table = only(location, '.ldb')
    rmSync(join(location, table))
    const { code, out } = run(['repair', location])
    assert.equal(code, 1)
    assert.match(out, new RegExp(`${table} is missing`))
    assert.equal(Object.keys(await contentsOf(location)).length < 1001, true)
  })

  test('verify continues if one is missing, and counts the entries of logs', async () => {
    const location = await manyTables()
    const whole = JSON.parse(run(['verify', location, '--json']).out)
    assert.deepEqual([whole.sound, whole.entries, whole.logEntries, whole.logs], [true, 1001, 1, 1])
    const table = only(location, '.ldb')
    rmSync(join(location, table))
    const { code, out } = run(['verify', location])
    assert.equal(code, 1)
    assert.match(out, new RegExp(`${table} is missing`))
    assert.match(out, new RegExp(`^${whole.tables - 1} tables?, \\d+ entries \\(1 in 1 log\\)`, 'm'))
    // A second fault, after the missing table, is found too.
    const other = filesOf(location, '.ldb').at(-1)
    change(join(location, other), (bytes) => { bytes[100] ^= 1 })
    const both = await Varve.verify(location)
    assert.deepEqual(both.findings.map(({ file }) => file).sort(), [table, other].sort())
  })

  test('one whose number is spelled differently is used, and not deleted by the next open', async () => {
    const location = await manyTables()
    const table = only(location, '.ldb')
    renameSync(join(location, table), join(location, `${Number.parseInt(table)}.ldb`))
    const { findings } = await Varve.repair(location)
    assert.ok(findings.some(({ file }) => file === `${Number.parseInt(table)}.ldb`))
    const tables = filesOf(location, '.ldb')
    const db = new Varve(location)
    assert.equal((await db.keys().all()).length, 1001)
    await db.close()
    assert.deepEqual(filesOf(location, '.ldb').filter((name) => tables.includes(name)), tables)
  })

  test('one with a number near 2^64 can be repaired, and the database can be written', async () => {
    const location = await manyTables()
    const table = only(location, '.ldb')
    renameSync(join(location, table), join(location, '18446744073709551615.ldb'))
    await Varve.repair(location)
    const db = new Varve(location)
    assert.equal((await db.keys().all()).length, 1001)
    await db.put('more', '1')
    await db.flush()
    await db.close()
  })

  test('two with the same number are both reported, and none is lost', async () => {
    const location = await manyTables()
    const table = only(location, '.ldb')
    const twin = table.replace('.ldb', '.sst')
    copyFileSync(join(location, filesOf(location, '.ldb').at(-1)), join(location, twin))
    const bytes = readFileSync(join(location, twin))
    const { findings, lost } = await Varve.repair(location)
    for (const name of [table, twin]) assert.ok(findings.some(({ file, message }) => file === name && message.includes('same number')), name)
    assert.equal(Object.keys(await contentsOf(location)).length, 1001)
    assert.ok(lost.includes(twin) && readFileSync(join(location, 'lost', twin)).equals(bytes))
  })

  test('one that cannot be read is moved to lost/ and reported, as another user', { skip: process.getuid?.() !== 0 && 'needs root' }, async () => {
    const location = await manyTables()
    const [table, log] = [only(location, '.ldb'), only(location, '.log')]
    spawnSync('chown', ['-R', 'nobody', location])
    for (const name of [table, log]) {
      chmodSync(join(location, name), 0)
      spawnSync('chown', ['root', join(location, name)])
    }
    spawnSync('chmod', ['755', join(location, '..')])
    const report = run(['repair', location, '--json'], { uid: 65534, gid: 65534 })
    assert.equal(report.code, 1, report.messages)
    const { lost, findings } = JSON.parse(report.out)
    for (const name of [table, log]) {
      assert.ok(lost.includes(name), report.out)
      assert.ok(findings.some(({ file }) => file === name), report.out)
      assert.ok(existsSync(join(location, 'lost', name)))
    }
    const again = run(['repair', location, '--json'], { uid: 65534, gid: 65534 })
    assert.deepEqual(JSON.parse(again.out).findings, [])
  })

  test('files moved to lost/ by an earlier repair are not overwritten', async () => {
    const location = await manyTables()
    mkdirSync(join(location, 'lost'))
    const table = only(location, '.ldb')
    writeFileSync(join(location, 'lost', table), 'an earlier one')
    change(join(location, table), (bytes) => { bytes[100] ^= 1 })
    const { lost } = await Varve.repair(location)
    assert.ok(lost.includes(`${table}.1`), String(lost))
    assert.equal(readFileSync(join(location, 'lost', table), 'utf8'), 'an earlier one')
  })
})

describe('what repair reports', { concurrency: 2 }, () => {
  test('files of which nothing was kept are not listed as if their entries were in the database', async () => {
    const location = await manyTables()
    const [table, log] = [only(location, '.ldb'), only(location, '.log')]
    change(join(location, table), (bytes) => bytes.subarray(0, bytes.length / 2))
    writeFileSync(join(location, '000900.ldb'), '')
    writeFileSync(join(location, '000901.ldb'), Buffer.alloc(500, 'x'))
    writeFileSync(join(location, 'CURRENT'), 'nonsense')
    const { code, out } = run(['repair', location])
    assert.equal(code, 1)
    const part = (title) => out.split(`${title}:\n`)[1].split(/^(?:not used|damage found|overwritten.*)/m)[0]
    assert.match(part('entries were taken from'), new RegExp(`^${table}, now lost/${table}: \\d+ entries in \\d+ blocks?; [\\d,]+ bytes could not be used$`, 'm'))
    assert.match(part('entries were taken from'), new RegExp(`^${log}, now lost/${log}: 1 entry$`, 'm'))
    for (const name of ['000900.ldb', '000901.ldb', 'CURRENT']) {
      assert.match(part('not used'), new RegExp(`^${name}, now lost/${name}: `, 'm'))
      assert.doesNotMatch(part('entries were taken from'), new RegExp(name))
    }
    assert.match(out, /^overwritten values and deleted keys can be visible again/m)
  })

  test('the keys that a damaged block may have held are named', async () => {
    const location = await manyTables()
    const table = only(location, '.ldb')
    change(join(location, table), (bytes) => { bytes[100] ^= 1 })
    const copy = place()
    cpSync(location, copy, { recursive: true })
    const { recovered: [file], oldDataMayReappear } = await Varve.repair(location)
    assert.equal(oldDataMayReappear, true)
    assert.equal(file.file, table)
    assert.ok(file.entries > 0 && file.blocks > 0 && file.lostBytes > 100, JSON.stringify(file))
    const [{ from, to }] = file.lostRanges
    assert.equal(from, undefined)
    assert.ok(to instanceof Uint8Array)
    assert.match(Buffer.from(to).toString(), /^key/)
    const { out } = run(['repair', copy, '--json'])
    assert.equal(JSON.parse(out).recovered[0].lostRanges[0].to, Buffer.from(to).toString())
  })

  test('a flipped byte in a footer loses no entry', async () => {
    const location = await manyTables()
    const before = await contentsOf(location)
    change(join(location, only(location, '.ldb')), (bytes) => { bytes[bytes.length - 1] ^= 1 })
    assert.equal(run(['repair', location]).code, 1)
    assert.deepEqual(await contentsOf(location), before)
  })

  test('a log that opening set aside is read by repair, and verify says that it is not in the database', async () => {
    const location = await fourPuts()
    change(join(location, only(location, '.log')), (bytes) => { bytes[bytes.indexOf('1000')] = 0x39 })
    assert.equal(run(['put', location, 'e', '5']).code, 0)
    const [damaged] = filesOf(location, '.damaged')
    const verified = run(['verify', location])
    assert.equal(verified.code, 0)
    assert.match(verified.out, new RegExp(`^${damaged} holds data that is not in the database`, 'm'))
    const { code, out } = run(['repair', location])
    assert.equal(code, 1)
    assert.match(out, new RegExp(`^${damaged}, now lost/${damaged}: 3 entries`, 'm'))
    assert.deepEqual(await contentsOf(location), { a: '1', c: '3', d: '4', e: '5' })
    assert.equal(run(['repair', location]).code, 0)
  })

  test('an unfinished table that the manifest does not name is no damage', async () => {
    const location = await manyTables()
    await Varve.repair(location)
    writeFileSync(join(location, '000900.ldb'), '')
    const table = readFileSync(join(location, only(location, '.ldb')))
    writeFileSync(join(location, '000901.ldb'), table.subarray(0, table.length / 2))
    const { code, out } = run(['repair', location])
    assert.equal(code, 0, out)
    assert.match(out, /^000900\.ldb, now lost\/000900\.ldb: an unfinished table/m)
    assert.match(out, /^000901\.ldb, now lost\/000901\.ldb: an unfinished table/m)
    assert.equal(run(['repair', location]).out.includes('sound: nothing was changed'), true)
  })
})

test('a database of another comparator is refused by repair unless it is asked for by name', async () => {
  const location = place()
  cpSync(join(FIXTURES, 'comparator-reverse'), location, { recursive: true })
  const state = () => stateOf(location).filter((file) => !file.startsWith('LOCK'))
  const before = state()
  const refused = run(['repair', location])
  assert.equal(refused.code, 2)
  assert.match(refused.messages, /corpus\.ReverseBytewise/)
  assert.deepEqual(state(), before)
  await assert.rejects(Varve.repair(location, { comparator: 'corpus.ReverseBytewise' }), { code: 'LEVEL_NOT_SUPPORTED' })
  const { findings, entries } = await Varve.repair(location, { comparator: 'leveldb.BytewiseComparator' })
  assert.match(findings[0].message, /corpus\.ReverseBytewise/)
  assert.ok(entries > 0)
  assert.equal(run(['verify', location]).code, 0)
})

test('a database of IndexedDB is repaired in its own order', async () => {
  const location = place()
  cpSync(join(FIXTURES, 'chromium-library'), location, { recursive: true })
  const scanned = () => run(['scan', location, '--hex']).out
  const before = scanned()
  truncateSync(join(location, 'MANIFEST-000001'), 30)
  const { code, out } = run(['repair', location, '--comparator', 'idb_cmp1'])
  assert.equal(code, 1, out)
  assert.equal(run(['verify', location]).code, 0)
  assert.equal(scanned(), before)
})

describe('without CURRENT', { concurrency: 2 }, () => {
  test('every command reports it and names repair', async () => {
    const location = await manyTables()
    rmSync(join(location, 'CURRENT'))
    const before = stateOf(location)
    for (const args of [['scan'], ['digest'], ['get', 'k'], ['put', 'k', 'v'], ['del', 'k'], ['compact'], ['stats'], ['export', `${location}.zip`]]) {
      const [command, ...rest] = args
      const { code, messages } = run([command, location, ...rest])
      assert.equal(code, 2, command)
      assert.match(messages, /CURRENT is missing/, command)
      assert.match(messages, /repair/, command)
    }
    for (const command of ['verify', 'layout']) {
      const { code, out } = run([command, location])
      assert.equal(code, 1, command)
      assert.match(out, /CURRENT is missing[^]*repair/, command)
    }
    await assert.rejects(new Varve(location).open(), ({ cause }) => cause.code === 'LEVEL_CORRUPTION' && /repair/.test(cause.message))
    assert.deepEqual(stateOf(location), before)
    assert.equal(run(['repair', location]).code, 1)
    assert.equal(Object.keys(await contentsOf(location)).length, 1001)
  })

  test('files with names given by undelete tools are reported and not changed', async () => {
    const location = await manyTables()
    const table = only(location, '.ldb')
    rmSync(join(location, 'CURRENT'))
    for (const name of ['f1234567.ldb', '000005.LDB', '000005 (1).ldb']) {
      cpSync(location, `${location} ${name}`, { recursive: true })
      renameSync(join(`${location} ${name}`, table), join(`${location} ${name}`, name))
      assert.ok(run(['scan', `${location} ${name}`]).messages.includes(name), name)
      const { out } = run(['repair', `${location} ${name}`])
      assert.ok(out.includes(name), out)
      assert.ok(existsSync(join(`${location} ${name}`, name)))
    }
    const alone = place()
    mkdirSync(alone)
    copyFileSync(join(location, table), join(alone, 'f1234567.ldb'))
    for (const command of ['scan', 'repair']) {
      const { code, messages } = run([command, alone])
      assert.equal(code, 2)
      assert.match(messages, /f1234567\.ldb/, command)
    }
    assert.deepEqual(readdirSync(alone), ['f1234567.ldb'])
  })
})

test('read-only databases and verify never fail while a writer compacts', { timeout: 120_000 }, async () => {
  const location = place()
  const writer = spawn(process.execPath, ['--input-type=module', '-e', `
    import { Varve } from ${JSON.stringify(join(import.meta.dirname, '..', '..', 'src', 'js', 'index.js'))}
    const db = new Varve(${JSON.stringify(location)}, { writeBufferSize: 64 << 10, maxFileSize: 64 << 10 })
    await db.put('k', 'v')
    process.stdout.write('ready')
    for (let i = 0; ; i++) {
      await db.put('key' + i * 7919 % 5000, String(i).repeat(50))
      if (i % 5000 === 0) await db.compactRange()
      if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }`], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await new Promise((resolve) => writer.stdout.once('data', resolve))
    const seen = { read: 0, verified: 0, changed: 0 }
    const end = Date.now() + (process.env.VARVE_LONG === '1' ? 60_000 : 6_000)
    while (Date.now() < end) {
      try {
        const db = new Varve(location, { readOnly: true, maxOpenFiles: 10 })
        await db.open()
        try {
          assert.deepEqual((await db.info()).recovery.findings, [])
          for (let i = 0; i < 3; i++) {
            await db.iterator().all()
            await new Promise((resolve) => setTimeout(resolve, 20))
          }
          assert.deepEqual((await db.verify()).findings, [])
          seen.read++
        } finally {
          await db.close()
        }
        assert.deepEqual((await Varve.verify(location)).findings, [])
        seen.verified++
      } catch (error) {
        const cause = error.code === 'LEVEL_DATABASE_NOT_OPEN' ? error.cause : error
        if (cause?.code !== 'LEVEL_SOURCE_CHANGED') throw error
        seen.changed++
      }
    }
    assert.ok(seen.read + seen.changed > 3, JSON.stringify(seen))
  } finally {
    writer.kill('SIGKILL')
  }
})
