// The lock of a directory: who opens it excludes every other user of the same files, C++ LevelDB among them.
//
// ```text
// LOCK         LevelDB's own: an empty file that its owner has locked through fcntl. `node:sqlite`, where the runtime has it,
//              takes locks of the same kind on it: `BEGIN EXCLUSIVE` on an empty database writes nothing.
// LOCK.varve   ours: who holds the directory, in JSON. It keeps out the runtimes without `node:sqlite` (Node 20), and names
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
// What stays possible without `node:sqlite`: a C++ LevelDB that opens the directory later is not kept out; a holder in another
// container cannot be judged, so its file is respected until somebody removes it; and only Linux tells a pid used anew.
import fs from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** Whether the name is one of the lock's own: LOCK, LOCK.varve, or what a kill left of taking the latter over. @param {string} name */
export function isLockName(name) {
  return name === 'LOCK' || /^LOCK\.varve(\.|$)/.test(name)
}

/** SQLite refuses longer paths, in bytes; a directory that deep is locked as if there were no `node:sqlite`. */
const SQLITE_PATH_MAX = 511

/** SQLite's codes for "somebody else has it", and for what the system does not permit: opening, or writing. */
const SQLITE_BUSY = 5
const SQLITE_FORBIDDEN = [3, 8, 14]

/** How often the lock is tried again when its files change under our hands, before the directory counts as taken. */
const ATTEMPTS_MAX = 20

/** How long somebody else's taking over is waited for at a time, in ms: it takes less than one. */
const TAKEOVER_MS = 5

/** Where that was cut short by a kill, in ms: time for whoever judged the same files stale to show up. */
const SETTLE_MS = 50

/** An empty or torn LOCK.varve this old, in ms, is no longer being written: its writer was killed, or the power went. */
const WRITING_MS = 2000

const LOCKS = '/proc/locks'

const IS_LINUX = process.platform === 'linux'
const IS_WINDOWS = process.platform === 'win32'

/** The lock of one directory, held until it is released. */
export class DirectoryLock {
  #directory
  #entry
  #native
  #file
  /** Whether LOCK goes with the lock if there is no database then. */
  #isPassing

  /** @private @param {string} directory @param {Entry} entry @param {any} native @param {LockFile} file @param {boolean} isPassing */
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
        // A LevelDB in this very process would not keep us out.
        refuseIfLocked(path)
        native = lockNatively(sqlite, path)
      } else {
        makeIfMissing(path)
      }
      file = await LockFile.take(join(directory, 'LOCK.varve'), native !== undefined)
      // Who locks LOCK and looks for our file finds it; a C++ LevelDB does not look, and could as well come a moment later.
      if (!native) refuseIfLocked(path, await locks)
      return new DirectoryLock(directory, entry, native, file, isPassing)
    } catch (/** @type {any} */ error) {
      file?.remove()
      native?.close()
      entry.remove()
      throw error
    }
  }

  /** Gives the lock back. */
  release() {
    // A C++ LevelDB that is about to lock has made its LOG before.
    if (this.#isPassing && holdsNoDatabase(this.#directory)) {
      try {
        return this.releaseAndRemove()
      } catch {
        // An empty LOCK that stays is no harm.
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

  /** Gives the lock back and takes its files away: LOCK while it is held, so that nobody can hold a LOCK without a name. */
  releaseAndRemove() {
    const path = join(this.#directory, 'LOCK')
    // Windows does not free the name of a file that is open.
    if (IS_WINDOWS) {
      this.#native?.close()
      this.#native = undefined
    }
    try {
      fs.rmSync(path, { force: true })
      // What kills left of taking over.
      for (const name of fs.readdirSync(this.#directory)) {
        if (name.startsWith('LOCK.varve.')) fs.rmSync(join(this.#directory, name), { force: true })
      }
    } finally {
      this.#release()
    }
  }
}

const DATABASE_FILE = /^(CURRENT|LOG(\.old)?|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp))$/

/** Whether there is no file of a database but the lock's own. @param {string} directory */
function holdsNoDatabase(directory) {
  try {
    return !fs.readdirSync(directory).some((name) => DATABASE_FILE.test(name))
  } catch {
    return false
  }
}

/** @param {string} path @param {string} by */
function locked(path, by) {
  return Object.assign(new Error(`${path} is in use by ${by}`), { code: 'LEVEL_LOCKED', path })
}

/** The kernel gives no pid (0 or -1) where no single process owns the lock. @param {number} pid */
function named(pid) {
  if (pid === process.pid) return `this process (${pid})`
  return pid > 0 ? `process ${pid}` : 'another process'
}

// ---- The table of this thread -----------------------------------------------------------------------------------------

const TABLE = Symbol.for('varve.locked-directories')

/** @returns {Set<string>} */
function table() {
  const shared = /** @type {any} */ (globalThis)
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

/** The same under every path that leads to the directory. @param {string} directory */
function identify(directory) {
  const stats = fs.statSync(directory, { bigint: true })
  if (!stats.isDirectory()) {
    throw Object.assign(new Error(`ENOTDIR: a file, where a directory should be, lock '${directory}'`), { code: 'ENOTDIR', path: directory })
  }
  return IS_WINDOWS ? fs.realpathSync.native(directory) : `${stats.dev}:${stats.ino}`
}

// ---- LOCK -------------------------------------------------------------------------------------------------------------

/** The module, or undefined in a runtime without it. That it is experimental in some versions is no news for our users. */
export function nodeSqlite() {
  const { emitWarning } = process
  /** @param {any} warning @param {any[]} rest */
  process.emitWarning = (warning, ...rest) => {
    const type = rest[0]?.type ?? rest[0]
    if (type !== 'ExperimentalWarning' || !/sqlite/i.test(String(warning))) Reflect.apply(emitWarning, process, [warning, ...rest])
  }
  try {
    return process.getBuiltinModule?.('node:sqlite')
  } catch {
    return undefined
  } finally {
    process.emitWarning = emitWarning
  }
}

/** LOCK with the mode of our other files. A new file can be closed: nobody has locked it yet. @param {string} path */
function makeIfMissing(path) {
  try {
    fs.closeSync(fs.openSync(path, 'wx', 0o600))
  } catch (/** @type {any} */ error) {
    if (error.code !== 'EEXIST') throw error
  }
}

/** Answers the connection that holds LOCK until it is closed. @param {any} sqlite @param {string} path */
function lockNatively(sqlite, path) {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    makeIfMissing(path)
    const before = identityOf(path)
    if (before === undefined) continue
    const connection = lockOnce(sqlite, path)
    // Whoever removed the database in between has taken the file away from under the lock.
    if (identityOf(path) === before) return connection
    connection.close()
  }
  throw locked(path, 'processes that make and remove it')
}

/** @param {any} sqlite @param {string} path */
function lockOnce(sqlite, path) {
  fs.accessSync(path, fs.constants.R_OK | fs.constants.W_OK)
  let connection
  try {
    connection = new sqlite.DatabaseSync(path)
    // The journal in memory, so that none lies beside LOCK.
    connection.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE')
    return connection
  } catch (/** @type {any} */ error) {
    connection?.close()
    // The primary code is the low byte; a runtime that does not give it gives the words.
    const primary = error.errcode & 0xff
    if (primary === SQLITE_BUSY || error.message === 'database is locked') {
      const pid = holderOf(path)
      throw locked(path, pid === undefined ? 'another process' : named(pid))
    }
    const size = fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0
    const why = size > 0 ? `it has ${size} bytes, and LevelDB's is empty` : error.message
    const code = SQLITE_FORBIDDEN.includes(primary) ? 'EACCES' : error.code
    throw Object.assign(new Error(`lock ${path}: ${why}`, { cause: error }), { code, path })
  }
}

/** Changes when the name gets another file, even one with the same inode. @param {string} path */
function identityOf(path) {
  const stats = fs.statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats && `${stats.dev}:${stats.ino}:${stats.birthtimeNs}`
}

/** The kernel's table of locks, where it has one that may be read; another thread waits for it. @returns {Promise<string | undefined>} */
export async function readLocks() {
  let fd
  try {
    fd = fs.openSync(LOCKS, 'r')
    for (let text = ''; ;) {
      // As a rule the second finds the end: some ms later it would wait as long as the first.
      const pages = await Promise.all([readPage(fd), readPage(fd)])
      if (pages.includes(undefined)) return undefined
      text += pages.join('')
      if (pages.includes('')) return text
    }
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) fs.closeSync(fd)
  }
}

/** Whole lines; '' at the end. @param {number} fd @returns {Promise<string | undefined>} */
function readPage(fd) {
  return new Promise((resolve) => {
    fs.read(fd, Buffer.alloc(64 << 10), (error, size, page) => resolve(error ? undefined : page.toString('utf8', 0, size)))
  })
}

/** @param {string} path @param {string | undefined} [locks] */
function refuseIfLocked(path, locks) {
  const pid = holderOf(path, locks)
  if (pid !== undefined) throw locked(path, named(pid))
}

/**
 * Which process has locked the file, where the kernel tells.
 *
 * ```text
 * 1: POSIX  ADVISORY  WRITE 19171 fe:00:10429538 0 EOF     number, kind, -, mode, pid, device and inode, range
 * 1: -> POSIX ...                                          who waits for it
 * ```
 * @param {string} path
 * @param {string} [locks] the table; else it is read if the file is there
 */
function holderOf(path, locks) {
  const stats = IS_LINUX ? fs.statSync(path, { bigint: true, throwIfNoEntry: false }) : undefined
  const lines = stats && (locks ?? readIfThere(LOCKS))
  if (!lines) return undefined
  const major = (stats.dev >> 8n & 0xfffn) | (stats.dev >> 32n & ~0xfffn)
  const minor = (stats.dev & 0xffn) | (stats.dev >> 12n & ~0xffn)
  for (const line of lines.split('\n')) {
    const [, kind, , , pid, place] = line.split(/\s+/)
    if (!place || !['POSIX', 'OFDLCK'].includes(kind)) continue
    const [lineMajor, lineMinor, inode] = place.split(':')
    // Of file systems without a device of their own (btrfs, overlay), stat and this table may name different ones.
    const sameDevice = major === 0n || (BigInt(`0x${lineMajor}`) === major && BigInt(`0x${lineMinor}`) === minor)
    if (sameDevice && BigInt(inode) === stats.ino) return Number(pid)
  }
  return undefined
}

// ---- LOCK.varve -------------------------------------------------------------------------------------------------------

/**
 * What is in the file.
 *
 * @typedef {object} Holder
 * @property {number} pid
 * @property {string} [start] when the process started, in clock ticks since the boot (Linux)
 * @property {string} [boot] which boot of which machine (Linux)
 * @property {string} [space] the namespace that counts the pid (Linux: a container has its own)
 * @property {string} host
 * @property {boolean} native whether the holder has locked LOCK too
 * @property {string} token different for every owner
 */

/** @returns {Holder} @param {any} native */
function thisHolder(native) {
  return { ...thisProcess(), native, token: newToken() }
}

/** Different each time in this boot, and by chance elsewhere; loading `node:crypto` for it takes longer than all else here. */
function newToken() {
  return `${process.pid}-${process.hrtime.bigint()}-${Math.random().toString(36).slice(2)}`
}

function thisProcess() {
  return {
    pid: process.pid,
    start: startOf(process.pid),
    boot: IS_LINUX ? readIfThere('/proc/sys/kernel/random/boot_id')?.trim() : undefined,
    space: IS_LINUX ? readlinkIfThere('/proc/self/ns/pid') : undefined,
    host: hostname()
  }
}

/** Our file while we hold it. It stays open, so that other threads can see that the one that made it still lives. */
class LockFile {
  #path
  #text
  #fd

  /** @param {string} path @param {string} text @param {number} fd */
  constructor(path, text, fd) {
    this.#path = path
    this.#text = text
    this.#fd = fd
  }

  /** @param {boolean} native whether we have locked LOCK @param {string} path */
  static async take(path, native) {
    const text = `${JSON.stringify(thisHolder(native))}\n`
    let inDoubt = false
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const file = LockFile.#make(path, text)
      if (file) {
        // Others may have cleared the way for us.
        if (inDoubt || fs.existsSync(takeoverOf(path))) await file.#settle()
        return file
      }
      const found = readIfThere(path)
      if (found === undefined) continue
      const by = livingHolder(found, path, native)
      if (by) throw locked(path, by)
      inDoubt = await LockFile.#clear(path, found, text, native) || inDoubt
    }
    const takeover = takeoverOf(path)
    const by = livingHolder(readIfThere(takeover) ?? '', takeover, native)
    throw by ? locked(takeover, by) : locked(path, 'processes that make and remove it')
  }

  /** @param {string} path @param {string} text */
  static #make(path, text) {
    let fd
    try {
      fd = fs.openSync(path, 'wx', 0o600)
    } catch (/** @type {any} */ error) {
      if (error.code === 'EEXIST') return undefined
      throw error
    }
    const file = new LockFile(path, text, fd)
    try {
      fs.writeSync(fd, text)
      return file
    } catch (/** @type {any} */ error) {
      fs.closeSync(fd)
      fs.rmSync(path, { force: true })
      throw error
    }
  }

  /**
   * Removes a stale file, unless another has done so. Answers whether a third may yet remove what is there next.
   * @param {string} path
   * @param {string} stale its content
   * @param {string} text
   * @param {boolean} native whether we have locked LOCK
   */
  static async #clear(path, stale, text, native) {
    // Looked at again: an empty file may be another's, which is just being written.
    const clear = () => { if (readIfThere(path) === stale && !livingHolder(stale, path, native)) moveAway(path, stale) }
    const takeover = takeoverOf(path)
    const file = LockFile.#make(takeover, text)
    if (file) {
      try {
        clear()
      } finally {
        file.remove()
      }
      return false
    }
    const other = readIfThere(takeover)
    if (other === undefined || livingHolder(other, takeover, native)) {
      await wait(TAKEOVER_MS)
      return false
    }
    clear()
    return true
  }

  async #settle() {
    await wait(SETTLE_MS)
    if (readIfThere(this.#path) === this.#text) return fs.rmSync(takeoverOf(this.#path), { force: true })
    fs.closeSync(this.#fd)
    throw locked(this.#path, 'another process, which took it over at the same moment')
  }

  remove() {
    try {
      if (readIfThere(this.#path) === this.#text) fs.rmSync(this.#path, { force: true })
    } finally {
      fs.closeSync(this.#fd)
    }
  }
}

/** @param {string} path */
const takeoverOf = (path) => `${path}.takeover`

/**
 * Removes the file if it has this content still; a file that somebody made in between gets its name back.
 * @param {string} path
 * @param {string} content
 */
function moveAway(path, content) {
  const aside = `${path}.${newToken()}`
  try {
    fs.renameSync(path, aside)
  } catch (/** @type {any} */ error) {
    if (error.code === 'ENOENT') return
    throw error
  }
  if (readIfThere(aside) !== content) {
    try {
      fs.linkSync(aside, path)
    } catch (/** @type {any} */ error) {
      // A file system without links; with EEXIST the next owner is there already.
      if (error.code !== 'EEXIST') return fs.renameSync(aside, path)
    }
  }
  fs.rmSync(aside, { force: true })
}

/**
 * Who holds the directory, in words; undefined if nobody does any more.
 *
 * @param {string} text the content of LOCK.varve
 * @param {string} path
 * @param {boolean} native whether we have locked LOCK
 */
function livingHolder(text, path, native) {
  const holder = parse(text)
  if (!holder) {
    const stats = fs.statSync(path, { throwIfNoEntry: false })
    return stats && Date.now() - stats.mtimeMs < WRITING_MS ? 'a process that is taking it' : undefined
  }
  // LOCK was its holder's, and is ours.
  if (holder.native && native) return undefined
  const here = thisProcess()
  if (holder.boot !== here.boot && holder.host === here.host) return undefined
  if (holder.boot !== here.boot || holder.space !== here.space) {
    return `process ${holder.pid} of another container or machine, ${holder.host} (if that is gone for good, remove this file)`
  }
  if (holder.pid === process.pid && holder.start === here.start) {
    return isOpenHere(path) ? named(holder.pid) : undefined
  }
  return isAlive(holder) ? named(holder.pid) : undefined
}

/** @returns {Holder | undefined} undefined if that is no holder @param {string} text */
function parse(text) {
  try {
    const holder = JSON.parse(text)
    return Number.isSafeInteger(holder.pid) && holder.pid > 0 ? holder : undefined
  } catch {
    return undefined
  }
}

/** @param {Holder} holder */
function isAlive({ pid, start }) {
  try {
    process.kill(pid, 0)
  } catch (/** @type {any} */ error) {
    // EPERM: it is there, and another user's.
    if (error.code === 'ESRCH') return false
  }
  if (start === undefined) return true
  const now = startOf(pid)
  return now === undefined || now === start
}

/**
 * When a process started; undefined where that cannot be known, '' of one that is dead and only waits to be counted.
 * @param {number} pid
 */
function startOf(pid) {
  const stat = IS_LINUX ? readIfThere(`/proc/${pid}/stat`) : undefined
  if (stat === undefined) return undefined
  // The name of the program, in parentheses, may hold anything; state is field 3, the start field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return 'ZX'.includes(fields[0]) ? '' : fields[19]
}

/**
 * Whether some thread of this process has the file open; a worker that was ended has not. True where that cannot be known.
 * @param {string} path
 */
function isOpenHere(path) {
  const file = fs.statSync(path, { bigint: true, throwIfNoEntry: false })
  if (!file) return false
  let descriptors
  try {
    descriptors = fs.readdirSync('/proc/self/fd')
  } catch {
    return true
  }
  return descriptors.some((descriptor) => {
    const stats = fs.statSync(`/proc/self/fd/${descriptor}`, { bigint: true, throwIfNoEntry: false })
    return stats?.ino === file.ino && stats.dev === file.dev
  })
}

/** @param {string} path */
function readIfThere(path) {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (/** @type {any} */ error) {
    // ESRCH: a process that ended while its file in /proc was read. EACCES: the system hides it.
    if (['ENOENT', 'ESRCH'].includes(error.code) || path.startsWith('/proc/')) return undefined
    throw error
  }
}

/** @param {string} path */
function readlinkIfThere(path) {
  try {
    return fs.readlinkSync(path)
  } catch {
    return undefined
  }
}
