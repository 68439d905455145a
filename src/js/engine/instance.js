// One instance of the engine with its own memory, until it traps.
import { loadModule } from './module.js'

/**
 * Default limit of the memory in bytes: the maximum of WebAssembly. Values of 256 MiB need 2.5 GiB.
 */
export const MEMORY_LIMIT = 2 ** 32

const PAGE_BYTES = 64 << 10

/**
 * A trap ends an instance: its promises are rejected, and it is not called again
 * (pkg-scripts/lib/instance.mjs).
 */
export class Instance {
  /** The trap, after which the instance cannot be used. @type {Error | undefined} */
  trap
  memory
  exports
  /** Functions that reject pending promises. @type {Set<(trap: Error) => void>} */
  #waiters = new Set()

  /**
   * @param {Awaited<ReturnType<typeof loadModule>>} module
   * @param {number} memoryLimit in bytes
   * @param {(trap: Error) => void} onTrap called inside the failed call; again if that threw
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
   * Returns a promise of the engine that rejects on a trap; the engine's own would never settle.
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
  } catch (/** @type {any} any: whatever was thrown */ cause) {
    throw Object.assign(new Error(`not enough memory to open another database: ${cause.message}`, { cause }), { code: 'limit-exceeded' })
  }
}

/** Returns the error of a write that was pending when the instance failed. @param {Error} trap */
export function unknownFate(trap) {
  return Object.assign(new Error(trap.message, { cause: trap.cause }), { code: 'poisoned', maybeApplied: true })
}
