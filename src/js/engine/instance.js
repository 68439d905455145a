// One instance of the engine with its own memory, until it traps. Databases have instances of their
// own, unless the process has no address space for another memory: then they share one.
import { loadModule } from './module.js'

/**
 * Default limit of the memory in bytes: the maximum of WebAssembly. Values of 256 MiB need 2.5 GiB.
 */
export const MEMORY_LIMIT = 2 ** 32

const PAGE_BYTES = 64 << 10

/** The instances that can be shared. @type {Set<WeakRef<Instance>>} */
const shareable = new Set()

/** After a failure, no other memory is tried for so many ms: the browser collects garbage each time. */
const FULL_MS = 10_000
/** Until when. */
let fullUntil = 0

/** Lets all databases of this thread that are opened from now on share an instance. */
export function shareInstances() {
  fullUntil = Infinity
}

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
  /** Called when it traps. @type {Set<(trap: Error) => void>} */
  #users = new Set()
  #memoryLimit

  /**
   * @param {Awaited<ReturnType<typeof loadModule>>} module
   * @param {number} memoryLimit in bytes
   */
  constructor({ compiled, createInstance, MEMORY_PAGES_MIN }, memoryLimit) {
    this.#memoryLimit = memoryLimit
    this.memory = newMemory(MEMORY_PAGES_MIN, Math.floor(memoryLimit / PAGE_BYTES))
    this.exports = createInstance(compiled, this.memory, (trap) => {
      this.trap = trap
      for (const reject of this.#waiters) reject(trap)
      this.#waiters.clear()
      // Called again if one of them threw: then for the others.
      for (const onTrap of this.#users) {
        onTrap(trap)
        this.#users.delete(onTrap)
      }
    })
  }

  /**
   * Returns a new instance, or a shared one if there is no address space for its memory: a process of
   * Chromium has room for about 125, whatever their limits.
   * @param {number} memoryLimit
   * @param {(trap: Error) => void} onTrap called inside the failed call; again if that threw
   */
  static async make(memoryLimit, onTrap) {
    const instance = Instance.#made(await loadModule(), memoryLimit)
    instance.join(onTrap)
    return instance
  }

  /** @param {Awaited<ReturnType<typeof loadModule>>} module @param {number} memoryLimit */
  static #made(module, memoryLimit) {
    const shared = performance.now() < fullUntil ? Instance.#roomiest(memoryLimit) : undefined
    if (shared !== undefined) return shared
    try {
      const instance = new Instance(module, memoryLimit)
      shareable.add(new WeakRef(instance))
      return instance
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (error.code !== 'limit-exceeded') throw error
      fullUntil = Math.max(fullUntil, performance.now() + FULL_MS)
      return Instance.#roomiest(memoryLimit) ?? fail(error)
    }
  }

  /** Returns the instance with the fewest users. @param {number} memoryLimit */
  static #roomiest(memoryLimit) {
    /** @type {Instance | undefined} */
    let best
    for (const known of shareable) {
      const instance = known.deref()
      if (instance === undefined || instance.trap !== undefined) shareable.delete(known)
      else if (instance.#memoryLimit >= memoryLimit && (best === undefined || instance.#users.size < best.#users.size)) best = instance
    }
    return best
  }

  /** Calls `onTrap` when the instance fails. @param {(trap: Error) => void} onTrap */
  join(onTrap) {
    this.#users.add(onTrap)
  }

  /** Ends what `join` began. @param {(trap: Error) => void} onTrap */
  leave(onTrap) {
    this.#users.delete(onTrap)
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

/** @param {unknown} error @returns {never} */
function fail(error) {
  throw error
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
