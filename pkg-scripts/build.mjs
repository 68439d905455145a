// npm run build: the default WebAssembly build of the engine with its thin border, optimised, into pkg/ (not committed).
//
//   cargo -> bindgen (glue and types) -> wasm-opt -> pkg/
//
// The package's engine is made smaller on the way: see lib/panics.mjs before wasm-opt, lib/order.mjs and lib/imports.mjs after it.
//
//   pkg/varve.js, varve_bg.wasm     the smallest border: class Engine over the storage in memory (feature `wasm`)
//   pkg/instance.js, engine.wasm    what src/js speaks to (feature `package`): as many instances as there are databases
//   pkg/browser.js and others       src/js as pages load it: see lib/browser.mjs
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildForBrowsers } from './lib/browser.mjs'
import { withShortImports } from './lib/imports.mjs'
import { instanceSource } from './lib/instance.mjs'
import { namedForOrder } from './lib/order.mjs'
import { panicsAsTraps } from './lib/panics.mjs'
import { inRoot, wasmFile } from './lib/paths.mjs'
import { run } from './lib/run.mjs'
import { main, setup } from './setup.mjs'
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

/** One of the two builds, up to its glue in `folder`. */
const compile = (profile, feature, folder, { cargo = [], rustc = [], bindgen }) => [
  ['cargo', 'rustc', '--lib', '--crate-type', 'cdylib', '--locked', '--profile', profile, '--target', 'wasm32-unknown-unknown',
    '--target-dir', inRoot('target'), '--no-default-features', '--features', feature, ...cargo, '--', ...rustc],
  ['bindgen', ...bindgen, inRoot('target', 'wasm32-unknown-unknown', profile, 'varve.wasm'), folder, 'varve']
]
const wasmOpt = (from, to, ...options) => ['wasm-opt', ...options, ...WASM_FEATURES, from, '-o', to]

/** A step of our own: what `change` makes of a file takes its place. */
const rewrite = (file, change) => () => writeFileSync(file, change(readFileSync(file)))

/** Builds pkg/ anew; throws when a step fails. */
export async function build() {
  const glue = inRoot('target', 'glue')
  const raw = join(glue, 'varve_bg.wasm')
  const engine = inRoot('pkg', 'engine.wasm')
  const steps = [
    ...compile('wasm-release', 'wasm', inRoot('pkg'), { bindgen: ['--web'] }),
    wasmOpt(wasmFile, wasmFile, '-O3', ...WITHOUT_NAMES),
    ...compile('package-release', 'package', glue, {
      cargo: KEEP_NAMES,
      rustc: [...IMPORT_MEMORY, ...SMALL],
      bindgen: []
    }),
    rewrite(raw, panicsAsTraps),
    wasmOpt(raw, raw, '-Os', ...OTHER_CONTROL_FLOW, '-Os', '--debuginfo', ...LOW_MEMORY_UNUSED),
    rewrite(raw, namedForOrder),
    wasmOpt(raw, engine, '--reorder-functions-by-name', ...WITHOUT_NAMES)
  ]
  rmSync(inRoot('pkg'), { recursive: true, force: true })
  for (const step of steps) {
    if (typeof step === 'function') {
      step()
      continue
    }
    const [command, ...args] = step
    const { ok, why } = await run(command, args)
    if (!ok) throw new Error(`${command}: ${why}`)
  }
  const { wasm, names } = withShortImports(readFileSync(engine))
  writeFileSync(engine, wasm)
  const instance = instanceSource(readFileSync(join(glue, 'varve_bg.js'), 'utf8'), { wasm, names }, USED)
  writeFileSync(inRoot('pkg', 'instance.js'), instance)
  await buildForBrowsers()
}

/** What src/js uses of an instance. */
const USED = ['openDatabase', 'destroyDatabase', 'repairDatabase', 'verifyDatabase', 'inspectTable', 'importZip']

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await setup(['rust', 'linker', 'target', 'bindgen', 'packages'])
    await build()
    await printSizes()
    return 0
  })
}
