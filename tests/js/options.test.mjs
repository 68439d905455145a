// Options that are wrong are refused, and calls that waited for an opening that failed say why.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { InvalidArgumentError, Varve } from '../../src/js/index.js'

const root = mkdtempSync(join(tmpdir(), 'varve-options-'))
after(() => rmSync(root, { recursive: true, force: true }))

const inMemory = (options) => new Varve(null, { storage: 'memory', ...options })

/** Returns a check that an error names these words. */
const naming = (...words) => (/** @type {any} */ error) => {
  assert.ok(error instanceof InvalidArgumentError, error.stack)
  assert.equal(error.code, 'LEVEL_INVALID_ARGUMENT')
  for (const word of words) assert.ok(error.message.includes(`'${word}'`), error.message)
  return true
}

/** @type {[string, string, unknown][]} */
const MISSPELT = [
  ['readonly', 'readOnly', true],
  ['read_only', 'readOnly', true],
  ['create_if_missing', 'createIfMissing', false],
  ['createifmising', 'createIfMissing', false],
  ['errorIfExist', 'errorIfExists', true],
  ['compresion', 'compression', false],
  ['cachesize', 'cacheSize', 1],
  ['maxOpenFile', 'maxOpenFiles', 100],
  ['valueEncodig', 'valueEncoding', 'json'],
  ['key_encoding', 'keyEncoding', 'json'],
  ['workers', 'worker', true],
  ['Storage', 'storage', 'memory'],
  ['recovrey', 'recovery', 'strict']
]

test('an option that is misspelt is refused, and the one that was meant is named', async () => {
  const db = inMemory()
  await db.open()
  await db.close()
  for (const [given, meant, value] of MISSPELT) {
    assert.throws(() => inMemory({ [given]: value }), naming(given, meant))
    await assert.rejects(db.open({ [given]: value }), (error) => naming(given, meant)(error.cause))
    for (const name of ['verify', 'repair', 'destroy']) await assert.rejects(Varve[name](join(root, 'none'), { [given]: value }), naming(given, meant))
    await assert.rejects(Varve.import(join(root, 'none'), [], { [given]: value }), naming(given, meant))
  }
  await db.open()
  await db.close()
})

test('other unknown options are left to abstract-level, classic-level and plug-ins', async () => {
  const { signal } = new AbortController()
  const options = {
    multithreading: true, passive: undefined, signal, keyEncoding: 'utf8', valueEncoding: 'utf8', manifest: {}, separator: '!', prefix: 'a', name: 'b',
    pageSize: 1, fileSize: 1, blobSize: 1, store: 1, sync: true, readonly: undefined, ttl: 5, location: 'x', version: 2, ['x'.repeat(10_000)]: 1
  }
  const db = inMemory(options)
  await db.open(options)
  await db.close()
})

test('every boolean is checked', async () => {
  const db = inMemory()
  await db.open()
  await db.close()
  for (const name of ['createIfMissing', 'errorIfExists', 'readOnly', 'paranoidChecks', 'reuseLogs', 'worker']) {
    for (const value of ['no', 0, 1, '', {}]) {
      assert.throws(() => inMemory({ [name]: value }), naming(name))
      if (name !== 'worker') await assert.rejects(db.open({ [name]: value }), (error) => naming(name)(error.cause))
    }
    for (const value of [undefined, null]) inMemory({ [name]: value })
  }
})

test('calls that waited for an opening that failed have its reason as cause', async () => {
  const none = new Varve(join(root, 'no', 'such'), { createIfMissing: false })
  const sublevel = none.sublevel('a')
  const iterators = [none.iterator(), none.keys(), none.values(), sublevel.iterator()]
  const calls = [
    none.get('a'), none.getMany(['a']), none.has('a'), none.hasMany(['a']), none.put('a', '1'), none.del('a'), none.batch([{ type: 'del', key: 'a' }]),
    none.clear(), none.info(), none.verify(), none.flush(), sublevel.get('a'), sublevel.put('a', '1'), ...iterators.map((one) => one.next())
  ]
  const failure = await none.open().catch((error) => error)
  assert.equal(failure.code, 'LEVEL_DATABASE_NOT_OPEN')
  assert.equal(failure.cause.code, 'LEVEL_INVALID_ARGUMENT')
  for (const [i, { status, reason }] of (await Promise.allSettled(calls)).entries()) {
    assert.equal(status, 'rejected')
    assert.match(reason.code, /^LEVEL_(DATABASE|ITERATOR)_NOT_OPEN$/)
    assert.equal(reason.cause, failure.cause, `call ${i}`)
  }
  assert.throws(() => none.getProperty('leveldb.stats'), (error) => error.cause === failure.cause)
})

test('a database that was closed has no such cause, nor one that opens the second time', async () => {
  const db = new Varve(join(root, 'second'), { createIfMissing: false })
  await assert.rejects(db.get('a'), (error) => error.cause.code === 'LEVEL_INVALID_ARGUMENT')
  const opening = db.open({ createIfMissing: true })
  assert.equal(await db.get('a'), undefined)
  await opening
  const late = db.close()
  await assert.rejects(db.get('a'), (error) => error.code === 'LEVEL_DATABASE_NOT_OPEN' && error.cause === undefined)
  await late
})
