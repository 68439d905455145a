// The default module of a page: engine.wasm.
import { fetchedOnce } from './compile-web.js'

/** @type {import('./module.js').EngineModule} */
export const ownModule = {
  // Vite and webpack recognize exactly this expression; other bundlers leave it to the browser.
  load: fetchedOnce('engine.wasm', () => ({ url: new URL('./engine.wasm', import.meta.url), script: import.meta.url })),
  glue: async () => /** @type {import('./module.js').Glue} */ (await import('../../../pkg/instance.js')),
  isFull: false
}

/** Values do not share memory here, because it cannot be marked as untransferable. */
export const makeSlab = undefined
