// The class of engines of this thread. It is loaded when the first one is opened: a page whose worker has
// the engine does without. varve/inline and varve/full have it, as service workers cannot load scripts later.
import { isServiceWorker } from '#place'
import { loadModule, loadedEngine, unavailable } from '../engine/module.js'
import { VarveError } from '../errors.js'

/** @returns {Promise<typeof import('../engine/engine.js').Engine>} */
export async function ownEngine() {
  const loaded = loadedEngine()
  if (loaded !== undefined) return loaded
  if (isServiceWorker()) throw new VarveError("In a service worker, import Varve from 'varve/inline' or 'varve/full'", { code: 'LEVEL_NOT_SUPPORTED' })
  // A failure is told by what opens the engine.
  loadModule().catch(() => {})
  try {
    return (await import('../engine/engine.js')).Engine
  } catch (cause) {
    throw unavailable(cause)
  }
}
