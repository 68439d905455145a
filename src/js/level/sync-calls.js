// The synchronous calls of a database: when they return, they are done; when they throw, nothing is
// written.
import { InvalidArgumentError, VarveError, fromEngine } from '../errors.js'
import { EntriesSync } from './entries-sync.js'

/**
 * @typedef {{ keyEncoding?: unknown, valueEncoding?: unknown,
 *             sync?: boolean } | undefined} WriteOptions
 */
/** @typedef {{ type: 'put' | 'del', key: unknown, value?: unknown }} Operation */
/**
 * What differs between a database and a sublevel. `ready` throws if `method` cannot be called now;
 * `wrote` is called after each write.
 * @typedef {{ ready: (method: string) => void, put: (key: unknown, value: unknown, options: WriteOptions) => void,
 *   del: (key: unknown, options: WriteOptions) => void, newBatch: () => any, wrote: () => void }} Parts any: a ChainedBatch
 */

export class SyncCalls {
  #db
  #parts

  /**
   * @param {import('abstract-level').AbstractLevel<any, any, any>} db any: as the public types say
   * @param {Parts} parts
   */
  constructor(db, parts) {
    this.#db = db
    this.#parts = parts
  }

  /** @param {unknown} key @param {unknown} value @param {WriteOptions} options */
  put(key, value, options) {
    this.ready('putSync')
    if (this.#isWatched()) return this.#inBatch((batch) => batch.put(key, value, options), options)
    this.#write(() => this.#parts.put(key, value, options))
  }

  /** @param {unknown} key @param {WriteOptions} options */
  del(key, options) {
    this.ready('delSync')
    if (this.#isWatched()) return this.#inBatch((batch) => batch.del(key, options), options)
    this.#write(() => this.#parts.del(key, options))
  }

  /** @param {Operation[]} operations @param {WriteOptions} options */
  batch(operations, options) {
    this.ready('batchSync')
    if (!Array.isArray(operations)) throw new InvalidArgumentError("The first argument 'operations' must be an array")
    this.#inBatch((batch) => {
      for (const operation of operations) {
        if (typeof operation !== 'object' || operation === null) throw new InvalidArgumentError('A batch operation must be an object')
        const own = { ...options, ...operation }
        if (operation.type === 'put') batch.put(operation.key, operation.value, own)
        else if (operation.type === 'del') batch.del(operation.key, own)
        else throw new InvalidArgumentError("A batch operation must have a type property that is 'put' or 'del'")
      }
    }, options)
  }

  /**
   * @param {Record<string, any>} [options] any: abstract-level checks them
   * @param {number} [prefixed] the length of the prefix of keys that is left out
   * @returns {EntriesSync}
   */
  range(options, prefixed = 0) {
    this.ready('rangeSync')
    const iterator = /** @type {any} any: its type says no nextSync() */ (this.#db.iterator(options ?? {}))
    return new EntriesSync(iterator, this.#db.keyEncoding(options?.keyEncoding), this.#db.valueEncoding(options?.valueEncoding), prefixed)
  }

  /** Throws unless the database can be called now. @param {string} method */
  ready(method) {
    if (this.#db.status !== 'open') throw new VarveError('Database is not open', { code: 'LEVEL_DATABASE_NOT_OPEN' })
    this.#parts.ready(method)
  }

  /**
   * Returns the result of a read; throws if it has to wait.
   * @template T
   * @param {T | Promise<T>} answer
   * @returns {T}
   */
  static found(answer) {
    if (!(answer instanceof Promise)) return answer
    answer.catch(() => {})
    throw new VarveError('The storage of this database cannot be read synchronously', { code: 'LEVEL_NOT_SUPPORTED' })
  }

  /** Whether hooks or listeners must see each write: abstract-level's batches call them. */
  #isWatched() {
    const { hooks } = /** @type {any} any: not in its published types */ (this.#db)
    return !hooks.prewrite.noop || this.#db.listenerCount('write') > 0
  }

  /**
   * @param {(batch: any) => void} add any: a ChainedBatch
   * @param {WriteOptions} options
   */
  #inBatch(add, options) {
    const batch = this.#parts.newBatch()
    try {
      add(batch)
      batch.writeSync({ sync: options?.sync === true })
    } catch (error) {
      batch.close().catch(() => {})
      throw error
    }
    this.#parts.wrote()
  }

  /** @param {() => void} write */
  #write(write) {
    try {
      write()
    } catch (error) {
      throw fromEngine(error)
    }
    this.#parts.wrote()
  }
}
