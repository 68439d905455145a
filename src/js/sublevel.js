import { AbstractSublevel } from 'abstract-level'

/**
 * abstract-level's sublevel, whose calls made before it is open are answered in order with those of the database.
 * @extends {AbstractSublevel<any, any, any, any>}
 */
export class Sublevel extends AbstractSublevel {
  #wrapped

  /**
   * @param {any} db
   * @param {any} name
   * @param {any} options
   * @param {<T>(call: () => T) => T} wrapped see answers.js
   */
  constructor(db, name, options, wrapped) {
    super(db, name, options)
    this.#wrapped = wrapped
  }

  /** @param {any} name @param {any} options */
  _sublevel(name, options) {
    return new Sublevel(this, name, options, this.#wrapped)
  }

  /** @param {() => any} fn @param {any} [options] */
  defer(fn, options) {
    super.defer(() => this.#wrapped(fn), options)
  }

  /** @template T @param {() => Promise<T>} fn @param {any} [options] @returns {Promise<T>} */
  deferAsync(fn, options) {
    return super.deferAsync(() => this.#wrapped(fn), options)
  }
}
