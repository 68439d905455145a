// The lock of a directory, which excludes every other user of the same files, including C++
// LevelDB.
//
// ```text
// LOCK         LevelDB's lock: an empty file that its owner locks through fcntl. If the runtime has
//              `node:sqlite`, it takes such a lock: `BEGIN EXCLUSIVE` on an empty database writes
//              nothing.
// LOCK.varve   our lock: the holder of the directory, as JSON. It excludes runtimes without
//              `node:sqlite` (Node 20) and names the holder; LevelDB ignores it. It exists while
//              the directory is locked, or after a kill. Only the process that has created
//              LOCK.varve.takeover may remove a stale file, so that none removes a new holder's.
// /proc/locks  Linux lists the locks on LOCK. This excludes Node 20 while C++ LevelDB holds the
//              lock, and detects a C++ LevelDB in the same process, which fcntl locks do not
//              exclude. A read takes 8 ms or more (the kernel waits for all processors), unless
//              another was just made.
// a Set        of the directories locked in this thread, shared by all copies of this module.
// ```
//
// Closing any descriptor of LOCK drops all fcntl locks of the process on it, so LOCK must not be
// opened while it may be locked: use `stat` and `access`.
//
// Limits without `node:sqlite`: C++ LevelDB can open the directory later; the file of a holder in
// another container is respected until it is removed; only Linux detects a reused pid.
import fs from 'node:fs'
import { join } from 'node:path'
import { locked } from './errors.js'
import { LockFile } from './lock-file.js'
import { IS_WINDOWS } from './os.js'
import { lockNatively, makeIfMissing, nodeSqlite, refuseIfLocked } from './os-lock.js'

/**
 * Whether the name is one of the lock's files: LOCK, LOCK.varve, or a leftover takeover file.
 * @param {string} name
 */
export function isLockName(name) {
  return name === 'LOCK' || /^LOCK\.varve(\.|$)/.test(name)
}

/**
 * SQLite refuses longer paths, in bytes; a directory that deep is locked as if there were no
 * `node:sqlite`.
 */
const SQLITE_PATH_MAX = 511

/** The lock of one directory, held until it is released. */
export class DirectoryLock {
  #directory
  #entry
  #native
  #file
  /** Whether LOCK is removed on release if there is no database. */
  #isPassing

  /**
   * @private
   * @param {string} directory
   * @param {Entry} entry
   * @param {any} native any: node:sqlite, or undefined where Node lacks it
   * @param {LockFile} file
   * @param {boolean} isPassing
   */
  constructor(directory, entry, native, file, isPassing) {
    this.#directory = directory
    this.#entry = entry
    this.#native = native
    this.#file = file
    this.#isPassing = isPassing
  }

  /**
   * Takes the lock of a directory that exists.
   *
   * @param {string} directory an absolute path
   * @param {Promise<string | undefined>} [locks] the kernel's table, requested in advance
   * @param {boolean} [mayStay] whether a new LOCK may stay in a directory without a database
   * @returns {Promise<DirectoryLock>}
   * @throws an Error whose `code` is `LEVEL_LOCKED` if somebody has it
   */
  static async take(directory, locks, mayStay = true) {
    const entry = Entry.take(directory)
    let native, file
    try {
      const path = join(directory, 'LOCK')
      const isPassing = !mayStay && !fs.existsSync(path)
      const sqlite = Buffer.byteLength(path) <= SQLITE_PATH_MAX ? nodeSqlite() : undefined
      if (sqlite) {
        // The lock of a C++ LevelDB in this process would not exclude us.
        refuseIfLocked(path)
        native = lockNatively(sqlite, path)
      } else {
        makeIfMissing(path)
      }
      file = await LockFile.take(join(directory, 'LOCK.varve'), native !== undefined)
      // Checked after our file exists, so that other Varve processes see it. C++ LevelDB ignores
      // the file; without fcntl it cannot be excluded later either.
      if (!native) refuseIfLocked(path, await locks)
      return new DirectoryLock(directory, entry, native, file, isPassing)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      file?.remove()
      native?.close()
      entry.remove()
      throw error
    }
  }

  /** Releases the lock. */
  release() {
    // A C++ LevelDB that is about to lock has created LOG before, so LOCK is kept.
    if (this.#isPassing && holdsNoDatabase(this.#directory)) {
      try {
        return this.releaseAndRemove()
      } catch {
        // A remaining empty LOCK does no harm.
      }
    } else {
      this.#release()
    }
  }

  #release() {
    try {
      this.#file.remove()
    } finally {
      this.#native?.close()
      this.#entry.remove()
    }
  }

  /**
   * Releases the lock and removes its files. LOCK is removed while it is locked, so that no process
   * can lock a removed file.
   */
  releaseAndRemove() {
    const path = join(this.#directory, 'LOCK')
    // Windows keeps the name of an open file.
    if (IS_WINDOWS) {
      this.#native?.close()
      this.#native = undefined
    }
    try {
      fs.rmSync(path, { force: true })
      // Remove leftover takeover files.
      for (const name of fs.readdirSync(this.#directory)) {
        if (name.startsWith('LOCK.varve.')) fs.rmSync(join(this.#directory, name), { force: true })
      }
    } finally {
      this.#release()
    }
  }
}

const DATABASE_FILE = /^(CURRENT|LOG(\.old)?|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp))$/

/** Whether the directory has no files of a database except the lock's. @param {string} directory */
function holdsNoDatabase(directory) {
  try {
    return !fs.readdirSync(directory).some((name) => DATABASE_FILE.test(name))
  } catch {
    return false
  }
}

// ---- The directories locked in this thread ----

const TABLE = Symbol.for('varve.locked-directories')

/** @returns {Set<string>} */
function table() {
  const shared = /** @type {any} any: globalThis declares no such property */ (globalThis)
  shared[TABLE] ??= new Set()
  return shared[TABLE]
}

/** One locked directory. */
class Entry {
  #id

  /** @param {string} id */
  constructor(id) {
    this.#id = id
  }

  /** @param {string} directory */
  static take(directory) {
    const id = identify(directory)
    if (table().has(id)) throw locked(join(directory, 'LOCK'), 'this process')
    table().add(id)
    return new Entry(id)
  }

  remove() {
    table().delete(this.#id)
  }
}

/** Returns an id that is the same for every path to the directory. @param {string} directory */
function identify(directory) {
  const stats = fs.statSync(directory, { bigint: true })
  if (!stats.isDirectory()) {
    throw Object.assign(new Error(`ENOTDIR: not a directory, lock '${directory}'`), { code: 'ENOTDIR', path: directory })
  }
  return IS_WINDOWS ? fs.realpathSync.native(directory) : `${stats.dev}:${stats.ino}`
}
