// Orders the results and events of writes that did not finish at once.
import { rethrow } from '../errors.js'

export class WriteOrder {
  #answers
  #inWorker
  /**
   * The last write that did not finish at once, and the promise that its callers await.
   * @type {{ done?: Promise<void>, turn?: Promise<void> }}
   */
  #late = {}
  /**
   * The last write whose event is not emitted yet.
   * @type {{ own?: Promise<void>, told?: Promise<void>, last?: Promise<void> }}
   */
  #told = {}

  /** @param {import('./answers.js').Answers} answers @param {boolean} inWorker */
  constructor(answers, inWorker) {
    this.#answers = answers
    this.#inWorker = inWorker
  }

  /** Returns the promise for the caller of a late write. @param {Promise<void>} done */
  late(done) {
    // Grouped writes share one promise. Results of a worker arrive in turns of the event loop.
    const answer = () => this.#inWorker ? this.#answers.late(undefined) : this.#answers.wrote()
    if (done !== this.#late.done) this.#late = { done, turn: done.then(answer, rethrow) }
    return /** @type {Promise<void>} */ (this.#late.turn)
  }

  /**
   * Emits `write` events in commit order, also if a write shares another's promise or waits for a
   * turn.
   * @param {Promise<void> | undefined} own the promise of the write
   * @returns {Promise<void> | undefined} the promise for its caller, after the event
   */
  told(own) {
    const { last } = this.#told
    if (own === undefined && last === undefined) return undefined
    if (own !== undefined && own === this.#told.own) return this.#told.told
    own?.catch(() => {})
    const told = (last ?? Promise.resolve()).then(() => own)
    const ended = told.then(() => {}, () => {})
    this.#told = { own, told, last: ended }
    ended.then(() => { if (this.#told.last === ended) this.#told = {} })
    return told
  }
}
