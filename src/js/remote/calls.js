// Objects of one thread whose methods the other calls.
//
//   { call: number, on: object, method, args }  ->
//                                               <-  { answer: number, value }  or  { answer: number, failed }
//
// Both sides may serve objects and call. Calls are made in the order in which they were asked; answers come when they come.
import { describe, revive } from './failure.js'

export class Calls {
  #post
  /** What the other side may call, by number. @type {Map<number, Record<string, (...args: any[]) => any>>} */
  #served = new Map()
  #lastServed = 0
  /** @type {Map<number, { resolve(value: any): void, reject(error: unknown): void }>} */
  #waiting = new Map()
  #asked = 0
  #end = /** @type {Error | undefined} */ (undefined)

  /** @param {(message: any, transfer: any[]) => void} post */
  constructor(post) {
    this.#post = post
  }

  /**
   * The other side may call these methods from now on, by the number that this answers. What a method answers must be what
   * `structuredClone` takes.
   * @param {Record<string, (...args: any[]) => any>} methods
   */
  serve(methods) {
    this.#served.set(++this.#lastServed, methods)
    return this.#lastServed
  }

  /** @param {number} number */
  release(number) { this.#served.delete(number) }

  /** @param {number} on @param {string} method @param {any[]} args @param {any[]} [transfer] @returns {Promise<any>} */
  ask(on, method, args, transfer = []) {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end)
      const call = ++this.#asked
      this.#post({ call, on, method, args }, transfer)
      this.#waiting.set(call, { resolve, reject })
    })
  }

  /** @param {any} message */
  receive(message) {
    if (message.call !== undefined) return this.#make(message)
    const waiter = this.#waiting.get(message.answer)
    this.#waiting.delete(message.answer)
    if (message.failed !== undefined) waiter?.reject(revive(message.failed))
    else waiter?.resolve(message.value)
  }

  /** The other side is gone. @param {Error} cause */
  end(cause) {
    this.#end ??= cause
    for (const { reject } of this.#waiting.values()) reject(this.#end)
    this.#waiting.clear()
  }

  /** @param {{ call: number, on: number, method: string, args: any[] }} message */
  async #make({ call, on, method, args }) {
    try {
      const methods = this.#served.get(on)
      if (methods === undefined || !Object.hasOwn(methods, method)) throw new Error(`there is no ${method}() to call`)
      const value = await methods[method](...args)
      this.#post({ answer: call, value }, [])
    } catch (error) {
      this.#post({ answer: call, failed: describe(error) }, [])
    }
  }
}
