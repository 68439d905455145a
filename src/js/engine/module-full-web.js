// The module of pages that import varve/full: full.wasm.
import { MEMORY_PAGES_MIN, createInstance } from '../../../pkg/instance-full.js'
import { fetchedOnce } from './compile-web.js'

/** @type {import('./module.js').EngineModule} */
export const fullModule = {
  load: fetchedOnce('full.wasm', () => ({ url: new URL('./full.wasm', import.meta.url), script: import.meta.url })),
  glue: () => ({ createInstance, MEMORY_PAGES_MIN }),
  isFull: true
}
