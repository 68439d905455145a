import { AbstractSnapshot } from 'abstract-level'
import { InvalidArgumentError, VarveError, fromEngine } from '../errors.js'

/** @typedef {import('./options.js').Options} Options */

/**
 * An explicit snapshot: the state of the database when it was created, valid until it is closed.
 */
export class Snapshot extends AbstractSnapshot {
  #engine
  /** @type {import('../engine/engine.js').Id | undefined} undefined when it is closed */
  #id

  /**
   * @param {import('../engine/engine.js').Engine} engine
   * @param {Options} options abstract-level's, with the owner
   */
  constructor(engine, options) {
    // @ts-expect-error abstract-level's types lack the parameter
    super(options)
    try {
      this.#id = engine.snapshot()
    } catch (error) {
      // abstract-level has attached this resource already, and close() would wait for it forever.
      options.owner.detachResource(this)
      throw fromEngine(error)
    }
    this.#engine = engine
  }

  /**
   * Returns the engine's id of an option `snapshot`, which must belong to the same database.
   * @param {unknown} snapshot
   * @param {import('../engine/engine.js').Engine} engine
   * @returns {import('../engine/engine.js').Id | undefined}
   */
  static idOf(snapshot, engine) {
    if (snapshot === undefined || snapshot === null) return undefined
    if (typeof snapshot !== 'object' || !(#id in snapshot) || snapshot.#engine !== engine) {
      throw new InvalidArgumentError("The option 'snapshot' is not a snapshot of this database")
    }
    if (snapshot.#id !== undefined) return snapshot.#id
    throw new VarveError('Snapshot is not open: cannot use snapshot after close()', { code: 'LEVEL_SNAPSHOT_NOT_OPEN' })
  }

  _close() {
    const id = this.#id
    this.#id = undefined
    try {
      this.#engine.releaseSnapshot(/** @type {number} */ (id))
    } catch (error) {
      throw fromEngine(error)
    }
  }
}
