// varve/inline: includes engine.wasm, for programs in one file and for bundlers that do not handle
// `new URL('./engine.wasm', import.meta.url)`. The import also provides the module for `varve`.
import { packed } from '../../pkg/engine-inline.js'
import { MEMORY_PAGES_MIN, createInstance } from '../../pkg/instance.js'
import { Engine } from './engine/engine.js'
import { provideModule } from './engine/module.js'

export * from './index.js'

/** @type {Promise<WebAssembly.Module> | undefined} */
let module

provideModule({
  load: () => (module ??= compile().catch((error) => { module = undefined; throw error })),
  glue: () => /** @type {import('./engine/module.js').Glue} */ ({ createInstance, MEMORY_PAGES_MIN }),
  isFull: false,
  Engine
})

async function compile() {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0))
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return WebAssembly.compile(await new Response(unpacked).arrayBuffer())
}
