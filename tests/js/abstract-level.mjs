// Runs abstract-level's own test suite on Varve, and tests that it lacks. The output is TAP.
//
//   node tests/js/abstract-level.mjs [STORAGE...]    storages of PLACES, each in a process; by default
//                                                    those of USUAL, with VARVE_LONG=1 all
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Varve } from '../../src/js/index.js'
import { MapStorage } from '../../src/js/storage/map.js'
import { ownTests } from './lib/level-tests.mjs'
import { later } from './lib/storages.mjs'

const require = createRequire(import.meta.url)

const LEAN = new URL('./lib/lean.mjs', import.meta.url).href

/** `lean`: with the module of pages. */
const PLACES = {
  memory: (options) => new Varve(null, { ...options, storage: 'memory' }),
  directory: (options) => new Varve(newDirectory(), options),
  map: (options) => new Varve(null, { ...options, storage: new MapStorage() }),
  later: (options) => new Varve(null, { ...options, storage: later(new MapStorage()) }),
  'worker-memory': (options) => new Varve(null, { ...options, storage: 'memory', worker: true }),
  'worker-directory': (options) => new Varve(newDirectory(), { ...options, worker: true }),
  'lean-memory': (options) => new Varve(null, { ...options, storage: 'memory' }),
  'lean-directory': (options) => new Varve(newDirectory(), options)
}

/**
 * With calls that are done at once and with promises. Through workers, each of which compiles the engine,
 * the suite takes seven times as long; tests/browser runs it through one, on the lean module.
 */
const USUAL = ['directory', 'later']

let root
let directories = 0
const newDirectory = () => join(root ??= mkdtempSync(join(tmpdir(), 'varve-suite-')), `db-${directories++}`)

/** Each storage ends with its own TAP plan and count, so each is run in a process, as many at a time as there are processors. */
async function runAll(names) {
  const waiting = [...names]
  const run = async () => {
    for (let name; (name = waiting.shift()) !== undefined;) if (await runAlone(name) !== 0) process.exitCode = 1
  }
  await Promise.all(Array.from({ length: availableParallelism() }, run))
}

/** Runs the suite on one storage in a process; prints its output when it has ended, and returns its exit code. */
async function runAlone(name) {
  const preload = name.startsWith('lean-') ? ['--import', LEAN] : []
  const child = spawn(process.execPath, [...preload, fileURLToPath(import.meta.url), name], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  process.stdout.write(`# storage: ${name}\n${output}`)
  return code
}

async function runOne(name) {
  const test = require('tape')
  const suite = require('abstract-level/test')
  const factory = PLACES[name]
  test.onFinish(() => { if (root !== undefined) rmSync(root, { recursive: true, force: true }) })
  suite({ test, factory: name === 'later' ? (options) => withoutGetSync(factory(options)) : factory })
  ownTests(test, Varve, factory, { inPlace: !['later', 'worker-memory', 'worker-directory'].includes(name) })
}

/** A storage that returns promises has no getSync(), so the suite must not test it. */
function withoutGetSync(db) {
  db.supports.getSync = false
  return db
}

const names = process.argv.slice(2)
const unknown = names.find((name) => !Object.hasOwn(PLACES, name))
if (unknown !== undefined) throw new Error(`unknown storage ${unknown}; there are ${Object.keys(PLACES).join(', ')}`)
if (names.length === 1) await runOne(names[0])
else await runAll(names.length > 0 ? names : process.env.VARVE_LONG === '1' ? Object.keys(PLACES) : USUAL)
