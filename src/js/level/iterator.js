// Iterators of entries, keys and values.
import { AbstractIterator, AbstractKeyIterator, AbstractValueIterator } from 'abstract-level'
import { VarveError } from '../errors.js'
import { Rows } from './rows.js'

/** @typedef {import('./options.js').Options} Options */
/** @typedef {import('./options.js').Encoded} Encoded */

/** @param {Rows} rows */
const entry = (rows) => rows.entry()
/** @param {Rows} rows */
const key = (rows) => rows.key()
/** @param {Rows} rows */
const value = (rows) => rows.value()

/**
 * Iterates entries in key order, as of its creation or of an explicit snapshot.
 * @extends {AbstractIterator<Encoded, Encoded, Encoded>}
 */
export class Iterator extends AbstractIterator {
  #rows

  /**
   * @param {import('./varve.js').Varve} db
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('./answers.js').Answers} answers
   * @param {Options} options abstract-level's, encoded
   */
  constructor(db, engine, answers, options) {
    // Before super: an iterator that fails here must not be attached to the database.
    const rows = new Rows(engine, answers, options, options.keys, options.values)
    super(db, options)
    this.#rows = rows
  }

  /** The number of rows read ahead, for tests. */
  get cached() { return this.#rows.cached }

  _next() { return this.#rows.next(this.limit - this.count, entry) }

  #given = 0

  /** Returns the next entry as stored, or undefined. Used by rangeSync() only. */
  nextSync() {
    if (this.db.status !== 'open') throw new VarveError('Database is not open', { code: 'LEVEL_DATABASE_NOT_OPEN' })
    const wanted = this.limit - this.#given
    const found = wanted > 0 ? this.#rows.nextSync(wanted, entry) : undefined
    if (found !== undefined) this.#given++
    return found
  }

  /** @param {number} size */
  _nextv(size) { return this.#rows.nextv(size, entry) }

  _all() { return this.#rows.all(this.limit - this.count, entry) }

  /** @param {Encoded} target */
  _seek(target) { this.#rows.seek(target) }

  _close() { this.#rows.close() }
}

/**
 * Iterates keys; values are not copied.
 * @extends {AbstractKeyIterator<Encoded, Encoded>}
 */
export class KeyIterator extends AbstractKeyIterator {
  #rows

  /**
   * As Iterator's.
   * @param {import('./varve.js').Varve} db
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('./answers.js').Answers} answers
   * @param {Options} options
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

  /** @param {Encoded} target */
  _seek(target) { this.#rows.seek(target) }

  _close() { this.#rows.close() }
}

/**
 * Iterates values in key order.
 * @extends {AbstractValueIterator<Encoded, Encoded, Encoded>}
 */
export class ValueIterator extends AbstractValueIterator {
  #rows

  /**
   * As Iterator's.
   * @param {import('./varve.js').Varve} db
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('./answers.js').Answers} answers
   * @param {Options} options
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

  /** @param {unknown} target */
  _seek(target) { this.#rows.seek(target) }

  _close() { this.#rows.close() }
}
