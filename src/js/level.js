// class Varve: abstract-level's face of the engine.
//
//   caller -> AbstractLevel (encodings, deferral, hooks, events) -> Varve (bytes, options, turns) -> Engine (docs/border.md)
//
// The engine answers a value where nothing had to wait, else a promise, and so do the private methods here: abstract-level
// awaits them once, and a value spares a promise an operation.
import { Engine } from './engine.js'
import { AbstractLevel } from 'abstract-level'
import { ChainedBatch, WriteBatch, textSizeBound, viewOf, writeText } from './chained-batch.js'
import { InvalidArgumentError, VarveError, fromEngine, rethrow } from './errors.js'
import { Iterator, KeyIterator, ValueIterator, boundsOf, bytesOf, readText } from './iterator.js'
import { Snapshot } from './snapshot.js'

// ---- Options --------------------------------------------------------------------------------------------------------

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

const flag = (name, value) => {
  if (typeof value !== 'boolean') throw new InvalidArgumentError(`The option '${name}' must be a boolean`)
  return value
}

const whole = (min, max) => (name, value) => {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw new InvalidArgumentError(`The option '${name}' must be a whole number from ${min} to ${max}`)
}

const oneOf = (...choices) => (name, value) => {
  if (choices.includes(value)) return value
  throw new InvalidArgumentError(`The option '${name}' must be one of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`)
}

const compression = (name, value) => {
  const choice = oneOf(true, false, 'snappy', 'none')(name, value)
  return choice === true ? 'snappy' : choice === false ? 'none' : choice
}

/**
 * The caller's name (classic-level's, where it has one), the engine's, and what checks the value.
 * @type {[string, string, (name: string, value: any) => any][]}
 */
const OPTIONS = [
  ['compression', 'compression', compression],
  ['cacheSize', 'blockCacheSize', whole(0, 4 * GIB - 1)],
  ['writeBufferSize', 'writeBufferSize', whole(4 * KIB, GIB)],
  ['blockSize', 'blockSize', whole(64, 4 * MIB)],
  ['maxOpenFiles', 'maxOpenFiles', whole(10, 50_000)],
  ['blockRestartInterval', 'blockRestartInterval', whole(1, 64 * KIB)],
  ['maxFileSize', 'maxFileSize', whole(16 * KIB, GIB)],
  ['readOnly', 'readOnly', flag],
  ['paranoidChecks', 'paranoidChecks', flag],
  ['filterBits', 'filterBits', whole(0, 43)],
  ['recovery', 'recovery', oneOf('point-in-time', 'strict', 'compat')],
  ['reuseLogs', 'reuseLogs', flag],
  ['maxValueBytes', 'maxValueSize', whole(KIB, GIB)]
]

/**
 * What the engine is opened with. Options that are not ours are abstract-level's, or somebody else's, and pass by.
 * @param {Record<string, any>} options
 * @returns {Record<string, unknown>} EngineOptions of docs/border.md
 */
function engineOptionsOf(options) {
  const result = {}
  for (const [name, engineName, check] of OPTIONS) {
    const value = options[name]
    if (value !== undefined && value !== null) result[engineName] = check(name, value)
  }
  return result
}

// ---- Places ---------------------------------------------------------------------------------------------------------

const STORAGE_METHODS = ['lock', 'unlock', 'list', 'create', 'open', 'editNames', 'removePlace']

/**
 * Where a database is: a directory's path, a Storage object of the caller's, or neither (memory).
 * @param {unknown} location
 * @param {any} storage
 * @returns {{ path: string | null, storage: import('./index.js').Storage | null }}
 */
function placeOf(location, storage) {
  if (storage === undefined || storage === null) return { path: pathOf(location), storage: null }
  if (location !== undefined && location !== null) {
    throw new InvalidArgumentError("The first argument 'location' must be null with the option 'storage'")
  }
  if (storage === 'memory') return { path: null, storage: null }
  for (const method of STORAGE_METHODS) {
    if (typeof storage[method] !== 'function') {
      throw new InvalidArgumentError(`The option 'storage' must be 'memory' or a storage object: it has no method ${method}()`)
    }
  }
  return { path: null, storage }
}

function pathOf(location) {
  const path = location instanceof URL ? pathOfUrl(location) : location
  // Nothing here falls back to memory: that would lose what the caller believes to be kept.
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new InvalidArgumentError("The first argument 'location' must be a non-empty string, a file: URL, or null with the option 'storage'")
  }
  return path
}

function pathOfUrl({ protocol, hostname, pathname }) {
  if (protocol !== 'file:') throw new InvalidArgumentError("The first argument 'location' must be a URL of scheme file:")
  if (hostname !== '') throw new InvalidArgumentError("The first argument 'location' must be a file: URL without a host")
  if (/%2f/i.test(pathname)) throw new InvalidArgumentError("The first argument 'location' must be a file: URL without %2F")
  const path = decodeURIComponent(pathname)
  return /^\/[a-z]:/i.test(path) && globalThis.process?.platform === 'win32' ? path.slice(1) : path
}

// ---- Turns ----------------------------------------------------------------------------------------------------------

const SLICE_MS = 2
const SLICE_BYTES_MIN = 4 * KIB
const SLICE_BYTES_MAX = 16 * MIB
const TURN_MS = 10
/** While the engine is behind, it gets about a third of the time. */
const TURN_MS_BEHIND = 4
/** The clock is read every so many operations (a power of two): it costs as much as one of them. */
const CALLS_PER_LOOK = 64

/**
 * Runs `task` in the next turn of the event loop, once.
 * @param {() => void} task
 */
function inNextTurn(task) {
  if (typeof setImmediate === 'function') return void setImmediate(task)
  if (typeof MessageChannel !== 'function') return void setTimeout(task, 0)
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => {
    port1.close()
    task()
  }
  port2.postMessage(undefined)
}

/**
 * Shares the thread between the caller, the engine's background work and everybody else.
 *
 * Where the engine answers in place, a caller that awaits one operation after another never leaves the microtask queue: no
 * timer, no socket and no background work would have its turn. So every few milliseconds one operation waits for a turn.
 */
class Turns {
  #engine
  #calls = 0
  #dueAt = performance.now() + TURN_MS
  /** @type {Promise<void> | null} the turn that operations wait for */
  #turn = null
  #sliceBytes = 64 * KIB
  /** @type {Promise<void> | null} */
  #slice = null
  #planned = false
  #stopped = false
  #timer
  #immediate

  /** @param {import('./engine.js').Engine} engine */
  constructor(engine) {
    this.#engine = engine
  }

  /** After an operation: nothing, or what its caller must wait for. */
  counted() {
    return (++this.#calls & (CALLS_PER_LOOK - 1)) === 0 ? this.due() : undefined
  }

  /** The same after a write, which may have made work. */
  wrote() {
    this.#plan()
    return this.counted()
  }

  /**
   * The same after an operation that can be long.
   * @returns {undefined | Promise<void>}
   */
  due() {
    if (this.#turn !== null) return this.#turn
    if (performance.now() < this.#dueAt) return undefined
    this.#turn = new Promise((resolve) => inNextTurn(() => {
      this.#turn = null
      if (this.#planned) this.#run()
      this.#dueAt = performance.now() + (this.#planned ? TURN_MS_BEHIND : TURN_MS)
      resolve()
    }))
    return this.#turn
  }

  /** No slice runs after this. */
  async stop() {
    this.#stopped = true
    this.#unplan()
    await this.#slice
  }

  /** After a close that failed, or that kept the engine. */
  restart() {
    this.#stopped = false
    this.#plan()
  }

  #plan() {
    if (this.#planned || this.#slice !== null || this.#stopped || !this.#engine.hasBackgroundWork()) return
    this.#planned = true
    this.#dueAt = Math.min(this.#dueAt, performance.now() + TURN_MS_BEHIND)
    // Two ways, the first wins: an immediate is early in a busy loop, but an unreferenced one sleeps with an idle loop,
    // which a timer wakes. Neither keeps the process alive.
    this.#timer = setTimeout(() => this.#run(), 1)
    this.#timer.unref?.()
    if (typeof setImmediate !== 'function') return
    this.#immediate = setImmediate(() => this.#run())
    this.#immediate.unref?.()
  }

  #unplan() {
    this.#planned = false
    clearTimeout(this.#timer)
    if (this.#immediate !== undefined) clearImmediate(this.#immediate)
    this.#timer = this.#immediate = undefined
  }

  #run() {
    this.#unplan()
    if (this.#stopped || this.#slice !== null) return
    const start = performance.now()
    try {
      const more = this.#engine.background(this.#sliceBytes)
      this.#calibrate(performance.now() - start, !(more instanceof Promise))
      if (more instanceof Promise) this.#slice = this.#sliced(more)
      else this.#plan()
    } catch {
      // The engine remembers what went wrong and says so to the next write; more slices would only fail again.
    }
  }

  async #sliced(more) {
    try {
      await more
      this.#slice = null
      this.#plan()
    } catch {
      // As above.
      this.#slice = null
    }
  }

  /** At most a factor of two at once: one slice is no measurement. Of one that waited only the computing part was seen. */
  #calibrate(elapsed, whole) {
    const factor = Math.min(Math.max(SLICE_MS / Math.max(elapsed, 0.01), 0.5), 2)
    if (factor > 1 && !whole) return
    this.#sliceBytes = Math.min(Math.max(Math.round(this.#sliceBytes * factor), SLICE_BYTES_MIN), SLICE_BYTES_MAX)
  }
}

// ---- Bytes ----------------------------------------------------------------------------------------------------------

const SCRATCH_SIZE_MAX = 256 * KIB

const NativeBuffer = globalThis.Buffer

/** Strings become bytes here for one call: the engine has copied them when it returns. */
class Scratch {
  #bytes = new Uint8Array(1024)

  /**
   * @param {unknown} data
   * @param {string} what
   */
  bytesOf(data, what) {
    if (typeof data !== 'string') return viewOf(data, what)
    if (data.length * 3 > this.#bytes.length && !this.#grow(data.length * 3)) return bytesOf(data, what)
    const size = writeText(this.#bytes, 0, data)
    return new Uint8Array(this.#bytes.buffer, 0, size)
  }

  #grow(size) {
    if (size > SCRATCH_SIZE_MAX) return false
    this.#bytes = new Uint8Array(Math.min(size * 2, SCRATCH_SIZE_MAX))
    return true
  }
}

/** Keys of a getMany: strings in one buffer. */
function manyBytesOf(keys) {
  let bound = 0
  for (const key of keys) {
    if (typeof key !== 'string') return keys.map((data) => bytesOf(data, 'key'))
    bound += textSizeBound(key)
  }
  const bytes = NativeBuffer !== undefined ? NativeBuffer.allocUnsafeSlow(bound) : new Uint8Array(bound)
  let at = 0
  return keys.map((key) => {
    const start = at
    at += writeText(bytes, start, key)
    return bytes.subarray(start, at)
  })
}


/** Values from the engine's bytes, which may be a Buffer: its slice() would not copy, as that of a view does. */
const FROM_BYTES = {
  utf8: (bytes) => readText(bytes, 0, bytes.length),
  view: (bytes) => bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length),
  buffer: (bytes) => NativeBuffer.isBuffer(bytes) ? bytes : NativeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function compare(a, b) {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return a[i] - b[i]
  }
  return a.length - b.length
}

/** The first key after `key`. */
function successor(key) {
  const bytes = new Uint8Array(key.length + 1)
  bytes.set(key)
  return bytes
}

// ---- The database ---------------------------------------------------------------------------------------------------

/** Rows that a clear() by iterator takes at once. */
const CLEAR_ROWS = 1000
const CLEAR_BYTES = 64 * KIB

const ADDITIONAL_METHODS = ['sync', 'flush', 'compactRange', 'approximateSize', 'getProperty', 'info', 'verify', 'resume']

const LEVELS = 7

/** A database in LevelDB's format, in a directory, in memory or on a storage of the caller's. See index.d.ts. */
export class Varve extends AbstractLevel {
  #place
  #durability
  #inMemory
  /** @type {import('./engine.js').Engine} */
  #engine
  /** @type {Turns} */
  #turns
  #keyScratch = new Scratch()
  #valueScratch = new Scratch()
  #batch = new WriteBatch()
  /** @type {WriteBatch | null} one that a chained batch left */
  #spareBatch = null

  /**
   * @param {string | URL | null} [location]
   * @param {Record<string, any>} [options]
   */
  constructor(location, options) {
    // One reading of what may be getters; and what is only inherited is no option, as in abstract-level.
    const own = typeof options === 'object' && options !== null ? { ...options } : {}
    const { storage, ...forward } = own
    const place = placeOf(location, storage)
    const inMemory = storage === 'memory'
    engineOptionsOf(forward)

    super({
      encodings: { utf8: true, view: true, buffer: NativeBuffer !== undefined },
      has: true,
      getSync: true,
      seek: true,
      implicitSnapshots: true,
      explicitSnapshots: true,
      createIfMissing: true,
      errorIfExists: true,
      permanence: !inMemory && place.storage?.durability !== 'volatile',
      additionalMethods: Object.fromEntries(ADDITIONAL_METHODS.map((name) => [name, true])),
      signals: { iterators: true }
    }, forward)

    this.#place = place
    this.#inMemory = inMemory
    this.#durability = inMemory ? 'volatile' : place.storage?.durability
  }

  /** The directory, or null where there is none. */
  get location() {
    return this.#place.path
  }

  // ---- Opening and closing ------------------------------------------------------------------------------------------

  async _open(options) {
    const { createIfMissing, errorIfExists } = options
    const engineOptions = engineOptionsOf(options)
    const create = createIfMissing && engineOptions.readOnly !== true
    if (this.#inMemory && this.#engine !== undefined) return this.#reopen(errorIfExists)
    try {
      const storage = await Varve.#storageOf(this.#place)
      this.#durability = storage?.durability ?? 'volatile'
      this.#engine = await Engine.open(storage, { ...engineOptions, createIfMissing: create, errorIfExists })
    } catch (error) {
      throw fromEngine(error)
    }
    this.#turns = new Turns(this.#engine)
  }

  /** Entries in memory live as long as this object, as memory-level's do: its engine is only put to rest. */
  #reopen(errorIfExists) {
    if (errorIfExists) throw new InvalidArgumentError('The database in memory exists (errorIfExists is true)')
    this.#turns.restart()
  }

  /** The storage of a place, made anew for a directory. The module for directories is not needed, nor there, in a page. */
  static async #storageOf({ path, storage }) {
    if (path === null) return storage
    const { NodeStorage } = await import('./storage/node-fs.js')
    return new NodeStorage(path)
  }

  async _close() {
    await this.#turns.stop()
    if (this.#inMemory) return
    try {
      await this.#engine.close()
    } catch (error) {
      // Closing failed before, and was done all the same.
      if (error?.code === 'closed') return
      this.#turns.restart()
      throw fromEngine(error)
    }
  }

  // ---- Reading ------------------------------------------------------------------------------------------------------

  _get(key, options) {
    const value = this.#read(key, options)
    if (value instanceof Promise) return value.catch(rethrow)
    const turn = this.#turns.counted()
    return turn === undefined ? value : turn.then(() => value)
  }

  _getSync(key, options) {
    const value = this.#read(key, options)
    if (!(value instanceof Promise)) return value
    value.catch(() => {})
    throw new VarveError('The storage of this database cannot be read synchronously', { code: 'LEVEL_NOT_SUPPORTED' })
  }

  /** A value in the wanted format, or a promise of it. */
  #read(key, { snapshot, valueEncoding, fillCache }) {
    const engine = this.#engine
    const id = snapshot === undefined ? undefined : Snapshot.idOf(snapshot, engine)
    const bytes = this.#keyScratch.bytesOf(key, 'key')
    try {
      if (valueEncoding === 'utf8') return engine.getString(bytes, id, fillCache !== false)
      const value = engine.get(bytes, id, fillCache !== false)
      if (value === undefined) return undefined
      const fromBytes = FROM_BYTES[valueEncoding]
      return value instanceof Promise ? value.then((found) => found && fromBytes(found)) : fromBytes(value)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  _getMany(keys, options) {
    const fromBytes = FROM_BYTES[options.valueEncoding]
    return this.#readMany(keys, options, (value) => value === undefined ? undefined : fromBytes(value))
  }

  _has(key, options) {
    const { snapshot, fillCache } = options
    const engine = this.#engine
    const id = Snapshot.idOf(snapshot, engine)
    try {
      const value = engine.get(this.#keyScratch.bytesOf(key, 'key'), id, fillCache !== false)
      if (value instanceof Promise) return this.#holding(snapshot, value.then((found) => found !== undefined, rethrow))
      const turn = this.#turns.counted()
      return turn === undefined ? value !== undefined : turn.then(() => value !== undefined)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  _hasMany(keys, options) {
    const found = this.#readMany(keys, options, (value) => value !== undefined)
    return found instanceof Promise ? this.#holding(options.snapshot, found) : found
  }

  #readMany(keys, { snapshot, fillCache }, convert) {
    const id = Snapshot.idOf(snapshot, this.#engine)
    try {
      const values = this.#engine.getMany(manyBytesOf(keys), id, fillCache !== false)
      if (values instanceof Promise) return values.then((found) => found.map(convert), rethrow)
      const results = values.map(convert)
      const turn = this.#turns.due()
      return turn === undefined ? results : turn.then(() => results)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** abstract-level lets go of a snapshot when has() and hasMany() return, not when they are done. */
  #holding(snapshot, promise) {
    if (snapshot === undefined || snapshot === null) return promise
    snapshot.ref()
    return promise.finally(() => snapshot.unref())
  }

  // ---- Writing ------------------------------------------------------------------------------------------------------

  _put(key, value, options) {
    try {
      return this.#wrote(this.#engine.put(
        this.#keyScratch.bytesOf(key, 'key'), this.#valueScratch.bytesOf(value, 'value'), options.sync === true))
    } catch (error) {
      throw fromEngine(error)
    }
  }

  _del(key, options) {
    try {
      return this.#wrote(this.#engine.del(this.#keyScratch.bytesOf(key, 'key'), options.sync === true))
    } catch (error) {
      throw fromEngine(error)
    }
  }

  _batch(operations, options) {
    const batch = this.#batch
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
    }
  }

  #write(bytes, sync) {
    const done = this.#wrote(this.#engine.write(bytes, sync))
    return done === undefined ? this.#turns.due() : done
  }

  #wrote(done) {
    return done instanceof Promise ? done.then(() => this.#turns.wrote(), rethrow) : this.#turns.wrote()
  }

  _chainedBatch() {
    const batch = this.#spareBatch ?? new WriteBatch()
    this.#spareBatch = null
    return new ChainedBatch(this, {
      batch,
      commit: (bytes, sync) => this.#write(bytes, sync),
      release: (left) => { this.#spareBatch = left }
    })
  }

  /** A range as a whole is the engine's to drop, tables and all; a part of one, or what a snapshot sees, goes row by row. */
  async _clear(options) {
    const { snapshot, limit } = options
    const bounds = boundsOf(options)
    try {
      const byRow = limit !== -1 || (snapshot !== undefined && snapshot !== null)
      await (byRow ? this.#clearRows(bounds, options) : this.#clearRange(bounds))
    } catch (error) {
      throw fromEngine(error)
    }
    await this.#turns.wrote()
  }

  #clearRange({ gt, gte, lt, lte }) {
    const begin = gt !== undefined ? successor(gt) : gte
    const end = lte !== undefined ? successor(lte) : lt
    if (begin !== undefined && end !== undefined && compare(begin, end) >= 0) return undefined
    return this.#engine.deleteRange(begin, end)
  }

  async #clearRows(bounds, { snapshot, reverse, limit }) {
    const engine = this.#engine
    const id = engine.iterator({
      ...bounds, reverse, limit, keys: true, values: false, fillCache: false, snapshot: Snapshot.idOf(snapshot, engine)
    })
    try {
      const batch = new WriteBatch()
      for (let done = false; !done;) {
        const page = await engine.next(id, CLEAR_ROWS, CLEAR_BYTES)
        for (const key of keysOf(page)) batch.del(key)
        if (page.count > 0) await this.#write(batch.finish(), false)
        batch.clear()
        done = page.done
      }
    } finally {
      engine.closeIterator(id)
    }
  }

  // ---- Iterators and snapshots --------------------------------------------------------------------------------------

  _iterator(options) {
    return new Iterator(this, this.#engine, this.#turns, options)
  }

  _keys(options) {
    return new KeyIterator(this, this.#engine, this.#turns, options)
  }

  _values(options) {
    return new ValueIterator(this, this.#engine, this.#turns, options)
  }

  _snapshot(options) {
    return new Snapshot(this.#engine, options)
  }

  // ---- Beyond abstract-level ----------------------------------------------------------------------------------------

  async sync() {
    return this.#whenOpen((engine) => engine.sync())
  }

  async flush() {
    return this.#whenOpen((engine) => engine.flush())
  }

  async compactRange(start, end, options) {
    return this.#whenOpen((engine) => engine.compactRange(this.#boundOf(start, options), this.#boundOf(end, options)))
  }

  async approximateSize(start, end, options) {
    if (start === undefined || start === null || end === undefined || end === null) {
      throw new InvalidArgumentError("The arguments 'start' and 'end' are required")
    }
    return this.#whenOpen((engine) => engine.approximateSize(this.#boundOf(start, options), this.#boundOf(end, options)))
  }

  getProperty(property) {
    if (typeof property !== 'string') throw new InvalidArgumentError("The first argument 'property' must be a string")
    this.#assertOpen()
    return this.#engine.property(property) ?? ''
  }

  async info() {
    return this.#whenOpen((engine) => ({
      location: this.location,
      storage: this.#inMemory ? 'memory' : this.location !== null ? 'directory' : 'custom',
      durability: this.#durability,
      counters: engine.counters(),
      backgroundWork: engine.hasBackgroundWork(),
      memoryUsage: Number(engine.property('leveldb.approximate-memory-usage') ?? 0),
      filesAtLevel: Array.from({ length: LEVELS }, (_, level) => Number(engine.property(`leveldb.num-files-at-level${level}`) ?? 0)),
      stats: engine.property('leveldb.stats') ?? ''
    }))
  }

  async verify() {
    return withFindings(await this.#whenOpen((engine) => engine.verify()))
  }

  async resume() {
    await this.#whenOpen((engine) => engine.resume())
    this.#turns.wrote()
  }

  static async destroy(location, options) {
    await Varve.#at(location, options, (storage) => Engine.destroy(storage))
  }

  static async repair(location, options) {
    return withFindings(await Varve.#at(location, options, (storage, given) => Engine.repair(storage, given)))
  }

  static async #at(location, options, act) {
    const { storage, ...rest } = { ...options }
    const place = placeOf(location, storage)
    if (storage === 'memory') throw new InvalidArgumentError('A database in memory is gone when it is closed')
    const given = engineOptionsOf(rest)
    try {
      return await act(await Varve.#storageOf(place), given)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  async #whenOpen(act) {
    if (this.status === 'opening') return this.deferAsync(() => this.#whenOpen(act))
    this.#assertOpen()
    try {
      return await act(this.#engine)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  #boundOf(key, options) {
    if (key === undefined || key === null) return undefined
    return bytesOf(this.keyEncoding(options?.keyEncoding).encode(key), 'key')
  }

  #assertOpen() {
    if (this.status !== 'open') throw new VarveError('Database is not open', { code: 'LEVEL_DATABASE_NOT_OPEN' })
  }
}

/** A report of the engine's with its findings as callers know errors. */
function withFindings(report) {
  return { ...report, findings: (report.findings ?? []).map(fromEngine) }
}

/** The keys of a page that has no values. */
function * keysOf({ rows, count }) {
  const lengths = new DataView(rows.buffer, rows.byteOffset, rows.byteLength)
  let at = 0
  for (let i = 0; i < count; i++) {
    const end = at + 4 + lengths.getUint32(at, true)
    yield rows.subarray(at + 4, end)
    at = end + 4 + lengths.getUint32(end, true)
  }
}
