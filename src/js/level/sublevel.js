import { AbstractSublevel } from 'abstract-level'
import { InvalidArgumentError } from '../errors.js'
import { ChainedBatch } from './chained-batch.js'
import { decoded } from './entries-sync.js'
import { SyncCalls } from './sync-calls.js'
import { Watch } from './watch.js'

/** @typedef {import('./options.js').Options} Options */
/** @typedef {import('./options.js').Encoded} Encoded */
/** @typedef {any} Data any: keys, values and options as the public types say */

const ADDITIONAL_METHODS = ['getManySync', 'hasSync', 'putSync', 'delSync', 'batchSync', 'rangeSync', 'watch']

/**
 * abstract-level's sublevel, with the synchronous calls. Its iterators, and calls made before it is
 * open, resolve in order with those of the database.
 * @extends {AbstractSublevel<unknown, unknown, unknown, unknown>}
 */
export class Sublevel extends AbstractSublevel {
  #wrapped
  #root
  #engineOf
  #sync
  /** Whether rangeSync() creates an iterator, which then is the database's own. */
  #isRange = false

  /**
   * @param {Data} db
   * @param {Encoded} name
   * @param {Options} options
   * @param {<T>(call: () => T) => T} wrapped see answers.js
   * @param {SyncCalls} root the synchronous calls of the database
   * @param {() => import('../engine/engine.js').Engine} engineOf throws unless the database is open
   */
  constructor(db, name, options, wrapped, root, engineOf) {
    super(db, name, { ...options, manifest: { additionalMethods: Object.fromEntries(ADDITIONAL_METHODS.map((method) => [method, true])) } })
    this.#wrapped = wrapped
    this.#root = root
    this.#engineOf = engineOf
    this.#sync = new SyncCalls(this, {
      ready: (method) => root.ready(method),
      put: (key, value, options) => { db.putSync(this.#keyIn(key, options), this.#valueIn(value, options), this.#optionsOf(options)) },
      del: (key, options) => { db.delSync(this.#keyIn(key, options), this.#optionsOf(options)) },
      newBatch: () => new ChainedBatch(this, { batch: new Operations(), commit: (operations, sync) => db.batchSync(operations, { sync }), release: () => {} }),
      wrote: () => {}
    })
  }

  /** @param {unknown} name @param {unknown} options */
  _sublevel(name, options) {
    return new Sublevel(this, name, options, this.#wrapped, this.#root, this.#engineOf)
  }

  /** @param {Options} [options] */
  watch(options) {
    return new Watch(this, this.#engineOf, options)
  }

  // ---- Synchronous calls
  // --------------------------------------------------------------------------------------------

  /** @param {Data} keys @param {Data} [options] */
  getManySync(keys, options) {
    this.#sync.ready('getManySync')
    if (!Array.isArray(keys)) throw new InvalidArgumentError("The first argument 'keys' must be an array")
    const valueEncoding = this.valueEncoding(options?.valueEncoding)
    const values = /** @type {Data} */ (this.parent).getManySync(keys.map((key) => this.#keyIn(key, options)), this.#optionsOf(options))
    return values.map((/** @type {Data} */ value) => decoded(valueEncoding, value, 'value'))
  }

  /** @param {Data} key @param {Data} [options] */
  hasSync(key, options) {
    this.#sync.ready('hasSync')
    return /** @type {Data} */ (this.parent).hasSync(this.#keyIn(key, options), this.#optionsOf(options))
  }

  /** @param {Data} key @param {Data} value @param {Data} [options] */
  putSync(key, value, options) { this.#sync.put(key, value, options) }

  /** @param {Data} key @param {Data} [options] */
  delSync(key, options) { this.#sync.del(key, options) }

  /** @param {Data} operations @param {Data} [options] */
  batchSync(operations, options) { this.#sync.batch(operations, options) }

  /** @param {Data} [options] */
  rangeSync(options) {
    this.#isRange = true
    try {
      return this.#sync.range(options, this.prefix.length)
    } finally {
      this.#isRange = false
    }
  }

  /** Returns a key as the parent has it, encoded. @param {Data} key @param {Data} options @returns {Data} */
  #keyIn(key, options) {
    /** @type {Data} */ (this)._assertValidKey(key)
    const encoding = this.keyEncoding(options?.keyEncoding)
    return this.prefixKey(/** @type {Data} */ (encoding.encode(key)), /** @type {Data} */ (encoding.format), true)
  }

  /** @param {Data} value @param {Data} options @returns {Data} */
  #valueIn(value, options) {
    /** @type {Data} */ (this)._assertValidValue(value)
    return this.valueEncoding(options?.valueEncoding).encode(value)
  }

  /** Returns the options of a call of the parent, whose keys and values are encoded already. @param {Data} options */
  #optionsOf(options) {
    const [keyEncoding, valueEncoding] = [this.keyEncoding(options?.keyEncoding).format, this.valueEncoding(options?.valueEncoding).format]
    return { ...options, keyEncoding, valueEncoding }
  }

  /** Returns an iterator of the database over a range of this sublevel. @param {Data} options */
  #rangeOf(options) {
    const format = options.keyEncoding
    const { prefix } = this
    for (const bound of ['gt', 'gte', 'lt', 'lte']) {
      if (options[bound] !== undefined) options[bound] = this.prefixKey(options[bound], format, false)
    }
    const encoded = (/** @type {string} */ key) => format === 'utf8' ? key : new TextEncoder().encode(key)
    if (options.gt === undefined) options.gte ??= encoded(prefix)
    // The separator, and the character after it, which abstract-level reserves.
    if (options.lt === undefined) options.lte ??= encoded(prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1))
    return /** @type {Data} */ (this.db).iterator(options)
  }

  // ---- Order
  // --------------------------------------------------------------------------------------------------------

  /** @param {Data} options */
  _iterator(options) {
    if (this.#isRange) return this.#rangeOf(options)
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

/** The operations of a batch of a sublevel, as its parent takes them. */
class Operations {
  /** @type {Options[]} */
  #all = []

  /** @param {Encoded} key @param {Encoded} value @param {Options} operation */
  put(key, value, operation) { this.#all.push(operation) }

  /** @param {Encoded} key @param {Options} operation */
  del(key, operation) { this.#all.push(operation) }

  clear() { this.#all = [] }

  finish() { return this.#all }
}
