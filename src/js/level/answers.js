// Resolves calls in the order in which they were made, when the engine runs on this thread.
//
//   get ------> executed -> result
//   all ------> executed -> result, some microtasks later than that of get ---.
//   put, get -> executed -> wait ---------------------------------------------+-> result
//
// A call is executed when it is made, so calls see one another's effects in order. Only its result
// may have to wait: for a turn of the event loop that is due, or for an earlier result that needs
// more microtasks to reach its caller. Then every later result waits too, so that no caller sees a
// newer state before another sees an older one.

/**
 * The largest number of microtasks a call of abstract-level takes, such as all() of an iterator
 * created before a sublevel is open.
 */
export const ROUNDS = 32

/** The same for a call that had to wait, which uses one more promise. */
const LATE_ROUNDS = 3

/** Its then() schedules a microtask, as queueMicrotask does at several times the cost in Node. */
const READY = Promise.resolve()

/**
 * any: the result of any call.
 * @typedef {{ resolve: (value: any) => void, value: any, rounds: number,
 *             next: Waiting | null }} Waiting
 */

/**
 * 1. While #turn is set or #rounds remain, no result is returned.
 * 2. #isHeld is true exactly while (1) holds or a result waits.
 */
export class Answers {
  #turns
  #isHeld = false
  /** A turn of the event loop that is due. @type {Promise<void> | undefined} */
  #turn
  /** Microtasks until the last result has certainly reached its caller. */
  #rounds = 0
  /** @type {Waiting | null} */
  #first = null
  /** @type {Waiting | null} */
  #last = null
  #isWrapped = false
  #round = () => {
    if (--this.#rounds > 0) READY.then(this.#round)
    else this.#letGo()
  }
  #turned = () => {
    this.#turn = undefined
    this.#letGo()
  }

  /** @param {import('../engine/scheduler.js').Turns} turns */
  constructor(turns) {
    this.#turns = turns
  }

  /** Extra microtasks of the current call's result, if it is part of another call. */
  get rounds() {
    return this.#isWrapped ? ROUNDS : 0
  }

  /**
   * Makes a call whose result passes through more promises than usual.
   * @template T
   * @param {() => T} call
   * @returns {T}
   */
  wrapped(call) {
    const before = this.#isWrapped
    this.#isWrapped = true
    try {
      return call()
    } finally {
      this.#isWrapped = before
    }
  }

  /**
   * Returns the result of a short call: `value` itself if nothing has to wait.
   * @param {any} value any: the result of any call
   * @param {number} [rounds] that the answer takes if it must wait
   */
  short(value, rounds = 0) {
    const turn = this.#turns.counted()
    if (!this.#isHeld && turn === undefined && !this.#isWrapped) return value
    return this.#inOrder(value, turn, this.#isWrapped ? ROUNDS : rounds)
  }

  /**
   * As `short`, for a call that can be long.
   * @param {any} value any: the result of any call
   * @param {number} [rounds] that the answer takes
   */
  long(value, rounds = 0) {
    return this.#inOrder(value, this.#turns.due(), this.#isWrapped ? ROUNDS : rounds)
  }

  /**
   * As `short`, for a call that had to wait, so that other tasks ran meanwhile.
   * @param {any} value any: the result of any call
   * @param {number} [rounds]
   */
  late(value, rounds = 0) {
    return this.#inOrder(value, undefined, this.#isHeld ? Math.max(rounds, LATE_ROUNDS) : rounds)
  }

  /** As `late`, after a write. @param {boolean} [mayBeLong] */
  wrote(mayBeLong = false) {
    const turn = this.#turns.wrote() ?? (mayBeLong ? this.#turns.due() : undefined)
    return this.#isHeld || turn !== undefined ? this.#inOrder(undefined, turn, 0) : undefined
  }

  /**
   * Called between two parts of a long call. Returns undefined, or a promise to await.
   * @returns {Promise<void> | undefined}
   */
  pause() {
    const turn = this.#turns.due()
    if (turn === undefined) return undefined
    this.#waitFor(turn)
    return this.#queued(undefined, 0)
  }

  /**
   * @param {any} value any: the result of any call
   * @param {Promise<void> | undefined} turn
   * @param {number} rounds
   */
  #inOrder(value, turn, rounds) {
    const answer = this.#isHeld ? this.#queued(value, rounds) : value
    if (answer === value && rounds > 0) this.#hold(rounds)
    if (turn !== undefined) this.#waitFor(turn)
    return answer
  }

  /**
   * @param {any} value
   * @param {number} rounds
   * @returns {Promise<any>} any: the result of any call
   */
  #queued(value, rounds) {
    return new Promise((resolve) => {
      const waiting = { resolve, value, rounds, next: null }
      if (this.#last === null) this.#first = waiting
      else this.#last.next = waiting
      this.#last = waiting
    })
  }

  /** @param {number} rounds */
  #hold(rounds) {
    this.#isHeld = true
    this.#rounds = rounds
    READY.then(this.#round)
  }

  /** Makes all later results wait for this turn. @param {Promise<void>} turn */
  #waitFor(turn) {
    if (this.#turn !== undefined) return
    this.#isHeld = true
    this.#turn = turn
    turn.then(this.#turned)
  }

  #letGo() {
    while (this.#turn === undefined && this.#rounds === 0) {
      const waiting = this.#first
      if (waiting === null) {
        this.#isHeld = false
        return
      }
      this.#first = waiting.next
      if (this.#first === null) this.#last = null
      waiting.resolve(waiting.value)
      if (waiting.rounds > 0) this.#hold(waiting.rounds)
    }
  }
}
