// Messages with requests that are not answered yet: when the owner of the database changes, they are
// sent again, as far as that is safe.
import { Inbox } from '../remote/messages.js'
import { VERBS } from '../remote/verbs.js'

/**
 * any: see Outbox
 * `first` is the number of its first request that has an answer, `left` counts those not answered.
 * @typedef {{ message: any, first: number, size: number, left: number, isSent: boolean }} Kept
 */

/** @typedef {import('../remote/requests.js').Requests} Requests */
/** @typedef {import('../remote/requests.js').Waiter} Waiter */

export class Unanswered {
  /** In order; those that were not sent are the last. @type {Kept[]} */
  #kept = []

  /**
   * @param {any} message any: see Outbox
   * @param {number} first @param {number} end the numbers of its requests
   * @param {boolean} isSent
   */
  add(message, first, end, isSent) {
    const size = (end - first) >>> 0
    if (size > 0 || !isSent) this.#kept.push({ message, first, size, left: size, isSent })
  }

  /** @param {number} number */
  answered(number) {
    const at = this.#kept.findIndex(({ first, size }) => ((number - first) >>> 0) < size)
    if (--this.#kept[at].left === 0) this.#kept.splice(at, 1)
  }

  /** Sends what was not sent. @param {(message: any) => void} post any: see Outbox */
  send(post) {
    for (const kept of this.#kept) {
      if (kept.isSent) continue
      kept.isSent = true
      post(kept.message)
    }
    this.#kept = this.#kept.filter(({ left }) => left > 0)
  }

  /**
   * Prepares for the next owner: of the requests that were sent, those for which `again` returns
   * true will be sent again.
   * @param {Requests} requests with nothing to flush
   * @param {(waiter: Waiter) => boolean} again
   */
  restart(requests, again) {
    const all = this.#kept
    this.#kept = []
    const repeated = all.filter(({ isSent }) => isSent).flatMap((kept) => [...pendingIn(kept, requests.waiting)])
      .filter(({ waiter }) => again(waiter))
    const unsent = all.filter(({ isSent }) => !isSent)
    const waiters = unsent.map(({ first, size }) => Array.from({ length: size }, (_, i) => /** @type {Waiter} */ (requests.waiting.get((first + i) >>> 0))))
    // Packs the repeated ones, which are added here before the others.
    requests.restart(repeated)
    requests.flush()
    unsent.forEach((kept, i) => {
      this.#kept.push({ ...kept, first: requests.next })
      requests.adopt(waiters[i])
    })
  }
}

/**
 * The requests of a message that are not answered.
 * @param {Kept} kept
 * @param {ReadonlyMap<number, Waiter>} waiting
 */
function * pendingIn({ message, first }, waiting) {
  const inbox = new Inbox(message)
  for (let number = first; inbox.next();) {
    const entry = inbox.raw()
    if (VERBS[entry[0]].answer === null) continue
    const waiter = waiting.get(number)
    number = (number + 1) >>> 0
    if (waiter !== undefined) yield { entry, waiter }
  }
}
