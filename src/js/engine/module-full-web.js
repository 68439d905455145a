// The module of pages that import varve/full: full.wasm.
import { fetchedOnce } from './compile-web.js'

/** @type {import('./module.js').EngineModule} */
export const fullModule = {
  load: fetchedOnce('full.wasm', () => ({ url: new URL('./full.wasm', import.meta.url), script: import.meta.url })),
  glue: () => import('../../../pkg/instance-full.js'),
  isFull: true
}
