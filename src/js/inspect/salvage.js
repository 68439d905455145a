// Makes a sound database of what can be read of a damaged one, without changing its files: the engine
// rebuilds it over an overlay of the sources, in which all changes go to a scratch storage.
import { pause } from '../engine/event-loop.js'
import { GuardedStorage } from '../engine/guarded-storage.js'
import { AbortError, InvalidArgumentError, VarveError, fromEngine } from '../errors.js'
import { canKeepFiles, ScratchStorage } from '../storage/browser/scratch.js'
import { MapStorage } from '../storage/map.js'
import { failure } from '../storage/read-only.js'
import { OverlayStorage } from '../storage/overlay.js'
import { lossless } from './lossless.js'
import { rankKeys } from './keys.js'
import { levelsAt } from './manifest.js'
import { newEngine } from './module.js'
import { namesOf } from './names.js'
import { STRICTNESS } from './strictness.js'

/**
 * @typedef {import('../types/inspect.js').Source} Source
 * @typedef {import('../types/inspect.js').SalvageOptions} SalvageOptions
 * @typedef {import('../types/inspect.js').SalvageReport} SalvageReport
 * @typedef {import('../types/index.js').Storage} Storage
 */

/** @typedef {{ signal?: AbortSignal, progress?: (done: number) => void }} Reading */

const MEMORY_MAX = 512 << 20
/** Bytes of one answer of the engine. */
const PIECE = 1 << 20

/**
 * @param {Source[]} sources
 * @param {SalvageOptions} [options]
 * @returns {Promise<Salvaged>}
 */
export async function salvage(sources, { strictness = 'carved', comparator, scratch = 'auto', scratchMax, signal, progress } = {}) {
  const level = STRICTNESS.indexOf(strictness)
  if (level < 0) throw new InvalidArgumentError(`The option 'strictness' must be one of ${STRICTNESS.join(', ')}`)
  if (comparator !== undefined && await rankKeys(comparator, []) === undefined) {
    throw new VarveError(`Unknown comparator ${JSON.stringify(comparator)}: use 'leveldb.BytewiseComparator' or 'idb_cmp1'`, { code: 'LEVEL_NOT_SUPPORTED' })
  }
  const { named, adopted, leftOut } = await namesOf(sources, signal)
  const upper = await scratchOf(scratch)
  let done = 0
  /** What reads the sources now. */
  const reading = { signal, progress }
  const overlay = new OverlayStorage(named, upper, {
    max: scratchMax ?? (upper instanceof MapStorage ? MEMORY_MAX : Infinity),
    onRead(count) {
      // An error of reading would be damage like any other; this one ends the work.
      if (reading.signal?.aborted) throw failure('LEVEL_FENCED', 'the salvage was cancelled')
      done += count
      if (count > 0) reading.progress?.(done)
    }
  })
  try {
    await overlay.begin()
    const guarded = new GuardedStorage(overlay)
    const instance = await newEngine()
    const order = comparator ?? await comparatorOf(named)
    const salvaged = await instance.settled(instance.exports.salvageDatabase(guarded, { pause, ...order !== undefined && { comparator: order } }, comparator !== undefined, level))
    const begin = (/** @type {Reading} */ next) => {
      done = 0
      reading.signal = next.signal
      reading.progress = next.progress
    }
    return new Salvaged(instance, salvaged, guarded, begin, () => removed(upper), reportOf(salvaged.report(), { strictness, adopted, leftOut }))
  } catch (error) {
    await removed(upper)
    if (signal?.aborted) throw new AbortError(signal.reason)
    throw fromEngine(error)
  }
}

/**
 * The comparator that the newest manifest names, if the engine has it.
 * @param {Map<string, Source>} named
 */
async function comparatorOf(named) {
  const numberOf = (/** @type {string} */ name) => Number(/^MANIFEST-(\d+)$/.exec(name)?.[1] ?? -1)
  const [newest] = [...named.keys()].filter((name) => numberOf(name) >= 0).sort((a, b) => numberOf(b) - numberOf(a))
  const source = newest === undefined ? undefined : named.get(newest)
  if (source === undefined || source.size === 0) return undefined
  try {
    const { comparator } = await levelsAt(source, { checkpoints: [] }, 0)
    const name = comparator === undefined ? undefined : new TextDecoder().decode(Uint8Array.from(comparator.match(/../g) ?? [], (digits) => parseInt(digits, 16)))
    return name !== undefined && await rankKeys(name, []) !== undefined ? name : undefined
  } catch {
    // The engine says what is wrong with the manifest.
    return undefined
  }
}

/** @param {SalvageOptions['scratch']} scratch @returns {Promise<Storage>} */
async function scratchOf(scratch) {
  if (typeof scratch === 'object') return scratch
  if (scratch !== 'auto' && scratch !== 'memory') throw new InvalidArgumentError("The option 'scratch' must be 'auto', 'memory' or a Storage")
  if (scratch === 'auto' && canKeepFiles()) {
    try {
      return await ScratchStorage.make()
    } catch {
      // A page from disk, or a private window, has no files: memory is left.
    }
  }
  return new MapStorage()
}

/** @param {Storage} storage one given by the caller is the caller's to remove */
async function removed(storage) {
  if (storage instanceof ScratchStorage) await storage.remove()
}

/** A salvaged database, in the scratch storage until it is closed. */
export class Salvaged {
  /** The reader of each kind that goes on. @type {Map<string, object>} */
  #turns = new Map()
  #instance
  #salvaged
  #guarded
  #begin
  #remove

  /**
   * @param {import('../engine/instance.js').Instance} instance
   * @param {any} salvaged any: the class of wasm-bindgen, which only the full module has
   * @param {GuardedStorage} guarded
   * @param {(reading: Reading) => void} begin is told what reads next
   * @param {() => Promise<void>} remove
   * @param {SalvageReport} report
   */
  constructor(instance, salvaged, guarded, begin, remove, report) {
    this.#instance = instance
    this.#salvaged = salvaged
    this.#guarded = guarded
    this.#begin = begin
    this.#remove = remove
    this.report = report
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  zip({ signal } = {}) {
    return this.#pieces('zip', () => this.#open.beginZip(), () => this.#open.zip(PIECE), signal)
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  table({ signal } = {}) {
    const begin = () => {
      if (this.report.live === 0) throw new InvalidArgumentError('There is no live entry, and LevelDB cannot read a table without one')
      this.#open.beginTable()
    }
    return this.#pieces('table', begin, () => this.#open.table(PIECE), signal)
  }

  /** Ends the reader of this kind before: the engine goes on with the last. @param {string} kind */
  #turnOf(kind) {
    const turn = {}
    this.#turns.set(kind, turn)
    return () => {
      if (this.#turns.get(kind) !== turn) throw new VarveError(`Another ${kind} of this salvage was begun: read them one after the other`, { code: 'LEVEL_BUSY' })
    }
  }

  /**
   * @param {string} kind
   * @param {() => void} begin
   * @param {() => any} next any: bytes, nothing at the end, or a promise of either
   * @param {AbortSignal | undefined} signal
   * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>, void>}
   */
  async * #pieces(kind, begin, next, signal) {
    try {
      begin()
      const check = this.#turnOf(kind)
      for (;;) {
        check()
        const piece = await this.#instance.settled(next())
        signal?.throwIfAborted()
        if (piece === undefined) return
        if (piece.length > 0) yield piece
        await pause()
      }
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** @param {{ signal?: AbortSignal }} [options] @returns {AsyncGenerator<Uint8Array<ArrayBuffer>, void>} */
  async * ndjson({ signal } = {}) {
    const encoder = new TextEncoder()
    try {
      await this.#instance.settled(this.#open.beginRows())
      const check = this.#turnOf('NDJSON')
      for (;;) {
        check()
        const rows = await this.#instance.settled(this.#open.rows(PIECE))
        signal?.throwIfAborted()
        if (rows.length === 0) return
        let text = ''
        for (const [key, value] of rowsOf(rows)) text += `${JSON.stringify({ key: lossless(key), value: lossless(value) })}\n`
        yield encoder.encode(text)
        await pause()
      }
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** @param {Storage} storage */
  async copy(storage) {
    const guarded = new GuardedStorage(storage)
    try {
      await this.#instance.settled(this.#open.copy(guarded))
    } catch (error) {
      await guarded.release()
      throw fromEngine(error)
    }
  }

  /** @param {string} name @param {{ storage?: 'opfs' | 'indexeddb', signal?: AbortSignal, progress?: (done: number) => void }} [options] */
  async copyToOrigin(name, { storage = 'opfs', signal, progress } = {}) {
    const salvaged = this.#open
    const { newInOrigin } = await import('./salvage-target.js')
    const files = await newInOrigin(name, storage)
    this.#begin({ signal, progress })
    try {
      signal?.throwIfAborted()
      await this.#instance.settled(salvaged.copy(files))
      await files.opened?.()
    } catch (error) {
      if (signal?.aborted) throw new AbortError(signal.reason)
      throw fromEngine(error)
    } finally {
      this.#begin({})
      await files.release()
    }
  }

  get #open() {
    if (this.#salvaged === undefined) throw new VarveError('The salvaged database is closed', { code: 'LEVEL_DATABASE_NOT_OPEN' })
    return this.#salvaged
  }

  async close() {
    if (this.#salvaged === undefined) return
    if (this.#instance.trap === undefined) this.#salvaged.free()
    this.#salvaged = undefined
    await this.#guarded.release()
    await this.#remove()
  }
}

/** The rows of a page (src/wasm/page.rs). @param {Uint8Array} page @returns {Generator<[Uint8Array, Uint8Array]>} */
function * rowsOf(page) {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength)
  for (let at = 0; at < page.length;) {
    const key = at + 4
    const value = key + view.getUint32(at, true) + 4
    at = value + view.getUint32(value - 4, true)
    yield [page.subarray(key, value - 4), page.subarray(value, at)]
  }
}

/**
 * @param {any} raw any: the engine's report
 * @param {{ strictness: typeof STRICTNESS[number], adopted: SalvageReport['adopted'], leftOut: SalvageReport['leftBehind'] }} own
 * @returns {SalvageReport}
 */
function reportOf({ counts, tables, sound, recovered, unused, leftBehind, doubtful, atRisk, oldDataMayReappear }, { strictness, adopted, leftOut }) {
  const given = new Map(adopted.map(({ file, as }) => [as, file]))
  /** @template {{ file: string }} T @param {T} each @returns {T} */
  const real = (each) => ({ ...each, file: given.get(each.file) ?? each.file })
  const files = [
    ...sound.map((/** @type {any} any: as above */ { file, entries }) => ({ file, use: 'whole', entries, lostBytes: 0 })),
    ...recovered.map((/** @type {any} any: as above */ { file, entries, lostBytes }) => ({ file, use: 'part', entries, lostBytes })),
    ...unused.map((/** @type {any} any: as above */ { file, reason }) => ({ file, use: 'none', entries: 0, lostBytes: 0, reason }))
  ].map(real)
  return {
    strictness, ...counts, tables, files, adopted, leftBehind: [...leftBehind.map(real), ...leftOut],
    doubtful: doubtful.map(real), atRisk: atRisk.map(real), oldDataMayReappear
  }
}
