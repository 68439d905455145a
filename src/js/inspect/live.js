// A database in memory whose background work goes on only when it is told to: shows how an LSM tree
// grows, and gives its files as they are at any time.
import { entriesOf } from '../bytes/page.js'
import { WriteBatch } from '../bytes/write-batch.js'
import { Regions } from '../engine/regions.js'
import { InvalidArgumentError, VarveError, fromEngine } from '../errors.js'
import { MapStorage } from '../storage/map.js'
import { newEngine } from './module.js'

/**
 * @typedef {import('../types/inspect.js').LiveEvent} LiveEvent
 * @typedef {import('../types/inspect.js').LiveOptions} LiveOptions
 * @typedef {import('../types/inspect.js').LiveState} LiveState
 * @typedef {import('../types/inspect.js').Source} Source
 */

/** Results of calls: see src/wasm/regions.rs. */
const MISSING = -1
const LATE = -2
const FAILED = -3
/** Flags of an iterator: keys and values. */
const ROWS = 2 | 4
const PAGE_BYTES = 64 << 10
const PAGE_ROWS = 1000

/** The least background work: it begins a job and does next to nothing of it. */
const BEGIN_BYTES = 1
/** Background work at once. */
const SLICE_BYTES = 16 << 10

/** Begins and ends of jobs. */
const JOBS = new Set(['flush', 'compaction'])

/** Key and value of an operation must be bytes. @param {unknown} bytes @param {string} name @returns {Uint8Array} */
function checked(bytes, name) {
  if (bytes instanceof Uint8Array) return bytes
  throw new InvalidArgumentError(`The ${name} must be a Uint8Array`)
}

/**
 * @param {LiveOptions} [options]
 * @returns {Promise<import('../types/inspect.js').LiveDatabase>}
 */
export async function openLive(options = {}) {
  const instance = await newEngine()
  const place = new MapStorage.Place()
  try {
    const database = await instance.settled(instance.exports.openDatabase(new MapStorage(place), options))
    return new LiveDatabase(instance, database, place)
  } catch (error) {
    throw fromEngine(error)
  }
}

class LiveDatabase {
  #instance
  #database
  #place
  #regions = new Regions()
  /** Events since they were taken. @type {LiveEvent[]} */
  #events = []
  /** Jobs that began and did not end: one, or a flush inside a compaction. */
  #running = 0
  #isClosed = false

  /**
   * @param {Awaited<ReturnType<typeof newEngine>>} instance
   * @param {any} database any: wasm-bindgen's class Database
   * @param {InstanceType<typeof MapStorage.Place>} place
   */
  constructor(instance, database, place) {
    this.#instance = instance
    this.#database = database
    this.#place = place
    this.#regions.use(database, instance.memory)
    database.listen((/** @type {string} */ name, /** @type {any} any: each event has its own */ info) => {
      if (JOBS.has(name)) this.#running += info.phase === 'begin' ? 1 : -1
      this.#events.push({ name, ...info })
    })
  }

  /** @param {Uint8Array} key @param {Uint8Array} value */
  put(key, value) {
    this.#regionsOf(checked(key, 'key'), checked(value, 'value'))
    return this.#done(() => this.#database.put(key.length, value.length, false, false))
  }

  /** @param {Uint8Array} key */
  del(key) {
    this.#regionsOf(checked(key, 'key'))
    return this.#done(() => this.#database.del(key.length, false, false))
  }

  /** @param {({ type: 'put', key: Uint8Array, value: Uint8Array } | { type: 'del', key: Uint8Array })[]} operations */
  async batch(operations) {
    const batch = new WriteBatch()
    for (const operation of operations) {
      if (operation.type === 'put') batch.put(checked(operation.key, 'key'), checked(operation.value, 'value'))
      else if (operation.type === 'del') batch.del(checked(operation.key, 'key'))
      else throw new InvalidArgumentError("The type of an operation must be 'put' or 'del'")
    }
    const bytes = batch.finish()
    this.#regionsOf(bytes)
    await this.#done(() => this.#database.write(bytes.length, false, false))
  }

  /** @param {Uint8Array} key @returns {Promise<Uint8Array | undefined>} */
  async get(key) {
    this.#regionsOf(checked(key, 'key'))
    const size = this.#called(() => this.#database.get(key.length, 0, true))
    if (size === MISSING) return undefined
    return size < 0 ? this.#outcome(size) : this.#regions.copy(size)
  }

  /**
   * @param {{ gte?: Uint8Array, lt?: Uint8Array, limit?: number }} [range]
   * @returns {Promise<{ key: Uint8Array, value: Uint8Array }[]>}
   */
  async entries({ gte, lt, limit = Infinity } = {}) {
    this.#regionsOf(gte === undefined ? NONE : checked(gte, 'lower bound'), lt === undefined ? NONE : checked(lt, 'upper bound'))
    const id = this.#called(() => this.#database.iterator(gte?.length ?? -1, lt?.length ?? -1, ROWS, limit === Infinity ? -1 : limit, 0))
    if (id < 0) await this.#outcome(id)
    const found = []
    try {
      for (let isEnd = false; !isEnd;) {
        const page = await this.#page(id)
        isEnd = page.done
        for (const [key, value] of entriesOf(page)) found.push({ key: key.slice(), value: value.slice() })
      }
    } finally {
      if (!this.#isClosed && this.#instance.trap === undefined) this.#database.closeIterator(id)
    }
    return found
  }

  /** Whether background work is due. */
  get isDue() {
    return !this.#isClosed && this.#instance.trap === undefined && this.#database.hasBackgroundWork()
  }

  /** Whether a flush or compaction began and did not end. */
  get isRunning() {
    return this.#running > 0
  }

  /** Does some background work. @param {number} [bytes] */
  async work(bytes = SLICE_BYTES) {
    await this.#done(() => this.#database.background(bytes))
  }

  /**
   * Begins the job that is due, or ends the one that began; whether there was one. What follows a
   * job at once may begin with its end.
   */
  async step() {
    if (!this.isDue) return false
    const { isRunning } = this
    const { length } = this.#events
    const wanted = isRunning ? 'end' : 'begin'
    while (this.isDue && !this.#events.slice(length).some(({ name, phase }) => JOBS.has(name) && phase === wanted)) await this.work(BEGIN_BYTES)
    return true
  }

  /** Does all background work that is due. */
  async settle() {
    while (this.isDue) await this.work(1 << 20)
  }

  flush() {
    return this.#done(() => this.#database.flush())
  }

  compact() {
    return this.#done(() => this.#database.compactRange(-1, -1))
  }

  /** The events since the last call. @returns {LiveEvent[]} */
  takeEvents() {
    return this.#events.splice(0)
  }

  /** @returns {LiveState} */
  state() {
    this.#check()
    const { counters, tables, state, cause, memoryUsage } = this.#called(() => this.#database.info())
    return { status: state, ...cause && { failure: fromEngine(cause).message }, isDue: this.isDue, isRunning: this.isRunning, memoryBytes: Number(memoryUsage), counters, tables, fileBytes: [...this.#files()].reduce((sum, [, { size }]) => sum + size, 0) }
  }

  /** The files as they are now. @returns {Source[]} */
  files() {
    return [...this.#files()].map(([name, { bytes, size }]) => {
      const now = bytes.slice(0, size)
      return {
        name,
        size,
        read(offset, into) {
          const part = now.subarray(Math.min(offset, size), Math.min(offset + into.length, size))
          into.set(part)
          return part.length
        }
      }
    })
  }

  /** Ends it; its files are gone. */
  async close() {
    if (this.#isClosed) return
    this.#isClosed = true
    try {
      if (this.#instance.trap === undefined) await this.#instance.settled(this.#database.close())
    } catch (error) {
      throw fromEngine(error)
    } finally {
      this.#regions.use(null)
      this.#place.files = undefined
    }
  }

  #files() {
    return this.#place.files ?? new Map()
  }

  #check() {
    if (this.#isClosed) throw new VarveError('The live database was closed', { code: 'LEVEL_DATABASE_NOT_OPEN' })
    if (this.#instance.trap !== undefined) throw fromEngine(this.#instance.trap)
  }

  /** Puts arguments where the engine reads them. @param {Uint8Array} first @param {Uint8Array} [second] */
  #regionsOf(first, second) {
    this.#check()
    this.#called(() => this.#regions.enter(first, second))
  }

  /** Calls the engine. @template T @param {() => T} act @returns {T} */
  #called(act) {
    this.#check()
    try {
      return act()
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** Calls it, and waits for the end. @param {() => number} act @returns {Promise<void>} */
  async #done(act) {
    const answer = this.#called(act)
    if (answer < 0) await this.#outcome(answer)
  }

  /** What a call led to that did not end at once. @param {number} answer */
  async #outcome(answer) {
    const outcome = this.#database.outcome()
    if (answer === FAILED) throw fromEngine(outcome)
    if (answer !== LATE) throw new VarveError(`unexpected answer ${answer} of the engine`, { code: 'LEVEL_POISONED' })
    try {
      return await this.#instance.settled(outcome)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** The next page of an iterator. @param {number} id @returns {Promise<import('../bytes/page.js').Page>} */
  async #page(id) {
    const answer = this.#called(() => this.#database.next(id, PAGE_ROWS, PAGE_BYTES))
    if (answer < 0) return this.#outcome(answer)
    const done = answer >= 2 ** 32
    const bytes = this.#database.outSize()
    return { rows: bytes === 0 ? NONE : this.#regions.page(bytes), count: done ? answer - 2 ** 32 : answer, done }
  }
}

const NONE = new Uint8Array(0)
