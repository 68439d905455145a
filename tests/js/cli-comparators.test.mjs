// The command line on databases in other orders than that of bytes: by itself where it is safe, with
// --comparator where somebody must choose.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from '../../src/js/cli/arguments.js'
import { Output } from '../../src/js/cli/output.js'
import { corpus, noCorpus } from './lib/corpus.mjs'
import { fixture, FIXTURES, lines, place, stateOf, varve as spawned } from './lib/cli.mjs'

const LIBRARY = join(FIXTURES, 'chromium-library')
const REVERSE = join(FIXTURES, 'comparator-reverse')
const BYTEWISE = 'leveldb.BytewiseComparator'

/** Runs a command in this process, one after the other: so many processes would take long. */
async function varve([name, ...args]) {
  const { command } = await import(`../../src/js/cli/commands/${name}.js`)
  const [parts, notes] = [[], []]
  const out = new Output({ on() {}, write: (bytes) => parts.push(bytes) })
  const { error: print } = console
  console.error = (text) => notes.push(`${text}\n`)
  try {
    const { values, positionals } = parse(command, args)
    const code = await command.run({ values, positionals, out }) ?? 0
    await out.flush()
    return { code, text: Buffer.concat(parts).toString(), error: notes.join('') }
  } catch (error) {
    const { code, message } = error.code === 'LEVEL_DATABASE_NOT_OPEN' ? error.cause : error
    return { code: 2, text: Buffer.concat(parts).toString(), error: `${notes.join('')}${code}: ${message}` }
  } finally {
    console.error = print
  }
}

async function ok(...args) {
  const { code, text, error } = await varve(args)
  assert.deepEqual([code, error], [0, ''], `${args.join(' ')}: ${text}`)
  return text
}

const json = async (...args) => JSON.parse(await ok(...args, '--json'))

async function cannot(args, pattern) {
  const { code, text, error } = await varve(args)
  assert.equal(code, 2, `${args.join(' ')}: ${text}${error}`)
  assert.match(error, pattern)
}

/** The key of a number in store 1 of database 1. */
function record(value) {
  const bytes = Buffer.from([0, 1, 1, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0])
  bytes.writeDoubleLE(value, 5)
  return bytes.toString('hex')
}

/** A fixture that can be written to. */
function writable(name) {
  const copy = fixture(name)
  for (const each of fs.readdirSync(copy)) fs.chmodSync(join(copy, each), 0o600)
  return copy
}

/** The empty key is an empty line. */
const keysIn = (text) => text.split('\n').slice(0, -1)

describe('a database of idb_cmp1', () => {
  test('is read in its order, by itself', async () => {
    const before = stateOf(LIBRARY)
    const keys = keysIn(await ok('scan', LIBRARY, '--keys', '--hex'))
    assert.equal((await json('digest', LIBRARY)).entries, keys.length)
    assert.match(await ok('get', LIBRARY, '--hex', '--', keys[9]), /^[0-9a-f]+\n$/)
    assert.match(await ok('trace', LIBRARY, '--hex', '--', keys[9]), /^found: /m)
    assert.match(await ok('verify', LIBRARY), /: sound$/m)
    assert.match(await ok('layout', LIBRARY), /^level /m)
    assert.match(await ok('layout', join(LIBRARY, '000008.ldb')), /^sound$/m)
    const { sound, files } = JSON.parse(await ok('inspect', LIBRARY, '--json'))
    assert.equal(sound, true)
    assert.deepEqual(files.flatMap(({ findings }) => findings.filter(({ code }) => /^T22|^M07/.test(code))), [])
    assert.deepEqual(stateOf(LIBRARY), before)
    const { code, text } = await spawned(['scan', LIBRARY, '--keys', '--hex'])
    assert.deepEqual([code, keysIn(text)], [0, keys], 'as a program')
  })

  test('is written in its order, and exported and imported whole', async () => {
    const copy = writable('chromium-library')
    await ok('put', copy, '--hex', '--', record(77), '00')
    assert.equal(await ok('get', copy, '--hex', '--', record(77)), '00\n')
    await ok('compact', copy)
    await cannot(['compact', copy, '--hex', '--prefix', '0001'], /--prefix is a range of keys only in bytewise order.*idb_cmp1/)
    const { entries, sha256 } = await json('digest', copy)
    const [zip, again] = [`${place()}.zip`, place()]
    await ok('export', copy, zip)
    await ok('import', again, zip, '--comparator', 'idb_cmp1')
    assert.deepEqual(await json('digest', again), { entries, sha256 })
  })

  test('has ranges in its order, and a prefix anywhere', async () => {
    const db = place()
    for (const value of [-2, -1, 0, 1, 2]) await ok('put', db, '--comparator', 'idb_cmp1', '--hex', '--', record(value), '')
    const scanned = async (...args) => keysIn(await ok('scan', db, '--keys', '--hex', ...args))
    assert.deepEqual(await scanned(), [-2, -1, 0, 1, 2].map(record))
    // Bytewise, -1 is the largest: the tighter bound is found in the order of the database.
    assert.deepEqual(await scanned('--gte', record(-1), '--gt', record(1)), [2].map(record))
    assert.deepEqual(await scanned('--lt', record(2), '--lte', record(-1), '--reverse'), [-1, -2].map(record))
    const ofOne = record(1).slice(0, 24)
    assert.deepEqual(await scanned('--prefix', ofOne), [-2, -1, 0, 1, 2].map(record).filter((key) => key.startsWith(ofOne)))
    assert.deepEqual(await scanned('--prefix', record(1).slice(0, 10), '--limit', '2', '--gte', record(-1)), [-1, 0].map(record))
  })

  test('is refused in another order, and read as it is stored if that is asked for', async () => {
    const copy = writable('chromium-library')
    for (const [name, ...rest] of [['scan'], ['digest'], ['export', '-o', place()], ['get', 'k'], ['layout'], ['verify'], ['trace', 'k'], ['inspect', '--json'], ['put', 'k', 'v']]) {
      await cannot([name, copy, ...rest, '--comparator', BYTEWISE], /LEVEL_INVALID_ARGUMENT: .*idb_cmp1.*leveldb\.BytewiseComparator/)
    }
    await cannot(['scan', LIBRARY, '--comparator', 'idb_cmp2'], /--comparator "idb_cmp2" is not known: use one of leveldb\.BytewiseComparator, idb_cmp1, as-stored/)
    await cannot(['inspect', LIBRARY, '--comparator', 'idb_cmp1'], /--comparator needs --json/)
    await cannot(['trace', LIBRARY, 'k', '--comparator', 'as-stored'], /a key can only be looked up in an order/)
    await ok('put', copy, '--hex', '--', record(1e6), '')
    const sorted = await ok('scan', copy, '--keys', '--hex')
    const stored = await ok('scan', copy, '--keys', '--hex', '--comparator', 'as-stored')
    assert.notEqual(stored, sorted)
    assert.deepEqual(keysIn(stored).sort(), keysIn(sorted).sort())
  })

  test('whose table is alone is explained in the order that is given', async () => {
    const alone = place()
    fs.mkdirSync(alone)
    fs.copyFileSync(join(LIBRARY, '000008.ldb'), join(alone, '000008.ldb'))
    const codes = async (...args) => JSON.parse((await varve(['inspect', alone, '--json', ...args])).text).files.flatMap(({ findings }) => findings.map(({ code }) => code))
    assert.deepEqual(await codes(), ['T22'])
    assert.deepEqual(await codes('--comparator', 'idb_cmp1'), [])
    assert.deepEqual(await codes('--comparator', 'as-stored'), [])
    assert.match(await ok('layout', join(alone, '000008.ldb'), '--comparator', 'idb_cmp1'), /^sound$/m)
  })
})

describe('a database of an order that is not known', () => {
  test('is read as it is stored, with a notice', async () => {
    const before = stateOf(REVERSE)
    const notice = /^varve: note: the comparator corpus\.ReverseBytewise is not known: entries come in the order of the files, and keys cannot be looked up\n$/
    const noted = async (...args) => {
      const { code, text, error } = await varve(args)
      assert.equal(code, 0, error)
      assert.match(error, notice)
      return text
    }
    const keys = keysIn(await noted('scan', REVERSE, '--keys', '--hex'))
    assert.deepEqual([keys.length, new Set(keys).size], [560, 560])
    const prefix = keys[0].slice(0, 8)
    assert.deepEqual(keysIn(await noted('scan', REVERSE, '--keys', '--hex', '--prefix', prefix)), keys.filter((key) => key.startsWith(prefix)))
    assert.equal(JSON.parse(await noted('digest', REVERSE, '--json')).entries, 560)
    assert.match(await noted('layout', REVERSE), /^level /m)
    const zip = `${place()}.zip`
    await noted('export', REVERSE, zip)
    // Its log is one in the zip, too: a table of it would be in the wrong order.
    assert.equal(JSON.parse(await ok('inspect', zip, '--json')).sound, true)
    assert.equal(keysIn(await ok('scan', REVERSE, '--keys', '--comparator', 'as-stored')).length, 560, 'chosen, so that nothing need be told')
    const { sound, files } = JSON.parse(await ok('inspect', REVERSE, '--json'))
    assert.equal(sound, true)
    assert.deepEqual(files.flatMap(({ findings }) => findings.map(({ code, severity }) => `${code} ${severity}`)), ['M07 info'])
    assert.match(await ok('verify', REVERSE), /the comparator corpus\.ReverseBytewise is not known: the order of keys was not checked/)
    assert.equal((await json('verify', REVERSE)).unknownComparator, 'corpus.ReverseBytewise')
    assert.deepEqual(stateOf(REVERSE), before)
  })

  test('has no look-ups, ranges and writes, and says why', async () => {
    await cannot(['get', REVERSE, 'k'], /ReverseBytewise is not known[^]*LEVEL_NOT_SUPPORTED: .*the order of keys is not known/)
    await cannot(['scan', REVERSE, '--gte', 'k'], /LEVEL_NOT_SUPPORTED: .*the order of keys is not known/)
    await cannot(['scan', REVERSE, '--reverse'], /LEVEL_NOT_SUPPORTED/)
    const { code, text } = await varve(['trace', REVERSE, 'k'])
    assert.equal(code, 2)
    assert.match(text, /^unknown: the keys are in the order of corpus\.ReverseBytewise, which is not known$/m)
    const copy = writable('comparator-reverse')
    await cannot(['put', copy, 'k', 'v'], /LEVEL_INVALID_ARGUMENT: .*corpus\.ReverseBytewise/)
    await cannot(['compact', copy], /LEVEL_INVALID_ARGUMENT: .*corpus\.ReverseBytewise/)
    await cannot(['put', copy, 'k', 'v', '--comparator', 'as-stored'], /as-stored needs read/)
    await cannot(['layout', join(copy, fs.readdirSync(copy).find((name) => name.endsWith('.ldb'))), '--comparator', 'idb_cmp1'], /uses the comparator corpus\.ReverseBytewise, not idb_cmp1/)
  })
})

test('the databases of Chromium in the corpus', { skip: noCorpus }, async () => {
  const cases = JSON.parse(fs.readFileSync(join(corpus, 'manifest.json'), 'utf8')).cases.filter(({ group }) => group === 'chromium')
  assert.equal(cases.length, 3)
  for (const { path, expect } of cases) {
    const folder = join(corpus, path)
    assert.equal((await json('digest', folder)).entries, expect.count, path)
    await ok('verify', folder)
    await ok('layout', folder)
    const [key] = lines(await ok('scan', folder, '--json', '--limit', '1', '--keys', '--key-encoding', 'hex'))
    assert.equal((await varve(['trace', folder, '--hex', '--', key.key])).code, 0, path)
    const { sound, files } = JSON.parse(await ok('inspect', folder, '--json'))
    assert.equal(sound, true, path)
    assert.deepEqual(files.flatMap(({ findings }) => findings.filter(({ severity }) => severity !== 'info')), [], path)
  }
})
