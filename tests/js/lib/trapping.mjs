// Instances of the engine that trap when they are told to, and tell who still calls them afterwards.
//
// WebAssembly.Instance is replaced, so what is tested is the package as it is. A trap is thrown from an import: like the real one it
// ends all of the engine's frames in the middle of what they did. Real traps come from a memory that is overwritten.

const Native = WebAssembly.Instance

/** Instances made while it is there, and where they trap. */
export class Trapping {
  /** The last one made: all of them would be more memories than a process has room for. @type {Watched | undefined} */
  last
  /** Instances that have trapped. */
  trapped = 0
  /** Calls of instances that had trapped, and imports that returned to one. */
  callsOfDead = 0
  /** The instance that is to trap: of those that were closed, some are still given back. @type {Watched | undefined} */
  #armed
  /** Its crossings of the border that may pass before one traps. */
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

  /** The last instance traps at its `count`-th crossing from now on: into its code and out of it, into JavaScript and out of it. */
  arm(count) {
    this.#armed = this.last
    this.#left = count
    this.#counted = 0
  }

  /** The same of the instance that is made next. */
  armNext(count) {
    this.#next = count
  }

  /** No trap any more; how many crossings there were. */
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

  /** Ruins whatever the engine has in memory: its next call traps by itself. */
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
