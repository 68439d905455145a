// Orders the results and events of writes that did not finish at once.
import { rethrow } from '../errors.js'

export class WriteOrder {
  #answers
  #inWorker
  /**
   * The last write that was late, and when its callers go on.
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

  /** What the caller of a late write waits for. @param {Promise<void>} done */
  late(done) {
    // Grouped writes share one promise. Results of a worker arrive in turns of the event loop.
    const answer = () => this.#inWorker ? this.#answers.late(undefined) : this.#answers.wrote()
    if (done !== this.#late.done) this.#late = { done, turn: done.then(answer, rethrow) }
    return /** @type {Promise<void>} */ (this.#late.turn)
  }

  /**
   * Emits `write` events in commit order: a write that shared another's promise, or that waits for
   * a turn, is not overtaken.
   * @param {Promise<void> | undefined} own what the write's caller waits for
   * @returns {Promise<void> | undefined} what it waits for with the listeners
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
