// The module of the inspector, full.wasm, and its instances: one for each file that is read, so that none
// keeps another's memory.
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
    shared = undefined
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

/** Bytes of memory that the shared instance may have after a call. */
const SHARED_MEMORY_MAX = 64 << 20

/** @type {ReturnType<typeof newEngine> | undefined} */
let shared

/**
 * Calls functions that leave nothing in their instance, all in one: most take less time than its start.
 *
 * @template T
 * @param {(exports: Instance['exports']) => T} act
 */
export async function withInstance(act) {
  let own = shared ??= newEngine()
  try {
    let { exports, memory, trap } = await own
    if (trap !== undefined) {
      // Another call that waited for it has failed.
      own = shared = newEngine()
      ;({ exports, memory } = await own)
    }
    const answer = act(exports)
    if (memory.buffer.byteLength > SHARED_MEMORY_MAX && shared === own) shared = undefined
    return answer
  } catch (error) {
    // After a trap its memory cannot be trusted.
    if (shared === own) shared = undefined
    throw error
  }
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
