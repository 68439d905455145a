// The files of one directory, over node:fs.
//
// ```text
// read, append   synchronous calls, straight from and into the engine's memory; appended through O_APPEND
// sync           fdatasync through the callback API: a disk that flushes keeps no event loop waiting
// editNames      rename, unlink ... in order, then one fsync of the directory; unlink and fsync through the callback API too
// descriptors    descriptors.js: those of tables are closed and opened again where the process may have few
// lock           lock.js
// ```
import fs from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { TableDescriptor, ensureSpare, keepOpen, withSpare } from './descriptors.js'
import { DirectoryLock, isLockName, nodeSqlite, readLocks } from './lock.js'

/**
 * @typedef {import('../../index.js').Storage} Storage
 * @typedef {import('../../index.js').StorageFile} StorageFile
 * @typedef {import('../../index.js').NameEdit} NameEdit
 */

const IS_WINDOWS = process.platform === 'win32'
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/** Windows lets nobody truncate what was opened with O_APPEND; there each append asks for the end. */
const APPEND = fs.constants.O_RDWR | (IS_WINDOWS ? 0 : fs.constants.O_APPEND)
const CREATE = APPEND | fs.constants.O_CREAT | fs.constants.O_EXCL

/** How long a rename waits for others to close the files, in ms: on Windows virus scanners and indexers open what is new. */
const RENAME_PATIENCE_MS = 2000
const RENAME_BUSY = ['EPERM', 'EACCES', 'EBUSY']

/** What a flush of a directory may answer where that cannot be done; NTFS keeps a journal of names, and so do some of networks. */
const CANNOT_SYNC_DIRECTORY = IS_WINDOWS ? ['EPERM', 'EISDIR', 'EINVAL'] : ['EINVAL', 'ENOTSUP', 'ENOSYS']

/** LOCK, our file beside it, and the kernel's table. */
const SPARE_FOR_LOCK = 3

/** The longest name that common file systems take, in bytes. */
const NAME_BYTES_MAX = 255

/** Of files that are whole once they have it, and never change. */
const TABLE_NAME = /^\d+\.(?:ldb|sst)$/

/** Whether this thread has opened no database yet. */
let isFirst = true

/**
 * The files of a directory, which need not exist yet: `lock(true)` makes it.
 *
 * @implements {Storage}
 */
export class NodeStorage {
  /**
   * What a successful sync means. Node asks macOS for its strongest flush, but does not say when the drive has refused it and
   * a weaker one was done.
   *
   * @type {'os-buffered' | 'durable'}
   */
  durability = process.platform === 'darwin' ? 'os-buffered' : 'durable'
  appendsAreExact = true

  #directory
  /** @type {DirectoryLock | undefined} */
  #lock
  /** What the lock is about to ask the kernel. @type {Promise<string | undefined> | undefined} */
  #locks
  /** @type {Set<NodeFile>} those that are open */
  #files = new Set()
  /** Flushes and edits under way, which the lock's end waits for. @type {Set<Promise<void>>} */
  #pending = new Set()
  /** The last group of edits; the next begins when it has ended. @type {Promise<void> | undefined} */
  #editing

  /** @param {string | URL} directory @param {string} [base] what a relative path starts from; else where the process works */
  constructor(directory, base = '') {
    this.#directory = resolve(base, directory instanceof URL ? fileURLToPath(directory) : directory)
  }

  /** The directory, as an absolute path. */
  get directory() {
    return this.#directory
  }

  /** How a worker makes the same storage. */
  get inWorker() {
    return { module: import.meta.url, export: 'NodeStorage', args: [this.#directory] }
  }

  /**
   * To be locked at once. The first time the kernel is asked while the engine is compiled; later nothing takes as long as its answer.
   * Not where C++ LevelDB will be kept out: nobody may come in between.
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
    // If the table of locks cannot be read, it looks as if there were no locks.
    if (!IS_WINDOWS && fs.statSync(this.#directory).isDirectory()) ensureSpare(SPARE_FOR_LOCK, this.#directory)
    return DirectoryLock.take(this.#directory, locks, create)
  }

  /** @param {boolean} create */
  async lock(create) {
    if (this.#lock) {
      throw Object.assign(new Error(`${this.#directory} is locked by this very handle`), { code: 'LEVEL_LOCKED', path: this.#directory })
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

  /** A link to a file counts as one. A name that is not UTF-8 came out changed, and is not found. @param {fs.Dirent} entry */
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
    } catch (/** @type {any} */ error) {
      fs.closeSync(fd)
      throw error
    }
    const isTable = !writable && TABLE_NAME.test(name)
    return this.#track(isTable ? new TableDescriptor(path, fd, stats, this.#lock !== undefined) : new Descriptor(fd), path, writable)
  }

  /** @param {Descriptor | TableDescriptor} descriptor @param {string} path @param {boolean} writable */
  #track(descriptor, path, writable) {
    const file = new NodeFile(descriptor, path, writable, {
      pending: (/** @type {Promise<void>} */ promise) => this.#whilePending(promise),
      closed: () => this.#files.delete(file)
    })
    this.#files.add(file)
    return file
  }

  /**
   * A second name for a file of another directory, where the file system can: no byte is copied. For files that never change.
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
      // Another disk, or one without such names, or with too many: a copy will do. What cannot be read, it will say.
      return false
    }
  }

  /** @param {NameEdit[]} edits @returns {Promise<void>} */
  editNames(edits) {
    // Checked before the first is done, and contents are copied: they are the engine's memory.
    const own = edits.map((edit) => this.#checked(edit))
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
        throw failure('EINVAL', 'edit names', this.#directory, `no edit is called ${String(/** @type {any} */ (edit).type)}`)
    }
  }

  /** @param {any[]} edits as checked */
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
        if (edit.toLost) attempt('create', dirname(edit.to), () => makeLost(dirname(edit.to)))
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
      // What cannot be removed is not empty, or not ours: it stays.
    }
    attempt('remove', this.#directory, () => lock.releaseAndRemove())
    const removed = attempt('remove', this.#directory, () => removeIfEmpty(this.#directory))
    await syncDirectory(removed ? dirname(this.#directory) : this.#directory)
  }

  /** Closes every file; answers a promise if flushes or edits are under way, which end first. */
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
      throw Object.assign(new Error(`${JSON.stringify(name)} cannot be the name of a file`), { code: 'EINVAL' })
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

// ---- One file ---------------------------------------------------------------------------------------------------------

/** One that stays open. */
class Descriptor {
  /** @param {number} fd */
  constructor(fd) {
    this.fd = fd
  }

  hold() { return this.fd }

  release() {}

  close() { fs.closeSync(this.fd) }
}

/** @implements {StorageFile} */
class NodeFile {
  #descriptor
  #path
  #writable
  #storage
  #closed = false
  #flushes = 0
  /** The first failure of a flush: the kernel may have dropped what it could not write, and would call a second one good. @type {any} */
  #failed

  /**
   * @param {Descriptor | TableDescriptor} descriptor
   * @param {string} path
   * @param {boolean} writable
   * @param {{ pending: (promise: Promise<void>) => Promise<void>, closed: () => void }} storage
   */
  constructor(descriptor, path, writable, storage) {
    this.#descriptor = descriptor
    this.#path = path
    this.#writable = writable
    this.#storage = storage
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    this.#check('read')
    // Numbers of this size are not exact, and no file reaches there: it ends before.
    if (offset > Number.MAX_SAFE_INTEGER) return 0
    return attempt('read', this.#path, () => {
      const { fd } = this.#descriptor
      let done = 0
      while (done < into.length) {
        const count = fs.readSync(fd, into, done, into.length - done, offset + done)
        if (count === 0) break
        done += count
      }
      return done
    })
  }

  /** @param {Uint8Array} data */
  append(data) {
    this.#checkWritable('append')
    if (this.#failed) throw this.#failed
    attempt('append', this.#path, () => writeAll(this.#descriptor.fd, data))
    return data.length
  }

  sync() {
    this.#check('sync')
    if (this.#failed) throw this.#failed
    const fd = attempt('sync', this.#path, () => this.#descriptor.hold())
    this.#flushes++
    return this.#storage.pending(flush('fdatasync', fd).then(
      () => this.#flushed(),
      (error) => this.#flushed(explain(error, 'sync', this.#path))
    ))
  }

  /** @param {any} [error] */
  #flushed(error) {
    this.#flushes--
    this.#descriptor.release()
    this.#closeWhenQuiet()
    // Of two flushes at once only one is told of a failure.
    this.#failed ??= error
    if (this.#failed) throw this.#failed
  }

  /** @param {number} size */
  truncate(size) {
    this.#checkWritable('truncate')
    attempt('truncate', this.#path, () => fs.ftruncateSync(this.#descriptor.fd, size))
  }

  size() {
    this.#check('size')
    return attempt('size', this.#path, () => fs.fstatSync(this.#descriptor.fd)).size
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    this.#storage.closed()
    this.#closeWhenQuiet()
  }

  /** Not under a flush: the descriptor's number would go to another file. */
  #closeWhenQuiet() {
    if (!this.#closed || this.#flushes > 0) return
    try {
      this.#descriptor.close()
    } catch {
      // The descriptor is gone in any case, and for what was not synced nothing was promised.
    }
  }

  /** @param {string} operation */
  #check(operation) {
    if (this.#closed) throw failure('EBADF', operation, this.#path, 'the file is closed')
  }

  /** @param {string} operation */
  #checkWritable(operation) {
    this.#check(operation)
    if (!this.#writable) throw failure('EACCES', operation, this.#path, 'the file was opened to be read')
  }
}

/** A write that was cut short goes on, until the cause tells its name. @param {number} fd @param {Uint8Array} data */
function writeAll(fd, data) {
  let end = IS_WINDOWS ? fs.fstatSync(fd).size : null
  for (let done = 0; done < data.length;) {
    const count = fs.writeSync(fd, data, done, data.length - done, end)
    if (count === 0) throw Object.assign(new Error('EIO: the system wrote nothing and gave no reason'), { code: 'EIO' })
    done += count
    if (end !== null) end += count
  }
}

// ---- Names ------------------------------------------------------------------------------------------------------------

/** Opens a new file even if the name is taken: whoever has the old one open keeps it. @param {string} path */
function createNew(path) {
  try {
    return fs.openSync(path, CREATE, FILE_MODE)
  } catch (/** @type {any} */ error) {
    if (error.code !== 'EEXIST') throw error
    keepOpen(path)
    fs.unlinkSync(path)
    return fs.openSync(path, CREATE, FILE_MODE)
  }
}

/** @param {string} directory */
const makeLost = (directory) => fs.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE })

/** By a thread of Node's: giving back the space of a large file can take 10 ms. @param {string} path @returns {Promise<void>} */
function removeIfThere(path) {
  // (Deno says of a success that its error is undefined.)
  return new Promise((resolve, reject) => fs.unlink(path, (error) => {
    if (!error || error.code === 'ENOENT') resolve()
    else reject(error)
  }))
}

/** Answers whether the directory is gone. @param {string} directory */
function removeIfEmpty(directory) {
  try {
    fs.rmdirSync(directory)
    return true
  } catch (/** @type {any} */ error) {
    if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false
    throw error
  }
}

/**
 * The file at `path` holds exactly `content`: what was there before, or all of it, also after a crash.
 * @param {string} path
 * @param {string} via
 * @param {Uint8Array} content
 */
async function replace(path, via, content) {
  try {
    const fd = withSpare(() => createNew(via))
    try {
      writeAll(fd, content)
      await flush('fdatasync', fd)
    } finally {
      fs.closeSync(fd)
    }
    await renameOver(via, path)
  } catch (/** @type {any} */ error) {
    try {
      fs.rmSync(via, { force: true })
    } catch {
      // The caller hears of the first failure; what is left of `via` is only space.
    }
    throw error
  }
}

/** Done when it returns nothing; else (Windows) it is tried again for a while. @param {string} from @param {string} to */
function renameOver(from, to) {
  try {
    fs.renameSync(from, to)
  } catch (/** @type {any} */ error) {
    if (!IS_WINDOWS || !RENAME_BUSY.includes(error.code)) throw error
    return renameLater(from, to)
  }
}

/** @param {string} from @param {string} to */
async function renameLater(from, to) {
  const deadline = performance.now() + RENAME_PATIENCE_MS
  for (let pause = 10; ; pause = Math.min(pause * 2, 200)) {
    await wait(pause)
    try {
      return fs.renameSync(from, to)
    } catch (/** @type {any} */ error) {
      if (!RENAME_BUSY.includes(error.code) || performance.now() + pause > deadline) throw error
    }
  }
}

/** Makes the directory and those above it, and their names durable. @param {string} directory */
async function makeDirectory(directory) {
  const missing = []
  for (let place = directory; !fs.existsSync(place) && dirname(place) !== place; place = dirname(place)) missing.push(place)
  if (missing.length === 0) return
  attempt('create', directory, () => fs.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE }))
  for (const made of missing) await syncDirectory(dirname(made))
}

/** @param {string} directory */
async function syncDirectory(directory) {
  try {
    const fd = withSpare(() => fs.openSync(directory, 'r'))
    try {
      await flush('fsync', fd)
    } finally {
      fs.closeSync(fd)
    }
  } catch (/** @type {any} */ error) {
    if (!CANNOT_SYNC_DIRECTORY.includes(error.code)) throw explain(error, 'sync', directory)
  }
}

/** @param {'fsync' | 'fdatasync'} call done by a thread of Node's, not the event loop's @param {number} fd */
function flush(call, fd) {
  return /** @type {Promise<void>} */ (new Promise((resolve, reject) => fs[call](fd, (error) => (error ? reject(error) : resolve()))))
}

// ---- Errors -----------------------------------------------------------------------------------------------------------

/** @param {string} code @param {string} operation @param {string} path @param {string | Error} why */
function failure(code, operation, path, why) {
  return Object.assign(new Error(`${code}: ${why}, ${operation} '${path}'`), { code, path })
}

/**
 * Node's own error, which also says what was to be done with which file. @param {any} error
 * @param {string} operation
 * @param {string} path
 */
function explain(error, operation, path) {
  if (error instanceof Error && !error.message.includes(path)) {
    const before = error.message
    error.message = `${operation} ${path}: ${before}`
    error.stack = error.stack?.replace(before, () => error.message)
    if (!('path' in error)) Object.assign(error, { path })
  }
  return error
}

/** @returns what `act` answers, or a promise of it @param {string} operation @param {string} path @param {() => any} act */
function attempt(operation, path, act) {
  try {
    const answer = act()
    return answer instanceof Promise ? answer.catch((error) => { throw explain(error, operation, path) }) : answer
  } catch (/** @type {any} */ error) {
    throw explain(error, operation, path)
  }
}
