import { AbstractSublevel } from 'abstract-level'

/** @typedef {import('./options.js').Options} Options */
/** @typedef {import('./options.js').Encoded} Encoded */

/**
 * abstract-level's sublevel. Its iterators, and calls made before it is open, resolve in order with
 * those of the database.
 * @extends {AbstractSublevel<unknown, unknown, unknown, unknown>}
 */
export class Sublevel extends AbstractSublevel {
  #wrapped

  /**
   * @param {unknown} db
   * @param {Encoded} name
   * @param {Options} options
   * @param {<T>(call: () => T) => T} wrapped see answers.js
   */
  constructor(db, name, options, wrapped) {
    super(db, name, options)
    this.#wrapped = wrapped
  }

  /** @param {unknown} name @param {unknown} options */
  _sublevel(name, options) {
    return new Sublevel(this, name, options, this.#wrapped)
  }

  /** @param {unknown} options */
  _iterator(options) {
    // @ts-expect-error not in its published types
    return this.#wrapped(() => super._iterator(options))
  }

  /** @param {unknown} options */
  _keys(options) {
    // @ts-expect-error not in its published types
    return this.#wrapped(() => super._keys(options))
  }

  /** @param {unknown} options */
  _values(options) {
    // @ts-expect-error not in its published types
    return this.#wrapped(() => super._values(options))
  }

  /** @param {() => any} fn @param {Options} [options] any: the result of any call */
  defer(fn, options) {
    super.defer(() => this.#wrapped(fn), options)
  }

  /** @template T @param {() => Promise<T>} fn @param {Options} [options] @returns {Promise<T>} */
  deferAsync(fn, options) {
    return super.deferAsync(() => this.#wrapped(fn), options)
  }
}
