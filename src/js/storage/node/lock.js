// The lock of a directory, which excludes every other user of the same files, including C++ LevelDB.
//
// ```text
// LOCK         LevelDB's own: an empty file that its owner has locked through fcntl. `node:sqlite`, where the runtime has it,
//              takes locks of the same kind on it: `BEGIN EXCLUSIVE` on an empty database writes nothing.
// LOCK.varve   ours: the holder of the directory, as JSON. It keeps out the runtimes without `node:sqlite` (Node 20), and names
//              the holder. LevelDB ignores the file; it is there only while the directory is held, or after a kill. Then who has
//              made LOCK.varve.takeover may remove it, so that nobody removes the file of the next holder.
// /proc/locks  on Linux the kernel tells who has locked LOCK: so Node 20 is kept out by C++ LevelDB, and a C++ LevelDB in
//              this very process is seen, which its fcntl locks alone would not exclude. Before it tells, it waits until every
//              processor has seen its locks, which takes 8 ms or more unless somebody has just asked.
// a Set        of the directories locked in this thread, shared by all copies of this module.
// ```
//
// Closing any descriptor of LOCK drops all fcntl locks that the process has on it, so nothing here or elsewhere may open LOCK
// while it can be held: everything asks by `stat` and `access`, which open nothing.
//
// Limits without `node:sqlite`: a C++ LevelDB that opens the directory later is not kept out; a holder in another
// container cannot be judged, so its file is respected until it is removed; and only Linux detects a reused pid.
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
   * @param {Promise<string | undefined>} [locks] the kernel's table, from a moment ago, where LevelDB that comes later is not kept out anyway
   * @param {boolean} [mayStay] whether a LOCK that this makes may stay in a directory without a database
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
        // A LevelDB in this process would not exclude us.
        refuseIfLocked(path)
        native = lockNatively(sqlite, path)
      } else {
        makeIfMissing(path)
      }
      file = await LockFile.take(join(directory, 'LOCK.varve'), native !== undefined)
      // Who locks LOCK and looks for our file finds it; a C++ LevelDB does not look, and could as
      // well come a moment later.
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
    // A C++ LevelDB that is about to lock has made its LOG before.
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
   * Releases the lock and removes its files: LOCK while it is held, so that no process can hold a
   * removed LOCK.
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

// ---- The table of this thread ----

const TABLE = Symbol.for('varve.locked-directories')

/** @returns {Set<string>} */
function table() {
  const shared = /** @type {any} any: globalThis declares no such property */ (globalThis)
  shared[TABLE] ??= new Set()
  return shared[TABLE]
}

/** One row of the table. */
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
