// npm run setup: prepares a fresh Debian, Ubuntu or macOS machine to build and test Varve. If
// nothing is missing, it takes less than two seconds. `npm start` and `npm test` call it.
//
//   node pkg-scripts/setup.mjs [--only rust,lints,linker,system,target,bindgen,test-runner,packages]
//
//   rust         cargo, rustc                           not installed: a message says how
//   lints        clippy, rustfmt                        added by rustup
//   linker       a C compiler, whose linker cargo uses  installed by apt as root, else a message
//   system       chromium, chromedriver, firefox, and
//                a C++ compiler with LevelDB and Snappy the same
//   target       rustc's wasm32-unknown-unknown         added by rustup
//   bindgen      wasm-bindgen's generator               built by cargo in target/tools
//   test-runner  wasm-bindgen's test runner             the same
//   packages     node_modules                           npm ci
//
// The build needs rust, linker, target, bindgen and packages; the others are for tests. A part that
// is still missing is an error, except `system`: tests that need it are skipped with a warning.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { buildTools, isBuilt, lockedVersionProblem } from './lib/cargo-tools.mjs'
import { inRoot } from './lib/paths.mjs'
import { ask, findProgram, run } from './lib/run.mjs'
import { linkerNeeds, systemNeeds } from './lib/system.mjs'

const WASM_TARGET = 'wasm32-unknown-unknown'

/** An error that the user can fix: only its message is printed. */
class SetupError extends Error {}

/**
 * @typedef {'rust' | 'lints' | 'linker' | 'system' | 'target' | 'bindgen' | 'test-runner' | 'packages'} Part
 */

/** @type {import('./lib/cargo-tools.mjs').Tool[]} */
const TOOLS = ['bindgen', 'test-runner']

/** In this order: quick checks first, and dependencies before dependents. */
const FIRST = { rust, lints, linker, system, target }

const PARTS = /** @type {Part[]} */ ([...Object.keys(FIRST), ...TOOLS, 'packages'])

/** The parts needed before cargo compiles the engine, and after it. @type {Part[]} */
export const BEFORE_CARGO = ['rust', 'linker', 'target']
/** @type {Part[]} */
export const AFTER_CARGO = ['bindgen', 'packages']

/**
 * @param {Part[]} [only] the parts to set up, default all; an unknown name is an error
 */
export async function setup(only = PARTS) {
  for (const name of only) {
    if (!PARTS.includes(name)) throw new SetupError(`unknown part '${name}'; use ${PARTS.join(', ')}`)
  }
  for (const [name, part] of Object.entries(FIRST)) if (only.includes(name)) await part()
  await together([tools(TOOLS.filter((name) => only.includes(name))), only.includes('packages') && packages()])
}

/**
 * Waits until all have settled, so that nothing runs after an error; then throws the first error.
 *
 * @param {(Promise<void> | false)[]} tasks
 */
export async function together(tasks) {
  const failed = (await Promise.allSettled(tasks)).find(({ status }) => status === 'rejected')
  if (failed) throw failed.reason
}

/** Runs `setup`, then `body`; prints an error that the user can fix as one message. */
export async function main(body) {
  try {
    process.exitCode = await body()
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(`\nsetup: ${error.message}`)
    process.exitCode = 1
  }
}

async function rust() {
  const version = ask('rustc', ['--version'])?.split(' ')[1]
  if (!version || !findProgram('cargo')) {
    throw new SetupError('Rust is missing. Install it as https://rustup.rs says, open a new shell, and run this again.')
  }
  const wanted = /^rust-version = "([^"]+)"/m.exec(readFileSync(inRoot('Cargo.toml'), 'utf8'))?.[1] ?? '0'
  if (version.localeCompare(wanted, undefined, { numeric: true }) < 0) {
    throw new SetupError(`Rust ${version} is too old, ${wanted} is needed: run \`rustup update stable\``)
  }
}

async function lints() {
  const missing = ['clippy', 'fmt'].filter((name) => ask('cargo', [name, '--version']) === undefined)
  if (missing.length === 0) return
  const components = missing.map((name) => (name === 'fmt' ? 'rustfmt' : name))
  await rustup(['component', 'add', ...components], `cargo's ${components.join(' and ')} (Debian: the packages rust-clippy and rustfmt)`)
}

async function target() {
  const folder = ask('rustc', ['--print', 'target-libdir', '--target', WASM_TARGET])
  if (folder && existsSync(folder) && readdirSync(folder).some((name) => name.startsWith('libcore-'))) return
  await rustup(['target', 'add', WASM_TARGET], `the standard library for ${WASM_TARGET} (Debian: the package libstd-rust-dev-wasm32)`)
}

async function rustup(args, need) {
  if (findProgram('rustup')) {
    const { ok } = await run('rustup', args)
    if (ok) return
  }
  throw new SetupError(`Rust lacks ${need}. With rustup: \`rustup ${args.join(' ')}\`.`)
}

async function tools(wanted) {
  if (wanted.length === 0) return
  const problem = lockedVersionProblem()
  if (problem) throw new SetupError(problem)
  const missing = wanted.filter((tool) => !isBuilt(tool))
  if (missing.length === 0) return
  console.log(`setup: building ${missing.join(' and ')} into target/tools, once`)
  const { ok, why } = await buildTools(missing)
  if (!ok) throw new SetupError(`cargo cannot build pkg-scripts/bindgen: ${why}`)
}

async function linker() {
  const [missing] = await provide(linkerNeeds)
  if (missing) throw new SetupError(`missing: ${missing.what}. ${missing.advice()}`)
}

async function system() {
  for (const need of await provide(systemNeeds)) {
    console.warn(`setup: missing: ${need.what}; without it ${need.without}.\n  ${need.advice()}`)
  }
}

/** Installs packages for these needs with apt; returns the needs still unmet. */
async function provide(needs) {
  const missing = needs.filter((need) => !need.present())
  const canInstall = findProgram('apt-get') && process.getuid?.() === 0
  if (missing.length === 0 || !canInstall) return missing
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update'], { env })
  // One by one: a package that does not exist on Ubuntu must not prevent the others.
  for (const need of missing) await run('apt-get', ['install', '-y', '--no-install-recommends', ...need.apt], { env })
  return missing.filter((need) => !need.present())
}

/** Current if npm's record in node_modules is newer than the lock file. */
async function packages() {
  const record = join('node_modules', '.package-lock.json')
  const current = existsSync(inRoot(record)) && statSync(inRoot(record)).mtimeMs >= statSync(inRoot('package-lock.json')).mtimeMs
  if (current) return
  const { ok, why } = await run('npm', ['ci'])
  if (!ok) throw new SetupError(`npm ci: ${why}`)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { only: { type: 'string' } } })
  await main(async () => {
    await setup(values.only?.split(','))
    console.log('setup: ready')
    return 0
  })
}
