// The two cargo programs that the WebAssembly build and its tests need, built once into target/tools.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inRoot, toolsBin, toolsBuild, toolsDir } from './paths.mjs'
import { ask, run } from './run.mjs'

const WASM_PACK_VERSION = '0.15.1'

// Built to be ready soon, not to be fast: they run for seconds, and optimising them would take minutes.
const QUICK_BUILD = {
  CARGO_TARGET_DIR: toolsBuild,
  CARGO_PROFILE_RELEASE_OPT_LEVEL: '1',
  CARGO_PROFILE_RELEASE_DEBUG: '0',
  CARGO_PROFILE_RELEASE_LTO: 'off',
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  CARGO_PROFILE_RELEASE_STRIP: 'true'
}

/** wasm-bindgen's program and library must be of one version: that of Cargo.lock. */
export function lockedWasmBindgen() {
  const lock = readFileSync(inRoot('Cargo.lock'), 'utf8')
  const version = /name = "wasm-bindgen"\nversion = "([^"]+)"/.exec(lock)?.[1]
  if (!version) throw new Error('Cargo.lock does not name wasm-bindgen: run `cargo generate-lockfile` and commit it')
  return version
}

/** @returns {{ crate: string, program: string, version: string }[]} */
export function wantedTools() {
  return [
    { crate: 'wasm-bindgen-cli', program: 'wasm-bindgen', version: lockedWasmBindgen() },
    { crate: 'wasm-pack', program: 'wasm-pack', version: WASM_PACK_VERSION }
  ]
}

/** True when target/tools holds this program in this version. */
export function isInstalled({ program, version }) {
  const words = ask(join(toolsBin, program), ['--version'])?.split(/\s+/) ?? []
  return words[1] === version
}

/**
 * Builds one tool from its crate, with the versions of its own lock file. A registry that holds new releases back for some
 * days may not have one of them yet: then with the newest compatible versions that it does have.
 */
export async function install({ crate, version }) {
  const args = ['install', crate, '--version', version, '--force', '--root', toolsDir]
  const locked = await run('cargo', [...args, '--locked'], { env: QUICK_BUILD })
  if (locked.ok) return
  if (!locked.output.includes('failed to select a version')) throw new Error(`cargo install ${crate} ${version}: ${locked.why}`)
  console.log(`${crate}: the registry lacks a version of its lock file; building with those it has`)
  const { ok, why } = await run('cargo', args, { env: QUICK_BUILD })
  if (!ok) throw new Error(`cargo install ${crate} ${version}: ${why}`)
}
