// One engine that serves other threads, with its storage and background work.
import { Engine } from '../engine/engine.js'
import { Turns } from '../engine/scheduler.js'
import { NEEDS_FULL } from './failure.js'

/**
 * Serves other tabs (src/js/tabs/owner.js).
 * @typedef {{ stop(): Promise<void>, gone(): void }} Owner
 */

/**
 * Where a database is; `why` says why it is not in OPFS.
 * @typedef {{ storage?: string, durability?: import('../types/index.js').Durability, why?: string }} Place
 */

export class Host {
  /** @type {Place} */
  place = {}
  /** Set when the engine has been opened. */
  #engine = /** @type {any} any: an Engine once it is open */ (undefined)
  #turns = /** @type {Turns} */ (/** @type {unknown} */ (undefined))
  /**
   * Classes of storages by module and name.
   * @type {Map<string, new (...args: any[]) => any>} any: the user's classes, with any arguments
   */
  #classes = new Map()

  #directoryAt
  /** Who serves other tabs, if any. @type {Owner | undefined} */
  #owner

  /** @param {(name: string, base?: unknown, kind?: string) => any} [directoryAt] any: the storage of a named database */
  constructor(directoryAt = () => { throw new Error('no names here') }) {
    this.#directoryAt = directoryAt
  }

  /** How many clients there are. */
  sessions = 0

  get engine() { return this.#engine }

  get turns() { return this.#turns }

  /**
   * @param {{ storage: any, options: any }} place any: a Storage, or a description of one
   * @param {(info: { cause: unknown, duration: number }) => void} onRecovered
   */
  async open({ storage, options }, onRecovered) {
    const files = await this.storageOf(storage)
    if (files?.needsFull) throw Object.assign(new Error('the full module is needed'), { code: NEEDS_FULL })
    await this.openFiles(files, options, onRecovered)
  }

  /**
   * @param {any} files any: a Storage, RawFiles or null
   * @param {any} options any: the engine's
   * @param {(info: { cause: unknown, duration: number }) => void} onRecovered
   */
  async openFiles(files, options, onRecovered) {
    this.place = { storage: files?.kind, durability: files?.durability, why: files?.why }
    this.#engine = await Engine.open(files, options, (info) => {
      this.#turns.wrote()
      onRecovered(info)
    })
    this.#turns = new Turns(this.#engine)
  }

  /** @param {Owner} owner */
  serve(owner) {
    this.#owner = owner
  }

  /** The same engine for a client that does not close it. @returns {Host} */
  forGuest() {
    const guest = {
      host: this,
      get engine() { return this.host.engine },
      get turns() { return this.host.turns },
      get sessions() { return this.host.sessions },
      set sessions(count) { this.host.sessions = count },
      storageOf: (/** @type {any} any: a description of a storage */ recipe) => this.storageOf(recipe),
      close: (/** @type {Promise<void>[]} */ others) => Promise.all(others)
    }
    return /** @type {Host} */ (/** @type {unknown} */ (guest))
  }

  /** @param {Promise<void>[]} others pending requests, which end first */
  async close(others) {
    await this.#owner?.stop()
    await this.#turns.stop()
    await Promise.all(others)
    try {
      await this.#engine.close()
    } catch (error) {
      this.#turns.restart()
      throw error
    } finally {
      // Also after a failure, which ends the engine and frees the lock.
      this.#owner?.gone()
    }
  }

  /**
   * Returns a storage; the first time a promise of it.
   * @param {any} recipe any: a Storage, or a description of one
   */
  storageOf(recipe) {
    if (recipe === null) return null
    if (recipe.named !== undefined) return this.#directoryAt(recipe.named, undefined, recipe.storage)
    const { module, export: name, args } = recipe
    const key = `${module} ${name}`
    const Known = this.#classes.get(key)
    if (Known !== undefined) return new Known(...args)
    return import(module).then(({ [name]: Storage }) => {
      if (typeof Storage !== 'function') throw Object.assign(new Error(`${module} exports no class ${name}`), { code: 'invalid-argument' })
      this.#classes.set(key, Storage)
      return new Storage(...args)
    })
  }
}
