// Chooses the module of the engine: the platform's (full.wasm in Node, engine.wasm in a page),
// unless an entry of the package (full.js, inline.js) provides another.
import { ownModule } from '#wasm'
import { VarveError } from '../errors.js'

/** @typedef {typeof import('../../../pkg/instance-full.js').createInstance} CreateInstance */

/**
 * `MEMORY_PAGES_MIN` is the initial memory of an instance, in pages of 64 KiB.
 * @typedef {{ createInstance: CreateInstance, MEMORY_PAGES_MIN: number }} Glue
 */

/**
 * @typedef {object} EngineModule
 * @property {() => WebAssembly.Module | Promise<WebAssembly.Module>} load compiles it once
 * @property {() => Glue | Promise<Glue>} glue loads its bindings; a lean module lacks some exports:
 *   check isFull() first
 * @property {typeof import('./engine.js').Engine} [Engine] the class of its engines, if it is loaded
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

/** The class of engines, if the entry of the package has loaded it. */
export const loadedEngine = () => chosen.Engine

/**
 * Returns the compiled module and its bindings.
 * @returns {Promise<{ compiled: WebAssembly.Module } & Glue>}
 */
export async function loadModule() {
  try {
    const [compiled, { createInstance, MEMORY_PAGES_MIN }] = await Promise.all([chosen.load(), chosen.glue()])
    return { compiled, createInstance, MEMORY_PAGES_MIN }
  } catch (cause) {
    throw unavailable(cause)
  }
}

/** @param {any} cause any: whatever was thrown */
export const unavailable = (cause) => new VarveError(`The engine cannot be loaded: ${cause?.message ?? cause}`, { code: 'LEVEL_ENGINE_UNAVAILABLE', cause })
