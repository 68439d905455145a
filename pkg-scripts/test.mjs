// npm test: runs the set-up, then all tests. Continuous integration runs it.
//
//   node pkg-scripts/test.mjs [--only NAME,NAME] [--long] [--list]
//
//   --only   runs only these steps
//   --long   sets VARVE_LONG=1: tests check all cases instead of a sample (hours)
//   --list   prints the steps
//
// Later steps run even if one fails. At the end, a table and a line "N passed, N failed" (and ", N
// skipped") are printed; the exit code is 1 if a step failed. A step with one check, such as the
// format of the sources, counts as one test. A step that fails without naming a failed test, or
// that runs no test, counts as one failure.
import { existsSync, readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { audit } from './audit.mjs'
import { build, isCurrent } from './build.mjs'
import { cargoCounts, nodeCounts, tapCounts } from './lib/counts.mjs'
import { inRoot } from './lib/paths.mjs'
import { run } from './lib/run.mjs'
import { findChromedriver, findChromium, findFirefox } from './lib/system.mjs'
import { runInBrowser } from './lib/wasm-in-browser.mjs'
import { setup } from './setup.mjs'
import { printSizes } from './size.mjs'

const { values: flags } = parseArgs({ options: { only: { type: 'string' }, long: { type: 'boolean' }, list: { type: 'boolean' } } })

const HOUR = 3600
const options = flags.long ? { env: { VARVE_LONG: '1' }, timeoutSeconds: 48 * HOUR } : { timeoutSeconds: HOUR }
const show = (command, args, env = {}) => {
  console.log(`$ ${[command, ...args].join(' ')}`)
  return run(command, args, { ...options, env: { ...options.env, ...env } })
}

/**
 * @typedef {import('./lib/counts.mjs').Counts & { why?: string }} Result `why` a step failed or was
 *   skipped
 */

/** One check: passes if the command succeeds. */
const check = (command, ...args) => async () => {
  const { ok, why } = await show(command, args)
  return { passed: Number(ok), failed: Number(!ok), skipped: 0, why }
}

/** The crate's documentation: no broken link. */
const docs = async () => {
  const { ok, why } = await show('cargo', ['doc', '--locked', '--no-deps', '--all-features'], { RUSTDOCFLAGS: '-D warnings' })
  return { passed: Number(ok), failed: Number(!ok), skipped: 0, why }
}

/** Many tests, counted from the runner's output; `env` is added to their environment. */
const tests = (counter, command, ...args) => async (env = {}) => {
  const { ok, why, output } = await show(command, args, env)
  const counts = counter(output)
  if (!ok && counts.failed === 0) return { ...counts, failed: 1, why: `${why}, no failed test named` }
  if (ok && counts.passed === 0) return { ...counts, failed: counts.failed + 1, why: 'no test ran' }
  return { ...counts, why }
}

/** The same for a suite with thousands of lines: prints only failures. */
const quietly = (counter, command, ...args) => async () => {
  console.log(`$ ${[command, ...args].join(' ')}`)
  const { ok, why, output } = await run(command, args, { ...options, quiet: true })
  const counts = counter(output)
  if (!ok || counts.failed > 0) console.log(output.split('\n').filter((line) => !/^ok |^# /.test(line)).slice(0, 400).join('\n'))
  if (!ok && counts.failed === 0) return { ...counts, failed: 1, why }
  if (counts.passed === 0) return { ...counts, failed: 1, why: 'no test ran' }
  return { ...counts, why }
}

/**
 * Options of Rust tests in WebAssembly; .cargo/config.toml names their runner. The same features for
 * all, so that the engine is compiled once.
 */
const IN_WASM = ['test', '--locked', '--profile', 'wasm-test', '--target', 'wasm32-unknown-unknown', '--no-default-features', '--features', 'full', '--test']

/** src/wasm is compiled only for WebAssembly, so the native clippy does not check it. */
const WASM_ALONE = ['--target', 'wasm32-unknown-unknown', '--no-default-features', '--features', 'wasm']
const FULL_ALONE = ['--target', 'wasm32-unknown-unknown', '--no-default-features', '--features', 'full']

/** Features for tests; one set for all, so that it is compiled once. */
const FOR_TESTS = 'seeded-bugs,fuzzing'

/** @type {Record<string, () => Promise<Result>>} */
const steps = {
  fmt: check('cargo', 'fmt', '--check'),
  'fmt-tools': check('cargo', 'fmt', '--check', '--manifest-path', 'pkg-scripts/bindgen/Cargo.toml'),
  // Tests and benches are checked with the features that they are compiled with.
  clippy: check('cargo', 'clippy', '--locked', '--all-targets', '--features', FOR_TESTS, '--', '-D', 'warnings'),
  'clippy-wasm': check('cargo', 'clippy', '--locked', '--lib', ...WASM_ALONE, '--', '-D', 'warnings'),
  'clippy-full': check('cargo', 'clippy', '--locked', '--lib', ...FULL_ALONE, '--', '-D', 'warnings'),
  doc: docs,
  // Not the examples, which clippy checks.
  native: tests(cargoCounts, 'cargo', 'test', '--locked', '--release', '--lib', '--tests', '--no-fail-fast', '--features', FOR_TESTS),
  doctests: tests(cargoCounts, 'cargo', 'test', '--locked', '--release', '--doc', '--features', FOR_TESTS),
  'wasm-node': tests(cargoCounts, 'cargo', ...IN_WASM, 'node'),
  'wasm-chrome': inChrome,
  'wasm-opfs': inOpfs,
  size: underBudget,
  types: withPackage(check('tsc', '--project', '.')),
  'abstract-level': withPackage(quietly(tapCounts, process.execPath, 'tests/js/abstract-level.mjs')),
  js: withPackage(inNode('js', 2)),
  browser: withPackage(inNode('browser', 3)),
  package: withPackage(inNode('package', 2)),
  runtimes: withPackage(inNode('runtimes')),
  audit
}

/** For tests of the package: builds it first, unless it is current. */
function withPackage(step) {
  return async () => {
    if (!isCurrent('engine.wasm', 'full.wasm', 'browser.js')) await build()
    return step()
  }
}

async function inChrome() {
  const chromedriver = findChromedriver()
  if (!chromedriver || !findChromium()) {
    const lack = chromedriver ? 'Chromium' : 'chromedriver'
    console.warn(`\n${'!'.repeat(78)}\n!! SKIPPED: no ${lack}, so NOTHING was tested in a browser. \`npm run setup\` says how to install it.\n${'!'.repeat(78)}`)
    return { passed: 0, failed: 0, skipped: 1, why: `no ${lack}` }
  }
  return tests(cargoCounts, 'cargo', ...IN_WASM, 'web')({ CHROMEDRIVER: chromedriver })
}

/** The contract of storages on the private files of each browser. */
async function inOpfs() {
  const counts = { passed: 0, failed: 0, skipped: 0, why: '' }
  for (const [kind, found] of Object.entries({ chromium: findChromium(), firefox: findFirefox() })) {
    if (!found) {
      console.warn(`\n${'!'.repeat(78)}\n!! SKIPPED: no ${kind}, so the contract was NOT tested on its files. \`npm run setup\` says how to install it.\n${'!'.repeat(78)}`)
      counts.skipped++
      continue
    }
    const args = [...IN_WASM, 'opfs']
    console.log(`$ cargo ${args.join(' ')}   # in ${kind}`)
    const { ok, output, why } = await runInBrowser(kind, args)
    const { passed, failed, skipped } = cargoCounts(output)
    counts.passed += passed
    counts.failed += failed || Number(!ok)
    counts.skipped += skipped
    if (!ok) counts.why = `${kind}: ${why || 'failed'}`
  }
  return counts
}

async function underBudget() {
  await build()
  const holds = await printSizes()
  return { passed: Number(holds), failed: Number(!holds), skipped: 0, why: holds ? '' : 'over the budget' }
}

/** The tests of one folder, by Node's own runner, so many files at a time. */
function inNode(name, together = 1) {
  return async () => {
    const folder = inRoot('tests', name)
    const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.test.mjs')).sort() : []
    if (files.length === 0) return { passed: 0, failed: 0, skipped: 1, why: `no tests/${name}/*.test.mjs` }
    return tests(nodeCounts, process.execPath, '--test', '--test-reporter=spec', `--test-concurrency=${together}`, ...files.map((file) => `tests/${name}/${file}`))()
  }
}

/** @returns {Promise<Result & { name: string, seconds: number }>} */
async function timed(name, step) {
  console.log(`\n=== ${name}`)
  const start = performance.now()
  const result = await step().catch((error) => {
    console.error(error.message)
    return { passed: 0, failed: 1, skipped: 0, why: error.message.split('\n')[0] }
  })
  return { name, seconds: (performance.now() - start) / 1000, ...result }
}

function printTable(results) {
  const verdict = (result) => (result.failed > 0 ? 'FAILED' : result.passed === 0 && result.skipped > 0 ? 'SKIPPED' : 'ok')
  const row = ([name, ...cells]) => console.log([name.padEnd(14), ...cells.slice(0, 5).map((cell) => String(cell).padStart(9)), '', cells[5]].join(' ').trimEnd())
  console.log('')
  row(['step', 'result', 'passed', 'failed', 'skipped', 'time', ''])
  for (const result of results) {
    row([result.name, verdict(result), result.passed, result.failed, result.skipped, `${result.seconds.toFixed(1)} s`, result.why ?? ''])
  }
}

/** Prints the last line; returns the exit code. */
function conclude(results) {
  const total = (kind) => results.reduce((sum, result) => sum + result[kind], 0)
  const skipped = total('skipped')
  console.log(`\n${total('passed')} passed, ${total('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  return total('failed') > 0 ? 1 : 0
}

/** Not a test and not counted, but tests need it. */
async function prepare() {
  await setup()
  return { passed: 0, failed: 0, skipped: 0 }
}

const names = flags.only?.split(',') ?? Object.keys(steps)
const unknown = names.filter((name) => !Object.hasOwn(steps, name))
if (flags.list || unknown.length > 0) {
  if (unknown.length > 0) console.error(`unknown step: ${unknown.join(', ')}`)
  console.log(`steps: ${Object.keys(steps).join(', ')}`)
  process.exit(unknown.length > 0 ? 2 : 0)
}

const results = [await timed('setup', prepare)]
if (results[0].failed === 0) for (const name of names) results.push(await timed(name, steps[name]))
printTable(results)
process.exitCode = conclude(results)
