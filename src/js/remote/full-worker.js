// Runs tasks that the lean module lacks in a worker with the full module, which ends with its task.
// The storage stays here, but for a named database of a browser, whose files the worker opens.
import { startThread } from '#thread'
import { Engine } from '../engine/engine.js'
import { GuardedStorage } from '../engine/guarded-storage.js'
import { VarveError } from '../errors.js'
import { Calls } from './calls.js'
import { revive } from './failure.js'
import { lend } from './lent-storage.js'

/** @typedef {import('../types/index.js').Storage} Storage */
/** @typedef {import('./connection.js').MakeWorker} MakeWorker */

/** The number of the object that the worker provides at its start (full-tasks.js). */
const TASKS = 1

/**
 * Whether the files of a storage are opened by name, in any dedicated worker.
 * @param {any} storage any: a Storage, RawFiles or null
 */
export const isNamed = (storage) => storage?.inWorker?.named !== undefined

export class FullWorker {
  #thread
  #calls
  /** @type {GuardedStorage | undefined} */
  #guarded
  /** What tells the worker where the files are. @type {unknown} */
  #loan
  #hasAnswered = false

  /** @param {Storage} storage @param {MakeWorker} [makeWorker] */
  constructor(storage, makeWorker) {
    this.#thread = this.#start(makeWorker)
    this.#calls = new Calls((task, transfer) => this.#thread.post({ task }, transfer))
    if (isNamed(storage)) {
      this.#loan = storage.inWorker
      return
    }
    // Close the files and release the lock even if the worker dies.
    this.#guarded = new GuardedStorage(storage)
    this.#loan = lend(this.#calls, this.#guarded)
  }

  /** @param {MakeWorker} [makeWorker] */
  #start(makeWorker) {
    try {
      return startThread({
        receive: ({ task }) => {
          this.#hasAnswered = true
          this.#calls.receive(task)
        },
        ended: (cause) => this.#calls.end(this.#failure(cause))
      }, true, makeWorker)
    } catch (cause) {
      // A bundle that is not an ES module has no URL.
      throw this.#failure(cause)
    }
  }

  /**
   * See `Engine.repair`.
   * @param {Storage} storage
   * @param {object} options
   * @param {boolean} anyComparator
   * @param {MakeWorker} [makeWorker]
   */
  static repair(storage, options, anyComparator, makeWorker) {
    return new FullWorker(storage, makeWorker).#once('repair', options, anyComparator)
  }

  /** See `Engine.verifyFiles`. @param {Storage} storage @param {object} options @param {MakeWorker} [makeWorker] */
  static verifyFiles(storage, options, makeWorker) {
    return new FullWorker(storage, makeWorker).#once('verifyFiles', options)
  }

  /**
   * As `Engine.import`; `open` returns an engine of this thread, in the lean module.
   * @param {Storage} storage
   * @param {{ maxBytes: number, maxRatio: number, memoryLimit?: number }} limits
   * @param {(info: { cause: unknown, duration: number }) => void} [onRecovered]
   * @param {MakeWorker} [makeWorker]
   */
  static async import(storage, limits, onRecovered, makeWorker) {
    const worker = new FullWorker(storage, makeWorker)
    try {
      await worker.#ask('importBegin', worker.#loan, limits)
    } catch (error) {
      await worker.#end()
      throw error
    }
    return {
      /** @param {Uint8Array} bytes @param {boolean} last */
      feed: (bytes, last) => worker.#ask('importFeed', bytes, last),
      abort: () => worker.#ask('importAbort').finally(() => worker.#end()),
      /** @param {object} options */
      async open(options) {
        await worker.#ask('importEnd', options).finally(() => worker.#end())
        // The caller opens it, in another worker.
        if (isNamed(storage)) return { async close() {} }
        const existing = /** @type {{ memoryLimit?: number }} */ ({ ...options, createIfMissing: false, errorIfExists: false })
        return Engine.open(storage, existing, onRecovered)
      }
    }
  }

  /** @param {string} method @param {unknown[]} args */
  async #once(method, ...args) {
    try {
      const report = await this.#ask(method, this.#loan, ...args)
      return { ...report, findings: report.findings.map(revive) }
    } finally {
      await this.#end()
    }
  }

  /** @param {string} method @param {unknown[]} args */
  #ask(method, ...args) {
    return this.#calls.ask(TASKS, method, args)
  }

  async #end() {
    await this.#thread.end()
    await this.#guarded?.release()
  }

  /** @param {unknown} cause */
  #failure(cause) {
    if (this.#hasAnswered) return Object.assign(new Error('The worker with the full module has ended', { cause }), { code: 'poisoned' })
    const message = "The worker with the full module could not be started: import from 'varve/full', which needs none"
    return new VarveError(message, { code: 'LEVEL_ENGINE_UNAVAILABLE', cause })
  }
}
