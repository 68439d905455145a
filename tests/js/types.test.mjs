// tsc checks every script, with precise types.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'

/** The number of uses of `any` without a reason, which must not grow. */
const WITHOUT_REASON_MAX = 254

const tsc = inRoot('node_modules', 'typescript', 'bin', 'tsc')

const scripts = readdirSync(inRoot('src', 'js'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.js'))
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name))

test('tsc sees every script of src/js', () => {
  const seen = new Set(execFileSync(process.execPath, [tsc, '--project', inRoot(), '--listFilesOnly'], { encoding: 'utf8' }).split('\n'))
  ok(scripts.length > 50)
  deepStrictEqual(scripts.filter((path) => !seen.has(path)).map((path) => relative(inRoot(), path)), [])
})

test('the declarations compile with every strict option that users may have set', () => {
  const { stdout, status } = spawnSync(process.execPath, [tsc, '--project', inRoot('tests', 'types')], { encoding: 'utf8' })
  strictEqual(stdout, '')
  strictEqual(status, 0)
})

for (const { name, lib, types } of [
  { name: 'a page', lib: ['es2022', 'dom', 'dom.iterable', 'dom.asynciterable'], types: [] },
  { name: 'a worker', lib: ['es2022', 'webworker', 'webworker.iterable', 'webworker.asynciterable'], types: [] },
  { name: 'Node', lib: ['es2022'], types: ['node'] }
]) {
  test(`the declarations compile with the libraries of ${name} alone`, () => {
    const args = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--moduleResolution', 'nodenext',
      '--lib', lib.join(','), '--types', types.join(','), inRoot('src', 'js', 'types', 'index.d.ts')]
    const { stdout } = spawnSync(process.execPath, [tsc, ...args], { encoding: 'utf8' })
    strictEqual(stdout.split('\n').filter((line) => line.includes('src/js/types')).join('\n'), '')
  })
}

test('no declaration lies beside its source, where tsc would read it instead', () => {
  deepStrictEqual(scripts.filter((path) => existsSync(path.replace(/\.js$/, '.d.ts'))), [])
})

test('no script turns off type checks', () => {
  deepStrictEqual(scripts.filter((path) => /@ts-(nocheck|ignore)/.test(readFileSync(path, 'utf8'))), [])
})

/**
 * Returns the comments of `text` that use the type `any` without a reason, as in "any: whatever was
 * thrown".
 */
function withoutReason(text) {
  const comments = text.match(/\/\*\*[^]*?\*\//g) ?? []
  return comments.filter((comment) => /\{[^@]*\bany\b/.test(comment) && !/\bany: /.test(comment))
}

test('each use of the type any has a reason', () => {
  strictEqual(withoutReason('/** @param {any} a */ /** @param {Map<string, any>} b */ /** any: it was thrown @type {any} */ /** of any kind @type {string} */').length, 2)
  const found = scripts.flatMap((path) => withoutReason(readFileSync(path, 'utf8')).map((comment) => `${relative(inRoot(), path)}: ${comment}`))
  deepStrictEqual(found, [])
})
