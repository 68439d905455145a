// The files of a database in OPFS, read from a model of its raw files that changes between two reads: what
// two tabs do by chance in tests/browser/origin-files.test.mjs, at chosen moments.
import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert'
import { test } from 'node:test'
import { databasesOfOrigin, filesOfOrigin } from '../../src/js/inspect/index.js'

// ---- Bytes as the engine writes them (src/env/pool/superblock.rs, header.rs, src/log/mod.rs) ----

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? byte >>> 1 ^ 0x82f63b78 : byte >>> 1
  return byte
})

const crc32c = (bytes) => ~bytes.reduce((crc, byte) => TABLE[(crc ^ byte) & 255] ^ crc >>> 8, -1) >>> 0

const fixed = (value, count) => Array.from({ length: count }, (_, i) => Number(BigInt(value) >> BigInt(8 * i) & 255n))
const text = (name) => [name.length, ...Buffer.from(name)]
const sealed = (magic, body) => Uint8Array.from([...Buffer.from(magic), ...fixed(body.length, 4), ...fixed(crc32c(body), 4), ...body])

/** A superblock with names of small numbers: `[number, generation, isTentative]`, or text for an inline one. */
function superblock(sequence, names) {
  const place = (where) => typeof where === 'string' ? [1, ...text(where)] : [where[2] ? 2 : 0, where[0], where[1]]
  const sorted = Object.entries(names).sort(([a], [b]) => a < b ? -1 : 1)
  return sealed('VARVESB1', [...fixed(9, 8), ...fixed(sequence, 8), ...fixed(1, 8), ...fixed(0, 8), 0, sorted.length, ...sorted.flatMap(([name, where]) => [...text(name), ...place(where)]), 0])
}

function rawFile(generation, name, content) {
  const bytes = new Uint8Array(4096 + content.length)
  bytes.set(sealed('VARVEPF1', [...fixed(9, 8), ...fixed(generation, 8), ...fixed(0, 8), ...text(name)]))
  bytes.set(typeof content === 'string' ? Buffer.from(content) : content, 4096)
  return bytes
}

/** A log with one small record for each text. */
function log(...records) {
  return Uint8Array.from(records.flatMap((record) => {
    const typed = [1, ...Buffer.from(record)]
    const crc = crc32c(typed)
    return [...fixed(((crc >>> 15 | crc << 17) >>> 0) + 0xa282ead8 & 0xffffffff, 4).map((byte) => byte & 255), ...fixed(record.length, 2), ...typed]
  }))
}

// ---- The model ----

const failure = (name) => new DOMException('as the model says', name)

/** A directory of files, which calls `onRead` before each call for a file. */
class Folder {
  files = new Map()
  onRead = (_name) => {}
  /** Whether the next read of this file fails, as in Chromium after a write. */
  fails = (_name) => false
  reads = 0

  async * entries() {
    for (const name of this.files.keys()) yield [name, { kind: 'file' }]
  }

  async getFileHandle(name, options) {
    strictEqual(options?.create, undefined)
    if (!this.files.has(name)) throw failure('NotFoundError')
    return {
      getFile: async () => {
        this.reads++
        this.onRead(name)
        const bytes = this.files.get(name)
        if (bytes === undefined) throw failure('NotFoundError')
        const slice = (from, to) => this.fails(name) ? { arrayBuffer: () => Promise.reject(failure('NotReadableError')) } : new Blob([bytes]).slice(from, to)
        return { size: bytes.length, slice }
      }
    }
  }
}

/** Makes `folder` the database `db` of this origin, in a browser with this name. */
function provide(folder, { inUse = true, userAgent = 'Chrome/148' } = {}) {
  const directory = (found) => ({ getDirectoryHandle: async (name) => found[name] ?? Promise.reject(failure('NotFoundError')) })
  const all = Object.assign(directory({ db: folder }), { async * entries() { yield ['db', { kind: 'directory' }] } })
  const value = {
    userAgent,
    storage: { getDirectory: async () => directory({ varve: all }) },
    locks: { query: async () => ({ held: inUse ? [{ name: 'varve/db' }] : [] }) }
  }
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true })
}

const NAMES = { CURRENT: 'MANIFEST-000001\n', 'MANIFEST-000001': [1, 11], '000003.log': [2, 12], '000004.ldb': [3, 13] }

/** A database with a manifest, a log and a table, in superblock 7. */
function database() {
  const folder = new Folder()
  folder.files.set('super-a', superblock(6, {}))
  folder.files.set('super-b', superblock(7, NAMES))
  folder.files.set('p00001', rawFile(11, 'MANIFEST-000001', log('edit')))
  folder.files.set('p00002', rawFile(12, '000003.log', log('one', 'two')))
  folder.files.set('p00003', rawFile(13, '000004.ldb', 'table'))
  return folder
}

const contents = async ({ files }) => Object.fromEntries(await Promise.all(files.map(async ({ name, blob }) => [name, await blob.text()])))
const asText = (bytes) => new Blob([bytes]).text()
const read = (options) => filesOfOrigin('db', 'opfs', options)

test('names, contents without headers, and whether somebody has it open', async () => {
  const folder = database()
  for (const inUse of [true, false]) {
    provide(folder, { inUse })
    deepStrictEqual(await databasesOfOrigin(), [{ name: 'db', storage: 'opfs', inUse }])
    const seen = await read()
    deepStrictEqual(await contents(seen), {
      '000003.log': await asText(log('one', 'two')), '000004.ldb': 'table', CURRENT: 'MANIFEST-000001\n', 'MANIFEST-000001': await asText(log('edit'))
    })
    deepStrictEqual(seen.files.map(({ size, isCopy }) => [size, isCopy]), [[20, true], [5, inUse], [16, true], [11, true]])
    deepStrictEqual([seen.sequence, seen.repeated], [7, 0])
    ok(Math.abs(Date.now() - seen.takenAt) < 60_000)
  }
})

test('beyond the limit of copies, the older tables are parts of files', async () => {
  const folder = database()
  folder.files.set('super-b', superblock(7, { ...NAMES, '000005.ldb': [4, 14] }))
  folder.files.set('p00004', rawFile(14, '000005.ldb', 'newer'))
  provide(folder, { userAgent: 'Gecko/20100101 Firefox/140' })
  const copied = async (copiesMax) => (await read({ copiesMax })).files.filter(({ name, isCopy }) => name.endsWith('.ldb') && isCopy).map(({ name }) => name)
  deepStrictEqual([await copied(), await copied(10_000), await copied(8000), await copied(4000)], [['000004.ldb', '000005.ldb'], ['000004.ldb', '000005.ldb'], ['000005.ldb'], []])
})

test('a read that fails because the owner writes is repeated, up to the limit', async () => {
  const folder = database()
  provide(folder)
  let left = 5
  folder.fails = (name) => name === 'p00002' && left-- > 0
  const seen = await read()
  strictEqual((await contents(seen))['000003.log'], await asText(log('one', 'two')))
  strictEqual(seen.repeated, 5)
  folder.fails = (name) => name === 'p00002'
  await rejects(read({ patience: 50 }), { name: 'SourceChangedError', code: 'LEVEL_SOURCE_CHANGED' })
})

test('what took long leaves the patience of what follows', async () => {
  const folder = database()
  provide(folder)
  let isSlow = true
  let left = 2
  folder.onRead = (name) => {
    for (const end = performance.now() + 120; name === 'p00001' && isSlow && performance.now() < end;);
    if (name === 'p00001') isSlow = false
  }
  folder.fails = (name) => name === 'p00002' && left-- > 0
  strictEqual((await read({ patience: 100 })).repeated, 2)
})

test('a file that is shorter than it was is read again', async () => {
  const folder = database()
  provide(folder, { userAgent: 'Gecko/20100101 Firefox/140' })
  const handle = folder.getFileHandle.bind(folder)
  let isCut = false
  folder.getFileHandle = async (name, options) => {
    const { getFile } = await handle(name, options)
    return {
      async getFile() {
        const file = await getFile()
        const cut = (from, to) => {
          isCut = true
          return file.slice(from, Math.min(to, 4098))
        }
        return name === 'p00003' && !isCut ? { size: file.size, slice: cut } : file
      }
    }
  }
  const seen = await read()
  deepStrictEqual([(await contents(seen))['000004.ldb'], seen.repeated], ['table', 1])
})

test('the record that is being appended is cut off, but not from a database that nobody has open', async () => {
  const folder = database()
  const torn = log('one', 'two', 'three').subarray(0, -2)
  folder.files.set('p00002', rawFile(12, '000003.log', torn))
  provide(folder)
  strictEqual((await contents(await read()))['000003.log'], await asText(log('one', 'two')))
  provide(folder, { inUse: false })
  strictEqual((await contents(await read()))['000003.log'], await asText(torn))
})

test('a manifest may name a file that was created while it was read', async () => {
  const folder = database()
  provide(folder)
  folder.onRead = (name) => {
    if (name !== 'p00001') return
    folder.onRead = () => {}
    folder.files.set('p00001', rawFile(11, 'MANIFEST-000001', log('edit', 'adds 5, removes 4')))
    folder.files.set('p00004', rawFile(14, '000005.ldb', 'newer'))
    const { '000004.ldb': _, ...others } = NAMES
    folder.files.set('super-c', superblock(8, { ...NAMES, '000005.ldb': [4, 14] }))
    folder.files.set('super-a', superblock(9, { ...others, '000005.ldb': [4, 14] }))
  }
  const seen = await read()
  deepStrictEqual(Object.keys(await contents(seen)), ['000003.log', '000004.ldb', '000005.ldb', 'CURRENT', 'MANIFEST-000001'])
  strictEqual(seen.repeated, 0)
})

test('if a file may have come and gone while the manifest was read, all is read again', async () => {
  for (const next of [{ sequence: 10, names: NAMES }, { sequence: 8, names: { ...NAMES, CURRENT: 'MANIFEST-000002\n' } }]) {
    const folder = database()
    provide(folder)
    folder.onRead = (name) => {
      if (name === 'p00001') folder.files.set('super-c', superblock(next.sequence, next.names))
    }
    const seen = await read()
    deepStrictEqual([seen.sequence, seen.repeated], [next.sequence, 1])
  }
})

test('a file whose space was used again while it was read is not returned', async () => {
  for (const [raw, name] of [['p00002', '000003.log'], ['p00003', '000004.ldb']]) {
    const folder = database()
    provide(folder)
    const { [name]: _, ...others } = NAMES
    folder.onRead = (read) => {
      if (read !== raw) return
      folder.onRead = () => {}
      folder.files.set(raw, rawFile(20, '000009.ldb', 'other'))
      folder.files.set('super-c', superblock(10, { ...others, '000009.ldb': [Number(raw.slice(1)), 20] }))
    }
    const seen = await read()
    deepStrictEqual([seen.sequence, seen.repeated, name in await contents(seen), (await contents(seen))['000009.ldb']], [10, 1, false, 'other'])
  }
})

test('a table that was being written is read again with the others', async () => {
  const folder = database()
  provide(folder)
  folder.files.set('super-b', superblock(7, { ...NAMES, '000005.ldb': [4, 14, true] }))
  folder.files.set('p00004', rawFile(14, '000005.ldb', 'beg'))
  const { '000004.ldb': _, ...others } = NAMES
  folder.onRead = (read) => {
    if (read !== 'p00003') return
    folder.onRead = () => {}
    folder.files.set('p00003', rawFile(20, '000009.ldb', 'other'))
    folder.files.set('p00004', rawFile(14, '000005.ldb', 'begun and ended'))
    folder.files.set('super-c', superblock(10, { ...others, '000005.ldb': [4, 14] }))
  }
  const seen = await read()
  deepStrictEqual([(await contents(seen))['000005.ldb'], seen.repeated], ['begun and ended', 1])
})

test('a file that was removed while it was read is returned while its space is not used again', async () => {
  const folder = database()
  provide(folder)
  const { '000004.ldb': _, ...others } = NAMES
  folder.onRead = (read) => {
    if (read === 'p00003') folder.files.set('super-c', superblock(12, others))
  }
  const seen = await read()
  deepStrictEqual([(await contents(seen))['000004.ldb'], seen.sequence, seen.repeated], ['table', 7, 0])
})

test('an owner whose names change all the time is given up, with an error that says so', async () => {
  const folder = database()
  provide(folder)
  let sequence = 10
  folder.onRead = (name) => {
    if (name === 'p00001') folder.files.set('super-c', superblock(sequence += 3, NAMES))
  }
  await rejects(read({ patience: 20 }), /written faster than it can be read/)
})

test('a header that belongs to another content is a problem of its file', async () => {
  for (const inUse of [true, false]) {
    const folder = database()
    provide(folder, { inUse })
    folder.files.set('p00003', rawFile(99, '000004.ldb', 'table'))
    const problemsOf = ({ files }) => files.filter(({ problem }) => problem !== undefined).map(({ name, size, problem }) => [name, size, problem])
    deepStrictEqual(problemsOf(await read()), [['000004.ldb', 0, 'its raw file p00003 holds generation 99, expected 13']])
    folder.files.delete('p00003')
    deepStrictEqual(problemsOf(await read()), inUse ? [['000004.ldb', 0, 'its raw file p00003 is gone']] : [])
  }
})

test('superblocks that are damaged leave the headers, and a directory without files is no database', async () => {
  const folder = database()
  provide(folder, { inUse: false })
  folder.files.set('super-b', Uint8Array.from([1, 2, 3]))
  folder.files.set('super-a', new Uint8Array(0))
  deepStrictEqual(Object.keys(await contents(await read())), ['000003.log', '000004.ldb', 'CURRENT', 'MANIFEST-000001'])
  folder.files = new Map()
  await rejects(read(), { code: 'LEVEL_INVALID_ARGUMENT', message: "The database 'db' does not exist" })
  await rejects(filesOfOrigin('other', 'opfs'), { code: 'LEVEL_INVALID_ARGUMENT' })
  await rejects(filesOfOrigin('db', 'memory'), { code: 'LEVEL_INVALID_ARGUMENT' })
  await rejects(filesOfOrigin(7, 'opfs'), { code: 'LEVEL_INVALID_ARGUMENT' })
})
