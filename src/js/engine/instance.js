// One instance of the engine, with a memory of its own, for as long as it is sound.
import { loadModule } from './module.js'

/** What memory may grow to where the caller has not said, in bytes: all that WebAssembly has. Values of 256 MiB need 2.5 GiB of it. */
export const MEMORY_LIMIT = 2 ** 32

const PAGE_BYTES = 64 << 10

/** A trap ends an instance: what it had promised is rejected, and nothing reaches it any more (pkg-scripts/lib/instance.mjs). */
export class Instance {
  /** Why it is of no more use. @type {Error | undefined} */
  trap
  memory
  exports
  /** What rejects those who wait for it. @type {Set<(trap: Error) => void>} */
  #waiters = new Set()

  /**
   * @param {Awaited<ReturnType<loadModule>>} module
   * @param {number} memoryLimit in bytes
   * @param {(trap: Error) => void} onTrap called in the middle of what failed; again if that threw
   */
  constructor({ compiled, createInstance, pagesMin }, memoryLimit, onTrap) {
    this.memory = newMemory(pagesMin, Math.floor(memoryLimit / PAGE_BYTES))
    this.exports = createInstance(compiled, this.memory, (trap) => {
      this.trap = trap
      for (const reject of this.#waiters) reject(trap)
      this.#waiters.clear()
      onTrap(trap)
    })
  }

  /**
   * @param {number} memoryLimit
   * @param {(trap: Error) => void} onTrap
   */
  static async make(memoryLimit, onTrap) {
    return new Instance(await loadModule(), memoryLimit, onTrap)
  }

  /**
   * A promise of the engine's, which alone would never settle after a trap.
   * @template T
   * @param {T | Promise<T>} answer
   * @param {boolean} [isWrite]
   * @returns {Promise<T>}
   */
  settled(answer, isWrite = false) {
    return new Promise((resolve, reject) => {
      if (this.trap !== undefined) return reject(isWrite ? unknownFate(this.trap) : this.trap)
      /** @param {Error} trap */
      const waiter = (trap) => reject(isWrite ? unknownFate(trap) : trap)
      this.#waiters.add(waiter)
      Promise.resolve(answer).then(
        (value) => { this.#waiters.delete(waiter); resolve(value) },
        (error) => { this.#waiters.delete(waiter); reject(error?.cause?.code === 'closed' ? error.cause : error) }
      )
    })
  }
}

/** @param {number} initial in pages @param {number} maximum in pages */
function newMemory(initial, maximum) {
  try {
    return new WebAssembly.Memory({ initial, maximum })
  } catch (/** @type {any} */ cause) {
    throw Object.assign(new Error(`no memory for another database: ${cause.message}`, { cause }), { code: 'limit-exceeded' })
  }
}

/** The error of a write that was on its way when the instance failed. @param {Error} trap */
export function unknownFate(trap) {
  return Object.assign(new Error(trap.message, { cause: trap.cause }), { code: 'poisoned', maybeApplied: true })
}
