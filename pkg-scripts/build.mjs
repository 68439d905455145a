// npm run build: the two WebAssembly modules of the package, optimised, and the scripts that pages load, into pkg/ (not committed).
//
//   cargo -> bindgen (glue) -> wasm-opt -> pkg/
//
// It does its own set-up: programs that are missing are made while cargo compiles. `npm start` builds what Node needs, alone.
//
//   pkg/engine.wasm, instance.js        feature `wasm`: what a page needs to read and write a database
//   pkg/full.wasm, instance-full.js     feature `full`: the same with all other codecs, zip import, repair and the inspector
//   pkg/browser.js and others           src/js as pages load it: see lib/browser.mjs
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildForBrowsers } from './lib/browser.mjs'
import { instanceSource } from './lib/instance.mjs'
import { panicsAsTraps } from './lib/panics.mjs'
import { inRoot } from './lib/paths.mjs'
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

/** Functions keep their names for panicsAsTraps. */
const KEEP_NAMES = ['--config', 'profile.wasm-release.strip=false']

/** No address below 1,024 is used, since the stack is first in memory and grows down to it: more offsets are constants then. */
const LOW_MEMORY_UNUSED = ['--low-memory-unused']

/** The last step: no names of functions, and imports and exports of one letter. Prints what they are called now. */
const SHORT = ['--strip-debug', '--strip-producers', '--minify-imports-and-exports-and-modules']

/**
 * What LLVM does unasked at `opt-level = 2` that makes the engine larger and no faster (docs/design-notes.md, "The size of the module"):
 * inlining (its own threshold is 225), copies of a loop's body within the loop, copies of code so that a value need not be loaded again.
 */
const SMALL = [
  'inline-threshold=15', 'unroll-runtime=false', 'unroll-allow-partial=false', 'unroll-partial-threshold=0', 'enable-load-pre=false'
].flatMap((flag) => ['-C', `llvm-args=-${flag}`])

/** @typedef {string[] | (() => unknown)} Step a command, or a step of our own */

/**
 * How one module is made. Cargo compiles one after the other; each is finished meanwhile, since its link-time optimisation and wasm-opt
 * have one thread each. So no two write to one file.
 *
 * @param {string} feature
 * @param {{ wasm: string, instance: string, used: string[], rewrite?: (wasm: Buffer) => Buffer }} made
 * @returns {{ compile: Step, finish: Step[] }}
 */
function moduleOf(feature, { wasm, instance, used, rewrite = (bytes) => bytes }) {
  const compiled = inRoot('target', `${feature}.wasm`)
  const glue = inRoot('target', 'glue', feature)
  const raw = join(glue, 'varve_bg.wasm')
  return {
    compile: async () => {
      await command('cargo', 'rustc', '--lib', '--crate-type', 'cdylib', '--locked', '--profile', 'wasm-release',
        '--target', 'wasm32-unknown-unknown', '--target-dir', inRoot('target'), '--no-default-features', '--features', feature,
        ...KEEP_NAMES, '--', ...IMPORT_MEMORY, ...SMALL)
      copyFileSync(inRoot('target', 'wasm32-unknown-unknown', 'wasm-release', 'varve.wasm'), compiled)
    },
    finish: [
      ['bindgen', compiled, glue, 'varve'],
      async () => {
        writeFileSync(raw, rewrite(readFileSync(raw)))
        const optimise = ['-Os', ...OTHER_CONTROL_FLOW, '-Os', ...LOW_MEMORY_UNUSED, ...WASM_FEATURES]
        const names = await command('wasm-opt', ...optimise, ...SHORT, raw, '-o', inRoot('pkg', wasm))
        const source = instanceSource(readFileSync(join(glue, 'varve_bg.js'), 'utf8'), readFileSync(inRoot('pkg', wasm)), namesOf(names), used)
        writeFileSync(inRoot('pkg', instance), source)
      }
    ]
  }
}

/** What wasm-opt says of the names that it has shortened. @param {string} output */
function namesOf(output) {
  const { imports, exports } = JSON.parse(output.slice(output.indexOf('{')))
  return {
    imports: new Map(imports.map(([, name, short]) => [name, short])),
    exports: new Map(exports)
  }
}

/** What src/js uses of an instance. */
const USED = ['openDatabase', 'destroyDatabase']
const USED_FULL = [...USED, 'repairDatabase', 'verifyDatabase', 'inspectTable', 'importZip']

const MODULES = {
  full: moduleOf('full', { wasm: 'full.wasm', instance: 'instance-full.js', used: USED_FULL }),
  engine: moduleOf('wasm', { wasm: 'engine.wasm', instance: 'instance.js', used: USED, rewrite: panicsAsTraps })
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
 * @param {{ forNode?: boolean }} [options] only what src/js needs in Node: neither the lean module nor scripts for pages
 */
export async function build({ forNode = false } = {}) {
  const modules = forNode ? [MODULES.full] : [MODULES.full, MODULES.engine]
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
  for (const step of steps) await (typeof step === 'function' ? step() : command(...step))
}

/** Runs a command, and answers what it printed. @param {string} program @param {...string} args */
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
