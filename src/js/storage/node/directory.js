// The files of one directory, over node:fs.
//
// ```text
// read, append   synchronous calls on the engine's memory, without a copy; appends use O_APPEND
// sync           fdatasync through the callback API, which does not block the event loop
// editNames      rename, unlink ... in order, then one fsync of the directory; unlink and fsync
//                through the callback API too
// descriptors    descriptors.js: closes and reopens those of tables
// lock           lock.js
// ```
import fs from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TableDescriptor, ensureSpare, keepOpen, withSpare } from './descriptors.js'
import { attempt, failure } from './errors.js'
import { Descriptor, NodeFile } from './file.js'
import { DirectoryLock, isLockName } from './lock.js'
import { createNew, makeDirectory, makeOne, removeIfEmpty, removeIfThere, removeNow, renameOver, replace, syncDirectory, syncDirectoryNow } from './names.js'
import { APPEND, IS_WINDOWS } from './os.js'
import { nodeSqlite, readLocks } from './os-lock.js'

/**
 * @typedef {import('../../types/index.js').Storage} Storage
 * @typedef {import('../../types/index.js').NameEdit} NameEdit
 */

/** Descriptors used by the lock: LOCK, LOCK.varve, and the kernel's table. */
const SPARE_FOR_LOCK = 3

/** The longest file name of common file systems, in bytes. */
const NAME_BYTES_MAX = 255

/** Names of files that are complete and never change. */
const TABLE_NAME = /^\d+\.(?:ldb|sst)$/

/** Whether this thread has opened no database yet. */
let isFirst = true

/**
 * The files of a directory. `lock(true)` creates it if it does not exist.
 *
 * @implements {Storage}
 */
export class NodeStorage {
  /**
   * The guarantee of a sync. On macOS, Node requests the strongest flush but does not report when
   * the drive refuses it and a weaker one is done.
   *
   * @type {'os-buffered' | 'durable'}
   */
  durability = process.platform === 'darwin' ? 'os-buffered' : 'durable'
  appendsAreExact = true

  #directory
  /** @type {DirectoryLock | undefined} */
  #lock
  /**
   * The kernel's table of locks, requested in advance.
   * @type {Promise<string | undefined> | undefined}
   */
  #locks
  /** @type {Set<NodeFile>} those that are open */
  #files = new Set()
  /** Pending flushes and edits, which unlock() waits for. @type {Set<Promise<void>>} */
  #pending = new Set()
  /** The last group of edits; the next starts after it. @type {Promise<void> | undefined} */
  #editing

  /**
   * @param {string | URL} directory
   * @param {string} [base] what a relative path starts from; else where the process works
   */
  constructor(directory, base = '') {
    this.#directory = resolve(base, directory instanceof URL ? fileURLToPath(directory) : directory)
  }

  /** The directory, as an absolute path. */
  get directory() {
    return this.#directory
  }

  /** How a worker creates the same storage. */
  get inWorker() {
    return { module: import.meta.url, export: 'NodeStorage', args: [this.#directory] }
  }

  /**
   * Prepares a lock() that follows at once. The first time, requests the kernel's table of locks,
   * which takes about as long as compiling the engine. Not if LOCK will be held through fcntl:
   * then the table must be read after locking.
   */
  aboutToLock() {
    if (isFirst && !nodeSqlite()) this.#locks = readLocks()
    isFirst = false
    return this
  }

  /** @param {boolean} create */
  #takeLock(create) {
    const locks = this.#locks
    this.#locks = undefined
    // A table of locks that cannot be read looks empty.
    if (!IS_WINDOWS && fs.statSync(this.#directory).isDirectory()) ensureSpare(SPARE_FOR_LOCK, this.#directory)
    return DirectoryLock.take(this.#directory, locks, create)
  }

  /** @param {boolean} create */
  async lock(create) {
    if (this.#lock) {
      throw Object.assign(new Error(`${this.#directory} is already locked by this storage`), { code: 'LEVEL_LOCKED', path: this.#directory })
    }
    if (create) await makeDirectory(this.#directory)
    this.#lock = await attempt('lock', this.#directory, () => this.#takeLock(create))
    return 0
  }

  unlock() {
    const lock = this.#lock
    if (!lock) return
    this.#lock = undefined
    const ended = this.#closeAll()
    return ended ? ended.then(() => lock.release()) : lock.release()
  }

  list() {
    return attempt('list', this.#directory, () => withSpare(() => fs.readdirSync(this.#directory, { withFileTypes: true })))
      .filter((/** @type {fs.Dirent} */ entry) => isAllowed(entry.name) && this.#isFile(entry))
      .map((/** @type {fs.Dirent} */ entry) => entry.name)
  }

  /**
   * A link to a file counts as a file. A name that is not UTF-8 is decoded differently and not
   * found.
   * @param {fs.Dirent} entry
   */
  #isFile(entry) {
    if (entry.isFile() && !entry.name.includes('\ufffd')) return true
    return fs.statSync(join(this.#directory, entry.name), { throwIfNoEntry: false })?.isFile() === true
  }

  /**
   * @param {string} name
   * @param {'log' | 'manifest' | 'table' | 'other'} _kind all are written in the same way
   * @param {number} _sizeHint Node cannot ask for room in advance
   */
  create(name, _kind, _sizeHint) {
    const path = this.#path(name)
    const fd = attempt('create', path, () => withSpare(() => createNew(path)))
    return this.#track(new Descriptor(fd), path, true)
  }

  /** @param {string} name @param {'read' | 'append'} access */
  open(name, access) {
    const path = this.#path(name)
    const writable = access === 'append'
    const fd = attempt('open', path, () => withSpare(() => fs.openSync(path, writable ? APPEND : fs.constants.O_RDONLY)))
    let stats
    try {
      stats = attempt('open', path, () => fs.fstatSync(fd))
      if (stats.isDirectory()) throw failure('EISDIR', 'open', path, 'is a directory')
    } catch (/** @type {any} any: whatever was thrown */ error) {
      fs.closeSync(fd)
      throw error
    }
    const isTable = !writable && TABLE_NAME.test(name)
    return this.#track(isTable ? new TableDescriptor(path, fd, stats, this.#lock !== undefined) : new Descriptor(fd), path, writable)
  }

  /**
   * @param {Descriptor | TableDescriptor} descriptor
   * @param {string} path
   * @param {boolean} writable
   */
  #track(descriptor, path, writable) {
    const file = new NodeFile(descriptor, path, writable, {
      pending: (/** @type {Promise<void>} */ promise) => this.#whilePending(promise),
      closed: () => this.#files.delete(file)
    })
    this.#files.add(file)
    return file
  }

  /**
   * Hard-links a file of another directory, if the file system supports it. Only for files that
   * never change.
   * @param {string} name
   * @param {unknown} source
   */
  link(name, source) {
    if (!(source instanceof NodeStorage)) return false
    const [from, to] = [source.#path(name), this.#path(name)]
    try {
      fs.linkSync(from, to)
      return true
    } catch (error) {
      // Another disk, no support for links, or too many links: the caller copies, which reports
      // read errors.
      return false
    }
  }

  /**
   * @param {NameEdit[]} edits
   * @param {boolean} [inPlace] on this thread; possible for removals while no other edits are
   *   pending
   * @returns {void | Promise<void>}
   */
  editNames(edits, inPlace) {
    // Check all edits before applying the first, and copy contents, which are in the engine's
    // memory.
    const own = edits.map((edit) => this.#checked(edit))
    // Existing names become durable too, regardless of other pending edits.
    if (inPlace && own.length === 0) return syncDirectoryNow(this.#directory)
    if (inPlace && this.#editing === undefined && own.every(({ type, lost }) => type === 'remove' && !lost)) return this.#removeNow(own)
    const apply = () => this.#apply(own)
    const editing = this.#whilePending(this.#editing ? this.#editing.then(apply, apply) : apply())
    this.#editing = editing
    const ended = () => { if (this.#editing === editing) this.#editing = undefined }
    editing.then(ended, ended)
    return editing
  }

  /** @param {NameEdit} edit */
  #checked(edit) {
    switch (edit.type) {
      case 'rename': {
        const [from, to] = [this.#path(edit.from), this.#path(edit.to)]
        return { type: 'rename', from, to, toLost: isLost(edit.to), lost: isLost(edit.from) || isLost(edit.to) }
      }
      case 'remove':
        return { type: 'remove', path: this.#path(edit.name), lost: isLost(edit.name) }
      case 'replace': {
        const [path, via] = [this.#path(edit.name), this.#path(edit.via)]
        return { type: 'replace', path, via, content: Uint8Array.from(edit.content), lost: isLost(edit.name) }
      }
      default:
        throw failure('EINVAL', 'edit names', this.#directory, `unknown edit type ${String(/** @type {any} any: edits are checked here */ (edit).type)}`)
    }
  }

  /** @param {any[]} edits as checked; any: edits are checked here */
  #removeNow(edits) {
    for (const { path } of edits) {
      attempt('remove', path, () => {
        keepOpen(path)
        removeNow(path)
      })
    }
    syncDirectoryNow(this.#directory)
  }

  /** @param {any[]} edits as checked; any: edits are checked here */
  async #apply(edits) {
    let lost = false
    for (const edit of edits) {
      lost ||= edit.lost && (edit.type !== 'remove' || fs.existsSync(edit.path))
      attempt(edit.type, edit.path ?? edit.from, () => { for (const path of [edit.path, edit.from, edit.to]) keepOpen(path) })
      if (edit.type === 'remove') {
        await attempt('remove', edit.path, () => removeIfThere(edit.path))
      } else if (edit.type === 'replace') {
        await attempt('replace', edit.path, () => replace(edit.path, edit.via, edit.content))
      } else {
        if (edit.toLost) makeOne(dirname(edit.to))
        const waiting = attempt('rename', edit.from, () => renameOver(edit.from, edit.to))
        if (waiting) await attempt('rename', edit.from, () => waiting)
      }
    }
    if (lost) await syncDirectory(join(this.#directory, 'lost'))
    await syncDirectory(this.#directory)
  }

  async removePlace() {
    const lock = this.#lock ?? await attempt('remove', this.#directory, () => this.#takeLock(false))
    this.#lock = undefined
    await this.#closeAll()
    try {
      fs.rmdirSync(join(this.#directory, 'lost'))
    } catch {
      // A directory that is not empty or not ours is kept.
    }
    attempt('remove', this.#directory, () => lock.releaseAndRemove())
    const removed = attempt('remove', this.#directory, () => removeIfEmpty(this.#directory))
    await syncDirectory(removed ? dirname(this.#directory) : this.#directory)
  }

  /** Closes every file; returns a promise if flushes or edits must finish first. */
  #closeAll() {
    for (const file of this.#files) file.close()
    return this.#pending.size > 0 ? Promise.allSettled(this.#pending) : undefined
  }

  /** @param {Promise<void>} promise */
  #whilePending(promise) {
    this.#pending.add(promise)
    const ended = () => this.#pending.delete(promise)
    promise.then(ended, ended)
    return promise
  }

  /** @param {string} name */
  #path(name) {
    if (typeof name !== 'string' || !isAllowed(name.startsWith('lost/') ? name.slice(5) : name)) {
      throw Object.assign(new Error(`${JSON.stringify(name)} is not a valid file name`), { code: 'EINVAL' })
    }
    return join(this.#directory, name)
  }
}

/** @param {string} name */
const isLost = (name) => name.startsWith('lost/')

/** Whether a file may have this name, `lost/` aside. @param {string} name */
function isAllowed(name) {
  return name !== '' && name.isWellFormed() && Buffer.byteLength(name) <= NAME_BYTES_MAX && !/[/\\:\p{Cc}]/u.test(name) &&
    !['.', '..', 'lost'].includes(name) && !isLockName(name)
}

/**
 * The storage of the database in the directory `path`; a relative one starts at `base`.
 * @param {string} path
 * @param {string} [base]
 * @param {string} [_kind] of a browser's storages
 */
export const directoryAt = (path, base, _kind) => new NodeStorage(path, base).aboutToLock()

/** @returns {Promise<string[]>} */
export async function databases() {
  throw Object.assign(new Error('a database can be in any directory: there is no list of them'), { code: 'not-supported' })
}
