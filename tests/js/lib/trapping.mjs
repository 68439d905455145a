// Makes instances of the engine trap on request, and records calls of failed instances.
//
// WebAssembly.Instance is replaced, so the package itself is unchanged. A trap is thrown from an
// import: like a real one, it ends all frames of the engine. Real traps are caused by overwriting
// the memory.

const Native = WebAssembly.Instance

/** Replaces WebAssembly.Instance, and controls where instances trap. */
export class Trapping {
  /** The last instance; keeping all would need too much memory. @type {Watched | undefined} */
  last
  /** The number of instances that have trapped. */
  trapped = 0
  /** Calls of failed instances, and imports that returned to one. */
  callsOfDead = 0
  /**
   * The instance that shall trap; finalizers may still call closed ones.
   * @type {Watched | undefined}
   */
  #armed
  /** The number of border crossings until it traps. */
  #left = Infinity
  #counted = 0
  /** @type {number | undefined} */
  #next

  constructor() {
    const trapping = this
    WebAssembly.Instance = /** @type {any} */ (function (module, imports) {
      const watched = new Watched(module, imports, () => trapping.#cross(watched), trapping)
      trapping.last = watched
      if (trapping.#next !== undefined) trapping.arm(trapping.#next)
      trapping.#next = undefined
      return { exports: watched.exports }
    })
  }

  restore() {
    WebAssembly.Instance = Native
  }

  /**
   * Makes the last instance trap at its `count`-th crossing: a call or return, of an export or
   * import.
   */
  arm(count) {
    this.#armed = this.last
    this.#left = count
    this.#counted = 0
  }

  /** The same for the next instance. */
  armNext(count) {
    this.#next = count
  }

  /** Turns traps off; returns the number of crossings. */
  disarm() {
    this.#armed = undefined
    return this.#counted
  }

  #cross(watched) {
    if (watched !== this.#armed) return
    this.#counted++
    if (--this.#left === 0) throw new WebAssembly.RuntimeError('unreachable (injected)')
  }
}

class Watched {
  dead = false
  memory
  exports = {}

  #counts

  constructor(module, imports, cross, counts) {
    this.#counts = counts
    const own = {}
    for (const [from, functions] of Object.entries(imports)) {
      own[from] = {}
      for (const [name, value] of Object.entries(functions)) {
        if (value instanceof WebAssembly.Memory) this.memory = value
        own[from][name] = typeof value === 'function' ? this.#imported(value, cross) : value
      }
    }
    for (const [name, value] of Object.entries(new Native(module, own).exports)) {
      this.exports[name] = typeof value === 'function' ? this.#exported(value, cross) : value
    }
  }

  /** Overwrites the engine's memory, so that its next call traps. */
  ruin() {
    new Uint8Array(this.memory.buffer).fill(0xff)
  }

  #exported(call, cross) {
    return (...args) => {
      if (this.dead) this.#counts.callsOfDead++
      try {
        cross()
        const answer = call(...args)
        cross()
        return answer
      } catch (error) {
        if (!this.dead) this.#counts.trapped++
        this.dead = true
        throw error
      }
    }
  }

  #imported(call, cross) {
    return (...args) => {
      cross()
      const answer = call(...args)
      if (this.dead) this.#counts.callsOfDead++
      cross()
      return answer
    }
  }
}
