// Calls to a worker of this page, by message.

/** @typedef {{ resolve: (value: any) => void, reject: (error: Error) => void, onPart?: (part: any) => void }} Pending any: each call has its own */

/** How long a cancelled call may go on by default, in ms. */
const PATIENCE_MS = 150

export class Client {
  /** @type {Map<number, Pending>} */
  #pending = new Map()
  #calls = 0
  /** Whether a worker ever answered. */
  #answered = false
  /** Why no worker can be had any more. @type {Error | undefined} */
  #dead
  /** @type {Worker} */
  #worker
  #make
  /** Files that a new worker must be told of. @type {Map<number, import('./model/bytes.js').Given>} */
  #files = new Map()
  #onCrash

  /** @param {() => Worker} make @param {(message: string) => void} onCrash */
  constructor(make, onCrash) {
    this.#make = make
    this.#onCrash = onCrash
    this.#worker = this.#start()
  }

  #start() {
    const worker = this.#make()
    worker.onmessage = ({ data }) => this.#answer(data)
    worker.onerror = (event) => {
      event.preventDefault()
      // A script that never answered would fail again.
      if (this.#answered) this.#crashed(event.message || 'it ended')
      else this.#end(this.#dead = new Error(`the decoder could not be loaded: ${event.message || 'no reason is known'}`))
    }
    return worker
  }

  /** @param {number} id @param {import('./model/bytes.js').Given} given */
  register(id, given) {
    this.#files.set(id, given)
    this.#worker.postMessage({ register: id, given })
  }

  /** @param {number} id */
  forget(id) {
    this.#files.delete(id)
    this.#worker.postMessage({ forget: id })
  }

  /** Ends the worker for good. */
  end() {
    this.#end(this.#dead = new DOMException('The worker was ended', 'AbortError'))
  }

  /**
   * @param {string} call
   * @param {unknown[]} args
   * @param {{ onPart?: (part: any) => void, signal?: AbortSignal, patience?: number }} [options] `patience`: how
   *   long a cancelled call may go on, in ms
   * @returns {Promise<any>}
   */
  call(call, args, { onPart, signal, patience = PATIENCE_MS } = {}) {
    if (this.#dead !== undefined) return Promise.reject(this.#dead)
    if (signal?.aborted) return Promise.reject(new DOMException('The call was cancelled', 'AbortError'))
    const id = ++this.#calls
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onPart })
      this.#worker.postMessage({ id, call, args })
      signal?.addEventListener('abort', () => this.#cancel(id, patience), { once: true })
    })
  }

  /** @param {number} id @param {number} patience */
  #cancel(id, patience) {
    if (this.#dead !== undefined) return
    this.#worker.postMessage({ cancel: id })
    // A long step of a decoder does not hear it: the worker ends, and another begins.
    setTimeout(() => this.#dead === undefined && this.#pending.has(id) && this.#restart(new DOMException('The call was cancelled', 'AbortError')), patience)
  }

  /** @param {any} data any: an answer of the worker */
  #answer({ id, value, part, error, crashed }) {
    this.#answered = true
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    if (part !== undefined) return pending.onPart?.(part)
    this.#pending.delete(id)
    if (error === undefined) return pending.resolve(value)
    pending.reject(Object.assign(new Error(error.message), { name: error.name, code: error.code }))
    if (crashed) this.#crashed(error.message)
  }

  /** @param {string} message */
  #crashed(message) {
    this.#restart(Object.assign(new Error(`the decoder failed: ${message}`), { code: 'CRASHED' }))
    this.#onCrash(message)
  }

  /** Ends the worker and starts another, which is told of the same files. @param {Error} reason of the calls that end with it */
  #restart(reason) {
    this.#end(reason)
    this.#worker = this.#start()
    for (const [id, given] of this.#files) this.#worker.postMessage({ register: id, given })
  }

  /** @param {Error} reason of all calls */
  #end(reason) {
    this.#worker.terminate()
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of pending) reject(reason)
  }
}
