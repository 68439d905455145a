// The files of one directory of the origin private file system (OPFS), for dedicated workers.
// A handle is registered before the promise of its opening resolves: all handles of an engine that
// failed can be closed, even those that were still being opened.
import { FULL, asFull } from './full-disk.js'
import { sealed } from './seal.js'

/**
 * The part used here; lib.dom does not declare it.
 * @typedef {{ close(): void }} SyncAccessHandle
 * @typedef {FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncAccessHandle> }} SyncFileHandle
 */

/** Errors of a file that is open elsewhere; WebKit calls it InvalidStateError. */
const BUSY = ['NoModificationAllowedError', 'InvalidStateError']

/** Waiting times before another attempt on a file that is busy, in ms; the last one repeats. */
const PAUSES_MS = [5, 10, 20, 40, 80, 160, 250]

/** How long a handle of a page that was closed or reloaded may stay open. */
const PATIENCE_MS = 10_000

export class RawFiles {
  #path
  #patience
  /** @type {FileSystemDirectoryHandle | undefined} */
  #directory
  /** @type {Set<SyncAccessHandle>} */
  #open = new Set()
  /** @type {Set<Promise<unknown>>} */
  #pending = new Set()
  /** Aborted when all handles are closed; then replaced. */
  #round = new AbortController()

  /**
   * @param {string[]} path names of directories, from the root
   * @param {{ patience?: number }} [options] ms to wait for a file that is open elsewhere, default 10,000
   */
  constructor(path, { patience = PATIENCE_MS } = {}) {
    this.#path = path
    this.#patience = patience
  }

  /** The number of open handles. */
  get count() { return this.#open.size }

  /**
   * Returns the names of all files.
   * Rejects with a NotFoundError if there is no directory and `create` is not set.
   * @param {boolean} create
   * @returns {Promise<string[]>}
   */
  list(create) {
    return this.#during(async () => {
      // Looked up again: the directory may have been removed and created again meanwhile.
      this.#directory = await this.#find(create)
      const names = []
      for await (const [name, { kind }] of this.#directory.entries()) {
        if (kind === 'file') names.push(name)
      }
      return names
    })
  }

  /**
   * Opens a file for reading and writing. Rejects with the error of a busy file if it stays open
   * elsewhere, and with an AbortError if all handles are closed before it is open.
   * @param {string} name
   * @param {boolean} create
   * @returns {Promise<SyncAccessHandle>}
   */
  open(name, create) {
    return this.#during(async (closing) => {
      const directory = await this.#place()
      const file = /** @type {SyncFileHandle} */ (await orCreate(create, (create) => directory.getFileHandle(name, { create })))
      const handle = await this.#unlessBusy(closing, () => file.createSyncAccessHandle())
        .catch((error) => { throw asFull(error, FULL.open) })
      if (closing.aborted) {
        handle.close()
        throw closing.reason
      }
      this.#open.add(handle)
      return handle
    })
  }

  /** Resolves after `ms`; rejects if all files are closed before. @param {number} ms */
  pause(ms) {
    return this.#during(async (closing) => {
      await pause(ms, closing)
      closing.throwIfAborted()
    })
  }

  /** @param {SyncAccessHandle} handle */
  close(handle) {
    if (this.#open.delete(handle)) handle.close()
  }

  /** Removes a file, which must be closed. @param {string} name */
  remove(name) {
    return this.#during(async (closing) => {
      const directory = await this.#place()
      await this.#unlessBusy(closing, () => directory.removeEntry(name))
    })
  }

  /** Removes the directory with all its files, which must be closed. */
  removeAll() {
    return this.#during(async (closing) => {
      const [parent, name] = await this.#parent(false)
      await this.#unlessBusy(closing, () => parent.removeEntry(name, { recursive: true }))
      this.#directory = undefined
    })
  }

  /**
   * Closes all handles; resolves when none is left, also of those that were being opened.
   * Calls made from now on open files again.
   */
  async closeAll() {
    this.#round.abort(new DOMException('the files were closed meanwhile', 'AbortError'))
    this.#round = new AbortController()
    const handles = [...this.#open]
    this.#open.clear()
    for (const handle of handles) {
      try {
        handle.close()
      } catch {
        // The others must be closed too.
      }
    }
    // An open that this call overtook closes its handle itself.
    await Promise.allSettled([...this.#pending])
  }

  /**
   * Repeats a call while its file is open elsewhere, until patience ends or all handles are closed.
   * @template T @param {AbortSignal} closing @param {() => Promise<T>} call @returns {Promise<T>}
   */
  async #unlessBusy(closing, call) {
    const start = performance.now()
    for (let attempt = 0; ; attempt++) {
      closing.throwIfAborted()
      try {
        return await call()
      } catch (/** @type {any} any: whatever was thrown */ error) {
        if (!BUSY.includes(error?.name) || performance.now() - start >= this.#patience) throw error
      }
      await pause(PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)], closing)
    }
  }

  async #place() {
    this.#directory ??= await this.#find(false)
    return this.#directory
  }

  /** @param {boolean} create */
  async #find(create) {
    const [parent, name] = await this.#parent(create)
    return orCreate(create, (create) => parent.getDirectoryHandle(name, { create }))
  }

  /**
   * Returns the directory's parent, and its name there.
   * @param {boolean} create
   * @returns {Promise<[FileSystemDirectoryHandle, string]>}
   */
  async #parent(create) {
    const names = [...this.#path]
    const last = /** @type {string} */ (names.pop())
    let directory = await navigator.storage.getDirectory()
    for (const name of names) {
      const parent = directory
      directory = await orCreate(create, (create) => parent.getDirectoryHandle(name, { create }))
    }
    return [directory, last]
  }

  /** @template T @param {(closing: AbortSignal) => Promise<T>} call @returns {Promise<T>} */
  #during(call) {
    const promise = call(this.#round.signal)
    this.#pending.add(promise)
    const ended = () => { this.#pending.delete(promise) }
    promise.then(ended, ended)
    return promise
  }
}

/**
 * Looks something up; with `create`, creates it where it is missing.
 * @template T @param {boolean} create @param {(create: boolean) => Promise<T>} get @returns {Promise<T>}
 */
async function orCreate(create, get) {
  try {
    return await get(false)
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (!create || error?.name !== 'NotFoundError') throw error
  }
  await sealed()
  try {
    return await get(true)
  } catch (error) {
    throw asFull(error, FULL.create)
  }
}

/**
 * Resolves after `ms`, or as soon as `signal` is aborted.
 * @param {number} ms
 * @param {AbortSignal} signal
 */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve(undefined)
    }
  })
}
