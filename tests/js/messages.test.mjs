// What messages say of damaged and missing files, to one who knows neither LevelDB's words nor Rust's.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { NodeStorage } from '../../src/js/storage/node/directory.js'
import { MAIN, place } from './lib/cli.mjs'

/** Three tables, and one entry in a log. */
async function made() {
  const location = place()
  const db = new Varve(location)
  for (let table = 0; table < 3; table++) {
    for (let i = 0; i < 1000; i++) await db.put(`${table} ${i}`, `${i} `.repeat(20))
    await db.flush()
  }
  await db.put('last', '1')
  await db.close()
  return location
}

const filesOf = (location, end) => readdirSync(location).filter((name) => end.test(name)).sort()
const openingOf = async (location, options) => {
  const db = new Varve(location, options)
  const error = await db.open().catch(({ cause }) => cause)
  await db.close()
  return error
}

/** Runs a command: its exit code and all that it prints. */
function run(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', input: '' })
  return { code: status, text: stdout + stderr }
}

test('an empty manifest, an empty CURRENT and missing files are called so', async () => {
  const location = await made()
  const [manifest, current] = [join(location, filesOf(location, /^MANIFEST/)[0]), join(location, 'CURRENT')]
  const [log, tables] = [join(location, filesOf(location, /\.log$/)[0]), filesOf(location, /\.ldb$/)]
  const kept = new Map([manifest, current, log, ...tables.map((name) => join(location, name))].map((path) => [path, readFileSync(path)]))
  const restore = () => { for (const [path, bytes] of kept) writeFileSync(path, bytes) }
  const says = async (pattern, options) => {
    const error = await openingOf(location, { createIfMissing: false, readOnly: true, ...options })
    assert.equal(error?.code, 'LEVEL_CORRUPTION')
    assert.match(error.message, pattern)
    const { text } = run('get', location, 'a')
    if (options === undefined) assert.match(text, pattern)
    assert.doesNotMatch(text, /LEVEL_CORRUPTION: (.*: )?corruption: /)
    restore()
  }
  writeFileSync(manifest, '')
  await says(/MANIFEST-\d+ is empty: no meta-nextfile entry/)
  writeFileSync(current, '')
  await says(/(?<!offset.*)CURRENT is empty/)
  rmSync(log)
  await says(/corruption: \d+\.log is missing/, { recovery: 'strict' })
  rmSync(join(location, tables[1]))
  await says(new RegExp(`(?<!offset.*)${tables[1]} is missing; \`varve verify\``))
  for (const name of tables) rmSync(join(location, name))
  await says(new RegExp(`${tables[0]} is missing, and 2 more files; \`varve verify\``))
  assert.equal(await openingOf(location), undefined)
})

test('errors name the options of JavaScript', async () => {
  const location = await made()
  assert.match((await openingOf(place(), { createIfMissing: false })).message, /createIfMissing is false/)
  assert.match((await openingOf(location, { errorIfExists: true })).message, /errorIfExists is true/)
  const db = new Varve(location, { maxValueBytes: 1024 })
  await assert.rejects(db.put('a', 'x'.repeat(2000)), /maxValueBytes is 1024/)
  await db.close()
})

test('a directory that does not exist is the same error of verify and repair', async () => {
  const location = place()
  for (const method of ['verify', 'repair']) {
    await assert.rejects(Varve[method](location), { code: 'LEVEL_IO_ERROR', message: `directory ${location} does not exist (ENOENT: no such file or directory)` })
    assert.match(run(method, location).text, new RegExp(`directory ${location} does not exist \\(ENOENT\\)`))
  }
})

test('who may not write to a directory is told of readOnly', async (t) => {
  const location = await made()
  t.mock.method(NodeStorage.prototype, 'lock', async () => { throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' }) })
  const error = await openingOf(location)
  assert.equal(error.code, 'LEVEL_IO_ERROR')
  assert.match(error.message, /EACCES.*; ask for write access, or open it with readOnly: true$/)
  assert.equal(await openingOf(location, { readOnly: true }), undefined)
})

test('a damaged index is one line of verify, and not followed', async () => {
  const location = await made()
  const [table] = filesOf(location, /\.ldb$/)
  const path = join(location, table)
  const bytes = readFileSync(path)
  // The index lies before the footer of 48 bytes; at its end are restart points and a checksum of 5 bytes.
  bytes[bytes.length - 48 - 5 - 100] ^= 1
  writeFileSync(path, bytes)
  const { code, text } = run('verify', location)
  const lines = text.trim().split('\n')
  assert.equal(code, 1)
  assert.match(text, new RegExp(`${table}: \\d+ sound blocks that no readable index refers to; \`varve layout\` lists them`))
  assert.doesNotMatch(text, /T1[12]|T2|T3/)
  assert.doesNotMatch(text, /LEVEL_CORRUPTION: corruption/)
  assert.ok(lines.length <= 4, text)
  const help = run('verify', '--help').text
  const codes = readFileSync(new URL('../../src/inspect/mod.rs', import.meta.url), 'utf8').match(/\b[TS]\d\d\b/g)
  for (const one of codes) assert.ok(help.includes(`${one}  `), one)
})
