// Where the engine's module comes from: the file engine.wasm, unless an entry of the package (inline.js) brings it along.
import { loadModule as loadFile } from '#wasm'
import { VarveError } from '../errors.js'

/** @typedef {() => WebAssembly.Module | Promise<WebAssembly.Module>} Loader */

/** @type {Loader} */
let load = loadFile

/** @param {Loader} loader compiles the module once and remembers it */
export function provideModule(loader) {
  load = loader
}

/** @returns {WebAssembly.Module | Promise<WebAssembly.Module>} */
export function loadModule() {
  try {
    const module = load()
    return module instanceof Promise ? module.catch(fail) : module
  } catch (error) {
    return fail(error)
  }
}

/**
 * @param {any} cause
 * @returns {never}
 */
function fail(cause) {
  throw new VarveError(`The engine cannot be loaded: ${cause?.message ?? cause}`, { code: 'LEVEL_ENGINE_UNAVAILABLE', cause })
}
