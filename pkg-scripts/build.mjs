// npm run build: the default WebAssembly build of the engine with its thin border, optimised, into pkg/ (not committed).
//
//   cargo (profile wasm-release) -> wasm-bindgen (glue and types, --target web) -> wasm-opt -> pkg/
import { rmSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { inRoot, wasmFile } from './lib/paths.mjs'
import { run } from './lib/run.mjs'
import { main, setup } from './setup.mjs'
import { printSizes } from './size.mjs'

// What rustc uses by default for this target, and every browser since 2023 has; nothing newer may be brought in here.
const WASM_FEATURES = ['--mvp-features', '--enable-bulk-memory', '--enable-sign-ext', '--enable-mutable-globals',
  '--enable-nontrapping-float-to-int', '--enable-reference-types', '--enable-multivalue']

/** Builds pkg/ anew; throws when a step fails. */
export async function build() {
  const steps = [
    ['cargo', 'build', '--lib', '--locked', '--profile', 'wasm-release', '--target', 'wasm32-unknown-unknown',
      '--target-dir', inRoot('target'), '--no-default-features', '--features', 'wasm'],
    ['wasm-bindgen', '--target', 'web', '--out-dir', inRoot('pkg'), '--out-name', 'varve',
      inRoot('target', 'wasm32-unknown-unknown', 'wasm-release', 'varve.wasm')],
    ['wasm-opt', '-O3', '--strip-debug', '--strip-producers', ...WASM_FEATURES, wasmFile, '-o', wasmFile]
  ]
  rmSync(inRoot('pkg'), { recursive: true, force: true })
  for (const [command, ...args] of steps) {
    const { ok, why } = await run(command, args)
    if (!ok) throw new Error(`${command}: ${why}`)
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await setup(['rust', 'compiler', 'target', 'tools', 'packages'])
    await build()
    printSizes()
    return 0
  })
}
