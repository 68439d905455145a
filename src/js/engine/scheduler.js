// Schedules the caller, the engine's background work and other tasks on one thread.
import { inNextTurn, noteTurn } from './event-loop.js'

const SLICE_MS = 1
const SLICE_BYTES_MIN = 4 << 10
const SLICE_BYTES_MAX = 16 << 20
const TURN_MS = 2
/** While background work lags, it gets about a third of the time. */
const TURN_MS_BEHIND = 2
/**
 * Operations between readings of the clock (a power of two): a reading costs as much as an
 * operation.
 */
const CALLS_PER_LOOK = 16

/** Milliseconds without a write after which the engine may do maintenance. */
const QUIET_MS = 20

/** Where the storage is full, it is tried again after so many milliseconds; then after twice as many, up to the last. */
const RETRY_MS = 500
const RETRY_MS_MAX = 30_000

/**
 * Shares the thread between the caller, the engine's background work and other tasks.
 *
 * If the engine runs on this thread, a caller that awaits one operation after another never leaves
 * the microtask queue: no timer, socket or background work could run. So every few milliseconds one
 * operation waits for a turn of the event loop.
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
  /** Whether there was a write since the timer for maintenance last fired. */
  #written = false
  /** @type {any} any: timers have other types in browsers than in Node */
  #quietTimer
  /** The delay of that timer while the storage is full; otherwise 0. */
  #retryMs = 0
  /** @type {any} any: timers have other types in browsers than in Node */
  #timer
  /** @type {any} any: timers have other types in browsers than in Node */
  #immediate

  /** @param {import('./engine.js').Engine} engine */
  constructor(engine) {
    this.#engine = engine
    // Work left from before the database was closed.
    this.#plan()
    this.#awaitQuiet()
  }

  /** Called after an operation. Returns undefined, or a promise that the caller must await. */
  counted() {
    return (++this.#calls & (CALLS_PER_LOOK - 1)) === 0 ? this.due() : undefined
  }

  /** As above, after a write, which may cause background work. */
  wrote() {
    this.#written = true
    if (this.#quietTimer === undefined) this.#awaitQuiet()
    // What was deleted may have made room.
    else if (this.#retryMs > RETRY_MS) this.#awaitQuiet(RETRY_MS)
    this.#plan()
    return this.counted()
  }

  /**
   * As above, after an operation that can be long.
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

  /** Stops background work. */
  async stop() {
    this.#stopped = true
    this.#unplan()
    clearTimeout(this.#quietTimer)
    await this.#slice
  }

  /** Resumes background work after a close that failed or kept the engine. */
  restart() {
    this.#stopped = false
    this.#plan()
    this.#awaitQuiet()
  }

  /** @param {number} [retryMs] */
  #awaitQuiet(retryMs = 0) {
    clearTimeout(this.#quietTimer)
    this.#written = false
    this.#retryMs = retryMs
    this.#quietTimer = setTimeout(() => this.#lookForQuiet(), retryMs || QUIET_MS)
    this.#quietTimer.unref?.()
  }

  #lookForQuiet() {
    // Writes that are refused are no reason to wait.
    if (this.#planned || this.#slice !== null || (this.#written && this.#retryMs === 0)) return this.#awaitQuiet(this.#retryMs)
    this.#quietTimer = undefined
    try {
      // Work that is tried again may fail again.
      const lacked = this.#engine.lacksRoom()
      if (this.#engine.tidy()) this.#plan()
      if (lacked || this.#engine.lacksRoom()) this.#awaitQuiet(Math.min(Math.max(2 * this.#retryMs, RETRY_MS), RETRY_MS_MAX))
    } catch {
      // Ignore the error: a failed engine is replaced, and the next write checks again.
    }
  }

  #plan() {
    if (this.#planned || this.#slice !== null || this.#stopped || !this.#engine.hasBackgroundWork()) return
    this.#planned = true
    this.#dueAt = Math.min(this.#dueAt, performance.now() + TURN_MS_BEHIND)
    // Race an immediate and a timer: the immediate is early in a busy loop, but when unreferenced
    // it does not wake an idle one, as a timer does. Neither keeps the process alive.
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

  /** A turn that begins with background work. */
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
      // The engine reports the error to the next write; more work would only fail again.
      this.#retryLater()
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
      this.#retryLater()
    }
  }

  /** A full storage is tried again although nothing is written. */
  #retryLater() {
    if (this.#quietTimer === undefined && !this.#stopped && this.#engine.lacksRoom()) this.#awaitQuiet(RETRY_MS)
  }

  /**
   * Adjusts the slice by at most a factor of two, because one slice is a poor measurement, and the
   * time that it waited for the storage is not measured.
   * @param {number} elapsed
   * @param {boolean} whole
   */
  #calibrate(elapsed, whole) {
    const factor = Math.min(Math.max(SLICE_MS / Math.max(elapsed, 0.01), 0.5), 2)
    if (factor > 1 && !whole) return
    this.#sliceBytes = Math.min(Math.max(Math.round(this.#sliceBytes * factor), SLICE_BYTES_MIN), SLICE_BYTES_MAX)
  }
}
