// npm run build: the default WebAssembly build of the engine with its thin border, optimised, into pkg/ (not committed).
//
//   cargo -> wasm-bindgen (glue and types) -> wasm-opt -> pkg/
//
//   pkg/varve.js, varve_bg.wasm     the smallest border: class Engine over the storage in memory (feature `wasm`)
//   pkg/instance.js, engine.wasm    what src/js speaks to (feature `package`): as many instances as there are databases
//   pkg/browser.js and others       src/js as pages load it: see lib/browser.mjs
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildForBrowsers } from './lib/browser.mjs'
import { instanceSource } from './lib/instance.mjs'
import { inRoot, wasmFile } from './lib/paths.mjs'
import { run } from './lib/run.mjs'
import { main, setup } from './setup.mjs'
import { printSizes } from './size.mjs'

// What rustc uses by default for this target, and every browser since 2023 has; nothing newer may be brought in here.
const WASM_FEATURES = ['--mvp-features', '--enable-bulk-memory', '--enable-sign-ext', '--enable-mutable-globals',
  '--enable-nontrapping-float-to-int', '--enable-reference-types', '--enable-multivalue']

/** Memory is the caller's to make: so it has a limit, and an instance that failed leaves none behind. */
const IMPORT_MEMORY = ['-C', 'link-arg=--import-memory']

/** What LLVM inlines without being told to makes the engine a tenth larger and no faster: measured from 0 to its own 225. */
const INLINE_LESS = ['-C', 'llvm-args=-inline-threshold=15']

/** One of the two builds, up to its glue in `folder`. */
const compile = (profile, feature, folder, { rustc = [], bindgen }) => [
  ['cargo', 'rustc', '--lib', '--crate-type', 'cdylib', '--locked', '--profile', profile, '--target', 'wasm32-unknown-unknown',
    '--target-dir', inRoot('target'), '--no-default-features', '--features', feature, '--', ...rustc],
  ['wasm-bindgen', ...bindgen, '--out-dir', folder, '--out-name', 'varve',
    inRoot('target', 'wasm32-unknown-unknown', profile, 'varve.wasm')]
]
const optimise = (from, to) => ['wasm-opt', '-O3', '--strip-debug', '--strip-producers', ...WASM_FEATURES, from, '-o', to]

/** Builds pkg/ anew; throws when a step fails. */
export async function build() {
  const glue = inRoot('target', 'glue')
  const steps = [
    ...compile('wasm-release', 'wasm', inRoot('pkg'), { bindgen: ['--target', 'web'] }),
    optimise(wasmFile, wasmFile),
    ...compile('package-release', 'package', glue, { rustc: [...IMPORT_MEMORY, ...INLINE_LESS], bindgen: ['--target', 'bundler', '--no-typescript'] }),
    optimise(join(glue, 'varve_bg.wasm'), inRoot('pkg', 'engine.wasm'))
  ]
  rmSync(inRoot('pkg'), { recursive: true, force: true })
  for (const [command, ...args] of steps) {
    const { ok, why } = await run(command, args)
    if (!ok) throw new Error(`${command}: ${why}`)
  }
  const instance = instanceSource(readFileSync(join(glue, 'varve_bg.js'), 'utf8'), readFileSync(inRoot('pkg', 'engine.wasm')), USED)
  writeFileSync(inRoot('pkg', 'instance.js'), instance)
  await buildForBrowsers()
}

/** What src/js uses of an instance. */
const USED = ['openDatabase', 'destroyDatabase', 'repairDatabase', 'inspectTable', 'importZip']

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await setup(['rust', 'compiler', 'target', 'tools', 'packages'])
    await build()
    await printSizes()
    return 0
  })
}
