// The engine as JavaScript uses it: bytes go in and out through regions of its memory (src/wasm/database.rs). A method answers a
// value where nothing had to wait, else a promise of it.
//
//   open --- a trap: its instance is given up ---> replacing ---> open, in a fresh instance, from what is on storage
//                                                      \---> failed: three traps in a minute, or files only in memory
//
// While it is replaced, calls wait in their order. Iterators and snapshots end with their instance.
import { GuardedStorage } from './guarded-storage.js'
import { Instance, MEMORY_LIMIT, unknownFate } from './instance.js'
import { following } from '../bytes/bytes.js'
import { NativeBuffer } from '../bytes/native-buffer.js'
import { flags, unpack } from './packed.js'
import { noteTurn, pause } from './event-loop.js'
import { Pool } from './pool.js'
import { WriteGroup } from './write-group.js'
import { ZipImport } from './zip-import.js'

/** Answers of the border: see src/wasm/database.rs. */
const FAILED = -3
const MISSING = -1
const DONE = 2 ** 32

const REVERSE = 1
const KEYS = 2
const VALUES = 4
const FILL_CACHE = 8
const FILL_CACHE_SOUGHT = 16
const UNVERIFIED = 32

/** Room that the scratch region has from the start: most keys and values fit. */
const SCRATCH_SIZE = 4096
/** Beyond this the region is asked for each time, so that the engine may give memory back. */
const SCRATCH_KEPT = 1 << 20

/** Beyond what is needed memory grows by half of it, by this at most; a large one by an eighth. */
const GROWTH = 8 << 20

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** By the option fillCache; nobody's word means what is sought. */
const FILL = { true: FILL_CACHE, false: 0, sought: FILL_CACHE_SOUGHT }

/** After so many traps in so many ms something is wrong that another instance does not mend. */
const TRAPS_MAX = 3
const TRAPS_MS = 60_000


/** Instances count their iterators and snapshots in 32 bits; above that are the instances. */
const IDS_PER_INSTANCE = 2 ** 32

/** An iterator or snapshot that is made when the engine is back: its number is known then. @typedef {number | Later} Id */
class Later {
  /** @type {number | undefined} */
  id
}

/** One database in an instance of its own. */
export class Engine {
  /** As #database. @type {any} */
  #instance = null
  /** @type {any} */
  #memory
  /** null while there is no instance to call. @type {any} */
  #database = null
  /** Added to the numbers of the instance's iterators and snapshots: those of an earlier one are below. */
  #base = 0
  /** Settles, well, when the engine is replaced or has failed. @type {Promise<void> | undefined} */
  #replacing
  /** Opened in a fresh instance, and not in use before the calls that wait for it are made. @type {any} */
  #fresh = null
  /** Calls that wait, in their order. @type {(() => void)[]} */
  #waiting = []
  /** What calls get from now on. @type {Error | undefined} */
  #failure
  /** The last one. @type {Error | undefined} */
  #trap
  /** When there were any lately. @type {number[]} */
  #traps = []
  #storage
  #options
  #memoryLimit
  #onRecovered
  /** @type {((name: string, info: object) => void) | undefined} */
  #listener
  /** The whole memory, as a Buffer where there is one; made anew when it has grown. @type {any} */
  #bytes = new Uint8Array(0)
  #values = new Pool(8 << 10)
  #pages = new Pool(64 << 10)
  #scratch = 0
  #scratchSize = 0
  #group

  /**
   * @param {object | null} storage files; null: in memory
   * @param {{ memoryLimit?: number }} options memoryLimit in bytes, the rest is the engine's
   * @param {(info: { cause: unknown, duration: number }) => void} [onRecovered] after a trap, when the database is open again
   */
  static async open(storage, options, onRecovered) {
    const engine = new Engine(storage, options, onRecovered)
    await engine.#start(engine.#options)
    return engine
  }

  /** Removes the database in `storage`. @param {any} storage */
  static destroy(storage) {
    return Engine.#once(storage, {}, ({ destroyDatabase }, guarded) => destroyDatabase(guarded))
  }

  /**
   * Rebuilds the database in `storage`.
   * @param {any} storage
   * @param {Record<string, any>} options
   * @param {boolean} anyComparator also one that was made with another comparator
   */
  static repair(storage, options, anyComparator) {
    return Engine.#once(storage, options, ({ repairDatabase }, guarded, own) => repairDatabase(guarded, own, anyComparator))
  }

  /** Checks the files of the database in `storage`, which need not be open. @param {any} storage @param {Record<string, any>} options */
  static verifyFiles(storage, options) {
    return Engine.#once(storage, options, ({ verifyDatabase }, guarded, own) => verifyDatabase(guarded, own))
  }

  /**
   * Begins to make a database of a zip in `storage` (null: in memory), where none may be.
   * @param {object | null} storage
   * @param {{ maxBytes: number, maxRatio: number, memoryLimit?: number }} limits
   * @param {(info: { cause: unknown, duration: number }) => void} [onRecovered]
   * @returns {Promise<ZipImport>}
   */
  static async import(storage, { maxBytes, maxRatio, memoryLimit }, onRecovered) {
    /** @type {Engine | undefined} */
    let engine
    const instance = await Instance.make(memoryLimit ?? MEMORY_LIMIT, (trap) => { if (engine !== undefined) engine.#onTrap(trap) })
    const guarded = storage === null ? undefined : new GuardedStorage(/** @type {any} */ (storage))
    return new ZipImport(instance, guarded, instance.exports.importZip(guarded, maxBytes, maxRatio), (options, open) => {
      const own = engine = new Engine(guarded ?? null, options, onRecovered)
      return own.#adopt(instance, () => open(own.#options))
    })
  }

  /**
   * @param {any} storage
   * @param {Record<string, any>} options
   * @param {(exports: Instance['exports'], storage: GuardedStorage, options: object) => any} act
   */
  static async #once(storage, { memoryLimit, ...options }, act) {
    const instance = await Instance.make(memoryLimit ?? MEMORY_LIMIT, () => {})
    const guarded = new GuardedStorage(storage)
    try {
      return await instance.settled(act(instance.exports, guarded, { ...options, pause }))
    } finally {
      if (instance.trap !== undefined) await guarded.release()
    }
  }

  /**
   * For `open` and `import` alone.
   * @param {any} storage
   * @param {Record<string, any>} options
   * @param {((info: { cause: unknown, duration: number }) => void) | undefined} onRecovered
   */
  constructor(storage, { memoryLimit, ...options }, onRecovered) {
    this.#storage = storage === null ? undefined : storage instanceof GuardedStorage ? storage : new GuardedStorage(storage)
    this.#options = { ...options, pause }
    this.#memoryLimit = memoryLimit ?? MEMORY_LIMIT
    this.#onRecovered = onRecovered
    this.#group = new WriteGroup((batch) => this.write(batch, false), options.maxValueSize)
  }

  /** Whether calls wait for a fresh instance. */
  get isReplacing() {
    return this.#database === null && this.#failure === undefined
  }

  /** Whether it has stopped for good, or was closed. */
  get hasEnded() {
    return this.#failure !== undefined
  }

  /** Opens the database in a fresh instance; if that traps, in another. @param {Record<string, any>} options */
  async #start(options, isFresh = false) {
    for (;;) {
      /** @type {Instance | undefined} */
      let instance
      try {
        const made = instance = await Instance.make(this.#memoryLimit, (trap) => this.#onTrap(trap))
        return await this.#adopt(made, () => made.exports.openDatabase(this.#storage, options), isFresh)
      } catch (error) {
        if (error === instance?.trap && this.#mayTryAgain() && !options.errorIfExists) await this.#storage?.settle()
        else return this.#giveUp(error)
      }
    }
  }

  /** @param {Instance} instance @param {() => any} open answers the database */
  async #adopt(instance, open, isFresh = false) {
    const database = await instance.settled(open())
    if (instance.trap !== undefined) throw instance.trap
    this.#instance = instance
    this.#memory = instance.memory
    if (isFresh) this.#fresh = database
    else this.#database = database
    if (this.#listener !== undefined) database.listen(this.#listener)
    return this
  }

  /**
   * Called in the middle of the call that trapped, when the stack may be full: so here is only what cannot fail, and what is not
   * begun now is begun by the next call. An instance that is not in use yet, or no more, is nobody's loss.
   * @param {Error} trap
   */
  #onTrap(trap) {
    if (this.#instance === null || this.#instance.trap !== trap) return
    this.#trap = trap
    this.#instance = this.#database = this.#fresh = this.#memory = null
    this.#bytes = EMPTY
    this.#scratch = this.#scratchSize = 0
    this.#base += IDS_PER_INSTANCE
    try {
      this.#replaced()
    } catch {
      // See above.
    }
  }

  /** Done, well, when there is an instance again, or none to be had. */
  #replaced() {
    if (this.#replacing === undefined) {
      let done = () => {}
      const promise = new Promise((/** @type {(value?: any) => void} */ resolve) => { done = resolve })
      queueMicrotask(() => this.#replace().then((info) => {
        this.#goOn()
        done()
        // What waits is made in its order, and before whatever a listener asks for.
        if (info !== undefined) queueMicrotask(() => this.#onRecovered?.(info))
      }))
      this.#replacing = promise
    }
    return this.#replacing
  }

  /** Makes the calls that wait, all at once: a new call must not come in between. */
  #goOn() {
    this.#database = this.#fresh
    this.#fresh = null
    const waiting = this.#waiting
    this.#waiting = []
    for (const call of waiting) call()
  }

  /** Answers what to tell of it, if it is replaced. */
  async #replace() {
    const trap = /** @type {Error} */ (this.#trap)
    let info
    try {
      info = await this.#recover(trap)
    } catch (/** @type {any} */ error) {
      const message = `${trap.message}, and was not replaced: ${error === trap ? 'close the database and open it anew' : error.message}`
      this.#failure = Object.assign(new Error(message, { cause: error === trap ? trap.cause : error }), { code: 'poisoned' })
    }
    this.#replacing = undefined
    return info
  }

  #mayTryAgain() {
    const now = performance.now()
    this.#traps = [...this.#traps.filter((time) => now - time < TRAPS_MS), now]
    return this.#storage !== undefined && this.#traps.length < TRAPS_MAX
  }

  /** @param {unknown} error @returns {Promise<never>} */
  async #giveUp(error) {
    await this.#storage?.release()
    throw error
  }

  /** @param {Error} trap */
  async #recover(trap) {
    const start = performance.now()
    if (!this.#mayTryAgain()) return this.#giveUp(trap)
    await this.#storage?.settle()
    await this.#start({ ...this.#options, createIfMissing: false, errorIfExists: false }, true)
    return { cause: trap.cause, duration: performance.now() - start }
  }

  /**
   * What a call without an instance answers: it is made again when there is one.
   * @param {(...args: any[]) => any} method
   * @param {any[]} args
   * @returns {any} a promise
   */
  #again(method, ...args) {
    if (this.#failure !== undefined) throw this.#failure
    const own = args.map(owned)
    this.#replaced()
    return new Promise((resolve, reject) => this.#waiting.push(() => {
      try {
        resolve(method.apply(this, own))
      } catch (error) {
        reject(error)
      }
    }))
  }

  /** The same for what answers nothing. @param {(...args: any[]) => any} method @param {any[]} args */
  #whenBack(method, ...args) {
    if (this.#failure === undefined) this.#again(method, ...args).catch(() => {})
  }

  /** The same for what answers an iterator or a snapshot. @param {() => Id} make @returns {Id} */
  #laterId(make) {
    const later = new Later()
    this.#again(() => { later.id = /** @type {number} */ (make()) }).catch(() => {})
    return later
  }

  /** What was asked for before is written before. */
  #inOrder() {
    if (this.#group.waits) this.#group.flush()
  }

  /** For calls that can only be made now. */
  #now() {
    if (this.#database !== null) return this.#database
    if (this.#failure !== undefined) throw this.#failure
    throw Object.assign(new Error('the engine has failed and is being replaced: try again in a moment'), { code: 'busy' })
  }

  /** The instance's number of an iterator or snapshot. @param {Id} id */
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

  /** After a trap on the way the database is recovered, and closed then. @returns {Promise<void>} */
  async close() {
    this.#inOrder()
    if (this.isReplacing) await this.#replaced()
    if (this.#database !== null) {
      const instance = this.#instance
      try {
        await this.#answer(this.#database.close())
      } catch (error) {
        if (instance.trap === undefined) throw error
        if (this.isReplacing) await this.#replaced()
        if (this.#failure !== undefined) throw this.#failure
        return this.close()
      }
    }
    this.#instance = this.#database = this.#memory = null
    this.#bytes = EMPTY
    this.#failure = Object.assign(new Error('the database is closed'), { code: 'closed' })
    // Who only reads gives no lock back, which would have closed the files.
    await this.#storage?.settle()
  }

  /** @param {Uint8Array} key @param {any} value @param {boolean} sync */
  put(key, value, sync) {
    if (!sync) {
      const joined = this.#group.put(key, value)
      if (joined !== undefined) return joined
      this.#group.open()
    }
    this.#inOrder()
    if (this.#database === null) return this.#again(this.put, key, value, sync)
    try {
      this.#enter(key, value)
      return this.#answer(this.#database.put(key.length, value.length, sync), true)
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
      this.#enter(key)
      return this.#answer(this.#database.del(key.length, sync), true)
    } catch (error) {
      throw this.#ofWrite(error)
    }
  }

  /** @param {Uint8Array} batch @param {boolean} sync */
  write(batch, sync) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.write, batch, sync)
    try {
      this.#enter(batch)
      return this.#answer(this.#database.write(batch.length, sync), true)
    } catch (error) {
      throw this.#ofWrite(error)
    }
  }

  /** @param {Uint8Array} key @param {Id | undefined} snapshot @param {boolean} fillCache */
  get(key, snapshot, fillCache) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.get, key, snapshot, fillCache)
    this.#enter(key)
    const size = this.#database.get(key.length, this.#snapshotOf(snapshot), fillCache)
    if (size >= 0) return this.#value(size)
    return size === MISSING ? undefined : this.#outcome(size)
  }

  /** @param {Uint8Array} key @param {Id | undefined} snapshot @param {boolean} fillCache */
  getString(key, snapshot, fillCache) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.getString, key, snapshot, fillCache)
    this.#enter(key)
    const size = this.#database.get(key.length, this.#snapshotOf(snapshot), fillCache)
    if (size === MISSING) return undefined
    if (size < 0) return this.#outcome(size).then((/** @type {any} */ value) => value && decoder.decode(value))
    const start = this.#database.out()
    return this.#string(start, start + size)
  }

  /** @param {Uint8Array[]} keys @param {Id | undefined} snapshot @param {boolean} fillCache */
  getMany(keys, snapshot, fillCache) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.getMany, keys, snapshot, fillCache)
    const packed = this.#database.getMany(this.#enterMany(keys), this.#snapshotOf(snapshot), fillCache)
    return packed < 0 ? this.#outcome(packed).then(unpack) : unpack(this.#copy(packed))
  }

  /** @param {Uint8Array} key @param {Id | undefined} snapshot @param {boolean} fillCache */
  has(key, snapshot, fillCache) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.has, key, snapshot, fillCache)
    this.#enter(key)
    const found = this.#database.has(key.length, this.#snapshotOf(snapshot), fillCache)
    return found < 0 ? this.#outcome(found) : found === 1
  }

  /** @param {Uint8Array[]} keys @param {Id | undefined} snapshot @param {boolean} fillCache */
  hasMany(keys, snapshot, fillCache) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.hasMany, keys, snapshot, fillCache)
    const found = this.#database.hasMany(this.#enterMany(keys), this.#snapshotOf(snapshot), fillCache)
    return found < 0 ? this.#outcome(found).then(flags) : flags(this.#copy(found))
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
   * @param {{ gt?: Uint8Array, gte?: Uint8Array, lt?: Uint8Array, lte?: Uint8Array, reverse: boolean, limit: number, keys: boolean,
   *           values: boolean, fillCache?: 'sought' | boolean, verifyChecksums?: boolean, snapshot?: Id }} options
   * @returns {Id}
   */
  iterator(options) {
    this.#inOrder()
    if (this.#database === null) {
      const bounds = ['gt', 'gte', 'lt', 'lte'].map((name) => [name, owned(/** @type {any} */ (options)[name])])
      const copy = { ...options, ...Object.fromEntries(bounds) }
      return this.#laterId(() => this.iterator(copy))
    }
    const { gt, gte, lt, lte, reverse, limit, keys, values, fillCache, verifyChecksums, snapshot } = options
    // The engine's bounds are "from" and "up to, not including"; the key after x is x with a zero byte.
    const lower = gt === undefined ? gte : following(gt)
    const upper = lte === undefined ? lt : following(lte)
    this.#enter(lower ?? EMPTY, upper)
    const fill = FILL[/** @type {'sought'} */ (fillCache ?? 'sought')]
    const flags = (reverse ? REVERSE : 0) | (keys ? KEYS : 0) | (values ? VALUES : 0) | fill |
      (verifyChecksums === false ? UNVERIFIED : 0)
    const [from, to] = [lower?.length ?? -1, upper?.length ?? -1]
    return this.#base + this.#number(this.#database.iterator(from, to, flags, limit, this.#snapshotOf(snapshot)))
  }

  /** @param {Id} iterator @param {number} size @param {number} maxBytes */
  next(iterator, size, maxBytes) {
    if (this.#database === null) return this.#again(this.next, iterator, size, maxBytes)
    const answer = this.#database.next(this.#numberOf(iterator), size, maxBytes)
    if (answer < 0) return this.#outcome(answer)
    const done = answer >= DONE
    const bytes = this.#database.outSize()
    return { rows: bytes === 0 ? EMPTY : this.#page(bytes), count: done ? answer - DONE : answer, done }
  }

  /** @param {Id} iterator @param {Uint8Array} target */
  seek(iterator, target) {
    if (this.#database === null) return this.#whenBack(this.seek, iterator, target)
    const number = this.#numberOf(iterator)
    this.#enter(target)
    this.#database.seek(number, target.length)
  }

  /** @param {Id} id */
  closeIterator(id) {
    if (this.#database === null) this.#whenBack(this.closeIterator, id)
    else if (this.#isLive(id)) this.#database.closeIterator(this.#numberOf(id))
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
    this.#enter(begin ?? EMPTY, end)
    return this.#answer(this.#database.compactRange(begin?.length ?? -1, end?.length ?? -1))
  }

  /** @param {Uint8Array | undefined} begin @param {Uint8Array | undefined} end */
  deleteRange(begin, end) {
    noteTurn()
    this.#inOrder()
    if (this.#database === null) return this.#again(this.deleteRange, begin, end)
    try {
      this.#enter(begin ?? EMPTY, end)
      return this.#number(this.#database.deleteRange(begin?.length ?? -1, end?.length ?? -1), true)
    } catch (error) {
      throw this.#ofWrite(error)
    }
  }

  /** @param {Uint8Array} begin @param {Uint8Array} end */
  approximateSize(begin, end) {
    this.#inOrder()
    if (this.#database === null) return this.#again(this.approximateSize, begin, end)
    this.#enter(begin, end)
    return this.#number(this.#database.approximateSize(begin.length, end.length))
  }

  /** @param {string} name */
  property(name) {
    this.#inOrder()
    return this.#now().property(name)
  }

  counters() {
    this.#inOrder()
    return this.#now().counters()
  }

  /** How the engine is doing, in one answer that can be cloned. */
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
   * Tells of flushes, compactions and stalls, from inside the engine: `tell` must not call back. Nothing: tells nobody.
   * @param {((name: string, info: object) => void) | undefined} tell
   */
  listen(tell) {
    this.#listener = tell
    this.#database?.listen(tell)
  }

  tables() {
    return this.#now().tables()
  }

  verify() {
    noteTurn()
    this.#inOrder()
    if (this.#database === null) return this.#again(this.verify)
    return this.#instance.settled(this.#database.verify())
  }

  /** @param {any} storage */
  async checkpoint(storage) {
    this.#inOrder()
    if (this.isReplacing) await this.#replaced()
    const database = this.#now()
    const instance = this.#instance
    const guarded = new GuardedStorage(storage)
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

  /** Some bytes, maybe none yet; undefined at the end. @param {Id} id @param {number} bytes */
  exportNext(id, bytes) {
    if (this.#database === null) return this.#again(this.exportNext, id, bytes)
    const size = this.#database.exportNext(this.#numberOf(id), bytes)
    if (size === MISSING) return undefined
    return size < 0 ? this.#outcome(size) : this.#copy(size)
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

  /** Does not throw: it is asked after a write was acknowledged. */
  hasBackgroundWork() {
    try {
      return this.#database !== null && this.#database.hasBackgroundWork()
    } catch {
      return false
    }
  }

  /** Nothing, or a promise of it. @param {any} answer */
  #answer(answer, isWrite = false) {
    return answer < 0 ? this.#outcome(answer, isWrite) : undefined
  }

  /** @param {any} answer */
  #number(answer, isWrite = false) {
    return answer < 0 ? this.#outcome(answer, isWrite) : answer
  }

  /** The promise of a call that is late; throws what a call failed with. @param {any} answer */
  #outcome(answer, isWrite = false) {
    const outcome = this.#database.outcome()
    if (answer === FAILED) throw outcome
    return this.#instance.settled(outcome, isWrite)
  }

  /** A trap that a write came upon leaves its fate open. @param {any} error */
  #ofWrite(error) {
    return error === this.#trap ? unknownFate(error) : error
  }

  /** Puts (u32 length, key)* into scratch; answers how many bytes that is. @param {Uint8Array[]} keys */
  #enterMany(keys) {
    let size = 4 * keys.length
    for (const key of keys) size += key.length
    let at = this.#reserve(size)
    const view = new DataView(this.#memory.buffer)
    for (const key of keys) {
      view.setUint32(at, key.length, true)
      this.#bytes.set(key, at + 4)
      at += 4 + key.length
    }
    return size
  }

  /** Puts the parts into scratch, one behind the other. @param {Uint8Array} first @param {Uint8Array} [second] */
  #enter(first, second) {
    const at = this.#reserve(second === undefined ? first.length : first.length + second.length)
    this.#bytes.set(first, at)
    if (second !== undefined) this.#bytes.set(second, at + first.length)
  }

  /** Where `size` bytes of scratch are; the view of memory is good until the next call of the engine. @param {number} size */
  #reserve(size) {
    if (size > this.#scratchSize || this.#scratchSize > SCRATCH_KEPT) {
      const room = Math.max(size, SCRATCH_SIZE)
      this.#scratch = this.#database.scratch(room)
      this.#scratchSize = room
    }
    this.#look()
    return this.#scratch
  }

  #look() {
    // A view of memory that has grown has no bytes.
    if (this.#bytes.length === 0) {
      // The allocator asks for 64 KiB at a time. Each time all of memory becomes a new ArrayBuffer, and V8 counts it among what
      // is young: from 32 MiB on it then collects garbage before each ArrayBuffer that is made.
      const size = this.#memory.buffer.byteLength
      this.#database.grow(Math.max(size >>> 3, Math.min(size >>> 1, GROWTH)))
      const { buffer } = this.#memory
      this.#bytes = NativeBuffer ? NativeBuffer.from(buffer) : new Uint8Array(buffer)
    }
  }

  /** The last answer, which is one value. @param {number} size */
  #value(size) {
    const start = this.#database.out()
    this.#look()
    return this.#values.copy(this.#bytes, start, start + size)
  }

  /** The last answer, which is a page. @param {number} size */
  #page(size) {
    const start = this.#database.out()
    this.#look()
    return this.#pages.copy(this.#bytes, start, start + size)
  }

  /** The last answer, as bytes of its own. @param {number} size */
  #copy(size) {
    const start = this.#database.out()
    this.#look()
    if (!NativeBuffer) return this.#bytes.slice(start, start + size)
    const copy = NativeBuffer.allocUnsafeSlow(size)
    this.#bytes.copy(copy, 0, start, start + size)
    return copy
  }

  /** @param {number} start @param {number} end */
  #string(start, end) {
    this.#look()
    return NativeBuffer ? this.#bytes.utf8Slice(start, end) : decoder.decode(this.#bytes.subarray(start, end))
  }
}

const EMPTY = NativeBuffer ? NativeBuffer.alloc(0) : new Uint8Array(0)

/** An error as an object that can be cloned. @param {any} error */
const plain = (error) => ({ message: error.message, ...error })

/** NaN for one that was never made. @param {Id} id @returns {number} */
const numberOf = (id) => typeof id === 'number' ? id : id.id ?? NaN

/** Arguments that wait are no longer the caller's. @param {any} value @returns {any} */
function owned(value) {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  return Array.isArray(value) ? value.map(owned) : value
}
