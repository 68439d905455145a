// Chooses the module of the engine: the platform's (full.wasm in Node, engine.wasm in a page),
// unless an entry of the package (full.js, inline.js) provides another.
import { ownModule } from '#wasm'
import { VarveError } from '../errors.js'

/** @typedef {typeof import('../../../pkg/instance-full.js').createInstance} CreateInstance */

/**
 * @typedef {object} EngineModule
 * @property {() => WebAssembly.Module | Promise<WebAssembly.Module>} load compiles it once
 * @property {CreateInstance} createInstance a lean module lacks some exports: check isFull() first
 * @property {number} pagesMin initial memory of an instance, in pages of 64 KiB
 * @property {boolean} isFull whether it has the other codecs, zip import, repair and the inspector
 */

/** @type {EngineModule} */
let chosen = ownModule

/** @param {EngineModule} module for every instance from now on */
export function provideModule(module) {
  chosen = module
}

/** Whether this program's module contains repair, zip import and the inspector. */
export const isFull = () => chosen.isFull

/**
 * Returns the compiled module.
 * @returns {Promise<{ compiled: WebAssembly.Module, createInstance: CreateInstance,
 *                     pagesMin: number }>}
 */
export async function loadModule() {
  const { load, createInstance, pagesMin } = chosen
  try {
    return { compiled: await load(), createInstance, pagesMin }
  } catch (/** @type {any} any: whatever was thrown */ cause) {
    throw new VarveError(`The engine cannot be loaded: ${cause?.message ?? cause}`, { code: 'LEVEL_ENGINE_UNAVAILABLE', cause })
  }
}
