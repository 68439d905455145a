// The set-up of a machine: the requirements of each part, the messages if something is missing, and
// no output otherwise.
import { describe, test } from 'node:test'
import { doesNotMatch, match, ok, strictEqual } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isBuilt, lockedVersion, versionProblem } from '../../pkg-scripts/lib/cargo-tools.mjs'
import { inRoot, toolsBin } from '../../pkg-scripts/lib/paths.mjs'

const library = readFileSync(inRoot('Cargo.lock'), 'utf8')
const tools = readFileSync(inRoot('pkg-scripts', 'bindgen', 'Cargo.lock'), 'utf8')

/** Runs a script of pkg-scripts; returns its output. */
function call(script, args, env = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [inRoot('pkg-scripts', script), ...args], {
    encoding: 'utf8', env: { ...process.env, ...env }, timeout: 120_000
  })
  return { status, output: stdout + stderr }
}

const noErrorLines = (output) => doesNotMatch(output, /^error/im)

describe('the versions of the tools', () => {
  test('both lock files have the same version of wasm-bindgen', () => {
    strictEqual(versionProblem(library, tools), undefined)
    strictEqual(lockedVersion(tools, 'wasm-bindgen-cli-support'), lockedVersion(library, 'wasm-bindgen'))
  })

  test('a generator of another version is an error, with the version to use and the command to run', () => {
    const wanted = lockedVersion(library, 'wasm-bindgen')
    const problem = versionProblem(library, tools.replace(/(name = "wasm-bindgen-cli-support"\nversion = )".*"/, '$1"0.2.1"'))
    ok(problem?.includes(`wasm-bindgen is ${wanted} in Cargo.lock, but wasm-bindgen-cli-support is 0.2.1`), problem)
    ok(problem.includes(`write "=${wanted}"`) && problem.includes('cargo update --manifest-path'), problem)
  })

  test('a test runner of another version, and a lock file without one, are errors too', () => {
    match(versionProblem(library, tools.replace(/(name = "wasm-bindgen-cli"\nversion = )".*"/, '$1"0.2.1"')) ?? '', /wasm-bindgen-cli is 0\.2\.1/)
    match(versionProblem(library, '') ?? '', /wasm-bindgen-cli-support is missing/)
  })

  test('a package whose name is a prefix of another one is distinguished from it', () => {
    strictEqual(lockedVersion('[[package]]\nname = "wasm-bindgen-macro"\nversion = "1.0.0"\n', 'wasm-bindgen'), undefined)
  })
})

describe('a complete machine', () => {
  test('the set-up builds and installs nothing and prints one line', () => {
    const { status, output } = call('setup.mjs', ['--only', 'rust,lints,linker,target,bindgen,test-runner,packages'])
    strictEqual(output, 'setup: ready\n')
    strictEqual(status, 0)
  })

  test('a tool older than its lock file is not current', () => {
    const program = join(toolsBin, 'bindgen')
    ok(isBuilt('bindgen'))
    try {
      utimesSync(program, new Date(0), new Date(0))
      ok(!isBuilt('bindgen'))
    } finally {
      utimesSync(program, new Date(), new Date())
    }
  })

  test('npm start loads, compacts and compares its towns, and no line begins with "error"', () => {
    const directory = mkdtempSync(join(tmpdir(), 'varve-start-'))
    try {
      const { status, output } = call('start.mjs', ['--dir', directory])
      strictEqual(status, 0, output)
      match(output, /classic-level opened the directory: [\d,]+ entries, every one as loaded/)
      noErrorLines(output)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  test('an unknown part is an error with the names of all parts', () => {
    const { status, output } = call('setup.mjs', ['--only', 'rust,wasm-pack'])
    strictEqual(status, 1)
    match(output, /unknown part 'wasm-pack'; use rust, .*, bindgen, test-runner, packages/)
  })
})

describe('a machine with another Rust', { skip: process.platform === 'win32' && 'the programs are shell scripts' }, () => {
  /** Runs the set-up with only these programs in PATH, each given as a shell script. */
  function setupWith(only, programs) {
    const folder = mkdtempSync(join(tmpdir(), 'varve-rust-'))
    try {
      for (const [name, script] of Object.entries(programs)) writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
      return call('setup.mjs', ['--only', only], { PATH: folder, HOME: folder })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  const rustc = 'echo "rustc 1.999.0 (0 2026-01-01)"'
  /** Cargo without clippy and rustfmt fails with an error. */
  const bareCargo = 'echo "error: no such command: $1" >&2; exit 101'

  test('without Rust, a message says how to install it', () => {
    const { status, output } = setupWith('rust', {})
    strictEqual(status, 1)
    match(output, /Rust is missing\. Install it as https:\/\/rustup\.rs says/)
  })

  test('an old version of Rust is an error with the required version', () => {
    const { status, output } = setupWith('rust', { rustc: 'echo "rustc 1.50.0 (0 2021-01-01)"', cargo: bareCargo })
    strictEqual(status, 1)
    match(output, /Rust 1\.50\.0 is too old, 1\.\d+ is needed/)
  })

  test('builds need neither clippy nor rustfmt', () => {
    const { status, output } = setupWith('rust', { rustc, cargo: bareCargo })
    strictEqual(output, 'setup: ready\n')
    strictEqual(status, 0)
  })

  test('tests need both: rustup adds them, and the output of cargo is not shown', () => {
    const { output } = setupWith('lints', { rustc, cargo: bareCargo, rustup: 'echo "rustup was called with $*"' })
    noErrorLines(output)
    match(output, /^rustup was called with component add clippy rustfmt$/m)
  })

  test('without rustup, a message says what to install', () => {
    const { status, output } = setupWith('lints', { rustc, cargo: bareCargo })
    strictEqual(status, 1)
    noErrorLines(output)
    match(output, /Rust lacks cargo's clippy and rustfmt \(Debian: the packages rust-clippy and rustfmt\)/)
  })

  test('rustup adds a missing WebAssembly target', () => {
    const { output } = setupWith('target', { rustc: 'exit 1', rustup: 'echo "rustup was called with $*"' })
    match(output, /^rustup was called with target add wasm32-unknown-unknown$/m)
  })

  test('without a C compiler, a message names the package to install', () => {
    const { status, output } = setupWith('linker', {})
    strictEqual(status, 1)
    match(output, /missing: a C compiler, whose linker cargo uses\. (As root: apt-get install gcc|Run: xcode-select)/)
  })
})
