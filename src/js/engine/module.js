// Which module of the engine this program runs, and where it comes from: the platform's own (full.wasm in Node, engine.wasm in a
// page), unless an entry of the package (full.js, inline.js) provides another.
import { ownModule } from '#wasm'
import { VarveError } from '../errors.js'

/**
 * @typedef {object} EngineModule
 * @property {() => WebAssembly.Module | Promise<WebAssembly.Module>} load compiles it once and remembers it
 * @property {typeof import('../../../pkg/instance-full.js').createInstance} createInstance
 * @property {number} pagesMin 64 KiB each: what the memory of an instance begins with
 * @property {boolean} isFull whether it has the other codecs, zip import, repair and the inspector
 */

/** @type {EngineModule} */
let chosen = ownModule

/** @param {EngineModule} module for every instance from now on */
export function provideModule(module) {
  chosen = module
}

/** Whether repair, zip import and the inspector are in this program's module. */
export const isFull = () => chosen.isFull

/**
 * The module to make an instance of.
 * @returns {Promise<{ compiled: WebAssembly.Module, createInstance: EngineModule['createInstance'], pagesMin: number }>}
 */
export async function loadModule() {
  const { load, createInstance, pagesMin } = chosen
  try {
    return { compiled: await load(), createInstance, pagesMin }
  } catch (/** @type {any} */ cause) {
    throw new VarveError(`The engine cannot be loaded: ${cause?.message ?? cause}`, { code: 'LEVEL_ENGINE_UNAVAILABLE', cause })
  }
}
