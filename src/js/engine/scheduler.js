// Whose turn it is: the caller's, the engine's background work, or everybody else's.
import { inNextTurn, noteTurn } from './event-loop.js'

const SLICE_MS = 1
const SLICE_BYTES_MIN = 4 << 10
const SLICE_BYTES_MAX = 16 << 20
const TURN_MS = 2
/** While the engine is behind, it gets about a third of the time. */
const TURN_MS_BEHIND = 2
/** The clock is read every so many operations (a power of two): it costs as much as one of them. */
const CALLS_PER_LOOK = 16

/** Without a write for so long the engine may tidy up. */
const QUIET_MS = 20

/**
 * Shares the thread between the caller, the engine's background work and everybody else.
 *
 * Where the engine answers in place, a caller that awaits one operation after another never leaves the microtask queue: no
 * timer, no socket and no background work would have its turn. So every few milliseconds one operation waits for a turn.
 */
export class Turns {
  #engine
  #calls = 0
  #dueAt = performance.now() + TURN_MS
  /** @type {Promise<void> | null} the turn that operations wait for */
  #turn = null
  #sliceBytes = 64 << 10
  /** @type {Promise<void> | null} */
  #slice = null
  #planned = false
  #stopped = false
  /** Since the last look of the timer for quiet times, which runs while there is something to look for. */
  #written = false
  /** @type {any} */
  #quietTimer
  /** @type {any} */
  #timer
  /** @type {any} */
  #immediate

  /** @param {import('./engine.js').Engine} engine */
  constructor(engine) {
    this.#engine = engine
    // What was left undone when the database was closed.
    this.#plan()
    this.#awaitQuiet()
  }

  /** After an operation: nothing, or what its caller must wait for. */
  counted() {
    return (++this.#calls & (CALLS_PER_LOOK - 1)) === 0 ? this.due() : undefined
  }

  /** The same after a write, which may have made work. */
  wrote() {
    this.#written = true
    if (this.#quietTimer === undefined) this.#awaitQuiet()
    this.#plan()
    return this.counted()
  }

  /**
   * The same after an operation that can be long.
   * @returns {undefined | Promise<void>}
   */
  due() {
    if (this.#turn !== null) return this.#turn
    if (performance.now() < this.#dueAt) return undefined
    this.#turn = new Promise((resolve) => inNextTurn(() => {
      this.#turn = null
      noteTurn()
      if (this.#planned) this.#run()
      this.#dueAt = performance.now() + (this.#planned ? TURN_MS_BEHIND : TURN_MS)
      resolve()
    }))
    return this.#turn
  }

  /** No slice runs after this. */
  async stop() {
    this.#stopped = true
    this.#unplan()
    clearTimeout(this.#quietTimer)
    await this.#slice
  }

  /** After a close that failed, or that kept the engine. */
  restart() {
    this.#stopped = false
    this.#plan()
    this.#awaitQuiet()
  }

  #awaitQuiet() {
    this.#written = false
    this.#quietTimer = setTimeout(() => this.#lookForQuiet(), QUIET_MS)
    this.#quietTimer.unref?.()
  }

  #lookForQuiet() {
    if (this.#written || this.#planned || this.#slice !== null) return this.#awaitQuiet()
    this.#quietTimer = undefined
    try {
      if (this.#engine.tidy()) this.#plan()
    } catch {
      // Nobody waits for this: an engine that failed is replaced, and a later write looks again.
    }
  }

  #plan() {
    if (this.#planned || this.#slice !== null || this.#stopped || !this.#engine.hasBackgroundWork()) return
    this.#planned = true
    this.#dueAt = Math.min(this.#dueAt, performance.now() + TURN_MS_BEHIND)
    // Two ways, the first wins: an immediate is early in a busy loop, but an unreferenced one sleeps with an idle loop,
    // which a timer wakes. Neither keeps the process alive.
    this.#timer = setTimeout(() => this.#runFirst(), 1)
    this.#timer.unref?.()
    if (typeof setImmediate !== 'function') return
    this.#immediate = setImmediate(() => this.#runFirst())
    this.#immediate.unref?.()
  }

  #unplan() {
    this.#planned = false
    clearTimeout(this.#timer)
    if (this.#immediate !== undefined) clearImmediate(this.#immediate)
    this.#timer = this.#immediate = undefined
  }

  /** A turn that begins with a slice. */
  #runFirst() {
    noteTurn()
    this.#run()
  }

  #run() {
    this.#unplan()
    if (this.#stopped || this.#slice !== null) return
    const start = performance.now()
    try {
      const more = this.#engine.background(this.#sliceBytes)
      this.#calibrate(performance.now() - start, !(more instanceof Promise))
      if (more instanceof Promise) this.#slice = this.#sliced(more)
      else this.#plan()
    } catch {
      // The engine remembers what went wrong and says so to the next write; more slices would only fail again.
    }
  }

  /** @param {Promise<boolean>} more */
  async #sliced(more) {
    try {
      await more
      this.#slice = null
      this.#plan()
    } catch {
      // As above.
      this.#slice = null
    }
  }

  /**
   * At most a factor of two at once: one slice is no measurement. Of one that waited only the computing part was seen.
   * @param {number} elapsed
   * @param {boolean} whole
   */
  #calibrate(elapsed, whole) {
    const factor = Math.min(Math.max(SLICE_MS / Math.max(elapsed, 0.01), 0.5), 2)
    if (factor > 1 && !whole) return
    this.#sliceBytes = Math.min(Math.max(Math.round(this.#sliceBytes * factor), SLICE_BYTES_MIN), SLICE_BYTES_MAX)
  }
}
