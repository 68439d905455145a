// The storages in JavaScript: all pass the contract tests for users' storages. The directory
// storage of Node is also tested against the system: other owners of the lock, full and failing
// disks, and directories without write permission.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { hostname, tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, mock, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { Varve } from '../../src/js/index.js'
import { testStorage } from '../../src/js/storage/contract.js'
import { MapStorage } from '../../src/js/storage/map.js'
import { NodeStorage } from '../../src/js/storage/node/directory.js'
import { readLocks } from '../../src/js/storage/node/os-lock.js'

const IS_LINUX = process.platform === 'linux'
const IS_WINDOWS = process.platform === 'win32'
const IS_ROOT = process.getuid?.() === 0
const HAS_SQLITE = Boolean(process.getBuiltinModule?.('node:sqlite'))

const place = fs.mkdtempSync(join(tmpdir(), 'varve-storage-'))
after(() => fs.rmSync(place, { recursive: true, force: true }))
let directories = 0

/** Returns the path of a directory that does not exist. */
const newDirectory = () => join(place, String(directories++))

/** Creates a locked directory, unlocked at the end. */
async function locked(t, directory = newDirectory()) {
  const storage = new NodeStorage(directory)
  await storage.lock(true)
  t.after(() => storage.unlock())
  return storage
}

/** Returns false, or why a test is skipped, and prints it. */
function unless(possible, why) {
  if (possible) return false
  console.error(`SKIPPED: ${why}`)
  return why
}

const bytes = (text) => Buffer.from(text)
const contentOf = (storage, name) => fs.readFileSync(join(storage.directory, name), 'utf8')
const write = (storage, name, text) => {
  const file = storage.create(name, 'table', 0)
  file.append(bytes(text))
  return file
}

// ---- The contract ----

/** Wraps a storage so that every method returns a promise that resolves later. */
function late(target) {
  const later = async (answer) => { await null; return answer }
  const lateFile = (file) => ({
    read: async (offset, into) => {
      const own = new Uint8Array(into.length)
      const length = into.length
      await null
      const count = await file.read(offset, own)
      assert.ok(count <= length)
      return own.subarray(0, count)
    },
    append: async (data) => {
      const own = data.slice()
      await null
      return file.append(own)
    },
    sync: async () => later(file.sync()),
    truncate: async (size) => later(file.truncate(size)),
    size: async () => later(file.size()),
    close: () => file.close()
  })
  return {
    durability: target.durability,
    appendsAreExact: target.appendsAreExact,
    lock: async (create) => later(target.lock(create)),
    unlock: async () => later(target.unlock()),
    list: async () => later(target.list()),
    create: async (name, kind, sizeHint) => lateFile(await later(target.create(name, kind, sizeHint))),
    open: async (name, access) => lateFile(await later(target.open(name, access))),
    editNames: async (edits) => later(target.editNames(edits)),
    removePlace: async () => later(target.removePlace())
  }
}

function twoOfMap() {
  const shared = new MapStorage.Place()
  return { one: new MapStorage(shared), other: new MapStorage(shared) }
}

function twoOfNode() {
  const directory = newDirectory()
  return { one: new NodeStorage(directory), other: new NodeStorage(directory) }
}

describe('the contract, files in a Map', () => testStorage(twoOfMap, { test }))
describe('the contract, a directory', () => testStorage(twoOfNode, { test }))
describe('the contract, all methods asynchronous', () => testStorage(() => {
  const { one, other } = twoOfMap()
  return { one: late(one), other: late(other) }
}, { test }))
describe('the contract, a directory with all methods asynchronous', () => testStorage(() => {
  const { one, other } = twoOfNode()
  return { one: late(one), other: late(other) }
}, { test }))

/**
 * A storage with one mistake; `change` gets the correct storage, or (`file.`) each of its files.
 */
function wrong(change) {
  return () => {
    const { one, other } = twoOfMap()
    for (const storage of [one, other]) {
      for (const name of ['create', 'open']) {
        const good = storage[name].bind(storage)
        storage[name] = (...args) => {
          const file = good(...args)
          change.file?.(file)
          return file
        }
      }
      change.storage?.(storage)
    }
    return { one, other }
  }
}

/** Replaces a method by `better(good)`. */
const replaced = (object, name, make) => { object[name] = make(object[name].bind(object)) }

const MISTAKES = {
  'a read returns one byte less': { file: (file) => replaced(file, 'read', (read) => (at, into) => read(at, into.subarray(0, Math.max(1, into.length - 1)))) },
  'a read beyond the end fails': { file: (file) => replaced(file, 'read', (read) => (at, into) => { if (at > file.size()) throw new Error('beyond'); return read(at, into) }) },
  'an asynchronous read uses the memory of the engine': { file: (file) => replaced(file, 'read', (read) => async (at, into) => into.subarray(0, read(at, into))) },
  'an asynchronous append uses the memory of the engine': { file: (file) => replaced(file, 'append', (append) => async (data) => { await null; return append(data) }) },
  'an append writes only a part': { file: (file) => replaced(file, 'append', (append) => (data) => append(data.subarray(0, 1_000_000))) },
  'an append returns a wrong size': { file: (file) => replaced(file, 'append', (append) => (data) => append(data.subarray(0, 1_000_000)) && data.length) },
  'truncate does not extend a file': { file: (file) => replaced(file, 'truncate', (truncate) => (size) => truncate(Math.min(size, file.size()))) },
  'files opened for reading can be written': { storage: (storage) => replaced(storage, 'open', (open) => (name) => open(name, 'append')) },
  'a name is not checked': { storage: (storage) => replaced(storage, 'create', (create) => (name, ...rest) => create(name.replace('../', ''), ...rest)) },
  'edits are applied in reverse order': { storage: (storage) => replaced(storage, 'editNames', (edit) => (edits) => edit(edits.toReversed())) },
  'open creates a missing file': { storage: (storage) => replaced(storage, 'open', (open) => (name, access) => { try { return open(name, access) } catch { return storage.create(name, 'other', 0) } }) },
  'the lock excludes nobody': { storage: (storage) => replaced(storage, 'lock', (lock) => (create) => { try { return lock(create) } catch (error) { if (error.code === 'LEVEL_LOCKED') return 0; throw error } }) },
  'list() returns files in lost/': { storage: (storage) => replaced(storage, 'list', (list) => () => { const names = list(); try { storage.open('lost/000003.log', 'read'); names.push('000003.log') } catch {} return names }) },
  'removePlace() does not remove the directory': { storage: (storage) => { storage.removePlace = () => storage.unlock() } }
}

describe('the contract tests detect mistakes', () => {
  for (const [name, change] of Object.entries(MISTAKES)) {
    test(name, async () => {
      const found = []
      const runs = []
      testStorage(wrong(change), { test: (property, run) => runs.push([property, run]) })
      for (const [property, run] of runs) await run().catch((error) => found.push(`${property}: ${error.message}`))
      assert.notEqual(found.length, 0)
      assert.notEqual(found.length, runs.length, 'some tests pass')
    })
  }
})

// ---- Locks ----

const moduleUrl = pathToFileURL(inRoot('src', 'js', 'storage', 'node', 'directory.js')).href

/** Another copy of the same modules, as in another package of this process. */
function importCopy() {
  const copy = newDirectory()
  fs.cpSync(inRoot('src', 'js', 'storage', 'node'), copy, { recursive: true })
  fs.writeFileSync(join(copy, 'package.json'), '{ "type": "module" }')
  return import(pathToFileURL(join(copy, 'directory.js')).href)
}

/** A program that holds the lock until its input ends; also for a worker. */
const HOLD = `
  const { NodeStorage } = await import(${JSON.stringify(moduleUrl)})
  const storage = new NodeStorage(process.env.PLACE)
  try {
    await storage.lock(true)
  } catch (error) {
    console.log(error.code)
    process.exit(3)
  }
  console.log('held')
  for await (const _ of process.stdin);
  await storage.unlock()`

const children = new Set()
after(() => { for (const child of children) child.kill('SIGKILL') })

/** Starts a child and waits for its first line: `held`, or the error. */
async function started(args, directory) {
  const child = spawn(process.execPath, args, { env: { ...process.env, PLACE: directory }, stdio: ['pipe', 'pipe', 'pipe'] })
  children.add(child)
  child.errors = ''
  child.stderr.on('data', (chunk) => { child.errors += chunk })
  child.ended = once(child, 'close').finally(() => children.delete(child))
  child.first = once(createInterface({ input: child.stdout }), 'line').then(([line]) => line)
  child.said = await Promise.race([child.first, child.ended.then(() => `ended: ${child.errors}`)])
  return child
}

const holdVarve = (directory) => started(['--input-type=module', '-e', HOLD], directory)
const peer = inRoot('tests', 'interop', 'peer.mjs')
const holdLevelDB = (directory) => started([peer, 'hold', directory], directory)
const tryLevelDB = (directory) => spawnSync(process.execPath, [peer, 'trylock', directory], { encoding: 'utf8' }).stdout.trim()

async function ends(child) {
  child.stdin.end()
  await child.ended
}

async function killed(child) {
  child.kill('SIGKILL')
  await child.ended
}

/** Measures the time of lock(), in ms. */
async function timeToLock(storage) {
  const start = performance.now()
  await storage.lock(false)
  return performance.now() - start
}

/**
 * Whether the kernel lists locks on all files. A lock released between two pages hides another one,
 * so the table is read again.
 */
async function allSeen(paths) {
  const inodes = paths.map((path) => `:${fs.statSync(path).ino} `)
  for (let i = 0; i < 20; i++) {
    const table = await readLocks()
    if (inodes.every((inode) => table.includes(inode))) return true
  }
  return false
}

const isLockedBy = (pid) => (error) => error.code === 'LEVEL_LOCKED' && (pid === undefined || error.message.includes(String(pid)))

const hasClassicLevel = fs.existsSync(inRoot('node_modules', 'classic-level'))
const noClassicLevel = unless(hasClassicLevel, 'tests with C++ LevelDB: classic-level is not installed')
const noSqlite = unless(HAS_SQLITE, `Node ${process.versions.node} has no node:sqlite, so locks that exclude C++ LevelDB were NOT tested`)

/** A path too long for SQLite, to test the lock of runtimes without it. */
function deepDirectory() {
  const deep = join(newDirectory(), ...Array.from({ length: 5 }, () => 'd'.repeat(120)))
  assert.ok(Buffer.byteLength(deep) > 512)
  return deep
}

const KINDS = HAS_SQLITE
  ? { 'node:sqlite': newDirectory, 'no node:sqlite': deepDirectory }
  : { 'no node:sqlite': newDirectory }

for (const [kind, make] of Object.entries(KINDS)) {
  describe(`the lock of a directory, ${kind}`, () => {
    test('is exclusive in a process, for every path and copy of the module', async (t) => {
      const storage = await locked(t, make())
      const link = newDirectory()
      fs.symlinkSync(storage.directory, link)
      await assert.rejects(new NodeStorage(link).lock(false), isLockedBy())
      const { NodeStorage: Copy } = await importCopy()
      assert.notEqual(Copy, NodeStorage)
      await assert.rejects(new Copy(storage.directory).lock(false), isLockedBy())
      await assert.rejects(storage.lock(true), isLockedBy())
      assert.equal(basename(fs.readdirSync(storage.directory).sort().join()), 'LOCK,LOCK.varve')
      await storage.unlock()
      assert.deepEqual(fs.readdirSync(storage.directory), ['LOCK'], 'only LevelDB\'s own file is left')
      assert.equal(fs.statSync(join(storage.directory, 'LOCK')).size, 0)
    })

    test('a thread with the lock excludes others until it ends', async () => {
      const directory = make()
      const storage = new NodeStorage(directory)
      const code = `
        import { parentPort } from 'node:worker_threads'
        const { NodeStorage } = await import(${JSON.stringify(moduleUrl)})
        globalThis.storage = new NodeStorage(process.env.PLACE)
        await storage.lock(true)
        parentPort.postMessage('held')
        parentPort.on('message', () => {})`
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { env: { ...process.env, PLACE: directory } })
      await once(worker, 'message')
      await assert.rejects(storage.lock(false), isLockedBy(process.pid))
      await assert.rejects(storage.lock(false), isLockedBy(process.pid), 'being refused changes nothing')
      const child = await holdVarve(directory)
      assert.equal(child.said, 'LEVEL_LOCKED', 'nor for other processes')
      await child.ended
      await worker.terminate()
      if (IS_LINUX || kind === 'node:sqlite') {
        await storage.lock(false)
        await storage.unlock()
      }
    })

    test('another process with the lock excludes us until it ends or is killed', async () => {
      const directory = make()
      const storage = new NodeStorage(directory)
      for (const end of [ends, killed]) {
        const child = await holdVarve(directory)
        assert.equal(child.said, 'held')
        await assert.rejects(storage.lock(false), isLockedBy(child.pid))
        await assert.rejects(storage.lock(true), isLockedBy(child.pid))
        await end(child)
        assert.equal(child.errors, '', 'no warnings')
        const time = await timeToLock(storage)
        assert.ok(time < 200, `taken over in ${time} ms`)
        if (end === killed) console.log(`# ${kind}: taken over from a killed process in ${time.toFixed(1)} ms`)
        const other = await holdVarve(directory)
        assert.equal(other.said, 'LEVEL_LOCKED', 'and we keep others out')
        await other.ended
        await storage.unlock()
      }
    })

    test('one of many concurrent takeovers succeeds', async () => {
      const directory = make()
      const killedOne = await holdVarve(directory)
      await killed(killedOne)
      assert.ok(fs.existsSync(join(directory, 'LOCK.varve')))
      const all = await Promise.all(Array.from({ length: 6 }, () => holdVarve(directory)))
      const said = all.map((child) => child.said).sort()
      await Promise.all(all.map(ends))
      assert.deepEqual(said, [...Array.from({ length: 5 }, () => 'LEVEL_LOCKED'), 'held'])
      assert.deepEqual(fs.readdirSync(directory), ['LOCK'])
    })

    test('C++ LevelDB excludes us until it ends or is killed', { skip: noClassicLevel || unless(IS_LINUX || kind === 'node:sqlite', 'the locks cannot be listed') }, async () => {
      const directory = make()
      const storage = new NodeStorage(directory)
      await storage.lock(true)
      await storage.unlock()
      for (const end of [ends, killed]) {
        const child = await holdLevelDB(directory)
        assert.equal(child.said, 'held')
        await assert.rejects(storage.lock(false), isLockedBy(IS_LINUX ? child.pid : undefined))
        assert.match(tryLevelDB(directory), /^locked/, 'and asking has not taken its lock away')
        assert.deepEqual(fs.readdirSync(directory).filter((name) => name.startsWith('LOCK')), ['LOCK'])
        await end(child)
        const time = await timeToLock(storage)
        assert.ok(time < 200, `taken over in ${time} ms`)
        await storage.unlock()
      }
    })
  })
}

describe('the lock and C++ LevelDB', { skip: noClassicLevel }, () => {
  test('Varve excludes it during all operations on the directory', { skip: noSqlite }, async (t) => {
    const storage = await locked(t)
    assert.match(tryLevelDB(storage.directory), /^locked/)
    write(storage, 'a', 'content').close()
    await storage.editNames([{ type: 'replace', name: 'b', via: 'c', content: bytes('b') }, { type: 'rename', from: 'a', to: 'd' }])
    assert.deepEqual(storage.list().filter((name) => name !== 'LOG').sort(), ['b', 'd'])
    await assert.rejects(new NodeStorage(storage.directory).lock(false), isLockedBy())
    const other = await holdVarve(storage.directory)
    assert.equal(other.said, 'LEVEL_LOCKED')
    await other.ended
    assert.match(tryLevelDB(storage.directory), /^locked/, 'still')
    assert.equal(fs.statSync(join(storage.directory, 'LOCK')).size, 0)
    await storage.unlock()
    assert.equal(tryLevelDB(storage.directory), 'opened')
  })

  test('it gets the lock at once after Varve was killed', { skip: noSqlite }, async () => {
    const directory = newDirectory()
    const child = await holdVarve(directory)
    assert.match(tryLevelDB(directory), /^locked/)
    await killed(child)
    assert.equal(tryLevelDB(directory), 'opened')
    assert.equal(tryLevelDB(directory), 'opened', 'our stale file means nothing to it')
    const storage = new NodeStorage(directory)
    await storage.lock(false)
    assert.ok(storage.list().includes('CURRENT'))
    assert.ok(!storage.list().some((name) => name.startsWith('LOCK')))
    await storage.unlock()
  })

  test('in the same process it is detected, and keeps its lock', { skip: noClassicLevel || unless(IS_LINUX, 'only Linux lists locks') }, async () => {
    const { ClassicLevel } = createRequire(import.meta.url)('classic-level')
    const directory = newDirectory()
    const db = new ClassicLevel(directory)
    await db.open()
    await assert.rejects(new NodeStorage(directory).lock(false), isLockedBy(process.pid))
    assert.match(tryLevelDB(directory), /^locked/)
    await db.close()
    const storage = new NodeStorage(directory)
    await storage.lock(false)
    await storage.unlock()
  })

  test('each is detected among so many locks that the kernel lists them in several pages', { skip: noClassicLevel || unless(IS_LINUX, 'only Linux lists locks') }, async () => {
    const { ClassicLevel } = createRequire(import.meta.url)('classic-level')
    const open = Array.from({ length: 150 }, () => new ClassicLevel(newDirectory()))
    try {
      for (const db of open) await db.open()
      assert.ok(fs.readFileSync('/proc/locks').length > 4096, 'no test of several pages')
      for (const db of open.filter((_, i) => i % 15 === 0)) await assert.rejects(new NodeStorage(db.location).lock(false), isLockedBy(process.pid))
      assert.ok(await allSeen(open.map((db) => join(db.location, 'LOCK'))))
      await assert.rejects(new NodeStorage(open[0].location).aboutToLock().lock(false), isLockedBy(process.pid))
    } finally {
      for (const db of open) await db.close()
    }
    const storage = new NodeStorage(open[0].location).aboutToLock()
    await storage.lock(false)
    await storage.unlock()
  })
})

const hasFlock = IS_LINUX && spawnSync('flock', ['--version']).status === 0

test('the kernel\'s table of locks is read past a short page, which precedes a lock with many waiting processes', { skip: unless(hasFlock, 'needs flock(1)') }, async () => {
  const names = Array.from({ length: 8 }, () => newDirectory())
  const holders = names.map((name) => spawn('flock', [name, '-c', 'echo; read _'], { stdio: ['pipe', 'pipe', 'ignore'] }))
  await Promise.all(holders.map((holder) => once(holder.stdout, 'data')))
  const waiters = Array.from({ length: 60 }, () => spawn('flock', [names[0], 'true'], { stdio: 'ignore' }))
  const ended = [...holders, ...waiters].map((child) => once(child, 'exit'))
  try {
    const count = () => fs.readFileSync('/proc/locks', 'utf8').split('\n').filter((line) => line.includes('->')).length
    for (let i = 0; count() < waiters.length; i++) {
      assert.ok(i < 2000, 'the kernel does not tell of all that wait')
      await wait(5)
    }
    assert.ok(await allSeen(names))
  } finally {
    for (const holder of holders) holder.stdin.end()
    await Promise.all(ended)
  }
})

describe('a stale lock file', () => {
  const self = IS_LINUX && {
    pid: process.pid,
    start: fs.readFileSync('/proc/self/stat', 'utf8').replace(/^.*\) /s, '').split(' ')[19],
    boot: fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    space: fs.readlinkSync('/proc/self/ns/pid'),
    host: hostname(),
    native: false,
    token: 'x'
  }
  const old = new Date(Date.now() - 60_000)
  const cases = {
    'of a process that is gone': [{ ...self, pid: 2 ** 22 + 1 }, 'taken'],
    'whose pid another process has now': [{ ...self, pid: process.ppid, start: '1' }, 'taken'],
    'whose pid we have now': [{ ...self, start: '1' }, 'taken'],
    'of a thread that was ended': [self, 'taken'],
    'of another boot': [{ ...self, boot: 'another' }, 'taken'],
    'of another machine': [{ ...self, boot: 'another', host: 'another' }, 'refused'],
    'of another container': [{ ...self, space: 'pid:[1]' }, 'refused'],
    'that a crash left empty': ['', 'taken', old],
    'that a crash left torn': ['{"pid": 12', 'taken', old],
    'that is no lock': ['null', 'taken', old],
    'that is being written': ['', 'refused']
  }
  for (const [name, [content, outcome, time]] of Object.entries(cases)) {
    test(`${name} is ${outcome}`, { skip: IS_LINUX ? false : 'only Linux detects stale files' }, async () => {
      const directory = newDirectory()
      fs.mkdirSync(directory)
      const path = join(directory, 'LOCK.varve')
      fs.writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
      if (time) fs.utimesSync(path, time, time)
      const storage = new NodeStorage(directory)
      if (outcome === 'refused') {
        await assert.rejects(storage.lock(false), isLockedBy())
        assert.ok(fs.existsSync(path))
      } else {
        await storage.lock(false)
        await assert.rejects(new NodeStorage(directory).lock(false), isLockedBy())
        await storage.unlock()
        assert.ok(!fs.existsSync(path))
      }
    })
  }

  test('of a process killed during a takeover is taken over', { skip: !IS_LINUX }, async () => {
    const directory = newDirectory()
    fs.mkdirSync(directory)
    for (const name of ['LOCK.varve', 'LOCK.varve.takeover']) {
      fs.writeFileSync(join(directory, name), JSON.stringify({ ...self, pid: 2 ** 22 + 1 }))
    }
    const all = await Promise.all(Array.from({ length: 4 }, () => holdVarve(directory)))
    assert.deepEqual(all.map((child) => child.said).sort(), ['LEVEL_LOCKED', 'LEVEL_LOCKED', 'LEVEL_LOCKED', 'held'])
    await Promise.all(all.map(ends))
    assert.deepEqual(fs.readdirSync(directory), ['LOCK'])
  })

  test('of a takeover is removed with the next lock', { skip: !IS_LINUX }, async () => {
    const directory = newDirectory()
    fs.mkdirSync(directory)
    fs.writeFileSync(join(directory, 'LOCK.varve.takeover'), JSON.stringify({ ...self, pid: 2 ** 22 + 1 }))
    const storage = new NodeStorage(directory)
    await storage.lock(false)
    assert.deepEqual(fs.readdirSync(directory).sort(), ['LOCK', 'LOCK.varve'])
    await storage.unlock()
  })

  test('that is empty after a crash is not taken over while another process writes it', { skip: !IS_LINUX || !noSqlite }, async () => {
    const directory = newDirectory()
    fs.mkdirSync(directory)
    const path = join(directory, 'LOCK.varve')
    fs.writeFileSync(path, '')
    fs.utimesSync(path, old, old)
    // Another process has also judged it stale, has replaced it, and has not written yet.
    const { openSync } = fs
    let replaced = false
    fs.openSync = (name, ...rest) => {
      const fd = openSync(name, ...rest)
      if (String(name).endsWith('.takeover') && !replaced) {
        replaced = true
        fs.rmSync(path)
        fs.writeFileSync(path, '')
      }
      return fd
    }
    try {
      await assert.rejects(new NodeStorage(directory).lock(false), isLockedBy())
    } finally {
      fs.openSync = openSync
    }
    assert.ok(replaced && fs.existsSync(path))
  })

  test('of a takeover is removed with the database', { skip: !IS_LINUX }, async () => {
    const directory = newDirectory()
    const storage = new NodeStorage(directory)
    await storage.lock(true)
    for (const name of ['LOCK.varve.takeover', 'LOCK.varve.54e1d1a5']) fs.writeFileSync(join(directory, name), '')
    await storage.unlock()
    await Varve.destroy(directory)
    assert.ok(!fs.existsSync(directory))
  })

  test('is waited for only while another process takes it over', { skip: !IS_LINUX || !noSqlite }, async () => {
    const directory = newDirectory()
    fs.mkdirSync(directory)
    const [path, takeover] = ['LOCK.varve', 'LOCK.varve.takeover'].map((name) => join(directory, name))
    fs.writeFileSync(path, JSON.stringify({ ...self, pid: 2 ** 22 + 1 }))
    fs.writeFileSync(takeover, JSON.stringify({ ...self, pid: process.ppid, start: undefined }))
    await assert.rejects(new NodeStorage(directory).lock(false), { code: 'LEVEL_LOCKED', message: /LOCK\.varve\.takeover is in use by process \d+$/ })
    const storage = new NodeStorage(directory)
    setTimeout(() => fs.rmSync(takeover), 20)
    await storage.lock(false)
    await storage.unlock()
    assert.deepEqual(fs.readdirSync(directory), ['LOCK'])
  })

  test('of a previous owner of LOCK is ignored by the owner of LOCK', { skip: noSqlite || !IS_LINUX }, async (t) => {
    const directory = newDirectory()
    fs.mkdirSync(directory)
    fs.writeFileSync(join(directory, 'LOCK.varve'), JSON.stringify({ ...self, space: 'pid:[1]', native: true }))
    await locked(t, directory)
  })
})

test('a LOCK with content is not changed', { skip: noSqlite }, async () => {
  const directory = newDirectory()
  fs.mkdirSync(directory)
  fs.writeFileSync(join(directory, 'LOCK'), 'somebody\'s notes, and not LevelDB\'s lock'.repeat(30))
  await assert.rejects(new NodeStorage(directory).lock(false), /LOCK: it has \d+ bytes/)
  assert.match(fs.readFileSync(join(directory, 'LOCK'), 'utf8'), /^somebody's notes/)
  assert.deepEqual(fs.readdirSync(directory), ['LOCK'])
})

// ---- The directory ----

test('only the owner can read new files', { skip: IS_WINDOWS }, async (t) => {
  const umask = process.umask(0)
  t.after(() => process.umask(umask))
  const above = newDirectory()
  const storage = await locked(t, join(above, 'b', 'c'))
  write(storage, 'file', 'x').close()
  write(storage, 'other', 'x').close()
  await storage.editNames([{ type: 'replace', name: 'CURRENT', via: 'x.dbtmp', content: bytes('x') }, { type: 'rename', from: 'other', to: 'lost/other' }])
  const mode = (path) => (fs.statSync(path).mode & 0o777).toString(8)
  for (const directory of [above, join(above, 'b'), storage.directory, join(storage.directory, 'lost')]) assert.equal(mode(directory), '700', directory)
  for (const name of ['file', 'CURRENT', 'lost/other', 'LOCK', 'LOCK.varve']) assert.equal(mode(join(storage.directory, name)), '600', name)
})

test('list() returns files and links to files', async (t) => {
  const storage = await locked(t)
  write(storage, 'file', 'x').close()
  fs.mkdirSync(join(storage.directory, 'directory'))
  fs.symlinkSync('file', join(storage.directory, 'link'))
  fs.symlinkSync('nowhere', join(storage.directory, 'broken'))
  fs.symlinkSync('directory', join(storage.directory, 'to-directory'))
  if (IS_LINUX) fs.writeFileSync(Buffer.concat([Buffer.from(`${storage.directory}/`), Buffer.from([0x66, 0xff])]), 'not UTF-8')
  assert.deepEqual(storage.list().sort(), ['file', 'link'])
})

test('the directory can be relative or a URL, and the working directory can change', async (t) => {
  const directory = newDirectory()
  const storage = await locked(t, relative(process.cwd(), directory))
  assert.equal(storage.directory, directory)
  assert.equal(new NodeStorage(pathToFileURL(directory)).directory, directory)
  write(storage, 'a', 'x').close()
  assert.equal(fs.readFileSync(join(directory, 'a'), 'utf8'), 'x')
})

test('a file instead of the directory is an error', async () => {
  const path = newDirectory()
  fs.writeFileSync(path, 'a file')
  const isIt = (error) => error.code === 'ENOTDIR' && error.message.includes(path)
  await assert.rejects(new NodeStorage(path).lock(false), isIt)
  await assert.rejects(new NodeStorage(path).lock(true), isIt)
  await assert.rejects(new NodeStorage(join(path, 'below')).lock(true), isIt)
  assert.throws(() => new NodeStorage(path).list(), isIt)
  await assert.rejects(new NodeStorage(path).removePlace(), isIt)
  assert.equal(fs.readFileSync(path, 'utf8'), 'a file')
})

test('a directory that cannot be created is named, with the reason', { skip: unless(IS_LINUX, 'only Linux has /proc') }, () => {
  const program = `
    const { Varve } = await import(${JSON.stringify(new URL('../../src/js/index.js', import.meta.url).href)})
    const { cause } = await new Varve('/proc/nope/below').open().catch((error) => error)
    console.log(cause.code, cause.cause.cause.code, cause.message)`
  // In a process of its own: mkdirSync with \`recursive\` never returns there.
  const { stdout, error } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8', timeout: 30_000 })
  assert.equal(error, undefined)
  assert.match(stdout, /^LEVEL_IO_ERROR ENOENT .*cannot create the directory \/proc\/nope: ENOENT/)
})

test('parents are created one by one, also when another process creates one', async () => {
  const parent = newDirectory()
  const storages = ['a', 'b'].map((name) => new NodeStorage(join(parent, 'between', name)))
  await Promise.all(storages.map((storage) => storage.lock(true)))
  await Promise.all(storages.map((storage) => storage.unlock()))
  assert.deepEqual(fs.readdirSync(join(parent, 'between')).sort(), ['a', 'b'])
})

test('a directory where a file should be', async (t) => {
  const storage = await locked(t)
  const path = join(storage.directory, 'd')
  fs.mkdirSync(path)
  for (const access of ['read', 'append']) {
    assert.throws(() => storage.open('d', access), (error) => error.code === 'EISDIR' && error.message.includes(path))
  }
  assert.throws(() => storage.create('d', 'log', 0), (error) => ['EISDIR', 'EPERM'].includes(error.code) && error.message.includes(path))
  await assert.rejects(storage.editNames([{ type: 'replace', name: 'd', via: 'v', content: bytes('x') }]), (error) => error.code !== undefined && error.message.includes(path))
  assert.deepEqual(storage.list(), [], 'nothing is left of it')
})

test('a directory without write permission is an error', { skip: unless(!IS_WINDOWS, 'read-only directories: not on Windows') }, async (t) => {
  const storage = await locked(t)
  write(storage, 'a', 'content').close()
  await storage.unlock()
  fs.chmodSync(storage.directory, 0o500)
  fs.chmodSync(place, 0o711)
  // Root can write everywhere.
  const as = async (act) => {
    if (!IS_ROOT) return act()
    fs.chownSync(storage.directory, 65534, 65534)
    process.seteuid(65534)
    try { return await act() } finally { process.seteuid(0) }
  }
  t.after(() => fs.chmodSync(storage.directory, 0o700))
  const isRefused = (error) => ['EACCES', 'EPERM'].includes(error.code) && error.message.includes(storage.directory)
  await as(async () => {
    await assert.rejects(storage.lock(false), isRefused)
    assert.throws(() => storage.create('b', 'log', 0), isRefused)
    await assert.rejects(storage.editNames([{ type: 'remove', name: 'a' }]), isRefused)
    await assert.rejects(storage.editNames([{ type: 'rename', from: 'a', to: 'b' }]), isRefused)
    await assert.rejects(storage.editNames([{ type: 'replace', name: 'a', via: 'b', content: bytes('') }]), isRefused)
    await assert.rejects(new NodeStorage(join(storage.directory, 'below')).lock(true), isRefused)
    await assert.rejects(storage.removePlace(), isRefused)
    assert.deepEqual(storage.list(), ['a'])
  })
  assert.equal(contentOf(storage, 'a'), 'content')
})

test('a full disk is reported', { skip: unless(IS_LINUX && IS_ROOT, 'a full disk: needs root and Linux to mount a small file system') }, async (t) => {
  const disk = newDirectory()
  fs.mkdirSync(disk)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'varve-test', disk], { encoding: 'utf8' })
  if (mounted.status !== 0) {
    console.error(`SKIPPED: a full disk: mount: ${mounted.stderr}`)
    return t.skip('mount failed')
  }
  t.after(() => spawnSync('umount', [disk]))
  const storage = new NodeStorage(join(disk, 'db'))
  await storage.lock(true)
  const file = write(storage, '000003.log', 'begin')
  const isFull = (error) => error.code === 'ENOSPC' && error.message.includes(join(disk, 'db'))
  assert.throws(() => file.append(new Uint8Array(1 << 20)), (error) => isFull(error) && /append|write/.test(error.message) && error.message.includes('000003.log'))
  assert.ok(file.size() > 5, 'what fitted is there, and the size says so')
  file.truncate(5)
  assert.equal(file.append(bytes(', end')), 5)
  await file.sync()
  assert.equal(contentOf(storage, '000003.log'), 'begin, end')
  await storage.editNames([{ type: 'replace', name: 'CURRENT', via: 'v', content: bytes('old') }])
  await assert.rejects(storage.editNames([{ type: 'replace', name: 'CURRENT', via: 'v', content: new Uint8Array(1 << 20) }]), isFull)
  assert.equal(contentOf(storage, 'CURRENT'), 'old')
  assert.deepEqual(storage.list().sort(), ['000003.log', 'CURRENT'])
  await storage.unlock()
})

// ---- Flushes, files, failures ----

/** Returns the calls of node:fs that the storage makes during `act`, in order. */
function traced(t, names) {
  const calls = []
  for (const name of names) {
    const original = fs[name]
    t.mock.method(fs, name, (...args) => {
      calls.push(`${name} ${typeof args[0] === 'string' ? basename(args[0]) : ''}`.trim())
      return original(...args)
    })
  }
  return calls
}

test('every flush and removal runs on another thread', async (t) => {
  for (const name of ['fsyncSync', 'fdatasyncSync', 'unlinkSync']) t.mock.method(fs, name, () => assert.fail(`${name} blocks the loop`))
  const calls = traced(t, ['fsync', 'fdatasync', 'renameSync', 'unlink'])
  const storage = new NodeStorage(join(newDirectory(), 'b'))
  await storage.lock(true)
  assert.deepEqual(calls.splice(0), ['fsync', 'fsync'], 'both directories above are flushed')
  const file = write(storage, 'a', 'x')
  const sync = file.sync()
  assert.ok(sync instanceof Promise)
  await sync
  assert.deepEqual(calls.splice(0), ['fdatasync'])
  const edits = storage.editNames([{ type: 'rename', from: 'a', to: 'b' }, { type: 'remove', name: 'c' }])
  assert.deepEqual(calls, ['renameSync a', 'unlink c'])
  await edits
  assert.deepEqual(calls.splice(0), ['renameSync a', 'unlink c', 'fsync'])
  await storage.editNames([{ type: 'replace', name: 'CURRENT', via: 'tmp', content: bytes('x') }])
  assert.deepEqual(calls.splice(0), ['fdatasync', 'renameSync tmp', 'fsync'])
  await storage.editNames([])
  assert.deepEqual(calls.splice(0), ['fsync'], 'a barrier')
  await storage.editNames([{ type: 'rename', from: 'b', to: 'lost/b' }])
  assert.deepEqual(calls.splice(0), ['renameSync b', 'fsync', 'fsync'], 'lost/ too')
  await storage.unlock()
})

test('groups of edits are applied one after another', async (t) => {
  const storage = await locked(t)
  const first = storage.editNames([{ type: 'replace', name: 'a', via: 'v', content: bytes('one') }, { type: 'rename', from: 'a', to: 'b' }])
  const content = bytes('two')
  const second = storage.editNames([{ type: 'replace', name: 'a', via: 'v', content }])
  content.fill(0)
  const third = storage.editNames([{ type: 'rename', from: 'missing', to: 'x' }])
  const fourth = storage.editNames([{ type: 'rename', from: 'a', to: 'c' }])
  await Promise.all([first, second, fourth, assert.rejects(third, { code: 'ENOENT' })])
  assert.deepEqual(storage.list().sort(), ['b', 'c'])
  assert.equal(contentOf(storage, 'b') + contentOf(storage, 'c'), 'onetwo')
})

test('a failed sync is final', async (t) => {
  const storage = await locked(t)
  const file = write(storage, '000003.log', 'x')
  const other = write(storage, '000004.log', 'x')
  const broken = t.mock.method(fs, 'fdatasync', (_fd, callback) => setImmediate(callback, Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })), { times: 1 })
  const syncs = [file.sync(), file.sync()]
  const isIt = (error) => error.code === 'EIO' && error.message.includes('000003.log') && error.message.includes('sync')
  for (const sync of syncs) await assert.rejects(sync, isIt)
  const asked = broken.mock.callCount()
  await assert.rejects(async () => file.sync(), isIt)
  await assert.rejects(async () => file.append(bytes('more')), isIt)
  assert.equal(broken.mock.callCount(), asked, 'the kernel is not asked again')
  assert.equal(file.size(), 1)
  await other.sync()
})

test('a directory that cannot be flushed is an error', async (t) => {
  const storage = await locked(t)
  t.mock.method(fs, 'fsync', (_fd, callback) => setImmediate(callback, Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' })), { times: 1 })
  await assert.rejects(storage.editNames([]), (error) => error.code === 'EIO' && error.message.includes(storage.directory))
  await storage.editNames([])
})

test('a partial write is continued', async (t) => {
  const storage = await locked(t)
  const file = write(storage, 'a', 'x')
  const { writeSync } = fs
  const short = t.mock.method(fs, 'writeSync', (fd, data, offset, length, at) => writeSync(fd, data, offset, Math.min(length, 3), at))
  assert.equal(file.append(bytes('0123456789')), 10)
  assert.equal(short.mock.callCount(), 4)
  short.mock.mockImplementation(() => 0)
  assert.throws(() => file.append(bytes('y')), (error) => error.code === 'EIO' && error.message.includes(join(storage.directory, 'a')))
  short.mock.restore()
  assert.equal(contentOf(storage, 'a'), 'x0123456789')
})

test('unlock() closes open files after pending flushes have ended', async () => {
  const storage = new NodeStorage(newDirectory())
  await storage.lock(true)
  const open = () => (IS_LINUX ? fs.readdirSync('/proc/self/fd').length : 0)
  const before = open()
  const files = Array.from({ length: 20 }, (_, index) => write(storage, `f${index}`, 'x'))
  files[0].close()
  files[0].close()
  let synced = false
  const sync = files[1].sync().then(() => { synced = true })
  const edits = storage.editNames([{ type: 'replace', name: 'CURRENT', via: 'v', content: bytes('x') }])
  await storage.unlock()
  assert.ok(synced)
  await Promise.all([sync, edits])
  assert.equal(contentOf(storage, 'CURRENT'), 'x')
  for (const file of files) {
    for (const act of [() => file.read(0, new Uint8Array(1)), () => file.append(bytes('y')), () => file.sync(), () => file.size(), () => file.truncate(0)]) {
      assert.throws(act, (error) => error.code === 'EBADF' && error.message.includes(storage.directory))
    }
  }
  if (IS_LINUX) assert.ok(open() < before, `${before} descriptors before, ${open()} now`)
  assert.equal(storage.unlock(), undefined)
  await storage.lock(false)
  await storage.unlock()
})

test('an error names the file and what to do', async (t) => {
  const storage = await locked(t)
  assert.throws(() => storage.open('000007.ldb', 'read'), (error) => error.code === 'ENOENT' && error.message.includes('open') && error.path === join(storage.directory, '000007.ldb'))
  const file = write(storage, 'a', 'x')
  const failing = t.mock.method(fs, 'fstatSync', () => { throw Object.assign(new Error('EIO: i/o error, fstat'), { code: 'EIO' }) })
  assert.throws(() => file.size(), (error) => {
    assert.equal(error.message, `size ${join(storage.directory, 'a')}: EIO: i/o error, fstat`)
    assert.ok(error.stack.includes(error.message))
    return error.code === 'EIO'
  })
  failing.mock.restore()
  assert.throws(() => storage.open('a', 'read').truncate(0), { code: 'EACCES' })
  assert.throws(() => storage.create('LOCK.varve', 'log', 0), { code: 'EINVAL' })
  assert.throws(() => storage.editNames([{ type: 'swap', name: 'a' }]), { code: 'EINVAL' })
})

// Behaviour on Windows, simulated on other systems.
test('on Windows, renames are retried, directories are not flushed, and appends work without O_APPEND', { skip: IS_WINDOWS }, async (t) => {
  const platform = Object.getOwnPropertyDescriptor(process, 'platform')
  Object.defineProperty(process, 'platform', { ...platform, value: 'win32' })
  const { NodeStorage: OnWindows } = await importCopy().finally(() => Object.defineProperty(process, 'platform', platform))
  const directory = newDirectory()
  fs.mkdirSync(directory)
  const storage = new OnWindows(directory)
  const { openSync, renameSync } = fs
  const error = (code) => Object.assign(new Error(code), { code })
  t.mock.method(fs, 'openSync', (path, ...rest) => { if (path === directory) throw error('EPERM'); return openSync(path, ...rest) })
  const rename = t.mock.method(fs, 'renameSync', (...args) => { if (rename.mock.callCount() < 4) throw error('EBUSY'); return renameSync(...args) })
  const file = write(storage, 'a', 'one')
  assert.equal(file.append(bytes('two')), 3)
  file.truncate(4)
  assert.equal(file.append(bytes('!')), 1)
  const again = storage.open('a', 'append')
  again.append(bytes('?'))
  file.append(bytes('.'))
  await storage.editNames([{ type: 'rename', from: 'a', to: 'b' }])
  assert.equal(contentOf(storage, 'b'), 'onet!?.')
  rename.mock.mockImplementation(() => { throw error('EACCES') })
  const start = performance.now()
  await assert.rejects(storage.editNames([{ type: 'rename', from: 'b', to: 'c' }]), { code: 'EACCES' })
  assert.ok(performance.now() - start < 10_000, 'and not for ever')
  rename.mock.mockImplementation(() => { throw error('ENOSPC') })
  await assert.rejects(storage.editNames([{ type: 'rename', from: 'b', to: 'c' }]), { code: 'ENOSPC' })
  for (const open of [file, again]) open.close()
})

test('the event loop runs while the disk flushes', async (t) => {
  const storage = await locked(t)
  const file = write(storage, 'a', 'x')
  const { fdatasync } = fs
  let turns = 0
  t.mock.method(fs, 'fdatasync', (fd, callback) => {
    const timer = setInterval(() => {
      if (++turns < 4) return
      clearInterval(timer)
      fdatasync(fd, callback)
    }, 1)
  })
  await file.sync()
  assert.equal(turns, 4)
  await wait(0)
  mock.restoreAll()
})
