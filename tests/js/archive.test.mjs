// Exports to zips, imports and checkpoints: they contain one state of the database, and can be read
// by Varve, classic-level and common zip tools.
//
//   VARVE_LONG=1   200 exports during writes instead of 10
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { Varve } from '../../src/js/index.js'
import { MapStorage } from '../../src/js/storage/map.js'
import { NodeStorage } from '../../src/js/storage/node/directory.js'
import { later } from './lib/later.mjs'

const LONG = process.env.VARVE_LONG !== undefined
const root = mkdtempSync(join(tmpdir(), 'varve-archive-'))
after(() => rmSync(root, { recursive: true, force: true }))

let places = 0
const newPlace = () => join(root, `${places++}`)

const has = (command, ...args) => spawnSync(command, args).status === 0
const tools = { unzip: has('unzip', '-v'), zip: has('zip', '-v'), python3: has('python3', '-c', 'import zipfile') }
const lacks = (tool) => {
  if (tools[tool]) return false
  console.warn(`!! SKIPPED: no ${tool}, so tests with it were NOT run`)
  return `no ${tool}`
}

/** Entries in tables of several levels and in the log, some of them deleted. */
async function fill(db, { count = 3000, size = 60 } = {}) {
  for (let from = 0; from < count; from += 500) {
    await db.batch(Array.from({ length: 500 }, (_, i) => ({ type: 'put', key: `key${(from + i) * 7919 % count}`, value: `${from + i}`.repeat(size / 4) })))
    if (from % 1000 === 0) await db.flush?.()
  }
  await db.del('key5')
  await db.put('last', 'in the log')
}

const entriesOf = (db) => db.iterator().all()

async function opened(location, options, act) {
  const db = new Varve(location, options)
  await db.open()
  try {
    return await act(db)
  } finally {
    await db.close()
  }
}

async function classicEntries(location) {
  const db = new ClassicLevel(location, { createIfMissing: false })
  try {
    await db.open()
    return await entriesOf(db)
  } finally {
    await db.close()
  }
}

const bytesOf = async (stream) => Buffer.from(await new Response(stream).arrayBuffer())

function unzip(archive) {
  const [file, place] = [newPlace(), newPlace()]
  writeFileSync(file, archive)
  const { status, stdout, stderr } = spawnSync('unzip', ['-q', file, '-d', place], { encoding: 'utf8' })
  assert.equal(status, 0, `${stdout}${stderr}`)
  return place
}

const PLACES = {
  directory: () => [newPlace(), {}],
  memory: () => [null, { storage: 'memory' }],
  map: () => [null, { storage: new MapStorage() }],
  later: () => [null, { storage: later(new MapStorage()) }],
  worker: () => [newPlace(), { worker: true }]
}

for (const [name, place] of Object.entries(PLACES)) {
  test(`an export can be imported: ${name}`, async () => {
    const [location, options] = place()
    const [expected, archive] = await opened(location, options, async (db) => {
      await fill(db)
      return [await entriesOf(db), await bytesOf(db.export())]
    })
    assert.equal(expected.length, 3000)
    const copy = await Varve.import(...[place()].flatMap(([to, more]) => [to, archive, more]))
    assert.equal(copy.status, 'open')
    assert.deepEqual(await entriesOf(copy), expected)
    await copy.put('more', 'is written')
    await copy.flush()
    const report = await copy.verify()
    assert.deepEqual(report.findings, [])
    // Export and import the copy again.
    const again = await Varve.import(null, copy.export(), { storage: 'memory' })
    assert.equal((await entriesOf(again)).length, expected.length + 1)
    await again.close()
    await copy.close()
  })
}

test('an import to memory with worker: true is refused', async () => {
  await assert.rejects(Varve.import(null, new Uint8Array(0), { storage: 'memory', worker: true }), { code: 'LEVEL_NOT_SUPPORTED' })
})

test('unzip extracts an export, and classic-level opens the result', { skip: lacks('unzip') }, async () => {
  const db = new Varve(newPlace())
  await fill(db)
  const archive = await bytesOf(db.export())
  const expected = await entriesOf(db)
  await db.close()
  const place = unzip(archive)
  assert.deepEqual(readdirSync(place).filter((name) => !/^(CURRENT|MANIFEST-\d{6}|\d{6}\.ldb)$/.test(name)), [])
  assert.equal(statSync(join(place, 'CURRENT')).mode & 0o777, 0o600)
  assert.deepEqual(await classicEntries(place), expected)
})

test('Python reads an export', { skip: lacks('python3') }, async () => {
  const file = newPlace()
  await opened(null, { storage: 'memory' }, async (db) => {
    await fill(db)
    writeFileSync(file, await bytesOf(db.export()))
  })
  const program = 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print("\\n".join(z.namelist()))'
  const { status, stdout, stderr } = spawnSync('python3', ['-c', program, file], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  assert.equal(stdout.trim().split('\n').at(-1), 'CURRENT')
})

test('an empty database can be exported and imported', async () => {
  const archive = await opened(null, { storage: 'memory' }, (db) => bytesOf(db.export()))
  const db = await Varve.import(newPlace(), archive)
  assert.deepEqual(await entriesOf(db), [])
  await db.close()
})

// ---- Zips of other tools ----

let classicPlace
async function classicDirectory() {
  if (classicPlace !== undefined) return classicPlace
  const place = join(newPlace(), 'some database')
  mkdirSync(place, { recursive: true })
  const db = new ClassicLevel(place)
  await fill(db)
  await db.compactRange('key0', 'key2')
  await db.put('later', 'in the log')
  const expected = await entriesOf(db)
  await db.close()
  classicPlace = { place, expected }
  return classicPlace
}

const PYTHON = {
  'stored, sizes behind the content': `
class Pipe:
    def __init__(self, file): self.file = file
    def write(self, data): return self.file.write(data)
    def flush(self): self.file.flush()
z = zipfile.ZipFile(Pipe(open(sys.argv[2], 'wb')), 'w', zipfile.ZIP_STORED)
for name in names: z.write(os.path.join(sys.argv[1], name), name)
z.close()`,
  'deflated, sizes behind the content': `
class Pipe:
    def __init__(self, file): self.file = file
    def write(self, data): return self.file.write(data)
    def flush(self): self.file.flush()
z = zipfile.ZipFile(Pipe(open(sys.argv[2], 'wb')), 'w', zipfile.ZIP_DEFLATED)
for name in names: z.write(os.path.join(sys.argv[1], name), name)
z.close()`,
  'zip64, CURRENT first': `
z = zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED)
for name in sorted(names, key = lambda name: name != 'CURRENT'):
    with z.open(name, 'w', force_zip64 = True) as f: f.write(open(os.path.join(sys.argv[1], name), 'rb').read())
z.comment = b'with a comment'
z.close()`
}

for (const [name, program] of Object.entries(PYTHON)) {
  test(`a zip by Python: ${name}`, { skip: lacks('python3') }, async () => {
    const { place, expected } = await classicDirectory()
    const file = newPlace()
    const { status, stderr } = spawnSync('python3', ['-c', `import sys, os, zipfile\nnames = os.listdir(sys.argv[1])\n${program}`, place, file], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    await importsTo(readFileSync(file), expected)
  })
}

for (const flags of ['-r', '-r0', '-r9', '-rX']) {
  test(`a folder by zip ${flags}, from a file and through a pipe`, { skip: lacks('zip') }, async () => {
    const { place, expected } = await classicDirectory()
    const file = `${newPlace()}.zip`
    const cwd = join(place, '..')
    assert.equal(spawnSync('zip', ['-q', flags, file, 'some database'], { cwd }).status, 0)
    await importsTo(readFileSync(file), expected)
    const piped = spawnSync('zip', ['-q', flags, '-', 'some database'], { cwd, maxBuffer: 1 << 28 })
    await importsTo(piped.stdout, expected)
  })
}

async function importsTo(archive, expected) {
  const db = await Varve.import(newPlace(), archive)
  assert.deepEqual(await entriesOf(db), expected)
  await db.close()
}

test('an import accepts every kind of source', async () => {
  const archive = await opened(null, { storage: 'memory' }, async (db) => { await fill(db, { count: 500 }); return bytesOf(db.export()) })
  async function * pieces() { for (let at = 0; at < archive.length; at += 999) yield archive.subarray(at, at + 999) }
  const copy = () => Uint8Array.from(archive)
  const sources = {
    Buffer: archive,
    Uint8Array: copy(),
    ArrayBuffer: copy().buffer,
    DataView: new DataView(copy().buffer),
    Blob: new Blob([archive]),
    Response: new Response(archive),
    ReadableStream: new Blob([archive]).stream(),
    'async iterable': pieces(),
    array: [archive.subarray(0, 10), archive.subarray(10)]
  }
  for (const [name, source] of Object.entries(sources)) {
    const db = await Varve.import(null, source, { storage: 'memory', keyEncoding: 'view' })
    assert.equal((await db.keys().all()).length, 500, name)
    await db.close()
  }
  for (const source of [undefined, null, 5, 'zip', {}, new Response(null), new Response('', { status: 404 })]) {
    await assert.rejects(Varve.import(null, source, { storage: 'memory' }), { code: 'LEVEL_INVALID_ARGUMENT' })
  }
  for (const source of [['not bytes'], [1, 2], (async function * () { yield {} })()]) {
    await assert.rejects(Varve.import(null, source, { storage: 'memory' }), { code: 'LEVEL_INVALID_ARGUMENT' })
  }
})

// ---- The target of an import ----

test('an import refuses to replace a database', async () => {
  const [from, to] = [newPlace(), newPlace()]
  const archive = await opened(from, {}, async (db) => { await db.put('a', 'new'); return bytesOf(db.export()) })
  await opened(to, {}, (db) => db.put('a', 'old'))
  const before = readdirSync(to)
  await assert.rejects(Varve.import(to, archive), { code: 'LEVEL_INVALID_ARGUMENT' })
  assert.deepEqual(readdirSync(to), before)
  assert.equal(await opened(to, {}, (db) => db.get('a')), 'old')
  const open = new Varve(to)
  await open.open()
  await assert.rejects(Varve.import(to, archive), { code: 'LEVEL_LOCKED' })
  await open.close()
})

test('a source that fails or ends early leaves no files, and the location stays usable', async () => {
  const archive = await opened(newPlace(), {}, async (db) => { await fill(db, { count: 1000 }); return bytesOf(db.export()) })
  const place = newPlace()
  const failing = async function * () { yield archive.subarray(0, archive.length >> 1); throw new Error('the network is gone') }
  await assert.rejects(Varve.import(place, failing()), /the network is gone/)
  assert.ok(!existsSync(place))
  for (const cut of [0, 1, 29, 5000, archive.length - 30, archive.length - 1]) {
    await assert.rejects(Varve.import(place, archive.subarray(0, cut)), (error) => error.code === 'LEVEL_CORRUPTION' && error.offset <= cut)
    assert.ok(!existsSync(place), `cut at ${cut}`)
  }
  mkdirSync(place)
  writeFileSync(join(place, 'README'), 'somebody else was here')
  await assert.rejects(Varve.import(place, archive.subarray(0, archive.length >> 1)), { code: 'LEVEL_CORRUPTION' })
  assert.deepEqual(readdirSync(place).filter((name) => !/^LOCK/.test(name)), ['README'])
  const db = await Varve.import(place, archive)
  assert.equal((await db.keys().all()).length, 1000)
  await db.close()
})

test('an intact zip of a damaged database leaves no files', async () => {
  const place = newPlace()
  const { zip } = await import('./lib/zip.mjs')
  const archive = zip([{ name: 'MANIFEST-000002', data: 'no manifest at all' }, { name: 'CURRENT', data: 'MANIFEST-000002\n' }])
  await assert.rejects(Varve.import(place, archive), { code: 'LEVEL_CORRUPTION' })
  assert.ok(!existsSync(place))
})

// ---- Streams ----

test('an export contains the state at its call, however late it is read', async () => {
  const db = new Varve(newPlace(), { writeBufferSize: 64 << 10, compression: false })
  await fill(db)
  const expected = await entriesOf(db)
  const stream = db.export()
  await db.clear()
  await fill(db, { count: 6000 })
  await db.compactRange()
  const copy = await Varve.import(null, stream, { storage: 'memory' })
  assert.deepEqual(await entriesOf(copy), expected)
  await copy.close()
  await db.close()
})

test('an export before the database is open waits for it', async () => {
  const place = newPlace()
  await opened(place, {}, (db) => db.put('a', '1'))
  const db = new Varve(place)
  const copy = await Varve.import(null, db.export(), { storage: 'memory' })
  assert.equal(await copy.get('a'), '1')
  await copy.close()
  await db.close()
  assert.throws(() => db.export(), { code: 'LEVEL_DATABASE_NOT_OPEN' })
  const missing = new Varve(newPlace(), { createIfMissing: false })
  await assert.rejects(bytesOf(missing.export()), { code: 'LEVEL_DATABASE_NOT_OPEN' })
})

test('an export reads on demand, keeps the files it needs and releases them', async () => {
  const place = newPlace()
  const db = new Varve(place, { compression: false, maxFileSize: 64 << 10 })
  await fill(db, { size: 4000 })
  await db.compactRange()
  const tables = () => readdirSync(place).filter((name) => name.endsWith('.ldb'))
  const before = tables()
  const reader = db.export().getReader()
  const { value } = await reader.read()
  assert.ok(value instanceof Uint8Array && value.length <= 512 << 10, `${value.length} bytes at once`)
  await db.clear()
  await db.compactRange()
  assert.deepEqual(before.filter((name) => !tables().includes(name)), [], 'files that an export needs stay')
  await reader.cancel()
  await db.put('x', 'y')
  await db.compactRange()
  assert.deepEqual(before.filter((name) => tables().includes(name)), [], 'and go when it is cancelled')
  await db.close()
})

test('closing the database ends its exports', async () => {
  for (const options of [{}, { worker: true }]) {
    const db = new Varve(newPlace(), options)
    await fill(db)
    const [unread, read] = [db.export(), db.export().getReader()]
    await read.read()
    await db.close()
    await assert.rejects(bytesOf(unread), { code: 'LEVEL_DATABASE_NOT_OPEN' })
    await assert.rejects(async () => { while (!(await read.read()).done); }, { code: 'LEVEL_DATABASE_NOT_OPEN' })
  }
})

test('a missing or truncated table ends the export stream with an error', async () => {
  const place = newPlace()
  const db = new Varve(place)
  await fill(db)
  await db.compactRange()
  const [table] = readdirSync(place).filter((name) => name.endsWith('.ldb'))
  writeFileSync(join(place, table), readFileSync(join(place, table)).subarray(0, 100))
  await assert.rejects(bytesOf(db.export()), { code: 'LEVEL_CORRUPTION', file: table })
  await db.close()
})

test('exports during writes are consistent, for classic-level too', { skip: lacks('unzip') }, async () => {
  const db = new Varve(newPlace(), { writeBufferSize: 32 << 10, maxFileSize: 32 << 10 })
  const model = new Map()
  let writing = true
  let seed = 1
  const random = (n) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n
  const write = async () => {
    const operations = Array.from({ length: 1 + random(40) }, () => random(4) > 0
      ? { type: 'put', key: `k${random(800)}`, value: `${random(1e6)}`.repeat(1 + random(30)) }
      : { type: 'del', key: `k${random(800)}` })
    const done = db.batch(operations)
    // A batch is visible completely or not at all, from this call on.
    for (const { type, key, value } of operations) type === 'put' ? model.set(key, value) : model.delete(key)
    await done
    if (random(100) === 0) await db.compactRange()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await db.open()
  const writers = (async () => { while (writing) await write() })()
  for (let i = 0; i < (LONG ? 200 : 10); i++) {
    for (let turns = random(30); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
    const expected = [...model].sort(([a], [b]) => a < b ? -1 : 1)
    const archive = await bytesOf(db.export())
    const copy = await Varve.import(null, archive, { storage: 'memory' })
    assert.deepEqual(await entriesOf(copy), expected, `export ${i}`)
    await copy.close()
    const place = unzip(archive)
    assert.deepEqual(await classicEntries(place), expected, `export ${i}, classic-level`)
    assert.deepEqual(await opened(place, {}, entriesOf), expected)
    rmSync(place, { recursive: true })
  }
  writing = false
  await writers
  await db.close()
})

// ---- Checkpoints ----

for (const options of [{}, { worker: true }]) {
  test(`a checkpoint is a directory that classic-level opens${options.worker ? ', from a worker' : ''}`, async () => {
    const [from, to] = [newPlace(), newPlace()]
    const db = new Varve(from, options)
    await fill(db)
    const expected = await entriesOf(db)
    const done = db.checkpoint(to)
    await db.put('after', 'the call: it is there or it is not')
    await done
    await db.clear()
    await db.compactRange()
    const others = (entries) => entries.filter(([key]) => key !== 'after')
    assert.deepEqual(others(await classicEntries(to)), expected)
    assert.deepEqual(others(await opened(to, {}, entriesOf)), expected)
    await assert.rejects(db.checkpoint(to), { code: 'LEVEL_INVALID_ARGUMENT' })
    await assert.rejects(db.checkpoint(from), { code: 'LEVEL_LOCKED' })
    for (const location of ['', null, undefined, 5, {}]) await assert.rejects(db.checkpoint(location), { code: 'LEVEL_INVALID_ARGUMENT' })
    await db.close()
    await assert.rejects(db.checkpoint(newPlace()), { code: 'LEVEL_DATABASE_NOT_OPEN' })
  })
}

test('a checkpoint on the same disk links tables instead of copying them', { skip: process.platform === 'win32' && 'Windows has other links' }, async () => {
  const [from, to] = [newPlace(), newPlace()]
  const db = new Varve(from)
  await fill(db)
  await db.compactRange()
  const table = readdirSync(from).find((name) => name.endsWith('.ldb'))
  await db.checkpoint(to)
  assert.equal(statSync(join(from, table)).ino, statSync(join(to, table)).ino)
  await db.close()
})

test('a checkpoint works between all storages and into an empty directory', async () => {
  const expected = await opened(newPlace(), {}, async (db) => {
    await fill(db)
    const storage = later(new MapStorage())
    await db.checkpoint(storage)
    assert.deepEqual(await opened(null, { storage }, entriesOf), await entriesOf(db))
    return entriesOf(db)
  })
  const to = newPlace()
  mkdirSync(to)
  await opened(null, { storage: 'memory' }, async (db) => {
    await fill(db)
    await db.checkpoint(to)
  })
  assert.deepEqual(await classicEntries(to), expected)
  const file = newPlace()
  mkdirSync(file)
  writeFileSync(join(file, 'README'), '')
  await opened(null, { storage: 'memory' }, (db) => assert.rejects(db.checkpoint(file), { code: 'LEVEL_INVALID_ARGUMENT' }))
  assert.deepEqual(readdirSync(file).filter((name) => !/^LOCK/.test(name)), ['README'])
})

/** A directory that is full after this many calls. */
class Filling extends NodeStorage {
  left

  constructor(directory, left) {
    super(directory)
    this.left = left
  }

  #spend() {
    if (this.left-- <= 0) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
  }

  create(...args) {
    this.#spend()
    const file = super.create(...args)
    const append = file.append.bind(file)
    file.append = (data) => {
      this.#spend()
      return append(data)
    }
    return file
  }

  editNames(edits) {
    if (edits.some((edit) => edit.type === 'replace')) this.#spend()
    return super.editNames(edits)
  }

  link() {
    return false
  }
}

test('a failed checkpoint leaves no files', async () => {
  const db = new Varve(newPlace(), { maxFileSize: 32 << 10 })
  await fill(db)
  let failures = 0
  for (let calls = 0; ; calls++) {
    const to = newPlace()
    try {
      await db.checkpoint(new Filling(to, calls))
      assert.ok(existsSync(join(to, 'CURRENT')))
      break
    } catch (error) {
      assert.equal(error.code, 'LEVEL_FULL')
      assert.ok(!existsSync(to), `after ${calls} calls: ${existsSync(to) && readdirSync(to)}`)
      failures++
    }
  }
  assert.ok(failures > 5, `${failures} places to fail at`)
  await db.put('still', 'writable')
  await db.close()
})

test('an import that runs out of space leaves no files', async () => {
  const archive = await opened(newPlace(), { maxFileSize: 32 << 10 }, async (db) => { await fill(db); return bytesOf(db.export()) })
  for (let calls = 0; ; calls++) {
    const to = newPlace()
    try {
      const db = await Varve.import(null, archive, { storage: new Filling(to, calls), readOnly: true })
      assert.equal((await db.keys().all()).length, 3000)
      await db.close()
      assert.ok(calls > 5)
      break
    } catch (error) {
      assert.equal(error.code, 'LEVEL_FULL')
      assert.ok(!existsSync(to), `after ${calls} calls: ${existsSync(to) && readdirSync(to)}`)
    }
  }
})
