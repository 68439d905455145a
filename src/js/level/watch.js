// Tells the committed changes of a range as an async iterator (types/index.d.ts).
//
//   engine.watch() -> changes() -> page of items -> next()
//                        '- none: changed() resolves when there are more
//
// An engine that is replaced loses its watches: another one continues after what was told.
import { boundsOf } from '../bytes/bytes.js'
import { ChangeReader } from '../bytes/changes.js'
import { AbortError, InvalidArgumentError, VarveError, fromEngine } from '../errors.js'
import { decoded } from './entries-sync.js'
import { CUTS, signalOf } from './rows.js'

/** @typedef {import('./options.js').Options} Options */
/** @typedef {any} Level any: a Varve or a Sublevel, with methods that abstract-level does not declare */

/** About as many bytes are read at once; one page more is read ahead. */
const PAGE_BYTES = 64 << 10
/** After so many engines that failed one after another, the watch ends. */
const RESTARTS_MAX = 3
/** A position that no database reaches: everything before is missing. */
const LOST = Number.MAX_SAFE_INTEGER

export class Watch {
  #level
  #engineOf
  #range
  #key
  #value
  #signal
  /** Everything up to here was told. @type {number | undefined} */
  #sequence
  /** @type {import('../engine/engine.js').Engine | undefined} */
  #engine
  /** @type {any} any: an id of the engine */
  #id
  #reader = new ChangeReader()
  /** The end of the page in the reader. */
  #position = 0
  /** The next page. @type {any} any: a page or a promise of it */
  #ahead
  /** Resolves when there are more changes. @type {Promise<void> | undefined} */
  #more
  #restarts = 0
  #isClosed = false
  /** Why it could not begin. @type {unknown} */
  #failure
  /** The last call of next(): calls are served one after another. @type {Promise<unknown>} */
  #last = Promise.resolve()

  /**
   * @param {Level} level
   * @param {() => import('../engine/engine.js').Engine} engineOf throws unless the database is open
   * @param {Options} [options]
   */
  constructor(level, engineOf, options = {}) {
    const keyEncoding = level.keyEncoding(options.keyEncoding)
    const valueEncoding = level.valueEncoding(options.valueEncoding)
    const prefix = level.prefix?.length ?? 0
    this.#level = level
    this.#engineOf = engineOf
    this.#range = rangeOf(level, keyEncoding, options)
    this.#sequence = sinceOf(options)
    this.#signal = signalOf(options)
    const [cutKey, cutValue] = [CUTS[keyEncoding.format], CUTS[valueEncoding.format]]
    /** @type {import('../bytes/page.js').Cut<any>} any: as the encoding says */
    this.#key = (page, start, end) => decoded(keyEncoding, cutKey(page, start + prefix, end), 'key')
    /** @type {import('../bytes/page.js').Cut<any>} any: as the encoding says */
    this.#value = (page, start, end) => decoded(valueEncoding, cutValue(page, start, end), 'value')
    this.#start()
  }

  get sequence() { return this.#sequence === LOST ? undefined : this.#sequence }

  #start() {
    const { db: root = this.#level } = this.#level
    if (this.#signal?.aborted) return
    this.#signal?.addEventListener('abort', this.#abort)
    if (root.status === 'opening') {
      // Not the sublevel's: writes of the database must not come before.
      this.#last = new Promise((/** @type {(value?: any) => void} any: not used */ resolve) => root.defer(() => {
        try {
          this.#begin()
        } catch (error) {
          this.#failure = error
        }
        resolve()
      }))
    } else {
      this.#begin()
    }
  }

  #begin() {
    if (this.#isClosed) return
    const { status } = this.#level
    const engine = this.#engine = this.#engineOf()
    if (status !== 'open' && status !== 'opening') throw new VarveError('Database is not open', { code: 'LEVEL_DATABASE_NOT_OPEN' })
    this.#watch(engine)
    this.#level.attachResource(this)
  }

  /** Continues after what was told. @param {import('../engine/engine.js').Engine} engine */
  #watch(engine) {
    try {
      this.#id = engine.watch({ ...this.#range, since: this.#sequence ?? -1 })
    } catch (error) {
      throw fromEngine(error)
    }
    this.#sequence ??= LOST
    this.#more = undefined
    this.#request(engine)
  }

  /** Reads a page ahead. @param {import('../engine/engine.js').Engine} engine */
  #request(engine) {
    try {
      this.#ahead = engine.changes(this.#id, PAGE_BYTES)
    } catch (error) {
      this.#ahead = Promise.reject(error)
    }
    // Reported by the call that needs the page.
    this.#ahead.catch?.(() => {})
  }

  next() {
    const next = this.#last.then(() => this.#next())
    this.#last = next.catch(() => {})
    return next
  }

  /** @param {any} [value] any: handed back as it is */
  async return(value) {
    await this.close()
    return { done: true, value }
  }

  async close() {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#level.detachResource(this)
    this.#reader.clear()
    this.#ahead = undefined
    try {
      if (this.#id !== undefined) this.#engine?.closeWatch(this.#id)
    } catch {
      // A failed engine has no watches.
    }
  }

  [Symbol.asyncIterator]() { return this }

  #abort = () => { this.close() }

  async #next() {
    for (;;) {
      if (this.#signal?.aborted) throw new AbortError(this.#signal.reason)
      if (this.#failure !== undefined) throw this.#failure
      if (this.#isClosed) return { done: true, value: undefined }
      if (this.#reader.left > 0) return { done: false, value: this.#item() }
      await this.#read(/** @type {import('../engine/engine.js').Engine} */ (this.#engine))
    }
  }

  #item() {
    try {
      const { sequence, changes } = this.#reader.item(this.#key, this.#value)
      this.#sequence = this.#reader.left === 0 ? this.#position : sequence
      return changes.length === 0 ? { type: 'gap', sequence } : { type: 'batch', sequence, changes }
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Reads the next page, or waits until there is one. @param {import('../engine/engine.js').Engine} engine */
  async #read(engine) {
    try {
      const ahead = this.#ahead
      this.#ahead = undefined
      // Asked before the page: once an empty one has arrived, the engine knows who waits.
      if (ahead === undefined) this.#more ??= this.#changed(engine)
      const page = await (ahead ?? engine.changes(this.#id, PAGE_BYTES))
      if (this.#isClosed) return
      this.#position = this.#reader.set(page)
      if (page.count === 0) this.#sequence = this.#position
      if (!page.done) this.#request(engine)
      // A page read ahead does not know of writes that succeeded meanwhile.
      else if (page.count === 0 && ahead === undefined) await this.#more
      this.#restarts = 0
    } catch (error) {
      if (this.#isClosed) return
      this.#restart(engine, error)
    }
  }

  /** @param {import('../engine/engine.js').Engine} engine */
  #changed(engine) {
    let answer
    try {
      answer = Promise.resolve(engine.changed(this.#id))
    } catch (error) {
      answer = Promise.reject(error)
    }
    /** @type {Promise<void>} */
    const changed = answer.finally(() => { if (this.#more === changed) this.#more = undefined })
    changed.catch(() => {})
    return changed
  }

  /**
   * @param {import('../engine/engine.js').Engine} engine
   * @param {any} error any: whatever was thrown
   */
  #restart(engine, error) {
    if (error.code === 'closed') return this.close()
    try {
      // The second: another tab has the engine now.
      if (!['poisoned', 'fenced'].includes(error.code) || this.#restarts++ === RESTARTS_MAX) throw fromEngine(error)
      this.#watch(engine)
    } catch (failure) {
      this.close()
      throw failure
    }
  }
}

if (Symbol.asyncDispose !== undefined) {
  Object.defineProperty(Watch.prototype, Symbol.asyncDispose, { value: Watch.prototype.close, configurable: true, writable: true })
}

/** @param {{ since?: unknown }} options */
function sinceOf({ since }) {
  if (since === undefined || since === null) return undefined
  if (typeof since === 'number' && Number.isSafeInteger(since) && since >= 0) return since
  throw new InvalidArgumentError("The option 'since' must be a sequence number: a whole number from 0 to 2^53 - 1")
}

/**
 * Returns the bounds as the engine takes them, with the prefix of a sublevel.
 * @param {Level} level
 * @param {any} encoding any: as abstract-level's types say
 * @param {Options} options
 */
function rangeOf(level, encoding, options) {
  /** @type {Options} */
  const range = {}
  for (const name of ['gt', 'gte', 'lt', 'lte']) {
    if (options[name] === undefined) continue
    const key = encoding.encode(options[name])
    range[name] = level.prefix === undefined ? key : level.prefixKey(key, encoding.format, false)
  }
  const { prefix } = level
  if (prefix !== undefined) {
    if (range.gt === undefined) range.gte ??= prefix
    // As abstract-level bounds a sublevel.
    if (range.lt === undefined) range.lte ??= prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
  }
  return boundsOf(range)
}
