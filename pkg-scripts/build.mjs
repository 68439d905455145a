// npm run build: the default WebAssembly build of the engine with its thin border, optimised, into pkg/ (not committed).
//
//   cargo -> bindgen (glue and types) -> wasm-opt -> pkg/
//
// It does its own set-up: programs that are missing are made while cargo compiles. `npm start` builds what Node needs, alone.
//
// The package's engine is made smaller on the way: see lib/panics.mjs before wasm-opt, lib/order.mjs and lib/imports.mjs after it.
//
//   pkg/varve.js, varve_bg.wasm     the smallest border: class Engine over the storage in memory (feature `wasm`)
//   pkg/instance.js, engine.wasm    what src/js speaks to (feature `package`): as many instances as there are databases
//   pkg/browser.js and others       src/js as pages load it: see lib/browser.mjs
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildForBrowsers } from './lib/browser.mjs'
import { withShortImports } from './lib/imports.mjs'
import { instanceSource } from './lib/instance.mjs'
import { namedForOrder } from './lib/order.mjs'
import { panicsAsTraps } from './lib/panics.mjs'
import { inRoot, wasmFile } from './lib/paths.mjs'
import { run } from './lib/run.mjs'
import { AFTER_CARGO, BEFORE_CARGO, main, setup, together } from './setup.mjs'
import { printSizes } from './size.mjs'

// What rustc uses by default for this target, and every browser since 2023 has; nothing newer may be brought in here.
const WASM_FEATURES = ['--mvp-features', '--enable-bulk-memory', '--enable-sign-ext', '--enable-mutable-globals',
  '--enable-nontrapping-float-to-int', '--enable-reference-types', '--enable-multivalue']

/** Memory is the caller's to make: so it has a limit, and an instance that failed leaves none behind. */
const IMPORT_MEMORY = ['-C', 'link-arg=--import-memory']

/** LLVM's blocks and branches, made anew from a graph: fewer of them. */
const OTHER_CONTROL_FLOW = ['--flatten', '--rereloop']

/** Functions keep their names until panics are cut and the rest is ordered. */
const KEEP_NAMES = ['--config', 'profile.package-release.strip=false']

/** No address below 1,024 is used, since the stack is first in memory and grows down to it: more offsets are constants then. */
const LOW_MEMORY_UNUSED = ['--low-memory-unused']

const WITHOUT_NAMES = ['--strip-debug', '--strip-producers']

/**
 * What LLVM does unasked at `opt-level = 2` that makes the engine larger and no faster (docs/design-notes.md, "The size of the module"):
 * inlining (its own threshold is 225), copies of a loop's body within the loop, copies of code so that a value need not be loaded again.
 */
const SMALL = [
  'inline-threshold=15', 'unroll-runtime=false', 'unroll-allow-partial=false', 'unroll-partial-threshold=0', 'enable-load-pre=false'
].flatMap((flag) => ['-C', `llvm-args=-${flag}`])

const cargo = (profile, feature, options = [], rustc = []) => ['cargo', 'rustc', '--lib', '--crate-type', 'cdylib', '--locked',
  '--profile', profile, '--target', 'wasm32-unknown-unknown', '--target-dir', inRoot('target'), '--no-default-features',
  '--features', feature, ...options, '--', ...rustc]
const bindgen = (profile, folder, ...options) => ['bindgen', ...options,
  inRoot('target', 'wasm32-unknown-unknown', profile, 'varve.wasm'), folder, 'varve']
const wasmOpt = (from, to, ...options) => ['wasm-opt', ...options, ...WASM_FEATURES, from, '-o', to]

/** A step of our own: what `change` makes of a file takes its place. */
const rewrite = (file, change) => () => writeFileSync(file, change(readFileSync(file)))

const GLUE = inRoot('target', 'glue')
const RAW = join(GLUE, 'varve_bg.wasm')
const ENGINE = inRoot('pkg', 'engine.wasm')

/** @typedef {string[] | (() => void)} Step a command, or a step of our own */

/**
 * The modules. Cargo compiles one after the other; each is finished meanwhile, since its link-time optimisation and wasm-opt have one
 * thread each. So no two write to one file.
 */
const MODULES = {
  engine: {
    compile: cargo('package-release', 'package', KEEP_NAMES, [...IMPORT_MEMORY, ...SMALL]),
    finish: [
      bindgen('package-release', GLUE),
      rewrite(RAW, panicsAsTraps),
      wasmOpt(RAW, RAW, '-Os', ...OTHER_CONTROL_FLOW, '-Os', '--debuginfo', ...LOW_MEMORY_UNUSED),
      rewrite(RAW, namedForOrder),
      wasmOpt(RAW, ENGINE, '--reorder-functions-by-name', ...WITHOUT_NAMES),
      writeInstance
    ]
  },
  border: {
    compile: cargo('wasm-release', 'wasm'),
    finish: [
      bindgen('wasm-release', inRoot('pkg'), '--web'),
      wasmOpt(wasmFile, wasmFile, '-O3', ...WITHOUT_NAMES)
    ]
  }
}

/** True when these files of pkg/ are there and not older than the Rust that they are made of. @param {...string} names */
export function isCurrent(...names) {
  const sources = readdirSync(inRoot('src'), { recursive: true }).filter((name) => name.endsWith('.rs')).map((name) => inRoot('src', name))
  const newest = Math.max(...[...sources, inRoot('Cargo.toml'), inRoot('Cargo.lock')].map((path) => statSync(path).mtimeMs))
  return names.every((name) => (statSync(inRoot('pkg', name), { throwIfNoEntry: false })?.mtimeMs ?? 0) >= newest)
}

/**
 * Builds pkg/ anew; throws when a step fails.
 *
 * @param {{ forNode?: boolean }} [options] only what src/js needs in Node: neither scripts for pages nor the smallest border
 */
export async function build({ forNode = false } = {}) {
  const modules = forNode ? [MODULES.engine] : [MODULES.engine, MODULES.border]
  await setup(BEFORE_CARGO)
  rmSync(inRoot('pkg'), { recursive: true, force: true })
  mkdirSync(inRoot('pkg'))
  const ready = setup(AFTER_CARGO)
  let compiled = Promise.resolve()
  await together(modules.map(({ compile, finish }) => {
    compiled = compiled.then(() => take([compile]))
    return Promise.all([ready, compiled]).then(() => take(finish))
  }))
  if (!forNode) await buildForBrowsers()
}

/** @param {Step[]} steps */
async function take(steps) {
  for (const step of steps) {
    if (typeof step === 'function') {
      step()
      continue
    }
    const [command, ...args] = step
    const { ok, why } = await run(command, args)
    if (!ok) throw new Error(`${command}: ${why}`)
  }
}

/** The last step of the engine: imports get short names, and the glue becomes pkg/instance.js. */
function writeInstance() {
  const { wasm, names } = withShortImports(readFileSync(ENGINE))
  writeFileSync(ENGINE, wasm)
  writeFileSync(inRoot('pkg', 'instance.js'), instanceSource(readFileSync(join(GLUE, 'varve_bg.js'), 'utf8'), { wasm, names }, USED))
}

/** What src/js uses of an instance. */
const USED = ['openDatabase', 'destroyDatabase', 'repairDatabase', 'verifyDatabase', 'inspectTable', 'importZip']

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await build()
    await printSizes()
    return 0
  })
}
