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
import { inRoot, wasmFile } from './lib/paths.mjs'
import { run } from './lib/run.mjs'
import { main, setup } from './setup.mjs'
import { printSizes } from './size.mjs'

// What rustc uses by default for this target, and every browser since 2023 has; nothing newer may be brought in here.
const WASM_FEATURES = ['--mvp-features', '--enable-bulk-memory', '--enable-sign-ext', '--enable-mutable-globals',
  '--enable-nontrapping-float-to-int', '--enable-reference-types', '--enable-multivalue']

/** One of the two builds, up to its glue in `folder`. */
const compile = (profile, feature, folder, ...bindgen) => [
  ['cargo', 'build', '--lib', '--locked', '--profile', profile, '--target', 'wasm32-unknown-unknown',
    '--target-dir', inRoot('target'), '--no-default-features', '--features', feature],
  ['wasm-bindgen', ...bindgen, '--out-dir', folder, '--out-name', 'varve',
    inRoot('target', 'wasm32-unknown-unknown', profile, 'varve.wasm')]
]
const optimise = (from, to) => ['wasm-opt', '-O3', '--strip-debug', '--strip-producers', ...WASM_FEATURES, from, '-o', to]

/** Builds pkg/ anew; throws when a step fails. */
export async function build() {
  const glue = inRoot('target', 'glue')
  const steps = [
    ...compile('wasm-release', 'wasm', inRoot('pkg'), '--target', 'web'),
    optimise(wasmFile, wasmFile),
    ...compile('package-release', 'package', glue, '--target', 'bundler', '--no-typescript'),
    optimise(join(glue, 'varve_bg.wasm'), inRoot('pkg', 'engine.wasm'))
  ]
  rmSync(inRoot('pkg'), { recursive: true, force: true })
  for (const [command, ...args] of steps) {
    const { ok, why } = await run(command, args)
    if (!ok) throw new Error(`${command}: ${why}`)
  }
  writeFileSync(inRoot('pkg', 'instance.js'), asFunction(readFileSync(join(glue, 'varve_bg.js'), 'utf8')))
  await buildForBrowsers()
}

/** What src/js uses of an instance. */
const USED = ['openDatabase', 'destroyDatabase', 'repairDatabase', 'inspectTable', 'importZip']

/**
 * wasm-bindgen's glue keeps its instance in variables of its module, so a program could have one. As the body of a function it can
 * have any number, and one that trapped can be replaced.
 */
function asFunction(glue) {
  const shims = [...glue.matchAll(/^export function (__wb\w+)/gm)].map(([, name]) => name).filter((name) => name !== '__wbg_set_wasm')
  for (const name of USED) {
    if (!glue.includes(`export function ${name}(`)) throw new Error(`the glue does not export ${name}`)
  }
  return `// @ts-nocheck
// Made by pkg-scripts/build.mjs of wasm-bindgen's glue.
/**
 * A fresh instance of the engine.
 * @param {WebAssembly.Module} module engine.wasm, compiled
 */
export function createInstance(module) {
${glue.replace(/^export (?=class|function)/gm, '')}
  const { exports } = new WebAssembly.Instance(module, { './varve_bg.js': { ${shims.join(', ')} } })
  __wbg_set_wasm(exports)
  exports.__wbindgen_start()
  return { memory: exports.memory, ${USED.join(', ')} }
}
`
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await setup(['rust', 'compiler', 'target', 'tools', 'packages'])
    await build()
    await printSizes()
    return 0
  })
}
