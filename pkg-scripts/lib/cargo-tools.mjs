// The programs of the crate pkg-scripts/bindgen, which cargo builds in target/tools:
//
//   bindgen       wasm-bindgen's generator; every build of the package needs it
//   test-runner   runs tests in WebAssembly; only `npm test` needs it and most of the dependencies
import { readFileSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { inRoot, toolsBin, toolsDir } from './paths.mjs'
import { run } from './run.mjs'

/** @typedef {'bindgen' | 'test-runner'} Tool */

const CRATE = inRoot('pkg-scripts', 'bindgen')

/** The package whose version both lock files must share, and those released together with it. */
const LIBRARY = 'wasm-bindgen'
const TOOL_PACKAGES = ['wasm-bindgen-cli-support', 'wasm-bindgen-cli']

/**
 * Returns the version of a package in a Cargo.lock.
 *
 * @param {string} lock the text of the file
 * @param {string} name
 */
export function lockedVersion(lock, name) {
  return lock.split('[[package]]').map((entry) => /^\s*name = "(.+)"\s+version = "(.+)"/.exec(entry)).find((match) => match?.[1] === name)?.[2]
}

/**
 * Checks that both lock files have the same version: the generator reads data that the library of
 * its own version has left in the module.
 *
 * @param {string} library text of Varve's Cargo.lock
 * @param {string} tools text of the Cargo.lock of pkg-scripts/bindgen
 * @returns {string | undefined} what is wrong and what to do
 */
export function versionProblem(library, tools) {
  const wanted = lockedVersion(library, LIBRARY)
  if (!wanted) return `Cargo.lock does not name ${LIBRARY}: run \`cargo generate-lockfile\` and commit it`
  for (const name of TOOL_PACKAGES) {
    const locked = lockedVersion(tools, name)
    if (locked !== wanted) {
      return `${LIBRARY} is ${wanted} in Cargo.lock, but ${name} is ${locked ?? 'missing'} in pkg-scripts/bindgen/Cargo.lock: ` +
        `write "=${wanted}" in pkg-scripts/bindgen/Cargo.toml and run \`cargo update --manifest-path pkg-scripts/bindgen/Cargo.toml\``
    }
  }
  return undefined
}

/** The same check for the lock files of this repository. */
export const lockedVersionProblem = () => versionProblem(...[inRoot(), CRATE].map((folder) => readFileSync(join(folder, 'Cargo.lock'), 'utf8')))

/** Silences warnings about dependencies of dependencies that a later Rust will reject. */
const QUIET = { CARGO_FUTURE_INCOMPAT_REPORT_FREQUENCY: 'never' }

const changed = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

/**
 * Returns whether the program is newer than its sources.
 *
 * @param {Tool} tool
 */
export function isBuilt(tool) {
  const sources = readdirSync(join(CRATE, 'src')).map((name) => join(CRATE, 'src', name))
  const newest = Math.max(...[join(CRATE, 'Cargo.toml'), join(CRATE, 'Cargo.lock'), ...sources].map(changed))
  return changed(join(toolsBin, tool)) >= newest
}

/**
 * Builds tools with the versions of their lock file.
 *
 * @param {Tool[]} tools
 * @returns {Promise<{ ok: boolean, why: string }>}
 */
export async function buildTools(tools) {
  const features = tools.includes('test-runner') ? ['--features', 'test-runner'] : []
  const { ok, why } = await run('cargo', ['build', '--release', '--locked', '--manifest-path', join(CRATE, 'Cargo.toml'),
    '--target-dir', toolsDir, ...features, ...tools.flatMap((tool) => ['--bin', tool])], { env: QUIET })
  // Cargo does not rebuild a program if only file times changed.
  const now = new Date()
  if (ok) for (const tool of tools) utimesSync(join(toolsBin, tool), now, now)
  return { ok, why }
}
