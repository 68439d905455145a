// A storage that tracks the engine's open files. A failed engine closes nothing: its files are
// closed here, and the lock is kept for the next instance, so that no other process takes it.

/** @param {any} value any: the result of any call */
const isPromise = (value) => typeof value?.then === 'function'

/**
 * Wraps the caller's storage for the engine.
 *
 * @implements {Storage}
 */
export class GuardedStorage {
  #storage
  /** Open files. @type {Set<GuardedFile>} */
  #files = new Set()
  /** Pending calls that change something. @type {Set<Promise<unknown>>} */
  #pending = new Set()
  /** The number of times all files were closed. */
  #round = 0
  #held = false
  #epoch = 0
  /**
   * Whether a synchronous call is running, in which flushes must finish before the storage returns.
   */
  #inPlace = false

  /** @param {import('../types/index.js').Storage} storage */
  constructor(storage) {
    this.#storage = storage
  }

  get durability() { return this.#storage.durability }

  get appendsAreExact() { return this.#storage.appendsAreExact }

  /** @param {boolean} create */
  lock(create) {
    if (this.#held) return this.#epoch
    return this.during(this.#storage.lock(create), (epoch) => {
      this.#held = true
      this.#epoch = epoch
      return epoch
    })
  }

  /** Tables stay open until the engine ends, and are closed before the lock is released. */
  unlock() {
    this.#held = false
    if (this.#pending.size > 0) return this.settle().then(() => this.during(this.#storage.unlock()))
    this.#closeFiles()
    return this.during(this.#storage.unlock())
  }

  list() { return this.#storage.list() }

  /**
   * @param {string} name
   * @param {'log' | 'manifest' | 'table' | 'other'} kind
   * @param {number} sizeHint
   */
  create(name, kind, sizeHint) {
    return this.during(this.#storage.create(name, kind, sizeHint), (file) => this.#guarded(file, true))
  }

  /** @param {string} name @param {'read' | 'append'} access @param {number} sizeHint */
  open(name, access, sizeHint) {
    const answer = this.#storage.open(name, access, sizeHint)
    const isWritten = access === 'append'
    if (!isPromise(answer)) return this.#guarded(answer, isWritten)
    const round = this.#round
    // Opening changes nothing, so closing does not wait for it: a file that arrives later is closed
    // at once.
    return Promise.resolve(answer).then((file) => {
      const guarded = this.#guarded(file, isWritten)
      if (round !== this.#round) guarded?.close?.()
      return guarded
    })
  }

  /** @param {string} name @param {unknown} source */
  link(name, source) {
    const own = source instanceof GuardedStorage ? source.#storage : source
    return this.during(this.#storage.link?.(name, /** @type {any} any: the property is optional in foreign storages */ (own)) ?? false)
  }

  /** @param {import('../types/index.js').NameEdit[]} edits */
  editNames(edits) { return this.during(this.askedInPlace((inPlace) => this.#storage.editNames(edits, inPlace))) }

  /**
   * Asks for a synchronous result during a synchronous call. A storage that refuses is called again
   * and returns a promise: only background work gets here, because writes were refused before.
   * @template T @param {(inPlace: boolean) => T} ask @returns {T}
   */
  askedInPlace(ask) {
    if (!this.#inPlace) return ask(false)
    try {
      return ask(true)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (error?.code !== 'LEVEL_NOT_SUPPORTED') throw error
      return ask(false)
    }
  }

  /** Runs a synchronous call of the engine. @template T @param {() => T} call @returns {T} */
  now(call) {
    // A storage may itself use another database.
    const outer = this.#inPlace
    this.#inPlace = true
    try {
      return call()
    } finally {
      this.#inPlace = outer
    }
  }

  /**
   * Returns whether the storage returns values, not promises, and with `sync` whether it also
   * flushes synchronously. This is tried on a file open for writing, before anything is written.
   * undefined: there is no such file.
   * @param {boolean} sync
   */
  answersInPlace(sync) {
    for (const file of this.#files) {
      const answer = file.answersInPlace(sync)
      if (answer !== undefined) return answer
    }
    return undefined
  }

  removePlace() {
    return this.during(this.#storage.removePlace(), (removed) => {
      this.#held = false
      return removed
    })
  }

  /**
   * Waits for pending calls, then closes all files; the lock is kept. Called after a trap and at
   * the end.
   */
  async settle() {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending)
    this.#closeFiles()
  }

  #closeFiles() {
    this.#round++
    for (const file of this.#files) {
      try {
        file.close()
      } catch {
        // Unsynced data was not acknowledged, and the other files must be closed too.
      }
    }
    this.#files.clear()
  }

  /** Closes all files and releases the lock. */
  async release() {
    await this.settle()
    if (!this.#held) return
    try {
      await this.unlock()
    } catch {
      // A failure to unlock must not stop closing.
    }
  }

  /**
   * Applies `then` to the result of a call, now or when it resolves.
   * @param {any} answer any: the result of any call
   * @param {(value: any) => any} [then]
   */
  during(answer, then = (value) => value) {
    if (!isPromise(answer)) return then(answer)
    const promise = Promise.resolve(answer).then(then)
    this.#pending.add(promise)
    const ended = () => { this.#pending.delete(promise) }
    promise.then(ended, ended)
    return promise
  }

  /** @param {GuardedFile} file */
  closed(file) { this.#files.delete(file) }

  /** @param {any} file any: the result of the caller's storage @param {boolean} isWritten */
  #guarded(file, isWritten) {
    // The engine rejects a result that is not a file.
    if (typeof file !== 'object' || file === null) return file
    const guarded = new GuardedFile(this, file, isWritten)
    this.#files.add(guarded)
    return guarded
  }
}

/** @implements {StorageFile} */
class GuardedFile {
  #storage
  #file
  #reads = 0
  #syncs = 0
  /**
   * The error of a flush in answersInPlace(), thrown by the engine's next flush.
   * @type {{ error: unknown } | undefined}
   */
  #failed
  #isWritten
  #closed = false

  /** @param {GuardedStorage} storage @param {StorageFile} file @param {boolean} isWritten */
  constructor(storage, file, isWritten) {
    this.#storage = storage
    this.#file = file
    this.#isWritten = isWritten
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    // A lookup is still running while the database is closed.
    if (this.#closed) throw Object.assign(new Error('the database is closed'), { code: 'closed' })
    const answer = this.#file.read(offset, into)
    if (isPromise(answer)) this.#whileReading(/** @type {Promise<Uint8Array>} */ (answer))
    return answer
  }

  size() { return this.#file.size() }

  /** @param {Uint8Array} data */
  append(data) { return this.#storage.during(this.#file.append(data)) }

  sync() {
    if (this.#failed !== undefined) throw this.#failed.error
    const answer = this.#storage.during(this.#storage.askedInPlace((inPlace) => this.#file.sync(inPlace)))
    if (!isPromise(answer)) return answer
    this.#syncs++
    const ended = () => { this.#syncs-- }
    answer.then(ended, ended)
    return answer
  }

  /**
   * Returns undefined if the file is not open for writing, or is being flushed: during a flush only
   * reads and appends are allowed.
   * @param {boolean} sync
   * @returns {boolean | undefined}
   */
  answersInPlace(sync) {
    if (!this.#isWritten || this.#syncs > 0) return undefined
    try {
      const answer = sync ? this.#file.sync(true) : this.#file.size()
      if (!isPromise(answer)) return true
      this.#storage.during(answer).catch((/** @type {unknown} */ error) => { if (sync) this.#failed = { error } })
      return false
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (error?.code === 'LEVEL_NOT_SUPPORTED') return false
      if (!sync) throw error
      this.#failed = { error }
      return undefined
    }
  }

  /** @param {number} size */
  truncate(size) { return this.#storage.during(this.#file.truncate(size)) }

  close() {
    if (this.#closed) return
    this.#closed = true
    this.#storage.closed(this)
    if (this.#reads === 0) this.#file.close()
  }

  /**
   * Tracks a read: a file is closed after its last read has ended.
   * @param {Promise<Uint8Array>} answer
   */
  #whileReading(answer) {
    this.#reads++
    const ended = () => {
      if (--this.#reads === 0 && this.#closed) this.#file.close()
    }
    Promise.resolve(answer).then(ended, ended).catch(() => {})
  }
}

/** @typedef {import('../types/index.js').Storage} Storage */
/** @typedef {import('../types/index.js').StorageFile} StorageFile */
