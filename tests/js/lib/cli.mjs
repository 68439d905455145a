// Runs `npx varve` in a process, and creates databases for it.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Varve } from '../../../src/js/index.js'

export const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))
export const MAIN = join(root, 'src', 'js', 'cli', 'main.js')
export const FIXTURES = join(root, 'tests', 'fixtures')
export const scratch = mkdtempSync(join(tmpdir(), 'varve-cli-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

let places = 0
export const place = () => join(scratch, String(places++))
export const fixture = (name) => {
  const copy = place()
  cpSync(join(FIXTURES, name), copy, { recursive: true })
  return copy
}

/** @returns {Promise<{ code: number, out: Buffer, text: string, error: string }>} */
export function varve(args, { input = '' } = {}) {
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, [MAIN, ...args], { encoding: 'buffer', maxBuffer: 1 << 28 }, (failure, out, error) => {
      if (failure && typeof failure.code !== 'number') return reject(failure)
      resolve({ code: failure?.code ?? 0, out, text: out.toString(), error: error.toString() })
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

export async function ok(...args) {
  const { code, text, error } = await varve(args)
  assert.deepEqual([code, error], [0, ''], `${args.join(' ')}: ${error}${text}`)
  return text
}

export const json = async (...args) => JSON.parse(await ok(...args, '--json'))
export const lines = (text) => text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line))

export async function cannot(args, pattern, options) {
  const { code, text, error } = await varve(args, options)
  assert.equal(code, 2, `${args.join(' ')}: ${text}${error}`)
  assert.match(error, pattern)
  assert.ok(!error.includes('    at '), `a stack: ${error}`)
}

/** Returns the names, sizes and contents of a directory. */
export function stateOf(directory) {
  return readdirSync(directory, { recursive: true }).sort().map((name) => {
    const stats = statSync(join(directory, name))
    return `${name} ${stats.size} ${stats.mtimeMs} ${stats.isFile() ? createHash('sha256').update(readFileSync(join(directory, name))).digest('hex') : ''}`
  })
}

/** Creates a database with `count` entries in tables, and some in the log. */
export async function made(count = 3000, { size = 100 } = {}) {
  const location = place()
  const db = new Varve(location, { writeBufferSize: 64 << 10, maxFileSize: 64 << 10 })
  for (let at = 0; at < count; at += 500) {
    await db.batch(Array.from({ length: Math.min(500, count - at) }, (_, i) => ({ type: 'put', key: `key${String(at + i).padStart(8, '0')}`, value: `${at + i}`.padEnd(size, 'x') })))
  }
  await db.flush()
  await db.put('last', 'in the log')
  await db.close()
  return location
}
