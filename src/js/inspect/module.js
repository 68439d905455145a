// The module of the inspector, full.wasm, and its instances: one for each file, so that none keeps
// another's memory.
import { fullModule } from '#full'
import { compileAt } from '../engine/compile-web.js'
import { Instance } from '../engine/instance.js'
import { unavailable } from '../engine/module.js'
import { fromEngine } from '../errors.js'

/** Limit of the memory of one instance. */
const MEMORY_MAX = 1 << 30

/** @type {(() => WebAssembly.Module | Promise<WebAssembly.Module>) | undefined} */
let given

/**
 * @param {URL | string | BufferSource | WebAssembly.Module} module
 * @returns {Promise<void>}
 */
export async function load(module) {
  try {
    const compiled = await compiledOf(module)
    given = () => compiled
  } catch (cause) {
    throw unavailable(cause)
  }
}

/** @param {URL | string | BufferSource | WebAssembly.Module} module */
function compiledOf(module) {
  if (module instanceof WebAssembly.Module) return module
  if (typeof module === 'string' || module instanceof URL) return compileAt(module)
  return WebAssembly.compile(module)
}

/**
 * The functions of a new instance.
 * @returns {Promise<Instance['exports']>}
 */
export async function newInstance() {
  return (await newEngine()).exports
}

/** A new instance, and its memory. */
export async function newEngine() {
  let module
  try {
    const [compiled, glue] = await Promise.all([(given ?? fullModule.load)(), fullModule.glue()])
    module = { compiled, ...glue }
  } catch (cause) {
    throw unavailable(cause)
  }
  try {
    return new Instance(module, MEMORY_MAX)
  } catch (error) {
    throw fromEngine(error)
  }
}
