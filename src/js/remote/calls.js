// Remote method calls on objects of another thread.
//
//   { call: number, on: object, method, args }  ->
//                        <-  { answer: number, value }  or  { answer: number, failed }
//
// Both sides can serve objects and make calls. Calls start in order; results arrive in any order.
import { describe, revive } from './failure.js'

/** any: arguments and results, whose types each method defines. @typedef {any} Value */

/** @typedef {Record<string, (...args: Value[]) => Value>} Methods */

export class Calls {
  #post
  /** Objects that the other side may call, by number. @type {Map<number, Methods>} */
  #served = new Map()
  #lastServed = 0
  /** @type {Map<number, { resolve(value: Value): void, reject(error: unknown): void }>} */
  #waiting = new Map()
  #asked = 0
  #end = /** @type {Error | undefined} */ (undefined)

  /** @param {(message: object, transfer: ArrayBuffer[]) => void} post */
  constructor(post) {
    this.#post = post
  }

  /**
   * Lets the other side call these methods, by the returned number. Results must be cloneable by
   * `structuredClone`.
   * @param {Methods} methods
   */
  serve(methods) {
    this.#served.set(++this.#lastServed, methods)
    return this.#lastServed
  }

  /** @param {number} number */
  release(number) { this.#served.delete(number) }

  /**
   * @param {number} on
   * @param {string} method
   * @param {Value[]} args
   * @param {ArrayBuffer[]} [transfer]
   * @returns {Promise<Value>}
   */
  ask(on, method, args, transfer = []) {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end)
      const call = ++this.#asked
      this.#post({ call, on, method, args }, transfer)
      this.#waiting.set(call, { resolve, reject })
    })
  }

  /** @param {Value} message */
  receive(message) {
    if (message.call !== undefined) return this.#make(message)
    const waiter = this.#waiting.get(message.answer)
    this.#waiting.delete(message.answer)
    if (message.failed !== undefined) waiter?.reject(revive(message.failed))
    else waiter?.resolve(message.value)
  }

  /** Called when the other side has ended. @param {Error} cause */
  end(cause) {
    this.#end ??= cause
    for (const { reject } of this.#waiting.values()) reject(this.#end)
    this.#waiting.clear()
  }

  /** @param {{ call: number, on: number, method: string, args: Value[] }} message */
  async #make({ call, on, method, args }) {
    try {
      const methods = this.#served.get(on)
      if (methods === undefined || !Object.hasOwn(methods, method)) throw new Error(`unknown method ${method}()`)
      const value = await methods[method](...args)
      this.#post({ answer: call, value }, [])
    } catch (error) {
      this.#post({ answer: call, failed: describe(error) }, [])
    }
  }
}
