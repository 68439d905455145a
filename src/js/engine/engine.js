// Calls the engine in WebAssembly, passing bytes through regions of its memory
// (src/wasm/database.rs). A method returns a value if nothing had to wait, else a promise.
// Iterators and snapshots end with their instance, which supervisor.js replaces.
import { following } from '../bytes/bytes.js'
import { noteTurn, pause } from './event-loop.js'
import { InvalidArgumentError } from '../errors.js'
import { GuardedStorage } from './guarded-storage.js'
import { Instance, MEMORY_LIMIT, unknownFate } from './instance.js'
import { flags, unpack } from './packed.js'
import { EMPTY, Regions } from './regions.js'
import { Supervisor } from './supervisor.js'
import { WriteGroup } from './write-group.js'
import { ZipImport } from './zip-import.js'

/** Result codes: see src/wasm/database.rs. */
const FAILED = -3
const MISSING = -1
const DONE = 2 ** 32

const REVERSE = 1
const KEYS = 2
const VALUES = 4
const FILL_CACHE = 8
const FILL_CACHE_SOUGHT = 16
const UNVERIFIED = 32

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Flags of the option fillCache. Default: cache the blocks read by a seek. */
const FILL = { true: FILL_CACHE, false: 0, sought: FILL_CACHE_SOUGHT }

/**
 * Ids of iterators and snapshots: the low 32 bits are the instance's, the rest counts instances.
 */
const IDS_PER_INSTANCE = 2 ** 32

/**
 * An iterator or snapshot that is created once the engine is replaced, when its id is known.
 * @typedef {number | Later} Id
 */
class Later {
  /** @type {number | undefined} */
  id
}

const NONE = /** @type {Instance} */ (/** @type {unknown} */ (null))

/**
 * Returns the storage with a register of its open files; the storages of a browser have their own.
 * @param {any} storage any: a Storage, or RawFiles
 * @returns {GuardedStorage}
 */
function guard(storage) {
  return storage.isRaw || storage.isChunks || storage instanceof GuardedStorage ? storage : new GuardedStorage(storage)
}

/** The name of the order of keys that needs no name. */
const BYTEWISE = 'leveldb.BytewiseComparator'

/** One database in its own instance. */
export class Engine {
  /** null exactly when #database is. @type {Instance} */
  #instance = NONE
  /**
   * any: wasm-bindgen's class Database, of either module; null while there is no instance.
   * @type {any}
   */
  #database = null
  /**
   * Added to the ids of the instance's iterators and snapshots; those of earlier instances are
   * smaller.
   */
  #base = 0
  #regions = new Regions()
  #supervisor
  #storage
  /** By who listens. @type {Map<unknown, (name: string, info: object) => void>} */
  #listeners = new Map()
  #group
  /** Whether the storage can write, and flush, synchronously; asked before the first such write. */
  #answersInPlace = false
  /** Of the database, unless it is bytewise. @type {string | undefined} */
  #comparator
  #flushesInPlace = false

  /**
   * @param {object | null} storage files; null: in memory
   * @param {{ memoryLimit?: number }} options memoryLimit in bytes, the rest is the engine's
   * @param {(info: { cause: unknown, duration: number }) => void} [onRecovered] called when the
   *   database is open again after a trap
   */
  static async open(storage, options, onRecovered) {
    const engine = new Engine(storage, options, onRecovered)
    await engine.#supervisor.start()
    await engine.#opened()
    return engine
  }

  /**
   * Removes the database in `storage`.
   * @param {import('../types/index.js').Storage | null} storage
   */
  static destroy(storage) {
    return Engine.#once(storage, {}, ({ destroyDatabase }, guarded) => destroyDatabase(guarded))
  }

  /**
   * Rebuilds the database in `storage`.
   * @param {import('../types/index.js').Storage | null} storage
   * @param {Record<string, unknown>} options
   * @param {boolean} anyComparator whether to repair a database with another comparator
   */
  static repair(storage, options, anyComparator) {
    return Engine.#once(storage, options, ({ repairDatabase }, guarded, own) => repairDatabase(guarded, own, anyComparator))
  }

  /**
   * Checks the files of the database in `storage` without opening it.
   * @param {import('../types/index.js').Storage | null} storage
   * @param {Record<string, unknown>} options
   */
  static verifyFiles(storage, options) {
    return Engine.#once(storage, options, ({ verifyDatabase }, guarded, own) => verifyDatabase(guarded, own))
  }

  /**
   * Starts the import of a zip to `storage` (null: memory), which must not have a database.
   * @param {object | null} storage
   * @param {{ maxBytes: number, maxRatio: number, memoryLimit?: number }} limits
   * @param {(info: { cause: unknown, duration: number }) => void} [onRecovered]
   * @returns {Promise<ZipImport>}
   */
  static async import(storage, { maxBytes, maxRatio, memoryLimit }, onRecovered) {
    /** @type {Engine | undefined} */
    let engine
    const onTrap = (/** @type {Error} */ trap) => { if (engine !== undefined) engine.#supervisor.onTrap(trap) }
    const instance = await Instance.make(memoryLimit ?? MEMORY_LIMIT, onTrap)
    const guarded = storage === null ? undefined : guard(storage)
    return new ZipImport(instance, guarded, instance.exports.importZip(guarded, maxBytes, maxRatio), async (options, open) => {
      const own = engine = new Engine(guarded ?? null, options, onRecovered)
      await own.#supervisor.adopt(instance, open)
      instance.leave(onTrap)
      await own.#opened()
      return own
    })
  }

  /**
   * @param {any} storage any: null or a Storage
   * @param {Record<string, any>} options
   * @param {(exports: Instance['exports'], storage: GuardedStorage, options: object) => any} act
   */
  static async #once(storage, { memoryLimit, ...options }, act) {
    const onTrap = () => {}
    const instance = await Instance.make(memoryLimit ?? MEMORY_LIMIT, onTrap)
    const guarded = guard(storage)
    try {
      return await instance.settled(act(instance.exports, guarded, { ...options, pause }))
    } finally {
      instance.leave(onTrap)
      if (instance.trap !== undefined) await guarded.release()
    }
  }

  /**
   * Called only by `open` and `import`.
   * @param {any} storage any: null or a Storage
   * @param {Record<string, any>} options
   * @param {((info: { cause: unknown, duration: number }) => void) | undefined} onRecovered
   */
  constructor(storage, { memoryLimit, ...options }, onRecovered) {
    this.#storage = storage === null ? undefined : guard(storage)
    this.#comparator = options.comparator === BYTEWISE ? undefined : options.comparator
    this.#supervisor = new Supervisor(this.#storage, { ...options, pause }, memoryLimit ?? MEMORY_LIMIT, onRecovered, {
      begin: (instance, database) => {
        this.#instance = instance
        this.#database = database
        this.#regions.use(database, instance.memory)
        this.#listen(database)
      },
      end: () => {
        this.#instance = NONE
        this.#database = null
        this.#regions.use(null)
        this.#base += IDS_PER_INSTANCE
      }
    })
    this.#group = new WriteGroup((batch) => this.write(batch, false), options.maxValueSize)
  }

  /** Whether calls wait for a new instance. */
  get isReplacing() {
    return this.#database === null && this.#supervisor.isReplacing
  }

  /** Tells a storage of a browser, which remembers its databases. */
  async #opened() {
    await /** @type {any} any: OpfsFiles has it */ (this.#storage)?.opened?.()
  }

  /** Whether the engine has failed permanently or was closed. */
  get hasEnded() {
    return this.#supervisor.failure !== undefined
  }

  /**
   * Repeats a call once there is an instance, and returns a promise.
   * @param {(...args: any[]) => any} method
   * @param {any[]} args any: the arguments of `method`
   * @returns {any} a promise
   */
  #again(method, ...args) {
    const own = args.map(owned)
    return this.#supervisor.whenBack(() => method.apply(this, own))
  }

  /**
   * As `#again`, for methods without a result.
   * @param {(...args: any[]) => any} method
   * @param {any[]} args any: results of the engine have many types
   */
  #whenBack(method, ...args) {
    if (!this.hasEnded) this.#again(method, ...args).catch(() => {})
  }

  /**
   * As `#again`, for methods that return an iterator or a snapshot.
   * @param {() => Id} make
   * @returns {Id}
   */
  #laterId(make) {
    const later = new Later()
    this.#again(() => { later.id = /** @type {number} */ (make()) }).catch(() => {})
    return later
  }

  /** Writes the pending group first, to keep the order. */
  #inOrder() {
    if (this.#group.waits) this.#group.flush()
  }

  /** Throws unless a synchronous call can be made now. */
  #now() {
    if (this.#database !== null) return this.#database
    if (this.#supervisor.failure !== undefined) throw this.#supervisor.failure
    throw Object.assign(new Error('the engine has failed and is being replaced: try again in a moment'), { code: 'busy' })
  }

  /** Returns the instance's id of an iterator or snapshot. @param {Id} id */
  #numberOf(id) {
    const number = numberOf(id) - this.#base
    if (number > 0) return number
    const message = 'the engine has failed and was replaced: iterators and snapshots from before are gone'
    throw Object.assign(new Error(message), { code: 'poisoned' })
  }

  /** @param {Id} id */
  #isLive(id) {
    return numberOf(id) > this.#base
  }

  /** @param {Id | undefined} id */
  #snapshotOf(id) {
    return id === undefined ? 0 : this.#numberOf(id)
  }

  /**
   * Closes the database. After a trap meanwhile, recovers and then closes it.
   * @returns {Promise<void>}
   */
  async close() {
    this.#inOrder()
    if (this.isReplacing) await this.#supervisor.replaced()
    if (this.#database !== null) {
      const instance = this.#instance
      try {
        await this.#answer(this.#database.close())
      } catch (error) {
        if (instance.trap === undefined) throw error
        if (this.isReplacing) await this.#supervisor.replaced()
        if (this.#supervisor.failure !== undefined) throw this.#supervisor.failure
        return this.close()
      }
    }
    this.#instance = NONE
    this.#database = null
    this.#regions.use(null)
    this.#supervisor.stop(Object.assign(new Error('the database is closed'), { code: 'closed' }))
    // A read-only database releases no lock, which would have closed the files.
    await this.#storage?.settle()
  }

  /** @param {Uint8Array} key @param {Uint8Array} value @param {boolean} sync */
  put(key, value, sync) {
    if (!sync) {
      const joined = this.#group.put(key, value)
      if (joined !== undefined) return joined
      this.#group.open()
    }
    this.#inOrder()
    if (this.#database === null) return this.#again(this.put, key, value, sync)
    try {
      this.#regions.enter(key, value)
      return this.#answer(this.#database.put(key.length, value.length, sync, false), true)
    } catch (error) {
      throw this.#ofWrite(error)
    }
  }

  /** @param {Uint8Array} key @param {boolean} sync */
  del(key, sync) {
    if (!sync) {
      const joined = this.#group.del(key)
      if (joined !== undefined) return joined
      this.#group.open()
    }
    this.#inOrder()
    if (this.#database === null) return this.#again(this.del, key, sync)
    try {
      this.#regions.enter(key)
      return this.#answer(this.#database.del(key.length, sync, false), true)
    } catch (error) {
      throw this.#ofWrite(error)
    }
  }

  /** @param {Uint8Array} batch @param {boolean} sync */
  write(batch, sync) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.write, batch, sync)
    try {
      this.#regions.enter(batch)
      return this.#answer(this.#database.write(batch.length, sync, false), true)
    } catch (error) {
      throw this.#ofWrite(error)
    }
  }

  // ---- Synchronous writes ----
  /** @param {Uint8Array} key @param {Uint8Array} value @param {boolean} sync */
  putSync(key, value, sync) {
    this.#writeNow(sync, (database) => {
      this.#regions.enter(key, value)
      return database.put(key.length, value.length, sync, true)
    })
  }

  /** @param {Uint8Array} key @param {boolean} sync */
  delSync(key, sync) {
    this.#writeNow(sync, (database) => {
      this.#regions.enter(key)
      return database.del(key.length, sync, true)
    })
  }

  /** @param {Uint8Array} batch @param {boolean} sync */
  writeSync(batch, sync) {
    this.#writeNow(sync, (database) => {
      this.#regions.enter(batch)
      return database.write(batch.length, sync, true)
    })
  }

  /**
   * Throws, with nothing written, while an earlier write is unfinished or if the storage returns
   * promises.
   * @param {boolean} sync
   * @param {(database: any) => number} write any: as #database
   */
  #writeNow(sync, write) {
    this.#inOrder()
    const database = this.#now()
    this.#assertInPlace(sync)
    try {
      const storage = this.#storage
      this.#answer(storage === undefined ? write(database) : storage.now(() => write(database)))
    } catch (error) {
      throw this.#ofWrite(error)
    }
  }

  /**
   * Throws unless the storage can write synchronously, which is asked once.
   * @param {boolean} sync
   */
  #assertInPlace(sync) {
    if (this.#storage === undefined || (sync ? this.#flushesInPlace : this.#answersInPlace)) return
    const answer = this.#storage.answersInPlace(sync)
    // No file is open to ask: the engine refuses the write if the storage returns a promise.
    if (answer === undefined) return
    if (!answer) {
      const what = sync ? 'flushed' : 'written to'
      throw Object.assign(new Error(`the storage of this database cannot be ${what} synchronously`), { code: 'not-supported' })
    }
    this.#answersInPlace = true
    if (sync) this.#flushesInPlace = true
  }

  /** @param {Uint8Array} key @param {Id | undefined} snapshot @param {boolean} fillCache */
  get(key, snapshot, fillCache) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.get, key, snapshot, fillCache)
    this.#regions.enter(key)
    const size = this.#database.get(key.length, this.#snapshotOf(snapshot), fillCache)
    if (size >= 0) return this.#regions.value(size)
    return size === MISSING ? undefined : this.#outcome(size)
  }

  /** @param {Uint8Array} key @param {Id | undefined} snapshot @param {boolean} fillCache */
  getString(key, snapshot, fillCache) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.getString, key, snapshot, fillCache)
    this.#regions.enter(key)
    const size = this.#database.get(key.length, this.#snapshotOf(snapshot), fillCache)
    if (size === MISSING) return undefined
    if (size < 0) return this.#outcome(size).then((/** @type {any} any: results of the engine have many types */ value) => value && decoder.decode(value))
    const start = this.#database.out()
    return this.#regions.string(start, start + size)
  }

  /** @param {Uint8Array[]} keys @param {Id | undefined} snapshot @param {boolean} fillCache */
  getMany(keys, snapshot, fillCache) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.getMany, keys, snapshot, fillCache)
    const packed = this.#database.getMany(this.#regions.enterMany(keys), this.#snapshotOf(snapshot), fillCache)
    return packed < 0 ? this.#outcome(packed).then(unpack) : unpack(this.#regions.copy(packed))
  }

  /** @param {Uint8Array} key @param {Id | undefined} snapshot @param {boolean} fillCache */
  has(key, snapshot, fillCache) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.has, key, snapshot, fillCache)
    this.#regions.enter(key)
    const found = this.#database.has(key.length, this.#snapshotOf(snapshot), fillCache)
    return found < 0 ? this.#outcome(found) : found === 1
  }

  /** @param {Uint8Array[]} keys @param {Id | undefined} snapshot @param {boolean} fillCache */
  hasMany(keys, snapshot, fillCache) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.hasMany, keys, snapshot, fillCache)
    const found = this.#database.hasMany(this.#regions.enterMany(keys), this.#snapshotOf(snapshot), fillCache)
    return found < 0 ? this.#outcome(found).then(flags) : flags(this.#regions.copy(found))
  }

  /** @returns {Id} */
  snapshot() {
    this.#inOrder()
    if (this.#database === null) return this.#laterId(() => this.snapshot())
    return this.#base + this.#database.snapshot()
  }

  /** @param {Id} id */
  releaseSnapshot(id) {
    if (this.#database === null) this.#whenBack(this.releaseSnapshot, id)
    else if (this.#isLive(id)) this.#database.releaseSnapshot(this.#numberOf(id))
  }

  /**
   * @param {{ gt?: Uint8Array, gte?: Uint8Array, lt?: Uint8Array, lte?: Uint8Array,
   *           reverse: boolean, limit: number, keys: boolean, values: boolean,
   *           fillCache?: 'sought' | boolean, verifyChecksums?: boolean, snapshot?: Id }} options
   * @returns {Id}
   */
  iterator(options) {
    this.#inOrder()
    if (this.#database === null) {
      const copy = ownedRange(options)
      return this.#laterId(() => this.iterator(copy))
    }
    const { reverse, limit, keys, values, fillCache, verifyChecksums, snapshot } = options
    const [from, to] = this.#enterRange(options)
    const fill = FILL[/** @type {'sought'} */ (fillCache ?? 'sought')]
    const flags = (reverse ? REVERSE : 0) | (keys ? KEYS : 0) | (values ? VALUES : 0) | fill |
      (verifyChecksums === false ? UNVERIFIED : 0)
    return this.#base + this.#number(this.#database.iterator(from, to, flags, limit, this.#snapshotOf(snapshot)))
  }

  /** @param {Id} iterator @param {number} size @param {number} maxBytes */
  next(iterator, size, maxBytes) {
    if (this.#database === null) return this.#again(this.next, iterator, size, maxBytes)
    return this.#page(this.#database.next(this.#numberOf(iterator), size, maxBytes))
  }

  /** @param {number} answer */
  #page(answer) {
    if (answer < 0) return this.#outcome(answer)
    const done = answer >= DONE
    const bytes = this.#database.outSize()
    return { rows: bytes === 0 ? EMPTY : this.#regions.page(bytes), count: done ? answer - DONE : answer, done }
  }

  /** @param {Id} iterator @param {Uint8Array} target */
  seek(iterator, target) {
    if (this.#database === null) return this.#whenBack(this.seek, iterator, target)
    const number = this.#numberOf(iterator)
    this.#regions.enter(target)
    this.#database.seek(number, target.length)
  }

  /** @param {Id} id */
  closeIterator(id) {
    if (this.#database === null) this.#whenBack(this.closeIterator, id)
    else if (this.#isLive(id)) this.#database.closeIterator(this.#numberOf(id))
  }

  /**
   * Writes the bounds to scratch; returns their lengths, -1 for none.
   * @param {{ gt?: Uint8Array, gte?: Uint8Array, lt?: Uint8Array, lte?: Uint8Array }} range
   */
  #enterRange({ gt, gte, lt, lte }) {
    // The engine's bounds are inclusive start and exclusive end.
    const lower = gt === undefined ? gte : this.#after(gt)
    const upper = lte === undefined ? lt : this.#after(lte)
    this.#regions.enter(lower ?? EMPTY, upper)
    return [lower?.length ?? -1, upper?.length ?? -1]
  }

  /** Returns the key right after `key`; in bytewise order it is `key` with a zero byte. @param {Uint8Array} key */
  #after(key) {
    if (this.#comparator === undefined) return following(key)
    const next = this.#instance.exports.keySuccessor(this.#comparator, key)
    if (next !== undefined) return next
    throw new InvalidArgumentError(`In the order ${this.#comparator}, 'gt' and 'lte' must be whole keys: use 'gte' and 'lt'`)
  }

  /**
   * Watches the changes of a range after `since`; -1: from now on.
   * @param {{ gt?: Uint8Array, gte?: Uint8Array, lt?: Uint8Array, lte?: Uint8Array, since: number }} options
   * @returns {Id}
   */
  watch(options) {
    this.#inOrder()
    if (this.#database === null) {
      const copy = ownedRange(options)
      return this.#laterId(() => this.watch(copy))
    }
    const [from, to] = this.#enterRange(options)
    return this.#base + this.#database.watch(from, to, options.since)
  }

  /** Returns a page of changes (bytes/changes.js), maybe empty. @param {Id} watch @param {number} maxBytes */
  changes(watch, maxBytes) {
    if (this.#database === null) return this.#again(this.changes, watch, maxBytes)
    return this.#page(this.#database.changes(this.#numberOf(watch), maxBytes))
  }

  /** Returns once there are changes, or the watch is closed. @param {Id} watch */
  changed(watch) {
    if (this.#database === null) return this.#again(this.changed, watch)
    return this.#answer(this.#database.changed(this.#numberOf(watch)))
  }

  /** @param {Id} id */
  closeWatch(id) {
    if (this.#database === null) this.#whenBack(this.closeWatch, id)
    else if (this.#isLive(id)) this.#database.closeWatch(this.#numberOf(id))
  }

  flush() {
    noteTurn()
    this.#inOrder()
    if (this.#database === null) return this.#again(this.flush)
    return this.#answer(this.#database.flush())
  }

  sync() {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.sync)
    return this.#answer(this.#database.sync())
  }

  resume() {
    if (this.#database === null) return this.#again(this.resume)
    return this.#answer(this.#database.resume())
  }

  /** @param {Uint8Array | undefined} begin @param {Uint8Array | undefined} end */
  compactRange(begin, end) {
    noteTurn()
    this.#inOrder()
    if (this.#database === null) return this.#again(this.compactRange, begin, end)
    this.#regions.enter(begin ?? EMPTY, end)
    return this.#answer(this.#database.compactRange(begin?.length ?? -1, end?.length ?? -1))
  }

  /** @param {Uint8Array | undefined} begin @param {Uint8Array | undefined} end */
  deleteRange(begin, end) {
    noteTurn()
    this.#inOrder()
    if (this.#database === null) return this.#again(this.deleteRange, begin, end)
    try {
      this.#regions.enter(begin ?? EMPTY, end)
      return this.#number(this.#database.deleteRange(begin?.length ?? -1, end?.length ?? -1), true)
    } catch (error) {
      throw this.#ofWrite(error)
    }
  }

  /** @param {Uint8Array} begin @param {Uint8Array} end */
  approximateSize(begin, end) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.approximateSize, begin, end)
    this.#regions.enter(begin, end)
    return this.#number(this.#database.approximateSize(begin.length, end.length))
  }

  /** @param {string} name */
  property(name) {
    this.#inOrder()
    return this.#now().property(name)
  }

  /** Returns the engine's state as a cloneable object. */
  info() {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.info)
    const { cause, recovery, ...info } = this.#database.info()
    return {
      ...info,
      ...(cause !== undefined && { cause: plain(cause) }),
      recovery: { ...recovery, findings: recovery.findings.map(plain) }
    }
  }

  /**
   * Reports flushes, compactions and stalls to `tell`, which must not call the engine; undefined
   * turns it off.
   * @param {((name: string, info: object) => void) | undefined} tell
   * @param {unknown} [by] who listens: each has one `tell`
   */
  listen(tell, by = this) {
    if (tell === undefined) this.#listeners.delete(by)
    else this.#listeners.set(by, tell)
    this.#listen(this.#database)
  }

  /** @param {any} database any: wasm-bindgen's class Database, or null */
  #listen(database) {
    const all = (/** @type {string} */ name, /** @type {object} */ info) => { for (const tell of this.#listeners.values()) tell(name, info) }
    database?.listen(this.#listeners.size > 0 ? all : undefined)
  }

  verify() {
    noteTurn()
    this.#inOrder()
    if (this.#database === null) return this.#again(this.verify)
    return this.#instance.settled(this.#database.verify())
  }

  /** @param {any} storage any: null or a Storage */
  async checkpoint(storage) {
    this.#inOrder()
    if (this.isReplacing) await this.#supervisor.replaced()
    const database = this.#now()
    const instance = this.#instance
    const guarded = guard(storage)
    try {
      return await instance.settled(database.checkpoint(guarded))
    } finally {
      if (instance.trap !== undefined) await guarded.release()
    }
  }

  /** @returns {Id} */
  exportStart() {
    this.#inOrder()
    return this.#base + this.#now().exportStart()
  }

  /**
   * Returns the next bytes, which may be none; undefined at the end.
   * @param {Id} id
   * @param {number} bytes
   */
  exportNext(id, bytes) {
    if (this.#database === null) return this.#again(this.exportNext, id, bytes)
    const size = this.#database.exportNext(this.#numberOf(id), bytes)
    if (size === MISSING) return undefined
    return size < 0 ? this.#outcome(size) : this.#regions.copy(size)
  }

  /** @param {Id} id */
  exportEnd(id) {
    if (this.#database !== null && this.#isLive(id)) this.#database.exportEnd(this.#numberOf(id))
  }

  /** @param {number} bytes */
  background(bytes) {
    if (this.#database === null) return false
    const more = this.#database.background(bytes)
    return more < 0 ? this.#outcome(more) : more === 1
  }

  tidy() {
    return this.#database !== null && this.#database.tidy()
  }

  /** Whether writes are refused because the storage is full. */
  lacksRoom() {
    return this.#database !== null && this.#database.lacksRoom()
  }

  /** Does not throw: it is called after a write was acknowledged. */
  hasBackgroundWork() {
    try {
      return this.#database !== null && this.#database.hasBackgroundWork()
    } catch {
      return false
    }
  }

  /**
   * Returns undefined, or a promise.
   * @param {any} answer any: results of the engine have many types
   */
  #answer(answer, isWrite = false) {
    return answer < 0 ? this.#outcome(answer, isWrite) : undefined
  }

  /** @param {any} answer any: results of the engine have many types */
  #number(answer, isWrite = false) {
    return answer < 0 ? this.#outcome(answer, isWrite) : answer
  }

  /**
   * Returns the promise of a call that has to wait; throws if the call failed.
   * @param {any} answer any: results of the engine have many types
   */
  #outcome(answer, isWrite = false) {
    const outcome = this.#database.outcome()
    if (answer === FAILED) throw outcome
    return this.#instance.settled(outcome, isWrite)
  }

  /**
   * After a trap during a write, marks it as maybe applied.
   * @param {any} error any: whatever was thrown
   */
  #ofWrite(error) {
    return error === this.#supervisor.trap ? unknownFate(error) : error
  }
}

/** Returns an error as a cloneable object. @param {any} error any: whatever was thrown */
const plain = (error) => ({ message: error.message, ...error })

/** Returns NaN for an id that was never assigned. @param {Id} id @returns {number} */
const numberOf = (id) => typeof id === 'number' ? id : id.id ?? NaN

/** @template {object} T @param {T} options @returns {T} */
const ownedRange = (options) => /** @type {T} */ (Object.fromEntries(Object.entries(options).map(([name, value]) => [name, owned(value)])))

/**
 * Copies arguments that have to wait, because the caller may change them.
 * @param {any} value
 * @returns {any} any: results of the engine have many types
 */
function owned(value) {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  return Array.isArray(value) ? value.map(owned) : value
}
