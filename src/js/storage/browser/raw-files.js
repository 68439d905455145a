// The files of one directory of the origin private file system (OPFS), for src/env/web/opfs.rs, which reads and writes their
// handles. JavaScript opens and closes them: a handle is registered before the promise of its opening resolves, so that whoever
// replaces a failed engine can close all of them, also those that were still being opened.

/** Errors of a handle that another one excludes; WebKit calls it InvalidStateError. */
const BUSY = ['NoModificationAllowedError', 'InvalidStateError']

/** Waiting times before another attempt to open a file that is busy, in ms; the last one repeats. */
const PAUSES_MS = [5, 10, 20, 40, 80, 160, 250]

/** As long as a handle of a page that was closed or reloaded may stay open. */
const PATIENCE_MS = 10_000

export class RawFiles {
  #path
  #patience
  /** @type {Promise<FileSystemDirectoryHandle> | undefined} */
  #directory
  /** @type {Set<FileSystemSyncAccessHandle>} */
  #open = new Set()
  /** @type {Set<Promise<unknown>>} */
  #pending = new Set()
  /** The number of times all handles were closed. */
  #round = 0

  /**
   * @param {string[]} path names of directories, from the root
   * @param {{ patience?: number }} [options] for how many ms to wait for a file that is open elsewhere, default 10,000
   */
  constructor(path, { patience = PATIENCE_MS } = {}) {
    this.#path = path
    this.#patience = patience
  }

  /** The number of open handles. */
  get count() { return this.#open.size }

  /**
   * The names of all files. Rejects with a NotFoundError if there is no directory and `create` is not set.
   * @param {boolean} create
   */
  list(create) {
    return this.#during(async () => {
      const names = []
      for await (const [name, { kind }] of /** @type {any} any: lib.dom does not know the entries of a directory */ (await this.#place(create))) {
        if (kind === 'file') names.push(name)
      }
      return names
    })
  }

  /**
   * Opens a file for reading and writing. Rejects with a NoModificationAllowedError if it stays open elsewhere.
   * @param {string} name
   * @param {boolean} create
   * @returns {Promise<FileSystemSyncAccessHandle>}
   */
  open(name, create) {
    const round = this.#round
    return this.#during(async () => {
      const file = await (await this.#place(false)).getFileHandle(name, { create })
      const handle = await this.#unlessBusy(file, round)
      if (round !== this.#round) {
        handle.close()
        throw new DOMException('the files were closed meanwhile', 'AbortError')
      }
      this.#open.add(handle)
      return handle
    })
  }

  /** @param {FileSystemSyncAccessHandle} handle */
  close(handle) {
    if (this.#open.delete(handle)) handle.close()
  }

  /** Removes a file, which must be closed. @param {string} name */
  remove(name) {
    return this.#during(async () => (await this.#place(false)).removeEntry(name))
  }

  /** Removes the directory with all its files, which must be closed. */
  removeAll() {
    return this.#during(async () => {
      const parent = await this.#parent(false)
      await parent.removeEntry(this.#path.at(-1), { recursive: true })
      this.#directory = undefined
    })
  }

  /**
   * Closes all handles; resolves when none is left, also of those that were being opened.
   * Later calls open files again.
   */
  async closeAll() {
    this.#round++
    this.#closeOpen()
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending)
    this.#closeOpen()
  }

  #closeOpen() {
    for (const handle of this.#open) {
      try {
        handle.close()
      } catch {
        // The others must be closed too.
      }
    }
    this.#open.clear()
  }

  /** @param {FileSystemFileHandle} file @param {number} round */
  async #unlessBusy(file, round) {
    const start = performance.now()
    for (let attempt = 0; ; attempt++) {
      try {
        return await file.createSyncAccessHandle()
      } catch (/** @type {any} any: whatever was thrown */ error) {
        if (!BUSY.includes(error?.name) || round !== this.#round || performance.now() - start >= this.#patience) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)]))
    }
  }

  /** @param {boolean} create */
  async #place(create) {
    this.#directory ??= this.#find(create)
    try {
      return await this.#directory
    } catch (error) {
      this.#directory = undefined
      throw error
    }
  }

  /** @param {boolean} create */
  async #find(create) {
    return (await this.#parent(create)).getDirectoryHandle(/** @type {string} */ (this.#path.at(-1)), { create })
  }

  /** @param {boolean} create @returns {Promise<any>} any: removeEntry's options differ between versions of lib.dom */
  async #parent(create) {
    let directory = await navigator.storage.getDirectory()
    for (const name of this.#path.slice(0, -1)) directory = await directory.getDirectoryHandle(name, { create })
    return directory
  }

  /** @template T @param {() => Promise<T>} call @returns {Promise<T>} */
  #during(call) {
    const promise = call()
    this.#pending.add(promise)
    const ended = () => { this.#pending.delete(promise) }
    promise.then(ended, ended)
    return promise
  }
}
