// Iterators of entries, keys and values.
import { AbstractIterator, AbstractKeyIterator, AbstractValueIterator } from 'abstract-level'
import { Rows } from './rows.js'

/** @param {Rows} rows */
const entry = (rows) => rows.entry()
/** @param {Rows} rows */
const key = (rows) => rows.key()
/** @param {Rows} rows */
const value = (rows) => rows.value()

/**
 * Entries in key order, of the moment when it was made or of an explicit snapshot.
 * @extends {AbstractIterator<any, any, any>}
 */
export class Iterator extends AbstractIterator {
  #rows

  /**
   * @param {import('./varve.js').Varve} db
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('./answers.js').Answers} answers
   * @param {Record<string, any>} options abstract-level's, encoded
   */
  constructor(db, engine, answers, options) {
    // Before super: what fails here must not be attached to the database.
    const rows = new Rows(engine, answers, options, options.keys, options.values)
    super(db, options)
    this.#rows = rows
  }

  /** Rows read ahead: for tests. */
  get cached() { return this.#rows.cached }

  _next() { return this.#rows.next(this.limit - this.count, entry) }

  /** @param {number} size */
  _nextv(size) { return this.#rows.nextv(size, entry) }

  _all() { return this.#rows.all(this.limit - this.count, entry) }

  /** @param {any} target */
  _seek(target) { this.#rows.seek(target) }

  _close() { this.#rows.close() }
}

/**
 * Keys only: values are not even copied.
 * @extends {AbstractKeyIterator<any, any>}
 */
export class KeyIterator extends AbstractKeyIterator {
  #rows

  /**
   * As Iterator's.
   * @param {import('./varve.js').Varve} db
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('./answers.js').Answers} answers
   * @param {any} options
   */
  constructor(db, engine, answers, options) {
    const rows = new Rows(engine, answers, options, true, false)
    super(db, options)
    this.#rows = rows
  }

  get cached() { return this.#rows.cached }

  _next() { return this.#rows.next(this.limit - this.count, key) }

  /** @param {number} size */
  _nextv(size) { return this.#rows.nextv(size, key) }

  _all() { return this.#rows.all(this.limit - this.count, key) }

  /** @param {any} target */
  _seek(target) { this.#rows.seek(target) }

  _close() { this.#rows.close() }
}

/**
 * Values only, in the order of their keys.
 * @extends {AbstractValueIterator<any, any, any>}
 */
export class ValueIterator extends AbstractValueIterator {
  #rows

  /**
   * As Iterator's.
   * @param {import('./varve.js').Varve} db
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('./answers.js').Answers} answers
   * @param {any} options
   */
  constructor(db, engine, answers, options) {
    const rows = new Rows(engine, answers, options, false, true)
    super(db, options)
    this.#rows = rows
  }

  get cached() { return this.#rows.cached }

  _next() { return this.#rows.next(this.limit - this.count, value) }

  /** @param {number} size */
  _nextv(size) { return this.#rows.nextv(size, value) }

  _all() { return this.#rows.all(this.limit - this.count, value) }

  /** @param {any} target */
  _seek(target) { this.#rows.seek(target) }

  _close() { this.#rows.close() }
}
