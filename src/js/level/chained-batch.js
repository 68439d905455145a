// Chained batches.
import { AbstractChainedBatch } from 'abstract-level'
import { VarveError, fromEngine } from '../errors.js'

/** @typedef {import('./options.js').Options} Options */

/** @typedef {import('../bytes/write-batch.js').WriteBatch} WriteBatch */

/**
 * abstract-level's chained batch over a WriteBatch, which it borrows from the database until it is
 * closed.
 * @extends {AbstractChainedBatch<unknown, unknown, unknown>}
 */
export class ChainedBatch extends AbstractChainedBatch {
  #batch
  #commit
  #release
  /**
   * The result of writeSync(), while it runs.
   * @type {{ error?: unknown, isDone: boolean } | null}
   */
  #now = null

  /**
   * @param {import('./varve.js').Varve} db
   * @param {{ batch: WriteBatch, release: (batch: WriteBatch) => void,
   *           commit: (bytes: Uint8Array, sync: boolean, now: boolean) =>
   *             void | Promise<void> }} parts
   */
  constructor(db, { batch, commit, release }) {
    super(db)
    this.#batch = batch
    this.#commit = commit
    this.#release = release
  }

  /** @param {string | ArrayBufferView} key @param {string | ArrayBufferView} value */
  _put(key, value) {
    this.#batch.put(key, value)
  }

  /** @param {string | ArrayBufferView} key */
  _del(key) {
    this.#batch.del(key)
  }

  _clear() {
    this.#batch.clear()
  }

  /** @param {Options} options */
  _write(options) {
    const now = this.#now
    try {
      const written = this.#commit(this.#batch.finish(), options.sync === true, now !== null)
      if (now !== null) now.isDone = true
      return written
    } catch (error) {
      const told = fromEngine(error)
      if (now !== null) now.error = told
      throw told
    }
  }

  /**
   * Writes the batch before it returns. abstract-level's write() reaches the engine synchronously;
   * the event `write` is emitted in a microtask.
   * @param {{ sync: boolean }} options
   */
  writeSync(options) {
    const now = this.#now = { error: undefined, isDone: this.length === 0 }
    this.write(options).catch(() => {})
    this.#now = null
    if (now.error !== undefined) throw now.error
    if (!now.isDone) throw new VarveError('Batch is not open', { code: 'LEVEL_BATCH_NOT_OPEN' })
  }

  _close() {
    this.#batch.clear()
    this.#release(this.#batch)
  }
}
