// The default module of a page: engine.wasm.
import { MEMORY_PAGES_MIN, createInstance } from '../../../pkg/instance.js'
import { fetchedOnce } from './compile-web.js'

/** @type {import('./module.js').EngineModule} */
export const ownModule = {
  // Vite and webpack recognize exactly this expression; other bundlers leave it to the browser.
  load: fetchedOnce('engine.wasm', () => ({ url: new URL('./engine.wasm', import.meta.url), script: import.meta.url })),
  createInstance: /** @type {import('./module.js').CreateInstance} */ (createInstance),
  pagesMin: MEMORY_PAGES_MIN,
  isFull: false
}

/** Values do not share memory here, because it cannot be marked as untransferable. */
export const makeSlab = undefined
