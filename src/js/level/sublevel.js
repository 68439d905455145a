import { AbstractSublevel } from 'abstract-level'

/**
 * abstract-level's sublevel. Its iterators, and calls made before it is open, resolve in order with those of the database.
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

  /** @param {any} options */
  _iterator(options) {
    // @ts-expect-error not in its published types
    return this.#wrapped(() => super._iterator(options))
  }

  /** @param {any} options */
  _keys(options) {
    // @ts-expect-error not in its published types
    return this.#wrapped(() => super._keys(options))
  }

  /** @param {any} options */
  _values(options) {
    // @ts-expect-error not in its published types
    return this.#wrapped(() => super._values(options))
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
