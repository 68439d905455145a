// The synchronous calls of a database: when they return, they are done; when they throw, nothing is
// written.
import { Scratch } from '../bytes/scratch.js'
import { InvalidArgumentError, VarveError, fromEngine } from '../errors.js'
import { EntriesSync } from './entries-sync.js'

/** @typedef {import('../engine/engine.js').Engine} Engine */
/**
 * @typedef {{ keyEncoding?: unknown, valueEncoding?: unknown,
 *             sync?: boolean } | undefined} WriteOptions
 */
/** @typedef {{ type: 'put' | 'del', key: unknown, value?: unknown }} Operation */

export class SyncCalls {
  #db
  #inWorker
  #engineOf
  #wrote
  #key = new Scratch()
  #value = new Scratch()

  /**
   * @param {import('./varve.js').Varve} db
   * @param {{ inWorker: boolean, engineOf: () => Engine, wrote: () => void }} parts `wrote` is
   *   called after each write
   */
  constructor(db, { inWorker, engineOf, wrote }) {
    this.#db = db
    this.#inWorker = inWorker
    this.#engineOf = engineOf
    this.#wrote = wrote
  }

  /** @param {unknown} key @param {unknown} value @param {WriteOptions} options */
  put(key, value, options) {
    const engine = this.ready('putSync')
    if (this.#isWatched()) return this.#inBatch((batch) => batch.put(key, value, options), options)
    this.#assertValid(key, value)
    const [keyBytes, valueBytes] = [this.#encodedKey(key, options), this.#encodedValue(value, options)]
    this.#write(() => engine.putSync(this.#key.bytesOf(keyBytes, 'key'), this.#value.bytesOf(valueBytes, 'value'), options?.sync === true))
  }

  /** @param {unknown} key @param {WriteOptions} options */
  del(key, options) {
    const engine = this.ready('delSync')
    if (this.#isWatched()) return this.#inBatch((batch) => batch.del(key, options), options)
    this.#assertValid(key)
    const keyBytes = this.#encodedKey(key, options)
    this.#write(() => engine.delSync(this.#key.bytesOf(keyBytes, 'key'), options?.sync === true))
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
   * @returns {EntriesSync}
   */
  range(options) {
    this.ready('rangeSync')
    const iterator = /** @type {any} any: its type says no nextSync() */ (this.#db.iterator(options ?? {}))
    return new EntriesSync(iterator, this.#db.keyEncoding(options?.keyEncoding), this.#db.valueEncoding(options?.valueEncoding))
  }

  /** The engine, if it can be called now. @param {string} method */
  ready(method) {
    if (this.#db.status !== 'open') throw new VarveError('Database is not open', { code: 'LEVEL_DATABASE_NOT_OPEN' })
    if (this.#inWorker) throw new VarveError(`${method}() is not supported with worker: true`, { code: 'LEVEL_NOT_SUPPORTED' })
    const engine = this.#engineOf()
    if (engine.isReplacing) throw new VarveError('The engine failed and is being replaced: retry later', { code: 'LEVEL_BUSY' })
    return engine
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
   * @param {(batch: any) => void} add any: its type says no writeSync()
   * @param {WriteOptions} options
   */
  #inBatch(add, options) {
    const batch = /** @type {any} any: as above */ (this.#db.batch())
    try {
      add(batch)
      batch.writeSync({ sync: options?.sync === true })
    } catch (error) {
      batch.close().catch(() => {})
      throw error
    }
    this.#wrote()
  }

  /** @param {() => void} write */
  #write(write) {
    try {
      write()
    } catch (error) {
      throw fromEngine(error)
    }
    this.#wrote()
  }

  /** @param {unknown[]} parts a key, and a value if there is one */
  #assertValid(...parts) {
    const db = /** @type {any} any: not in its published types */ (this.#db)
    db._assertValidKey(parts[0])
    if (parts.length > 1) db._assertValidValue(parts[1])
  }

  /** @param {unknown} key @param {any} options any: encodings may be objects @returns {any} */
  #encodedKey(key, options) { return this.#db.keyEncoding(options?.keyEncoding).encode(key) }

  /** @param {unknown} value @param {any} options any: encodings may be objects @returns {any} */
  #encodedValue(value, options) { return this.#db.valueEncoding(options?.valueEncoding).encode(value) }
}
