// The engine as JavaScript uses it: bytes go in and out through regions of its memory (src/wasm/database.rs). A method answers a
// value where nothing had to wait, else a promise of it.
import { createInstance } from '../../pkg/instance.js'
import { NativeBuffer } from './native-buffer.js'
import { Pool } from './pool.js'
import { loadModule } from './wasm.js'

/** Answers of the border: see src/wasm/database.rs. */
const FAILED = -3
const MISSING = -1
const NO_VALUE = 0xffffffff
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

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** By the option fillCache; nobody's word means what is sought. */
const FILL = { true: FILL_CACHE, false: 0, sought: FILL_CACHE_SOUGHT }

/** @typedef {{ rows: Uint8Array, count: number, done: boolean }} Page */

/** @template T, U @param {T | Promise<T>} value @param {(value: T) => U} then @returns {U | Promise<U>} */
const whenKnown = (value, then) => value instanceof Promise ? value.then(then) : then(value)

/** @param {(instance: ReturnType<typeof createInstance>) => any} use */
const withInstance = (use) => whenKnown(loadModule(), (module) => use(createInstance(module)))

/** One database in an instance of its own. */
export class Engine {
  /** @type {WebAssembly.Memory} */
  #memory
  #database
  /** The whole memory, as a Buffer where there is one; made anew when it has grown. @type {any} */
  #bytes = new Uint8Array(0)
  #values = new Pool(8 << 10)
  #pages = new Pool(64 << 10)
  #scratch = 0
  #scratchSize = 0

  /**
   * @param {object | null} storage files; null: in memory
   * @param {object} options
   * @returns {Engine | Promise<Engine>}
   */
  static open(storage, options) {
    return withInstance((instance) =>
      whenKnown(instance.openDatabase(storage ?? undefined, options), (database) => new Engine(instance, database)))
  }

  /** Removes the database in `storage`. @param {any} storage */
  static destroy(storage) {
    return withInstance((instance) => instance.destroyDatabase(storage))
  }

  /** Rebuilds the database in `storage`. @param {any} storage @param {Record<string, any>} options */
  static repair(storage, options) {
    return withInstance((instance) => instance.repairDatabase(storage, options))
  }

  /**
   * Begins to make a database of a zip in `storage` (null: in memory), where none may be.
   * @param {object | null} storage
   * @param {{ maxBytes: number, maxRatio: number }} limits
   * @returns {ZipImport | Promise<ZipImport>}
   */
  static import(storage, { maxBytes, maxRatio }) {
    return withInstance((instance) =>
      new ZipImport(instance.importZip(storage ?? undefined, maxBytes, maxRatio), (/** @type {any} */ database) => new Engine(instance, database)))
  }

  /** For `open` and `import` alone. @param {ReturnType<typeof createInstance>} instance @param {any} database */
  constructor(instance, database) {
    this.#memory = /** @type {WebAssembly.Memory} */ (instance.memory)
    this.#database = database
  }

  close() {
    return this.#answer(this.#database.close())
  }

  /** @param {Uint8Array} key @param {any} value @param {boolean} sync */
  put(key, value, sync) {
    this.#enter(key, value)
    return this.#answer(this.#database.put(key.length, value.length, sync))
  }

  /** @param {Uint8Array} key @param {boolean} sync */
  del(key, sync) {
    this.#enter(key)
    return this.#answer(this.#database.del(key.length, sync))
  }

  /** @param {Uint8Array} batch @param {boolean} sync */
  write(batch, sync) {
    this.#enter(batch)
    return this.#answer(this.#database.write(batch.length, sync))
  }

  /** @param {Uint8Array} key @param {number | undefined} snapshot @param {boolean} fillCache */
  get(key, snapshot, fillCache) {
    this.#enter(key)
    const size = this.#database.get(key.length, snapshot ?? 0, fillCache)
    if (size >= 0) return this.#value(size)
    return size === MISSING ? undefined : this.#outcome(size)
  }

  /** @param {Uint8Array} key @param {number | undefined} snapshot @param {boolean} fillCache */
  getString(key, snapshot, fillCache) {
    this.#enter(key)
    const size = this.#database.get(key.length, snapshot ?? 0, fillCache)
    if (size === MISSING) return undefined
    if (size < 0) return this.#outcome(size).then((/** @type {any} */ value) => value && decoder.decode(value))
    const start = this.#database.out()
    return this.#string(start, start + size)
  }

  /** @param {Uint8Array[]} keys @param {number | undefined} snapshot @param {boolean} fillCache */
  getMany(keys, snapshot, fillCache) {
    const packed = this.#database.getMany(this.#enterMany(keys), snapshot ?? 0, fillCache)
    return packed < 0 ? this.#outcome(packed).then(unpack) : unpack(this.#copy(packed))
  }

  /** @param {Uint8Array} key @param {number | undefined} snapshot @param {boolean} fillCache */
  has(key, snapshot, fillCache) {
    this.#enter(key)
    const found = this.#database.has(key.length, snapshot ?? 0, fillCache)
    return found < 0 ? this.#outcome(found) : found === 1
  }

  /** @param {Uint8Array[]} keys @param {number | undefined} snapshot @param {boolean} fillCache */
  hasMany(keys, snapshot, fillCache) {
    const found = this.#database.hasMany(this.#enterMany(keys), snapshot ?? 0, fillCache)
    return found < 0 ? this.#outcome(found).then(flags) : flags(this.#copy(found))
  }

  snapshot() {
    return this.#database.snapshot()
  }

  /** @param {number} id */
  releaseSnapshot(id) {
    this.#database.releaseSnapshot(id)
  }

  /**
   * @param {{ gt?: Uint8Array, gte?: Uint8Array, lt?: Uint8Array, lte?: Uint8Array, reverse: boolean, limit: number, keys: boolean,
   *           values: boolean, fillCache?: 'sought' | boolean, verifyChecksums?: boolean, snapshot?: number }} range
   */
  iterator({ gt, gte, lt, lte, reverse, limit, keys, values, fillCache, verifyChecksums, snapshot }) {
    // The engine's bounds are "from" and "up to, not including"; the key after x is x with a zero byte.
    const lower = gt === undefined ? gte : following(gt)
    const upper = lte === undefined ? lt : following(lte)
    this.#enter(lower ?? EMPTY, upper)
    const fill = FILL[/** @type {'sought'} */ (fillCache ?? 'sought')]
    const flags = (reverse ? REVERSE : 0) | (keys ? KEYS : 0) | (values ? VALUES : 0) | fill |
      (verifyChecksums === false ? UNVERIFIED : 0)
    return this.#number(this.#database.iterator(lower?.length ?? -1, upper?.length ?? -1, flags, limit, snapshot ?? 0))
  }

  /** @param {number} iterator @param {number} size @param {number} maxBytes */
  next(iterator, size, maxBytes) {
    const answer = this.#database.next(iterator, size, maxBytes)
    if (answer < 0) return this.#outcome(answer)
    const done = answer >= DONE
    const bytes = this.#database.outSize()
    return { rows: bytes === 0 ? EMPTY : this.#page(bytes), count: done ? answer - DONE : answer, done }
  }

  /** @param {number} iterator @param {Uint8Array} target */
  seek(iterator, target) {
    this.#enter(target)
    this.#database.seek(iterator, target.length)
  }

  /** @param {number} iterator */
  closeIterator(iterator) {
    this.#database.closeIterator(iterator)
  }

  flush() {
    return this.#answer(this.#database.flush())
  }

  sync() {
    return this.#answer(this.#database.sync())
  }

  resume() {
    return this.#answer(this.#database.resume())
  }

  /** @param {Uint8Array | undefined} begin @param {Uint8Array | undefined} end */
  compactRange(begin, end) {
    this.#enter(begin ?? EMPTY, end)
    return this.#answer(this.#database.compactRange(begin?.length ?? -1, end?.length ?? -1))
  }

  /** @param {Uint8Array | undefined} begin @param {Uint8Array | undefined} end */
  deleteRange(begin, end) {
    this.#enter(begin ?? EMPTY, end)
    return this.#number(this.#database.deleteRange(begin?.length ?? -1, end?.length ?? -1))
  }

  /** @param {Uint8Array} begin @param {Uint8Array} end */
  approximateSize(begin, end) {
    this.#enter(begin, end)
    return this.#number(this.#database.approximateSize(begin.length, end.length))
  }

  /** @param {string} name */
  property(name) {
    return this.#database.property(name)
  }

  counters() {
    return this.#database.counters()
  }

  /** How the engine is doing, in one answer that can be cloned. */
  info() {
    const info = this.#database.info()
    const { cause } = info
    return cause === undefined ? info : { ...info, cause: { message: cause.message, ...cause } }
  }

  /**
   * Tells of flushes, compactions and stalls, from inside the engine: `tell` must not call back. Nothing: tells nobody.
   * @param {((name: string, info: object) => void) | undefined} tell
   */
  listen(tell) {
    this.#database.listen(tell)
  }

  tables() {
    return this.#database.tables()
  }

  verify() {
    return this.#database.verify()
  }

  /** @param {any} storage */
  checkpoint(storage) {
    return this.#database.checkpoint(storage)
  }

  exportStart() {
    return this.#database.exportStart()
  }

  /** Some bytes, maybe none yet; undefined at the end. @param {number} id @param {number} bytes */
  exportNext(id, bytes) {
    const size = this.#database.exportNext(id, bytes)
    if (size === MISSING) return undefined
    return size < 0 ? this.#outcome(size) : this.#copy(size)
  }

  /** @param {number} id */
  exportEnd(id) {
    this.#database.exportEnd(id)
  }

  /** @param {number} bytes */
  background(bytes) {
    const more = this.#database.background(bytes)
    return more < 0 ? this.#outcome(more) : more === 1
  }

  tidy() {
    return this.#database.tidy()
  }

  hasBackgroundWork() {
    return this.#database.hasBackgroundWork()
  }

  /** Nothing, or a promise of it. @param {any} answer */
  #answer(answer) {
    return answer < 0 ? this.#outcome(answer) : undefined
  }

  /** @param {any} answer */
  #number(answer) {
    return answer < 0 ? this.#outcome(answer) : answer
  }

  /** The promise of a call that is late; throws what a call failed with. @param {any} answer */
  #outcome(answer) {
    const outcome = this.#database.outcome()
    if (answer === FAILED) throw outcome
    return outcome
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

/** A database on its way out of a zip. Each method answers a value or a promise. */
export class ZipImport {
  #zip
  #engineOf

  /** For `Engine.import` alone. @param {any} zip @param {(database: any) => Engine} engineOf */
  constructor(zip, engineOf) {
    this.#zip = zip
    this.#engineOf = engineOf
  }

  /** More of the archive, which ends behind it if it is the `last`. False: to be called again, with no bytes. @param {Uint8Array} bytes @param {boolean} last */
  feed(bytes, last) {
    return this.#zip.feed(bytes, last)
  }

  /** After the last: the engine. @param {object} options */
  open(options) {
    return whenKnown(this.#zip.open(options), this.#engineOf)
  }

  /** Gives up; nothing is left behind. */
  abort() {
    return this.#zip.abort()
  }
}

/** A byte for each, 1 or 0. @param {Uint8Array} bytes */
const flags = (bytes) => Array.from(bytes, (byte) => byte === 1)

/** The key right after `key`. @param {Uint8Array} key */
export function following(key) {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** @param {Uint8Array | undefined} bytes */
function asBuffer(bytes) {
  return bytes && NativeBuffer ? NativeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : bytes
}

/** (u32 length, value)* to values; length 0xffffffff is none. @param {Uint8Array} packed */
function unpack(packed) {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length)
  const values = []
  let at = 0
  while (at < packed.length) {
    const length = view.getUint32(at, true)
    at += 4
    if (length === NO_VALUE) {
      values.push(undefined)
    } else {
      values.push(asBuffer(packed.subarray(at, at + length)))
      at += length
    }
  }
  return values
}
