// What a page runs unless it says otherwise: engine.wasm.
import { MEMORY_PAGES_MIN, createInstance } from '../../../pkg/instance.js'
import { fetchedOnce } from './compile-web.js'

/** @type {import('./module.js').EngineModule} */
export const ownModule = {
  // Vite and webpack look for an expression of exactly this form; others leave it to the browser.
  load: fetchedOnce('engine.wasm', () => ({ url: new URL('./engine.wasm', import.meta.url), script: import.meta.url })),
  createInstance: /** @type {import('./module.js').CreateInstance} */ (createInstance),
  pagesMin: MEMORY_PAGES_MIN,
  isFull: false
}

/** Nothing here keeps memory from being transferred, and so values do not share any. */
export const makeSlab = undefined
