// npm run build: builds the two optimised WebAssembly modules, and the scripts for pages, in pkg/
// (not committed).
//
//   cargo -> bindgen (glue) -> wasm-opt -> pkg/
//
// Missing tools are built while cargo compiles. `npm start` builds only the part that Node needs.
//
//   pkg/engine.wasm, instance.js      feature `wasm`: reads and writes databases
//   pkg/full.wasm, instance-full.js   feature `full`: also codecs, zip import, repair, inspector
//   pkg/browser.js and others         src/js bundled for pages: see lib/browser.mjs
//   pkg/inspector/                    the page of www/: see lib/inspector.mjs
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildForBrowsers } from './lib/browser.mjs'
import { buildInspector } from './lib/inspector.mjs'
import { instanceSource } from './lib/instance.mjs'
import { panicsAsTraps } from './lib/panics.mjs'
import { inRoot } from './lib/paths.mjs'
import { run } from './lib/run.mjs'
import { AFTER_CARGO, BEFORE_CARGO, main, setup, together } from './setup.mjs'
import { printSizes } from './size.mjs'

// The features that rustc enables by default for this target, which all browsers since 2023
// support.
const WASM_FEATURES = ['--mvp-features', '--enable-bulk-memory', '--enable-sign-ext', '--enable-mutable-globals',
  '--enable-nontrapping-float-to-int', '--enable-reference-types', '--enable-multivalue']

/** The caller creates the memory, so that it can set a limit and free it after a failure. */
const IMPORT_MEMORY = ['-C', 'link-arg=--import-memory']

/** Rebuilds LLVM's blocks and branches from a graph, which makes them fewer. */
const OTHER_CONTROL_FLOW = ['--flatten', '--rereloop']

/** Keeps function names for panicsAsTraps. */
const KEEP_NAMES = ['--config', 'profile.wasm-release.strip=false']

/**
 * The stack is first in memory, so no address below 1,024 is used, and more offsets are constant.
 */
const LOW_MEMORY_UNUSED = ['--low-memory-unused']

/**
 * The last step: removes function names, and shortens names of imports and exports to one letter.
 */
const SHORT = ['--strip-debug', '--strip-producers', '--minify-imports-and-exports-and-modules']

/**
 * Turns off optimisations of `opt-level = 2` that make the engine larger but not faster
 * (docs/design-notes.md, "The size of the module"): inlining above a threshold (225 by default),
 * loop unrolling, and copies of code that save a load.
 */
const SMALL = [
  'inline-threshold=15', 'unroll-runtime=false', 'unroll-allow-partial=false', 'unroll-partial-threshold=0', 'enable-load-pre=false'
].flatMap((flag) => ['-C', `llvm-args=-${flag}`])

/** @typedef {string[] | (() => unknown)} Step a command, or a step of our own */

/**
 * How one module is built. The modules are built at the same time, since link-time optimisation and
 * wasm-opt use one thread each; so each has a target directory of its own, which cargo locks. No two
 * steps write to the same file.
 *
 * @param {string} feature
 * @param {{ wasm: string, instance: string, used: string[], rewrite?: (wasm: Buffer) => Buffer }} made
 * @returns {{ compile: string[], finish: Step[] }}
 */
function moduleOf(feature, { wasm, instance, used, rewrite = (bytes) => bytes }) {
  const target = inRoot('target', 'modules', feature)
  const compiled = join(target, 'wasm32-unknown-unknown', 'wasm-release', 'varve.wasm')
  const glue = inRoot('target', 'glue', feature)
  const raw = join(glue, 'varve_bg.wasm')
  return {
    compile: ['cargo', 'rustc', '--lib', '--crate-type', 'cdylib', '--locked', '--profile', 'wasm-release',
      '--target', 'wasm32-unknown-unknown', '--target-dir', target, '--no-default-features', '--features', feature,
      ...KEEP_NAMES, '--', ...IMPORT_MEMORY, ...SMALL],
    finish: [
      ['bindgen', compiled, glue, 'varve'],
      async () => {
        writeFileSync(raw, rewrite(readFileSync(raw)))
        // The last round, with what is known of all values, saves 1 kB with gzip.
        const optimise = ['-Os', ...OTHER_CONTROL_FLOW, '-Os', '--gufa', '-Os', ...LOW_MEMORY_UNUSED, ...WASM_FEATURES]
        const names = await command('wasm-opt', ...optimise, ...SHORT, raw, '-o', inRoot('pkg', wasm))
        const source = instanceSource(readFileSync(join(glue, 'varve_bg.js'), 'utf8'), readFileSync(inRoot('pkg', wasm)), namesOf(names), used)
        writeFileSync(inRoot('pkg', instance), source)
      }
    ]
  }
}

/** Parses the list of shortened names that wasm-opt prints. @param {string} output */
function namesOf(output) {
  const { imports, exports } = JSON.parse(output.slice(output.indexOf('{')))
  return {
    imports: new Map(imports.map(([, name, short]) => [name, short])),
    exports: new Map(exports)
  }
}

/** The exports of an instance that src/js uses. */
const USED = ['openDatabase', 'destroyDatabase']
const USED_FULL = [
  ...USED, 'repairDatabase', 'verifyDatabase', 'inspectTable', 'inspectLog', 'inspectManifest', 'inspectDirectory', 'openBlock', 'openRecord', 'openEdit', 'detectFile', 'guessKeys', 'explainKeys', 'rankKeys', 'keySuccessor', 'poolNames', 'rawGeneration',
  'chunkNames', 'chunkFileSize', 'endOfRecords', 'importZip', 'beginSha256', 'traceLookup', 'openFilters', 'blockHas', 'searchBlocks', 'salvageDatabase', 'openZip'
]

const MODULES = {
  full: moduleOf('full', { wasm: 'full.wasm', instance: 'instance-full.js', used: USED_FULL }),
  engine: moduleOf('wasm', { wasm: 'engine.wasm', instance: 'instance.js', used: USED, rewrite: panicsAsTraps })
}

/**
 * Whether these files of pkg/ exist and are newer than the Rust sources.
 * @param {...string} names
 */
export function isCurrent(...names) {
  const sources = readdirSync(inRoot('src'), { recursive: true }).filter((name) => name.endsWith('.rs')).map((name) => inRoot('src', name))
  const newest = Math.max(...[...sources, inRoot('Cargo.toml'), inRoot('Cargo.lock')].map((path) => statSync(path).mtimeMs))
  return names.every((name) => (statSync(inRoot('pkg', name), { throwIfNoEntry: false })?.mtimeMs ?? 0) >= newest)
}

/**
 * Builds pkg/; throws if a step fails.
 *
 * @param {{ forNode?: boolean }} [options] `forNode`: neither the lean module nor scripts for pages but the inspector
 */
export async function build({ forNode = false } = {}) {
  const modules = forNode ? [MODULES.full] : [MODULES.full, MODULES.engine]
  await setup(BEFORE_CARGO)
  rmSync(inRoot('pkg'), { recursive: true, force: true })
  mkdirSync(inRoot('pkg'))
  const ready = setup(AFTER_CARGO)
  await together(modules.map(async ({ compile, finish }) => {
    await Promise.all([ready, command(...compile)])
    await take(finish)
  }))
  if (!forNode) await buildForBrowsers()
  await buildInspector()
}

/** @param {Step[]} steps */
async function take(steps) {
  for (const step of steps) await (typeof step === 'function' ? step() : command(...step))
}

/** Runs a command and returns its output. @param {string} program @param {...string} args */
async function command(program, ...args) {
  const { ok, why, output } = await run(program, args, { quiet: args.includes('--minify-imports-and-exports-and-modules') })
  if (!ok) throw new Error(`${program}: ${why}`)
  return output
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await build()
    await printSizes()
    return 0
  })
}
