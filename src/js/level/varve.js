// class Varve: the abstract-level interface of the engine.
//
//   caller -> AbstractLevel (encodings, deferral, hooks, events) -> Varve (bytes, options, turns)
//          -> Engine (docs/border.md)
//
// The engine and the private methods here return a value if nothing had to wait, else a promise:
// abstract-level awaits the result once, and a value saves one promise per operation.
import { hasStorage, isServiceWorker, isWindow } from '#place'
import { startEarly } from '#thread'
import { AbstractLevel } from 'abstract-level'
import { boundsOf, bytesOf } from '../bytes/bytes.js'
import { NativeBuffer } from '../bytes/native-buffer.js'
import { Scratch, manyBytesOf } from '../bytes/scratch.js'
import { readText } from '../bytes/text.js'
import { WriteBatch } from '../bytes/write-batch.js'
import { isFull } from '../engine/module.js'
import { Turns } from '../engine/scheduler.js'
import { InvalidArgumentError, VarveError, fromEngine, fromEngineAt } from '../errors.js'
import { Answers } from './answers.js'
import { Export, importAll, limitsOf, piecesOf, sourceOf } from './archive.js'
import { ChainedBatch } from './chained-batch.js'
import { clearRange, clearRows } from './clear.js'
import { decoded } from './entries-sync.js'
import { Events } from './events.js'
import { Iterator, KeyIterator, ValueIterator } from './iterator.js'
import { estimated, infoOf } from './info.js'
import { checkMultiTab, checkOptions, engineOptionsOf, isInWorker, placeOf, workerMakerOf } from './options.js'
import { ownEngine } from './own-engine.js'
import { Snapshot } from './snapshot.js'
import { Sublevel } from './sublevel.js'
import { SyncCalls } from './sync-calls.js'
import { Watch } from './watch.js'
import { WriteOrder } from './write-order.js'

/** @typedef {import('../engine/engine.js').Engine} Engine */
/** @typedef {import('./options.js').Options} Options */
/** @typedef {import('./options.js').Encoded} Encoded */

// ---- Bytes ----

/** Converts the engine's bytes, which may be a Buffer, whose slice() does not copy. */
/** @type {Record<string, (bytes: any) => any>} any: the result of any call */
const FROM_BYTES = {
  utf8: (bytes) => readText(bytes, 0, bytes.length),
  view: (bytes) => bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length),
  buffer: (bytes) => NativeBuffer.isBuffer(bytes) ? bytes : NativeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

const asIs = (/** @type {any} any: the result of any call */ value) => value

/**
 * abstract-level awaits the result of _has() one microtask less than that of _get(), or one more if
 * it had to wait.
 */
const HAS_ROUNDS = 2

const thenable = (/** @type {any} any: the result of any call */ answer) => ({ then: (/** @type {(value: any) => void} any: the result of any call */ resolve) => resolve(answer) })
const [YES, NO] = [thenable(true), thenable(false)]

/**
 * Returns a result of _has() or _hasMany() that takes as many microtasks as any other.
 * @param {any} answer any: the result of any call
 */
function inTime(answer) {
  if (typeof answer === 'boolean') return answer ? YES : NO
  return answer instanceof Promise ? answer : thenable(answer)
}

// ---- The database ----

const ADDITIONAL_METHODS = ['getManySync', 'hasSync', 'putSync', 'delSync', 'batchSync', 'rangeSync', 'sync', 'flush', 'compactRange', 'approximateSize', 'getProperty', 'info', 'verify', 'watch', 'resume', 'checkpoint', 'export']

/** The name of the key order. */
const COMPARATOR = 'leveldb.BytewiseComparator'

/** The options of a call of open(), as they were given. */
const GIVEN = Symbol('given')

/** The durability of a storage that is not settled. @type {Record<string, string>} */
const UNSETTLED = { opfs: 'creating', indexeddb: 'in-doubt' }

/** Kinds of storage with a quota that the browser tells. */
const ESTIMATED = ['opfs', 'indexeddb']

/** Events of the engine. */
const EVENTS = ['flush', 'compaction', 'stall']

/**
 * A database in LevelDB's format, in a directory, in memory or on a storage of the caller's. See
 * types/index.d.ts.
 * @extends {AbstractLevel<Encoded, Encoded, Encoded>}
 */
export class Varve extends AbstractLevel {
  #place
  #durability
  /** The kind of storage that info() tells. */
  #kind = 'custom'
  /** The order of keys that it was opened with. @type {unknown} */
  #comparator = COMPARATOR
  /** Why it is this kind. @type {string | undefined} */
  #why
  #inMemory
  #inWorker
  #multiTab
  #makeWorker
  /** Whether the engine is in another thread, or may be. */
  #isRemote = false
  /** @type {(() => Promise<void>) | undefined} */
  #closeEngine
  /** Set by the first opening. With `worker: true` a WorkerEngine, which returns promises. */
  #engine = /** @type {Engine} */ (/** @type {unknown} */ (undefined))
  #turns = /** @type {Turns} */ (/** @type {unknown} */ (undefined))
  #answers = /** @type {Answers} */ (/** @type {unknown} */ (undefined))
  #writeOrder = /** @type {WriteOrder} */ (/** @type {unknown} */ (undefined))
  #keyScratch = new Scratch()
  #valueScratch = new Scratch()
  /** @type {WriteBatch | null} reused by the next batch */
  #spareBatch = null
  /**
   * @type {Set<Promise<unknown>>} flushes, compactions, clear() and the like that close() waits for
   */
  #works = new Set()
  /** @type {Events} */
  #events
  #sync
  /** Why the last opening failed. @type {unknown} */
  #failure
  /**
   * The zip that the first opening imports.
   * @type {{ pieces: any, limits: any } | null} any: user input, checked elsewhere
   */
  #importing = null

  /**
   * @param {string | URL | null} [location]
   * @param {Options} [options]
   */
  constructor(location, options) {
    // Read getters once, and ignore inherited properties, as abstract-level does.
    /** @type {Record<string, any>} any: user input, checked elsewhere */
    const own = { __proto__: null, ...(typeof options === 'object' ? options : {}) }
    const { storage, worker, multiTab, ...forward } = own
    const place = placeOf(location, storage)
    const inWorker = isInWorker(worker, place)
    const inMemory = storage === 'memory'
    checkOptions(forward)
    engineOptionsOf(forward)

    super({
      encodings: { utf8: true, view: true, buffer: NativeBuffer !== undefined },
      has: true,
      // @ts-expect-error not in its published types yet
      getSync: !inWorker && place.kind !== 'indexeddb',
      seek: true,
      implicitSnapshots: true,
      explicitSnapshots: true,
      createIfMissing: true,
      errorIfExists: true,
      permanence: !inMemory && place.storage?.durability !== 'volatile',
      additionalMethods: Object.fromEntries(ADDITIONAL_METHODS.map((name) => [name, true])),
      events: Object.fromEntries([...EVENTS, 'recovered', 'damage', 'blocked', 'versionchange'].map((name) => [name, true])),
      signals: { iterators: true }
    }, forward)

    this.#place = place
    this.#inMemory = inMemory
    this.#inWorker = inWorker
    this.#multiTab = checkMultiTab(multiTab)
    this.#makeWorker = workerMakerOf(worker)
    this.#durability = inMemory ? 'volatile' : place.storage?.durability
    this.#events = new Events(this, EVENTS)
    this.#sync = new SyncCalls(this, {
      ready: (method) => this.#readySync(method),
      put: (key, value, options) => {
        const [keyBytes, valueBytes] = [this.#encodedKey(key, options), this.#encodedValue(value, options)]
        this.#engine.putSync(this.#keyScratch.bytesOf(keyBytes, 'key'), this.#valueScratch.bytesOf(valueBytes, 'value'), options?.sync === true)
      },
      del: (key, options) => {
        const keyBytes = this.#encodedKey(key, options)
        this.#engine.delSync(this.#keyScratch.bytesOf(keyBytes, 'key'), options?.sync === true)
      },
      newBatch: () => this._chainedBatch(),
      wrote: () => { this.#turns.wrote() }
    })
  }

  /** The directory, or null if there is none. */
  get location() {
    return this.#place.path
  }

  // ---- Calls made before it is open ----

  /** @param {() => any} fn @param {Options} [options] any: the result of any call */
  defer(fn, options) {
    super.defer(() => this.#wrapped(fn), options)
  }

  /** @template T @param {() => Promise<T>} fn @param {Options} [options] @returns {Promise<T>} */
  deferAsync(fn, options) {
    return super.deferAsync(() => this.#wrapped(fn), options)
  }

  /** @param {string | string[]} name @param {Options} options */
  _sublevel(name, options) {
    return new Sublevel(this, name, options, (call) => this.#wrapped(call), this.#sync, () => this.#openedEngine())
  }

  /**
   * Calls made before opening resolve through more promises.
   * @template T
   * @param {() => T} call
   * @returns {T}
   */
  #wrapped(call) {
    if (this.#failure !== undefined && this.status !== 'open') return this.#explained(call())
    // It may have been closed before it opened.
    return this.#answers === undefined ? call() : this.#answers.wrapped(call)
  }

  /**
   * Adds the reason why opening failed to the error of a call that waited for it: abstract-level
   * says only that the database is not open.
   * @template T
   * @param {T} answer
   * @returns {T}
   */
  #explained(answer) {
    if (!(answer instanceof Promise)) return answer
    return /** @type {any} any: a promise of the same */ (answer.catch((error) => {
      if (/^LEVEL_(DATABASE|ITERATOR)_NOT_OPEN$/.test(error?.code)) error.cause ??= this.#failure
      throw error
    }))
  }

  // ---- Opening and closing
  // ------------------------------------------------------------------------------------------

  /** @param {Options} [options] */
  open(options) {
    // _open() gets the options as abstract-level has changed them.
    return super.open(typeof options === 'object' ? { ...options, [GIVEN]: options } : options)
  }

  /** @param {Options} options */
  async _open(options) {
    this.#failure = undefined
    try {
      checkOptions({ ...options[GIVEN] })
      await this.#opened(options)
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  /** @param {Options} options */
  async #opened(options) {
    const { createIfMissing, errorIfExists } = options
    const engineOptions = engineOptionsOf(options)
    const create = createIfMissing && !(Object.hasOwn(engineOptions, 'readOnly') && engineOptions.readOnly)
    if (this.#inMemory && this.#engine !== undefined && !this.#engine.hasEnded) return this.#reopen(errorIfExists)
    const isImport = this.#importing !== null
    let finish = () => {}
    try {
      finish = this.#loadAhead()
      const storage = await Varve.#storageOf(this.#place)
      this.#durability = storage?.durability ?? 'volatile'
      if (this.location !== null) this.#kind = storage.kind ?? 'directory'
      const opening = { ...engineOptions, createIfMissing: create, errorIfExists }
      this.#comparator = engineOptions.comparator ?? COMPARATOR
      this.#isRemote = this.#inWorker
      this.#closeEngine = undefined
      const engine = this.#engine = await (this.#importing === null ? this.#openEngine(storage, opening) : this.#import(storage, engineOptions))
      if (this.#closeEngine === undefined) {
        this.#turns = new Turns(engine)
        this.#closeEngine = () => engine.close()
      }
      if (this.location !== null) this.#settle(/** @type {any} any: a WorkerEngine knows it */ (engine).place ?? { why: storage?.why })
    } catch (error) {
      // In an import, corruption is in the zip, not at the location.
      const told = fromEngineAt(error, isImport && /** @type {any} any: whatever was thrown */ (error)?.code === 'corruption' ? null : this.location)
      if (!isImport && isDenied(error)) told.message += '; ask for write access, or open it with readOnly: true'
      throw told
    } finally {
      finish()
    }
    this.#events.follow(this.#engine)
    this.#answers = new Answers(this.#turns)
    this.#writeOrder = new WriteOrder(this.#answers, this.#isRemote)
    if (this.listenerCount('damage') > 0) await this.#tellOfDamage()
  }

  /**
   * Begins to load, at the same time as the storage, what opening will need.
   * @returns {() => void} to call when the database is open, or could not be opened
   */
  #loadAhead() {
    const { path, kind } = this.#place
    if (isWindow()) {
      if (path !== null && this.#importing === null && this.#makeWorker === undefined) return startEarly(path, isFull() || kind === 'indexeddb')
    } else if (!this.#inWorker && !hasStorage('opfs')) {
      // The call that waits for it reports its error.
      ownEngine().catch(() => {})
    }
    return () => {}
  }

  /** @param {import('../remote/host.js').Place} [place] where the database is, if a worker has decided it */
  #settle({ storage, durability, why } = {}) {
    this.#kind = storage ?? this.#kind
    this.#durability = durability ?? this.#durability
    this.#why = why
  }

  /** Emits `damage` once the database is open, if opening skipped any. */
  async #tellOfDamage() {
    const { recovery } = /** @type {any} any: the object that the engine builds */ (infoOf(await this.#engine.info()))
    if (recovery.findings.length > 0) this.once('open', () => this.emit('damage', recovery))
  }

  /**
   * @param {import('../types/index.js').Storage | null | undefined} storage
   * @param {Options} options
   */
  async #openEngine(storage, options) {
    const onRecovered = (/** @type {any} any: the argument of the event `recovered` */ info) => this.#recovered(info)
    if (isShared(storage)) return this.#openShared(storage, options, onRecovered)
    /** @type {any} any: Engine or WorkerEngine, which share the method open() */
    const Class = this.#inWorker ? (await import('../remote/client.js')).WorkerEngine : await ownEngine()
    return Class.open(storage, options, onRecovered, this.#makeWorker)
  }

  /**
   * Opens a database that other tabs may use at the same time.
   * @param {any} storage any: RawFiles, or what describes them to a worker
   * @param {Options} options
   * @param {(info: any) => void} onRecovered any: the argument of the event `recovered`
   */
  async #openShared(storage, options, onRecovered) {
    const open = this.#inWorker || storage.needsFull ? (await import('../tabs/tab-engine.js')).openShared : (await import('../tabs/in-place.js')).openHere
    const onTab = (/** @type {string} */ event, /** @type {object} */ info) => { this.emit(event, info) }
    const { engine, turns, close } = await open(storage, { ...options, multiTab: this.#multiTab }, { onRecovered, onTab }, this.#makeWorker)
    this.#isRemote = turns === undefined
    this.#turns = turns ?? new Turns(engine)
    this.#closeEngine = close ?? (() => engine.close())
    return engine
  }

  /**
   * Imports a database. A worker, if any, opens it afterwards.
   * @param {any} storage any: user input, checked elsewhere
   * @param {Options} options
   */
  async #import(storage, options) {
    const { pieces, limits } = /** @type {any} any: user input, checked elsewhere */ (this.#importing)
    this.#importing = null
    // Files in memory belong to the instance that created them, so they cannot move to a worker.
    const target = storage === null && !isFull() ? new (await import('../storage/map.js')).MapStorage() : storage
    const zip = await (await fullEngine(target)).import(target, { ...limits, memoryLimit: options.memoryLimit }, (/** @type {any} any: the argument of the event `recovered` */ info) => this.#recovered(info), this.#makeWorker)
    const engine = await importAll(zip, pieces, { ...options, createIfMissing: false })
    if (!this.#inWorker && storage?.inWorker?.named === undefined) return engine
    await engine.close()
    return this.#openEngine(await Varve.#storageOf(this.#place), { ...options, createIfMissing: false })
  }

  /** @param {{ cause: unknown, duration: number }} info */
  #recovered(info) {
    this.#turns.wrote()
    this.emit('recovered', info)
  }

  /**
   * Reopens a database in memory. Its entries live as long as this object, as in memory-level, so
   * closing keeps the engine.
   * @param {boolean} errorIfExists
   */
  async #reopen(errorIfExists) {
    if (errorIfExists) throw new InvalidArgumentError('The database in memory exists already (errorIfExists is true)')
    try {
      if (this.#inWorker) await /** @type {any} any: it may be a WorkerEngine */ (this.#engine).wake()
      this.#events.follow(this.#engine)
    } catch (error) {
      throw fromEngine(error)
    }
    this.#turns.restart()
  }

  /**
   * Returns the storage of a database, a new one for a directory. Pages do not contain the module
   * for directories.
   * @param {ReturnType<typeof placeOf>} place
   * @returns {Promise<any>} any: a Storage, null or undefined, by the kind of place
   */
  static async #storageOf({ path, base, storage, kind }) {
    if (path === null) return storage
    if (isServiceWorker()) throw new VarveError('A service worker cannot open a database by name: a page or a dedicated worker can', { code: 'LEVEL_NOT_SUPPORTED' })
    if (isWindow()) return (await import('../tabs/tab-engine.js')).elsewhere(path, kind)
    const { directoryAt } = await import('#directory')
    return directoryAt(path, base, kind)
  }

  async _close() {
    await Promise.allSettled(this.#works)
    await this.#turns.stop()
    if (this.#inMemory && !this.#inWorker) return
    try {
      await (this.#inMemory ? /** @type {any} any: it may be a WorkerEngine */ (this.#engine).rest() : this.#closeEngine?.())
    } catch (/** @type {any} any: whatever was thrown */ error) {
      // An earlier close failed, but closed the engine.
      if (error?.code === 'closed') return
      this.#turns.restart()
      throw fromEngine(error)
    }
  }

  // ---- Reading ----

  /** @param {Encoded} key @param {Options} options */
  _get(key, options) {
    const value = this.#read(key, options)
    return value instanceof Promise ? this.#whenLate(value, options.valueEncoding === 'utf8' ? asIs : FROM_BYTES[options.valueEncoding]) : this.#answers.short(value)
  }

  /** @param {Encoded} key @param {Options} options */
  _getSync(key, options) {
    if (this.#isRemote || this.#engine.isReplacing) this.#sync.ready('getSync')
    return SyncCalls.found(this.#read(key, options))
  }

  // ---- Synchronous calls ----

  /** @param {any} keys @param {any} [options] any: as the public types say */
  getManySync(keys, options) {
    this.#sync.ready('getManySync')
    if (!Array.isArray(keys)) throw new InvalidArgumentError("The first argument 'keys' must be an array")
    const valueEncoding = this.valueEncoding(options?.valueEncoding)
    const fromBytes = FROM_BYTES[valueEncoding.format]
    const values = SyncCalls.found(this.#readMany('getMany', keys.map((key) => this.#encodedKey(key, options)), options ?? {}))
    return values.map((/** @type {Uint8Array | undefined} */ value) => decoded(valueEncoding, value && fromBytes(value), 'value'))
  }

  /** @param {any} key @param {any} [options] any: as the public types say */
  hasSync(key, options) {
    this.#sync.ready('hasSync')
    const encoded = this.#encodedKey(key, options)
    const id = Snapshot.idOf(options?.snapshot, this.#engine)
    try {
      return SyncCalls.found(this.#engine.has(this.#keyScratch.bytesOf(encoded, 'key'), id, options?.fillCache !== false))
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** @param {any} key @param {any} value @param {any} [options] any: as the public types say */
  putSync(key, value, options) { this.#sync.put(key, value, options) }

  /** @param {any} key @param {any} [options] any: as the public types say */
  delSync(key, options) { this.#sync.del(key, options) }

  /** @param {any} operations @param {any} [options] any: as the public types say */
  batchSync(operations, options) { this.#sync.batch(operations, options) }

  /** @param {any} [options] any: as the public types say */
  rangeSync(options) { return this.#sync.range(options) }

  /** @param {string} method */
  #readySync(method) {
    if (this.#isRemote) {
      const why = this.#inWorker ? 'with worker: true' : 'while another page or worker has the files open'
      throw new VarveError(`${method}() is not supported ${why}`, { code: 'LEVEL_NOT_SUPPORTED' })
    }
    if (this.#engine.isReplacing) throw new VarveError('The engine failed and is being replaced: retry later', { code: 'LEVEL_BUSY' })
  }

  /** @param {any} value @param {any} options any: as the public types say @returns {any} */
  #encodedValue(value, options) {
    /** @type {any} any: not in its published types */ (this)._assertValidValue(value)
    return this.valueEncoding(options?.valueEncoding).encode(value)
  }

  /** @param {any} key @param {any} options any: as the public types say @returns {any} */
  #encodedKey(key, options) {
    /** @type {any} any: not in its published types */ (this)._assertValidKey(key)
    return this.keyEncoding(options?.keyEncoding).encode(key)
  }

  /**
   * Returns a value in the requested format, or a promise.
   * @param {Encoded} key
   * @param {Options} options
   */
  #read(key, { snapshot, valueEncoding, fillCache }) {
    const engine = this.#engine
    const id = snapshot === undefined ? undefined : Snapshot.idOf(snapshot, engine)
    const bytes = this.#keyScratch.bytesOf(key, 'key')
    try {
      if (valueEncoding === 'utf8') return engine.getString(bytes, id, fillCache !== false)
      const value = engine.get(bytes, id, fillCache !== false)
      return value === undefined || value instanceof Promise ? value : FROM_BYTES[valueEncoding](value)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** @param {Encoded[]} keys @param {Options} options */
  _getMany(keys, options) {
    const fromBytes = FROM_BYTES[options.valueEncoding]
    const convert = (/** @type {any[]} any: the result of any call */ values) => values.map((value) => value === undefined ? undefined : fromBytes(value))
    const values = this.#readMany('getMany', keys, options)
    return values instanceof Promise ? this.#whenLate(values, convert) : this.#answers.long(convert(values))
  }

  /** @param {Encoded} key @param {Options} options */
  _has(key, options) {
    const { snapshot, fillCache } = options
    const engine = this.#engine
    const id = Snapshot.idOf(snapshot, engine)
    try {
      const found = engine.has(this.#keyScratch.bytesOf(key, 'key'), id, fillCache !== false)
      if (found instanceof Promise) return this.#whenLate(found, asIs, snapshot)
      return inTime(this.#answers.short(found, HAS_ROUNDS))
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** @param {Encoded[]} keys @param {Options} options */
  _hasMany(keys, options) {
    const found = this.#readMany('hasMany', keys, options)
    return found instanceof Promise ? this.#whenLate(found, asIs, options.snapshot) : inTime(this.#answers.long(found, HAS_ROUNDS))
  }

  /** @param {'getMany' | 'hasMany'} verb @param {Encoded[]} keys @param {Options} options */
  #readMany(verb, keys, { snapshot, fillCache }) {
    const id = Snapshot.idOf(snapshot, this.#engine)
    try {
      return this.#engine[verb](manyBytesOf(keys), id, fillCache !== false)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /**
   * Returns the result of a call that has to wait. All use the same number of promises, so that
   * they resolve in order.
   * @param {Promise<any>} promise any: the result of any call; the snapshot is abstract-level's
   * @param {(found: any) => any} convert
   * @param {any} [snapshot] abstract-level releases it when has() and hasMany() return, before they
   *   resolve
   */
  #whenLate(promise, convert, snapshot) {
    const { rounds } = this.#answers
    snapshot?.ref()
    return promise.then((found) => {
      snapshot?.unref()
      return this.#answers.late(found === undefined ? undefined : convert(found), rounds)
    }, (error) => {
      snapshot?.unref()
      throw fromEngine(error)
    })
  }

  // ---- Writing ----

  /** @param {Encoded} key @param {Encoded} value @param {Options} options */
  _put(key, value, options) {
    try {
      return this.#wrote(this.#engine.put(
        this.#keyScratch.bytesOf(key, 'key'), this.#valueScratch.bytesOf(value, 'value'), options.sync === true))
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** @param {Encoded} key @param {Options} options */
  _del(key, options) {
    try {
      return this.#wrote(this.#engine.del(this.#keyScratch.bytesOf(key, 'key'), options.sync === true))
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /**
   * @param {{ type: 'put' | 'del', key: Encoded, value: Encoded }[]} operations
   * @param {Options} options
   */
  _batch(operations, options) {
    const batch = this.#takeBatch()
    try {
      for (const { type, key, value } of operations) {
        if (type === 'put') batch.put(key, value)
        else batch.del(key)
      }
      return this.#write(batch.finish(), options.sync === true)
    } catch (error) {
      throw fromEngine(error)
    } finally {
      batch.clear()
      this.#spareBatch = batch
    }
  }

  /** Takes the spare batch: a storage may write while it is in use. */
  #takeBatch() {
    const batch = this.#spareBatch ?? new WriteBatch()
    this.#spareBatch = null
    return batch
  }

  /** @param {Uint8Array} bytes @param {boolean} sync */
  #write(bytes, sync) {
    return this.#wrote(this.#engine.write(bytes, sync), true)
  }

  /** @param {Promise<void> | undefined} done @param {boolean} [mayBeLong] */
  #wrote(done, mayBeLong = false) {
    const own = done instanceof Promise ? this.#writeOrder.late(done) : this.#answers.wrote(mayBeLong)
    return this.listenerCount('write') === 0 ? own : this.#writeOrder.told(own)
  }

  _chainedBatch() {
    return new ChainedBatch(this, {
      batch: this.#takeBatch(),
      commit: (bytes, sync, now) => now ? this.#engine.writeSync(bytes, sync) : this.#write(bytes, sync),
      release: (left) => { this.#spareBatch = left }
    })
  }

  /**
   * The engine deletes a whole range and drops its tables; with a limit or snapshot, rows are
   * deleted one by one.
   * @param {Options} options
   */
  async _clear(options) {
    const { snapshot, limit } = options
    const bounds = boundsOf(options)
    try {
      // Which keys are before which, only the engine knows.
      const byRow = this.#comparator !== COMPARATOR || limit !== -1 || (snapshot !== undefined && snapshot !== null)
      await this.#kept(byRow ? this.#clearRows(bounds, options) : clearRange(this.#engine, bounds))
    } catch (error) {
      throw fromEngine(error)
    }
    await this.#answers.wrote()
  }

  /** @param {ReturnType<typeof boundsOf>} bounds @param {Options} options */
  async #clearRows(bounds, { snapshot, reverse, limit }) {
    const id = Snapshot.idOf(snapshot, this.#engine)
    await clearRows(this.#engine, { ...bounds, reverse, limit, snapshot: id }, (batch) => this.#write(batch, false))
  }

  // ---- Iterators and snapshots ----

  /** @param {Options} options */
  _iterator(options) {
    return new Iterator(this, this.#engine, this.#answers, options)
  }

  /** @param {Options} options */
  _keys(options) {
    return new KeyIterator(this, this.#engine, this.#answers, options)
  }

  /** @param {Options} options */
  _values(options) {
    return new ValueIterator(this, this.#engine, this.#answers, options)
  }

  /** @param {Options} options */
  _snapshot(options) {
    return new Snapshot(this.#engine, options)
  }

  // ---- Beyond abstract-level ----

  async sync() {
    return this.#whenOpen((engine) => engine.sync())
  }

  async flush() {
    return this.#whenOpen((engine) => engine.flush())
  }

  /** @param {Encoded} start @param {Encoded} end @param {Options} options */
  async compactRange(start, end, options) {
    return this.#whenOpen((engine) => engine.compactRange(this.#boundOf(start, options), this.#boundOf(end, options)))
  }

  /** @param {Encoded} start @param {Encoded} end @param {Options} options */
  async approximateSize(start, end, options) {
    if (start === undefined || start === null || end === undefined || end === null) {
      throw new InvalidArgumentError("The arguments 'start' and 'end' are required")
    }
    return this.#whenOpen((engine) => engine.approximateSize(this.#boundOf(start, options), this.#boundOf(end, options)))
  }

  /** @param {string} property */
  getProperty(property) {
    if (typeof property !== 'string') throw new InvalidArgumentError("The first argument 'property' must be a string")
    this.#assertOpen()
    try {
      return this.#engine.property(property) ?? ''
    } catch (error) {
      throw fromEngine(error)
    }
  }

  async info() {
    return this.#whenOpen(async (engine) => {
      const { isSettled, ...info } = await engine.info()
      return {
        location: this.location,
        storage: this.#inMemory ? 'memory' : this.#kind,
        ...(this.#why !== undefined && { storageReason: this.#why }),
        durability: isSettled === false ? UNSETTLED[this.#kind] : this.#durability,
        ...infoOf(info),
        ...(ESTIMATED.includes(this.#kind) && await estimated())
      }
    })
  }

  /** @param {Options} [options] */
  watch(options) {
    return new Watch(this, () => this.#openedEngine(), options)
  }

  #openedEngine() {
    this.#assertOpen()
    return this.#engine
  }

  async verify() {
    return withFindings(await this.#whenOpen((engine) => engine.verify()))
  }

  async resume() {
    await this.#whenOpen((engine) => engine.resume())
    this.#turns.wrote()
  }

  /** @param {string | URL | null | undefined} location */
  async checkpoint(location) {
    const isStorage = typeof location === 'object' && location !== null && !(location instanceof URL)
    const place = isStorage ? placeOf(null, location) : placeOf(location, undefined)
    if (this.#inWorker) isInWorker(true, place)
    await this.#whenOpen(async (engine) => {
      try {
        await engine.checkpoint(await Varve.#storageOf(place))
      } catch (/** @type {any} any: whatever was thrown */ error) {
        // Other failures may come from either database.
        throw error?.code === 'invalid-argument' ? fromEngineAt(error, place.path) : error
      }
    })
  }

  export() {
    if (this.status === 'opening') {
      const begun = this.deferAsync(async () => {
        this.#assertOpen()
        return this.#export()
      })
      // The stream's reader gets the error.
      begun.catch(() => {})
      return new ReadableStream(sourceOf(begun), { highWaterMark: 0 })
    }
    this.#assertOpen()
    return new ReadableStream(this.#export().source(), { highWaterMark: 0 })
  }

  #export() {
    try {
      return new Export(this, this.#engine, this.#turns)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /**
   * @param {string | URL | null | undefined} location
   * @param {any} source any: user input, checked elsewhere
   * @param {Options} options
   */
  static async import(location, source, options) {
    const { maxBytes, maxRatio, ...rest } = { __proto__: null, ...options }
    // There is no other way to open what has no known order.
    if (rest.comparator === 'as-stored') rest.readOnly ??= true
    const importing = { pieces: piecesOf(source), limits: limitsOf({ maxBytes, maxRatio }) }
    const db = new this(location, rest)
    if (db.#inWorker && db.#inMemory) {
      throw new VarveError("An import with storage: 'memory' does not support worker: true", { code: 'LEVEL_NOT_SUPPORTED' })
    }
    db.#importing = importing
    try {
      await db.open()
    } catch (/** @type {any} any: whatever was thrown */ error) {
      throw error.code === 'LEVEL_DATABASE_NOT_OPEN' && error.cause !== undefined ? error.cause : error
    }
    return db
  }

  /** @param {string | URL | null | undefined} location @param {Options} options */
  static async destroy(location, options) {
    await Varve.#at(location, options, (storage) => storage.destroy?.() ?? ownEngine().then((Engine) => Engine.destroy(storage)))
  }

  static async databases() {
    const { databases } = await import('#directory')
    try {
      return await databases()
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** @param {string | URL | null | undefined} location @param {Options} options */
  static async repair(location, options) {
    const isNamed = options?.comparator !== undefined && options.comparator !== null
    return withFindings(await Varve.#at(location, options, async (storage, given) => (await fullEngine(storage)).repair(storage, given, isNamed, workerMakerOf(options?.worker))))
  }

  /** @param {string | URL | null | undefined} location @param {Options} options */
  static async verify(location, options) {
    return withFindings(await Varve.#at(location, options, async (storage, given) => (await fullEngine(storage)).verifyFiles(storage, given, workerMakerOf(options?.worker))))
  }

  /**
   * @param {string | URL | null | undefined} location
   * @param {Options} options
   * @param {(storage: any, given: Record<string, unknown>) => any} act any: user input, checked
   *   elsewhere
   */
  static async #at(location, options, act) {
    const { storage, ...rest } = { __proto__: null, ...options }
    const place = placeOf(location, storage)
    if (storage === 'memory') throw new InvalidArgumentError('A database in memory has no files: use a directory or a Storage')
    checkOptions(rest)
    const given = engineOptionsOf(rest)
    const files = await Varve.#storageOf(place)
    try {
      return await act(files, given)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (place.path !== null && error?.cause?.code === 'ENOENT' && error.cause.path === files.directory) {
        // classic-level's code and reason.
        throw new VarveError(`directory ${place.path} does not exist (ENOENT: no such file or directory)`, { code: 'LEVEL_IO_ERROR', cause: error.cause })
      }
      throw fromEngineAt(error, place.path)
    }
  }

  /** @param {(engine: Engine) => any} act @returns {Promise<any>} any: the result of any call */
  async #whenOpen(act) {
    if (this.status === 'opening') return this.deferAsync(() => this.#whenOpen(act))
    this.#assertOpen()
    try {
      return await this.#kept(act(this.#engine))
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** Makes close() wait for `work`. @param {Promise<unknown>} work */
  #kept(work) {
    if (!(work instanceof Promise)) return work
    this.#works.add(work)
    return work.finally(() => this.#works.delete(work))
  }

  /** @param {Encoded} key @param {Options} options @returns {any} any: the result of any call */
  #boundOf(key, options) {
    if (key === undefined || key === null) return undefined
    return bytesOf(this.keyEncoding(options?.keyEncoding).encode(key), 'key')
  }

  #assertOpen() {
    if (this.status !== 'open') throw new VarveError('Database is not open', { code: 'LEVEL_DATABASE_NOT_OPEN', cause: this.#failure })
  }
}

/**
 * Whether the database is one that tabs of a browser share.
 * @param {any} storage any: a Storage, or what describes it
 */
function isShared(storage) {
  return storage?.lockName !== undefined && globalThis.navigator?.locks !== undefined && globalThis.BroadcastChannel !== undefined
}

/**
 * Whether an existing directory may not be locked, for which one must write to it.
 * @param {any} error any: whatever was thrown
 */
function isDenied({ code, message, cause }) {
  return code === 'io' && message.includes('lock of') && ['EACCES', 'EPERM', 'EROFS'].includes(cause?.code) && cause.cause === undefined
}

/**
 * Runs the tasks of the full module, here or in a worker that has it.
 * @param {any} storage any: a Storage, RawFiles or null
 * @returns {Promise<any>} any: Engine or FullWorker, which share these methods
 */
async function fullEngine(storage) {
  if (isFull() && (storage?.isChunks || storage?.inWorker?.named === undefined)) return ownEngine()
  return (await import('../remote/full-worker.js')).FullWorker
}

/**
 * Returns the engine's report with its findings as VarveErrors.
 * @param {any} report any: the object that the engine builds
 */
function withFindings(report) {
  return { ...report, findings: (report.findings ?? []).map(fromEngine) }
}
