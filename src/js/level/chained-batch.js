// A batch that is put together call by call.
import { AbstractChainedBatch } from 'abstract-level'
import { fromEngine } from '../errors.js'

/** @typedef {import('../bytes/write-batch.js').WriteBatch} WriteBatch */

/**
 * abstract-level's chained batch over a WriteBatch, borrowed from the database until it is closed.
 * @extends {AbstractChainedBatch<any, any, any>}
 */
export class ChainedBatch extends AbstractChainedBatch {
  #batch
  #commit
  #release

  /**
   * @param {import('./varve.js').Varve} db
   * @param {{ batch: WriteBatch, commit: (bytes: Uint8Array, sync: boolean) => void | Promise<void>,
   *           release: (batch: WriteBatch) => void }} parts
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

  /** @param {Record<string, any>} options */
  _write(options) {
    try {
      return this.#commit(this.#batch.finish(), options.sync === true)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  _close() {
    this.#batch.clear()
    this.#release(this.#batch)
  }
}
