// With 90 tables and a limit of 64 open files, scans and close() failed with EMFILE, verify()
// reported half of the tables as damaged, and writes failed with LEVEL_POISONED. Now descriptors of
// tables are closed, and files are opened again when they are read.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Varve } from '../../src/js/index.js'

const IS_LINUX = process.platform === 'linux'
const skip = process.platform === 'win32' && 'no ulimit'

const root = mkdtempSync(join(tmpdir(), 'varve-descriptors-'))
after(() => rmSync(root, { recursive: true, force: true }))

const TABLES = 90
const ROWS_OF_TABLE = 20
const ROWS = TABLES * ROWS_OF_TABLE
const keyOf = (i) => `key${String(i).padStart(6, '0')}`
const valueOf = (i) => `${i} ${'v'.repeat(500)}`
const LEVEL0 = join(root, 'level0')
const DEEP = join(root, 'deep')
const MANY = join(root, 'many')

/**
 * 90 overlapping tables in level 0, which a read needs all at once; and 90 or 500 tables in a
 * deeper level.
 */
before(async () => {
  await make(LEVEL0, 0, TABLES, (table, row) => row * TABLES + table)
  await make(DEEP, 2, TABLES, (table, row) => table * ROWS_OF_TABLE + row)
  await make(MANY, 2, 500, (table, row) => table * ROWS_OF_TABLE + row)
})

/** Writes each table with a separate database; then one manifest names all of them. */
async function make(place, level, tables, rowOf) {
  mkdirSync(place)
  const files = []
  for (let table = 0; table < tables; table++) {
    const one = join(root, 'one')
    const db = new Varve(one)
    const rows = Array.from({ length: ROWS_OF_TABLE }, (_, row) => rowOf(table, row))
    await db.batch(rows.map((row) => ({ type: 'put', key: keyOf(row), value: valueOf(row) })))
    await db.flush()
    await db.close()
    const [name] = readdirSync(one).filter((name) => name.endsWith('.ldb'))
    const number = table + 10
    copyFileSync(join(one, name), join(place, `${String(number).padStart(6, '0')}.ldb`))
    const [size, smallest, largest] = [statSync(join(one, name)).size, internalKey(rows[0], 1), internalKey(rows.at(-1), ROWS_OF_TABLE)]
    files.push(7, ...varint(level), ...varint(number), ...varint(size), ...prefixed(smallest), ...prefixed(largest))
    rmSync(one, { recursive: true })
  }
  const comparator = prefixed(Buffer.from('leveldb.BytewiseComparator'))
  const edit = [1, ...comparator, 2, ...varint(4), 9, 0, 3, ...varint(tables + 100), 4, ...varint(ROWS_OF_TABLE), ...files]
  writeFileSync(join(place, 'MANIFEST-000005'), logRecord(Buffer.from(edit)))
  writeFileSync(join(place, 'CURRENT'), 'MANIFEST-000005\n')
}

const varint = (n) => (n < 128 ? [n] : [n % 128 + 128, ...varint(Math.floor(n / 128))])
const prefixed = (bytes) => [...varint(bytes.length), ...bytes]
const internalKey = (row, sequence) => Buffer.concat([Buffer.from(keyOf(row)), Buffer.from([1, sequence, 0, 0, 0, 0, 0, 0])])

/** One record at the start of a log, in blocks of 32 KiB. */
function logRecord(record) {
  const room = (32 << 10) - 7
  const count = Math.ceil(record.length / room)
  return Buffer.concat(Array.from({ length: count }, (_, i) => {
    const data = record.subarray(i * room, (i + 1) * room)
    const type = count === 1 ? 1 : i === 0 ? 2 : i < count - 1 ? 3 : 4
    const header = Buffer.alloc(7)
    const crc = crc32c(Buffer.concat([Buffer.from([type]), data]))
    header.writeUInt32LE(((crc >>> 15 | crc << 17) + 0xa282ead8) >>> 0)
    header.writeUInt16LE(data.length, 4)
    header[6] = type
    return Buffer.concat([header, data])
  }))
}

function crc32c(bytes) {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc >>> 1 ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return ~crc >>> 0
}

/** Returns the result of `run` in a process with a limit of open files. */
function within(limit, run, ...args) {
  const source = `
    import fs from 'node:fs'
    const { Varve } = await import(${JSON.stringify(new URL('../../src/js/index.js', import.meta.url).href)})
    const descriptors = () => fs.readdirSync('/proc/self/fd').length
    const keyOf = ${keyOf}, valueOf = ${valueOf}
    const count = async (rows) => { let n = 0; for await (const row of rows) n++; return n }
    console.log(JSON.stringify(await (${run})(...${JSON.stringify(args)}) ?? null))`
  const file = join(root, 'program.mjs')
  writeFileSync(file, source)
  const output = execFileSync('sh', ['-c', `ulimit -n ${limit}; exec "$0" "$1"`, process.execPath, file], { encoding: 'utf8' })
  return JSON.parse(output)
}

/** Makes a copy that a test can change. */
function copyOf(place) {
  const copy = mkdtempSync(join(root, 'copy-'))
  cpSync(place, copy, { recursive: true })
  return copy
}

/** Uses all operations of a database, reads first. */
const USE = async (place, options, rows) => {
  const db = new Varve(place, options)
  await db.open()
  const scanned = await count(db.iterator())
  const backward = await count(db.iterator({ reverse: true }))
  let wrong = 0
  for (let i = 0; i < rows; i++) {
    const row = i * 7919 % rows
    const value = await db.get(keyOf(row))
    if (value?.trimEnd() !== valueOf(row)) wrong++
  }
  // Several iterators at once, each positioned in every table.
  const iterators = Array.from({ length: 5 }, () => db.iterator())
  for (const iterator of iterators) await iterator.next()
  for (const iterator of iterators) await iterator.close()
  const { findings } = await db.verify()
  if (options.readOnly) {
    await db.close()
    return { scanned, backward, wrong, findings: findings.length }
  }
  for (let i = 0; i < 20_000; i++) await db.put('new' + i, 'x'.repeat(200), { sync: i % 5000 === 0 })
  await db.compactRange('', '~')
  const then = await count(db.iterator())
  const again = await db.verify()
  await db.close()
  await db.open()
  const reopened = await count(db.iterator())
  await db.close()
  return { scanned, backward, wrong, findings: findings.length + again.findings.length, then, reopened }
}

const READ = { scanned: ROWS, backward: ROWS, wrong: 0, findings: 0 }
const USED = { ...READ, then: ROWS + 20_000, reopened: ROWS + 20_000 }

for (const [what, place] of [['all in level 0', LEVEL0], ['in deep levels', DEEP]]) {
  test(`${TABLES} tables ${what} are created as the tests require`, async () => {
    const db = new Varve(place, { readOnly: true })
    await db.open()
    const { tables } = await db.info()
    assert.ok(tables.length >= TABLES, `${tables.length} tables`)
    if (place === LEVEL0) assert.ok(tables.every(({ level }) => level === 0))
    await db.close()
  })

  for (const [how, options, expected] of [
    ['are read and written', {}, USED],
    ['are read and written in a worker', { worker: true }, USED],
    ['are only read', { readOnly: true }, READ]
  ]) {
    test(`${TABLES} tables ${what} ${how} with 64 descriptors`, { skip }, () => {
      assert.deepEqual(within(64, USE, copyOf(place), options, ROWS), expected)
    })
  }
}

test('databases of one process share its descriptors', { skip }, () => {
  const both = within(64, async (one, other, rows) => {
    const dbs = [new Varve(one), new Varve(other), new Varve(one + '-third')]
    const sums = await Promise.all(dbs.map(async (db) => {
      await db.open()
      for (let i = 0; i < 5000; i++) await db.put('new' + i, 'x'.repeat(500))
      const rows = await count(db.iterator())
      return [rows, (await db.verify()).findings.length]
    }))
    for (const db of dbs) await db.close()
    return sums
  }, copyOf(LEVEL0), copyOf(DEEP), ROWS)
  assert.deepEqual(both, [[ROWS + 5000, 0], [ROWS + 5000, 0], [5000, 0]])
})

test('a scan of 500 tables with 256 descriptors leaves most of them to others', { skip: !IS_LINUX && 'no /proc' }, () => {
  const [before, most, tables] = within(256, async (place) => {
    const db = new Varve(place, { readOnly: true })
    const before = descriptors()
    await db.open()
    let most = 0
    const iterators = Array.from({ length: 50 }, (_, i) => db.iterator({ gte: keyOf(i * 200) }))
    for (const iterator of iterators) await iterator.next()
    for await (const row of db.iterator()) most = Math.max(most, descriptors())
    return [before, most, (await db.info()).tables.length]
  }, MANY)
  assert.ok(tables >= 500, `${tables} tables`)
  assert.ok(most - before <= 256 / 5 + 10, `${most - before} descriptors for ${tables} tables`)
})

test('a lack of descriptors is reported, and work continues when they are free', { skip }, () => {
  const told = within(64, async (place) => {
    const db = new Varve(place, { writeBufferSize: 64 << 10 })
    await db.open()
    const taken = []
    const take = () => { try { for (;;) taken.push(fs.openSync('/dev/null', 'r')) } catch {} }
    const giveBack = () => { while (taken.length) fs.closeSync(taken.pop()) }
    const told = []
    const tell = (what) => (error) => told.push([what, error.code, error.cause?.code, /ulimit -n/.test(error.message)])
    take()
    // Also take the descriptors of tables as soon as they are closed.
    for (let i = 0; i < 20; i++) { await count(db.iterator({ limit: 1 })).catch(() => {}); take() }
    await count(db.iterator()).catch(tell('scan'))
    await db.verify().catch(tell('verify'))
    let acknowledged = 0
    let refused = 0
    for (let i = 0; i < 3000; i++) {
      try {
        await db.put('new' + i, 'x'.repeat(500), { sync: i % 10 === 0 })
        acknowledged++
      } catch (error) {
        if (refused++ === 0) tell('put')(error)
      }
    }
    await db.compactRange('', '~').catch(tell('compactRange'))
    giveBack()
    const { state } = await db.info()
    for (let i = 0; i < 1000; i++) await db.put('later' + i, 'x'.repeat(500))
    const rows = await count(db.iterator())
    const { findings } = await db.verify()
    await db.compactRange('', '~')
    await db.close()
    await db.open()
    const reopened = await count(db.iterator())
    await db.close()
    return { told, state, refused, missing: [rows - acknowledged, reopened - acknowledged], findings: findings.length }
  }, copyOf(DEEP))
  assert.ok(told.refused > 0)
  for (const [what, ...error] of told.told) assert.deepEqual(error, ['LEVEL_IO_ERROR', 'EMFILE', true], what)
  assert.deepEqual(told.told.map(([what]) => what).filter((what) => what !== 'put'), ['scan', 'verify', 'compactRange'])
  assert.equal(told.state, 'open')
  assert.deepEqual(told.missing, [ROWS + 1000, ROWS + 1000])
  assert.equal(told.findings, 0)
})

// ---- The storage alone ----

/** A storage whose first table has lost its descriptor because of many others. */
async function evicted(act, prepare = async () => {}) {
  const place = mkdtempSync(join(root, 'storage-'))
  for (let i = 1; i < 60; i++) writeFileSync(join(place, `${String(i).padStart(6, '0')}.ldb`), `table ${i}`)
  const storage = new NodeStorage(place)
  await prepare(storage)
  const table = storage.open('000001.ldb', 'read', 0)
  const others = []
  for (let i = 2; i < 60; i++) others.push(storage.open(`${String(i).padStart(6, '0')}.ldb`, 'read', 0))
  try {
    return await act({ storage, table, place })
  } finally {
    for (const file of [table, ...others]) file.close()
    await storage.unlock()
  }
}

const CONTRACT = `
  const { mkdtempSync, writeFileSync, rmSync, readdirSync } = fs
  const { join } = await import('node:path')
  const { tmpdir } = await import('node:os')
  const root = tmpdir()
  const { NodeStorage } = await import(${JSON.stringify(new URL('../../src/js/storage/node/directory.js', import.meta.url).href)})
  const evicted = ${evicted}
  const read = (file) => { const into = Buffer.alloc(20); return into.toString('utf8', 0, file.read(0, into)) }
  const lock = async (storage) => { await storage.lock(true) }
  const outcome = (act) => { try { return act() } catch (error) { return error.code } }
  const isOpen = (path) => readdirSync('/proc/self/fd').some((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd) === path } catch {} })`

const withStorage = (run) => within(64, `async () => { ${CONTRACT}; return (${run})() }`)

test('a table without a descriptor stays readable when it is removed or replaced', { skip: !IS_LINUX && 'no /proc' }, () => {
  const answers = withStorage(`async () => [
    await evicted(async ({ storage, table, place }) => {
      const before = isOpen(join(place, '000001.ldb'))
      await storage.editNames([{ type: 'remove', name: '000001.ldb' }])
      return [before, read(table), table.size()]
    }, lock),
    await evicted(async ({ storage, table, place }) => {
      await new NodeStorage(place).editNames([{ type: 'rename', from: '000002.ldb', to: '000001.ldb' }])
      return [read(table), read(storage.open('000001.ldb', 'read', 0))]
    }),
    await evicted(async ({ storage, table }) => {
      storage.create('000001.ldb', 'table', 0).close()
      return read(table)
    }, lock)
  ]`)
  assert.deepEqual(answers, [[false, 'table 1', 7], ['table 1', 'table 2'], 'table 1'])
})

test('a table that another process removed or replaced is not mistaken for another one', { skip }, () => {
  const answers = withStorage(`async () => [
    await evicted(async ({ table, place }) => { rmSync(join(place, '000001.ldb')); return outcome(() => read(table)) }),
    await evicted(async ({ table, place }) => { writeFileSync(join(place, '000001.ldb'), 'another one'); return outcome(() => read(table)) })
  ]`)
  assert.deepEqual(answers, ['LEVEL_SOURCE_CHANGED', 'LEVEL_SOURCE_CHANGED'])
})
