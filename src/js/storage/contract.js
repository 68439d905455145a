// The contract of a storage as tests. Run them on your own storage before you use it.
//
// ```js
// import { test } from 'node:test'
// import { testStorage } from 'varve/test/storage'
//
// testStorage(() => {
//   const place = new MyPlace()
//   return { one: new MyStorage(place), other: new MyStorage(place) }
// }, { test })
// ```
//
// The tests call a storage as the engine does: the next call on a file is made after the previous
// one has finished, except that a file is read and appended to during a sync.

/**
 * @typedef {import('../types/index.js').Storage} Storage
 * @typedef {import('../types/index.js').StorageFile} StorageFile
 * @typedef {import('../types/index.js').NameEdit} NameEdit
 */

/**
 * Registers one test for each property, by calling `test(name, run)`, where `run` returns a
 * promise.
 *
 * @param {() => Users | Promise<Users>} makeStorage returns two independent handles to one
 *   directory, or its equivalent, that does not exist yet
 * @param {object} options
 * @param {(name: string, run: () => Promise<void>) => unknown} options.test such as that of
 *   node:test, tape or mocha
 * @param {string} [options.prefix] prefix of the test names
 *
 * @typedef {{ one: Storage, other: Storage }} Users
 */
export function testStorage(makeStorage, { test, prefix = '' }) {
  for (const [name, run] of Object.entries(WITH_ONE)) {
    test(prefix + name, async () => {
      const { one } = await makeStorage()
      await one.lock(true)
      await run(one)
      await one.unlock()
    })
  }
  for (const [name, run] of Object.entries(WITH_TWO)) test(prefix + name, async () => run(await makeStorage()))
}

/**
 * Registers the tests of a read-only storage.
 *
 * @param {(files: Map<string, Uint8Array<ArrayBuffer>>) => Storage | Promise<Storage>} makeStorage
 *   returns a storage with these files
 * @param {object} options
 * @param {(name: string, run: () => Promise<void>) => unknown} options.test
 * @param {string} [options.prefix]
 */
export function testReadOnlyStorage(makeStorage, { test, prefix = '' }) {
  for (const [name, run] of Object.entries(READ_ONLY)) {
    test(prefix + name, async () => {
      const files = new Map(Object.entries(FILES).map(([file, content]) => [file, bytes(content)]))
      await run(await makeStorage(files), files)
    })
  }
}

// ---- One storage, locked, in a new directory ----

/** @type {Record<string, (storage: Storage) => Promise<void>>} */
const WITH_ONE = {
  async 'durability and appendsAreExact have valid values'(storage) {
    equal(['volatile', 'os-buffered', 'durable'].includes(storage.durability), true, `durability ${storage.durability}`)
    equal(typeof storage.appendsAreExact, 'boolean', 'the type of appendsAreExact')
  },

  // ---- Append and truncate ----

  async 'appends add to the end'(storage) {
    for (const kind of KINDS) {
      const file = await storage.create('a', kind, 1 << 20)
      equal(await file.size(), 0, 'size of a new file')
      await append(file, '')
      await append(file, 'one')
      await append(file, 'two')
      const again = await storage.open('a', 'append')
      await append(again, 'three')
      equal(await again.size(), 11, 'size')
      await contentIs(storage, 'a', 'onetwothree')
      file.close()
      again.close()
    }
  },

  async 'a large append is written completely'(storage) {
    const data = noise(5_000_011)
    const file = await make(storage, 'large', 'x')
    await append(file, data)
    await file.sync()
    equal(await file.size(), 5_000_012, 'size')
    same(await read(file, 1, data.length), data, 'all of it')
    same(await read(file, 4_000_001, 3_000_000), data.subarray(4_000_000), 'the end')
    same(await read(file, 65_537, 7), data.subarray(65_536, 65_543), 'a part')
    file.close()
  },

  async 'an append writes the bytes as they are at the call'(storage) {
    const file = await make(storage, 'a', '')
    const data = bytes('from the memory of the engine')
    const answer = file.append(data)
    data.fill(0)
    equal(await answer, data.length, 'bytes taken')
    const memory = bytes('..part..')
    await file.append(memory.subarray(2, 6))
    same(await read(file, 0, 99), 'from the memory of the enginepart', 'content')
    file.close()
  },

  async 'truncate shortens a file, or extends it with zeros'(storage) {
    const file = await make(storage, 'a', '0123456789')
    await file.truncate(4)
    equal(await file.size(), 4, 'size')
    await append(file, 'x')
    same(await read(file, 0, 99), '0123x', 'appended after truncate')
    await file.truncate(5)
    await file.truncate(8)
    same(await read(file, 0, 99), '0123x\0\0\0', 'filled with zeros')
    await append(file, 'y')
    await file.sync()
    await contentIs(storage, 'a', '0123x\0\0\0y')
    await file.truncate(0)
    await append(file, 'z')
    await contentIs(storage, 'a', 'z')
    file.close()
  },

  async 'a file opened for reading cannot be changed'(storage) {
    ;(await make(storage, 'a', 'content')).close()
    const file = await storage.open('a', 'read')
    await fails(() => file.append(bytes('more')), 'append')
    await fails(() => file.truncate(1), 'truncate')
    same(await read(file, 0, 99), 'content', 'content')
    file.close()
  },

  // ---- Read ----

  async 'reads are exact up to the end'(storage) {
    const written = await make(storage, 'a', '0123456789')
    for (const file of [written, await storage.open('a', 'read')]) await readsAreExact(file)
  },

  async 'a read writes only to the given part of memory'(storage) {
    await readsIntoAPart(await make(storage, 'a', '0123456789'))
  },

  // ---- Sync ----

  async 'sync succeeds repeatedly, also with nothing to sync'(storage) {
    for (const kind of KINDS) {
      const file = await storage.create('a', kind, 0)
      await file.sync()
      await append(file, 'data')
      await file.sync()
      await file.sync()
      file.close()
      await contentIs(storage, 'a', 'data')
    }
  },

  async 'sync(true) is synchronous, returns a promise, or is refused'(storage) {
    for (const kind of KINDS) {
      const file = await storage.create('a', kind, 0)
      await append(file, 'data')
      await inPlace(() => file.sync(true))
      await append(file, '!')
      await inPlace(() => file.sync(true))
      await file.sync()
      file.close()
      await contentIs(storage, 'a', 'data!')
    }
  },

  async 'a file can be read and appended to during a sync'(storage) {
    for (const kind of KINDS) {
      const file = await storage.create('a', kind, 0)
      await append(file, 'one')
      const sync = file.sync()
      await append(file, 'two')
      same(await read(file, 0, 9), 'onetwo', 'content')
      await sync
      equal(await file.size(), 6, 'size')
      file.close()
    }
  },

  async 'a file can be closed during a sync'(storage) {
    const file = await make(storage, 'a', 'content')
    const sync = file.sync()
    file.close()
    const next = await make(storage, 'b', 'another')
    await sync
    await append(next, '!')
    await contentIs(storage, 'a', 'content')
    await contentIs(storage, 'b', 'another!')
    next.close()
  },

  // ---- Names ----

  async 'invalid names are refused'(storage) {
    ;(await make(storage, 'a', 'kept')).close()
    for (const bad of BAD_NAMES) {
      const what = `the name ${JSON.stringify(bad)}`
      await fails(() => storage.create(bad, 'log', 0), what, 'EINVAL')
      await fails(() => storage.open(bad, 'append'), what, 'EINVAL')
      await fails(() => storage.editNames([rename('a', bad)]), what, 'EINVAL')
      await fails(() => storage.editNames([rename(bad, 'b')]), what, 'EINVAL')
      await fails(() => storage.editNames([remove(bad)]), what, 'EINVAL')
      await fails(() => storage.editNames([replace(bad, '')]), what, 'EINVAL')
      await fails(() => storage.editNames([rename('a', 'b'), remove(bad)]), `${what}, before the first edit is applied`, 'EINVAL')
    }
    await listIs(storage, ['a'])
  },

  async 'names can have up to 255 bytes, in any script'(storage) {
    const names = ['Größe.log', '名前', '🪨 rock', 'a b', '%41', '-', 'lost+found', '.hidden', '\u{e9}t\u{e9}', 'n'.repeat(255)]
    for (const [index, name] of names.entries()) (await make(storage, name, String(index))).close()
    for (const [index, name] of names.entries()) await contentIs(storage, name, String(index))
    await listIs(storage, names)
    await storage.editNames([rename('名前', 'なまえ')])
    await contentIs(storage, 'なまえ', '1')
  },

  async 'create replaces an existing file, which open readers can still read'(storage) {
    const old = await make(storage, 'a', 'old')
    const file = await make(storage, 'a', 'newer')
    await listIs(storage, ['a'])
    await contentIs(storage, 'a', 'newer')
    same(await read(old, 0, 9), 'old', 'the replaced file')
    await append(file, '!')
    await contentIs(storage, 'a', 'newer!')
    old.close()
    await contentIs(storage, 'a', 'newer!')
    file.close()
  },

  async 'edits apply in order'(storage) {
    ;(await make(storage, 'a', 'A')).close()
    ;(await make(storage, 'b', 'B')).close()
    await storage.editNames([
      rename('a', 'c'), rename('b', 'a'), rename('c', 'b'), remove('x'), replace('d', 'D'), rename('d', 'e')
    ])
    await listIs(storage, ['a', 'b', 'e'])
    await contentIs(storage, 'a', 'B')
    await contentIs(storage, 'b', 'A')
    await contentIs(storage, 'e', 'D')
    await storage.editNames([])
    await storage.editNames([remove('a'), remove('b'), remove('e')])
    await listIs(storage, [])
  },

  async 'synchronous edits have the same effect, or are refused'(storage) {
    ;(await make(storage, 'a', 'A')).close()
    ;(await make(storage, 'b', 'B')).close()
    await inPlace(() => storage.editNames([], true))
    const done = await inPlace(() => storage.editNames([remove('a'), remove('x')], true))
    await listIs(storage, done ? ['b'] : ['a', 'b'])
    const moved = await inPlace(() => storage.editNames([rename('b', 'c'), replace('d', 'D')], true))
    await contentIs(storage, moved ? 'c' : 'b', 'B')
    if (moved) await contentIs(storage, 'd', 'D')
  },

  async 'a rename replaces its target'(storage) {
    const from = await make(storage, 'from', 'new')
    const to = await make(storage, 'to', 'old content')
    await storage.editNames([rename('from', 'to')])
    await listIs(storage, ['to'])
    await contentIs(storage, 'to', 'new')
    same(await read(to, 0, 99), 'old content', 'the replaced file')
    await append(from, 'er')
    await contentIs(storage, 'to', 'newer')
    from.close()
    to.close()
  },

  async 'a missing name is not found'(storage) {
    await fails(() => storage.open('a', 'read'), 'open to read', 'ENOENT')
    await fails(() => storage.open('a', 'append'), 'open to append', 'ENOENT')
    await fails(() => storage.open('lost/a', 'read'), 'open a file in lost/', 'ENOENT')
    await fails(() => storage.editNames([rename('a', 'b')]), 'rename', 'ENOENT')
    await storage.editNames([remove('a'), remove('lost/a')])
    await listIs(storage, [])
  },

  async 'a replacement holds exactly its content'(storage) {
    await storage.editNames([replace('CURRENT', 'MANIFEST-000001\n')])
    await listIs(storage, ['CURRENT'])
    await contentIs(storage, 'CURRENT', 'MANIFEST-000001\n')
    const old = await storage.open('CURRENT', 'read')
    ;(await make(storage, VIA, 'left by a crash, and longer than the content')).close()
    await storage.editNames([replace('CURRENT', 'two')])
    await listIs(storage, ['CURRENT'])
    await contentIs(storage, 'CURRENT', 'two')
    same(await read(old, 0, 99), 'MANIFEST-000001\n', 'the replaced file')
    await storage.editNames([replace('CURRENT', '')])
    await contentIs(storage, 'CURRENT', '')
    old.close()
  },

  async 'files in lost/ are not listed'(storage) {
    ;(await make(storage, '000003.log', 'damaged')).close()
    ;(await make(storage, '000004.log', 'too')).close()
    await storage.editNames([rename('000003.log', 'lost/000003.log')])
    await storage.editNames([rename('000004.log', 'lost/000004.log')])
    await listIs(storage, [])
    await contentIs(storage, 'lost/000003.log', 'damaged')
    await storage.editNames([rename('lost/000003.log', 'a'), remove('lost/000004.log')])
    await listIs(storage, ['a'])
    await fails(() => storage.open('lost/000004.log', 'read'), 'open a removed file', 'ENOENT')
  },

  async 'open readers can still read a removed file'(storage) {
    const writer = await make(storage, 'a', '0123456789')
    const reader = await storage.open('a', 'read')
    await storage.editNames([remove('a')])
    same(await read(reader, 2, 3), '234', 'the reader')
    equal(await reader.size(), 10, 'size')
    same(await read(writer, 2, 3), '234', 'the writer')
    const another = await make(storage, 'a', 'another')
    same(await read(reader, 2, 3), '234', 'the reader')
    await contentIs(storage, 'a', 'another')
    for (const file of [writer, reader, another]) file.close()
  },

  async 'the lock is not a file'(storage) {
    await listIs(storage, [])
    await fails(() => storage.open('LOCK', 'read'), 'open LOCK')
    await storage.unlock()
    await listIs(storage, [])
  }
}

// ---- Two users ----

/** @type {Record<string, (users: Users) => Promise<void>>} */
const WITH_TWO = {
  async 'the lock excludes others'({ one, other }) {
    await one.unlock()
    const first = await one.lock(true)
    await fails(() => other.lock(false), 'the other', 'LEVEL_LOCKED')
    await fails(() => other.lock(true), 'the other', 'LEVEL_LOCKED')
    await fails(() => one.lock(false), 'the owner, a second time', 'LEVEL_LOCKED')
    await other.unlock()
    await fails(() => other.lock(false), 'after an unlock by another storage', 'LEVEL_LOCKED')
    ;(await make(one, 'a', 'shared')).close()
    await one.unlock()
    await one.unlock()
    const second = await other.lock(false)
    equal(second > first || (first === 0 && second === 0), true, `epochs increase or are 0: ${first} and ${second}`)
    await contentIs(other, 'a', 'shared')
    await fails(() => one.lock(false), 'the previous owner', 'LEVEL_LOCKED')
    await other.unlock()
    await one.lock(false)
    await one.unlock()
  },

  async 'one of two concurrent lock() calls succeeds'({ one, other }) {
    await one.lock(true)
    await one.unlock()
    const users = [one, other]
    const answers = await Promise.allSettled(users.map(async (user) => user.lock(false)))
    const refused = answers.filter(({ status }) => status === 'rejected')
    equal(refused.length, 1, 'calls refused')
    equal(/** @type {PromiseRejectedResult} */ (refused[0]).reason.code, 'LEVEL_LOCKED', 'the code')
    for (const user of users) await user.unlock()
  },

  async 'lock(true) creates the directory, lock(false) does not'({ one, other }) {
    await fails(() => one.lock(false), 'lock', 'ENOENT')
    await fails(() => one.list(), 'list', 'ENOENT')
    await one.lock(true)
    await listIs(one, [])
    await one.unlock()
    await other.lock(false)
    await other.unlock()
  },

  async 'removePlace() removes the directory only when it is empty'({ one, other }) {
    await fails(() => one.removePlace(), 'remove a missing directory', 'ENOENT')
    await one.lock(true)
    ;(await make(one, 'b', 'kept')).close()
    await one.editNames([rename('b', 'lost/b')])
    ;(await make(one, 'a', 'kept')).close()
    await fails(() => other.removePlace(), 'remove a locked directory', 'LEVEL_LOCKED')
    for (const left of ['a', 'lost/b']) {
      await one.removePlace()
      await contentIs(one, left, 'kept')
      await other.lock(false)
      await other.unlock()
      await one.lock(false)
      await one.editNames([remove(left)])
    }
    await one.removePlace()
    await fails(() => one.list(), 'list', 'ENOENT')
    await fails(() => other.lock(false), 'lock', 'ENOENT')
    await one.unlock()
    await other.lock(true)
    await listIs(other, [])
    await other.unlock()
    await one.removePlace()
    await fails(() => one.list(), 'list a directory removed without the lock', 'ENOENT')
  }
}

// ---- Read-only storages ----

/** @type {Record<string, (storage: Storage, files: Map<string, Uint8Array>) => Promise<void>>} */
const READ_ONLY = {
  'durability and appendsAreExact have valid values': WITH_ONE['durability and appendsAreExact have valid values'],

  async 'list() returns all files, or is not supported'(storage, files) {
    await listIs(storage, [...files.keys()])
  },

  async 'each file can be read completely, twice'(storage, files) {
    for (let times = 0; times < 2; times++) {
      for (const [name, content] of files) {
        const file = await storage.open(name, 'read')
        equal(await file.size(), content.length, `size of ${name}`)
        file.close()
        await contentIs(storage, name, content)
      }
    }
  },

  async 'reads are exact up to the end'(storage) {
    await readsAreExact(await storage.open('a', 'read'))
  },

  async 'a size hint does not change results'(storage, files) {
    for (const [name, content] of files) {
      const file = await storage.open(name, 'read', content.length)
      equal(await file.size(), content.length, `size of ${name}`)
      same(await read(file, 0, content.length), content, name)
      same(await read(file, Math.max(0, content.length - 5), 99), content.subarray(Math.max(0, content.length - 5)), `the end of ${name}`)
      file.close()
    }
  },

  async 'a read writes only to the given part of memory'(storage) {
    await readsIntoAPart(await storage.open('a', 'read'))
  },

  async 'a large file can be read in parts, forward, backward and concurrently'(storage, files) {
    const content = /** @type {Uint8Array} */ (files.get('000005.ldb'))
    const file = await storage.open('000005.ldb', 'read')
    const size = 30_011
    const pieces = []
    for (let offset = 0; offset < content.length; offset += size) pieces.push(offset)
    const check = async (/** @type {number} */ offset) => same(await read(file, offset, size), content.subarray(offset, offset + size), `at ${offset}`)
    for (const offset of pieces) await check(offset)
    for (const offset of pieces.reverse()) await check(offset)
    await Promise.all([...pieces, ...pieces].map(check))
    file.close()
  },

  async 'several files, and one file twice, can be open at a time'(storage) {
    const open = await Promise.all(['a', 'a', 'CURRENT', 'empty'].map(async (name) => storage.open(name, 'read')))
    open[0].close()
    same(await read(open[1], 0, 99), FILES.a, 'the same one')
    same(await read(open[2], 0, 99), FILES.CURRENT, 'another one')
    same(await read(open[3], 0, 99), '', 'an empty one')
    for (const file of open.slice(1)) file.close()
  },

  async 'a missing name is not found'(storage) {
    for (const name of ['b', '000006.log', 'lost/a', 'constructor', '__proto__']) {
      await fails(() => storage.open(name, 'read'), `open ${name}`, 'ENOENT')
      await fails(() => storage.open(name, 'read', 70_000), `open ${name} with a size`, 'ENOENT')
    }
  },

  async 'invalid names are refused'(storage) {
    for (const bad of BAD_NAMES) await fails(() => storage.open(bad, 'read'), `the name ${JSON.stringify(bad)}`, 'EINVAL')
  },

  async 'nothing can be changed'(storage, files) {
    const refused = 'LEVEL_NOT_SUPPORTED'
    await fails(() => storage.lock(true), 'lock', refused)
    await fails(() => storage.lock(false), 'lock', refused)
    await storage.unlock()
    await fails(() => storage.create('b', 'log', 0), 'create', refused)
    await fails(() => storage.create('a', 'log', 0), 'create', refused)
    await fails(() => storage.open('a', 'append'), 'open to append', refused)
    await fails(() => storage.editNames([remove('a')]), 'edit names', refused)
    await fails(() => storage.removePlace(), 'remove the directory', refused)
    const file = await storage.open('a', 'read')
    await fails(() => file.append(bytes('more')), 'append')
    await fails(() => file.truncate(1), 'truncate')
    file.close()
    for (const [name, content] of files) await contentIs(storage, name, content)
  }
}

// ---- Helpers ----

const KINDS = /** @type {const} */ (['log', 'manifest', 'table', 'other'])
const VIA = '000009.dbtmp'
const BAD_NAMES = [
  '', '.', '..', '/', 'a/b', '/a', '../a', 'a\\b', 'lost', 'lost/', 'lost/..', 'lost/a/b', 'lost/lost/a', 'other/a', 'c:a',
  'a\0b', 'a\nb', 'LOCK', 'lost/LOCK', 'n'.repeat(256), 'ü'.repeat(128)
]

/** @returns {NameEdit} @param {string} from @param {string} to */
const rename = (from, to) => ({ type: 'rename', from, to })

/** @returns {NameEdit} @param {string} name */
const remove = (name) => ({ type: 'remove', name })

/** @returns {NameEdit} @param {string} name @param {string | Uint8Array} content */
const replace = (name, content) => ({ type: 'replace', name, via: VIA, content: bytes(content) })

/** @param {Storage} storage @param {string} name @param {string | Uint8Array} content */
async function make(storage, name, content) {
  const file = await storage.create(name, 'table', 0)
  await append(file, content)
  return file
}

/** @param {StorageFile} file @param {string | Uint8Array} content */
async function append(file, content) {
  const data = bytes(content)
  equal(await file.append(data), data.length, 'bytes taken by an append')
}

/**
 * Reads as the engine does: into `into`, or from a promise of bytes.
 * @param {StorageFile} file
 * @param {number} offset
 * @param {number} length
 */
async function read(file, offset, length) {
  const into = new Uint8Array(length).fill(UNTOUCHED)
  const answer = file.read(offset, into)
  if (typeof answer === 'number') {
    equal(Number.isInteger(answer) && answer >= 0 && answer <= length, true, `${answer} bytes read of at most ${length}`)
    return into.slice(0, answer)
  }
  const found = await answer
  equal(found instanceof Uint8Array && found.length <= length, true, `a promise of at most ${length} bytes in a Uint8Array`)
  equal(into.every((byte) => byte === UNTOUCHED), true, 'an asynchronous read does not write to the memory')
  return found
}

const UNTOUCHED = 0xa5

/** Tests reads of a file that contains 0123456789. @param {StorageFile} file */
async function readsAreExact(file) {
  same(await read(file, 0, 10), '0123456789', 'all')
  same(await read(file, 3, 4), '3456', 'within')
  same(await read(file, 3, 0), '', 'nothing')
  same(await read(file, 7, 4), '789', 'across the end')
  same(await read(file, 9, 4_000_000), '9', 'far across the end')
  for (const offset of [10, 11, 4096, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER, 2 ** 62, 2 ** 64]) {
    same(await read(file, offset, 1), '', `one byte at ${offset}`)
    same(await read(file, offset, 4096), '', `4096 bytes at ${offset}`)
  }
  file.close()
}

/** As readsAreExact. @param {StorageFile} file */
async function readsIntoAPart(file) {
  const memory = bytes('................')
  const answer = file.read(2, memory.subarray(3, 7))
  if (typeof answer === 'number') same(memory, '...2345.........', 'the memory')
  else same(await answer, '2345', 'the answer')
  file.close()
}

/** @param {Storage} storage @param {string} name @param {string | Uint8Array} expected */
async function contentIs(storage, name, expected) {
  const file = await storage.open(name, 'read')
  try {
    same(await read(file, 0, await file.size()), expected, `content of ${name}`)
  } finally {
    file.close()
  }
}

/**
 * Checks the listed names, unless the storage does not support list().
 * @param {Storage} storage
 * @param {string[]} expected
 */
async function listIs(storage, expected) {
  let names
  try {
    names = await storage.list()
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error.code === 'LEVEL_NOT_SUPPORTED') return
    throw error
  }
  equal([...names].sort().join(' | '), [...expected].sort().join(' | '), 'names listed')
}

/**
 * Checks that `act` throws or rejects with an Error, with this code if given.
 * @param {() => unknown} act
 * @param {string} what
 * @param {string} [code]
 */
async function fails(act, what, code) {
  /** any: whatever was thrown @type {any} */
  let error
  try {
    await act()
  } catch (caught) {
    error = caught
  }
  equal(error instanceof Error, true, `${what}: fails with an Error`)
  if (code !== undefined) equal(error.code, code, `${what}: the code of "${error.message}"`)
}

/**
 * Runs a synchronous call, which may be refused with no effect. Returns whether it succeeded.
 * @param {() => unknown} act
 */
async function inPlace(act) {
  try {
    await act()
    return true
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error?.code === 'LEVEL_NOT_SUPPORTED') return false
    throw error
  }
}

const encoder = new TextEncoder()
/** @param {string | Uint8Array} content */
const bytes = (content) => (typeof content === 'string' ? encoder.encode(content) : content.slice())

/** Returns pseudo-random bytes, the same each time. @param {number} length */
function noise(length) {
  const data = new Uint8Array(length)
  let state = 0x9e3779b9
  for (let index = 0; index < length; index++) {
    state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + index | 0
    data[index] = state >>> 24
  }
  return data
}

/** @param {Uint8Array} found @param {string | Uint8Array} expected @param {string} what */
function same(found, expected, what) {
  const wanted = bytes(expected)
  equal(found.length, wanted.length, `${what}: bytes`)
  const differs = wanted.findIndex((byte, index) => byte !== found[index])
  equal(differs, -1, `${what}: the first byte that differs`)
}

/** @param {unknown} found @param {unknown} expected @param {string} what */
function equal(found, expected, what) {
  if (found !== expected) throw new Error(`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`)
}

/** The files of a read-only storage. */
const FILES = {
  CURRENT: 'MANIFEST-000002\n',
  'MANIFEST-000002': noise(100_003),
  '000005.ldb': noise(300_007),
  '000004.log': noise(65_536),
  a: '0123456789',
  empty: ''
}
