// Locks LOCK through fcntl, as LevelDB does, and reads the kernel's table of such locks (lock.js).
import fs from 'node:fs'
import { ATTEMPTS_MAX, locked, named } from './errors.js'
import { IS_LINUX, readIfThere } from './os.js'

/** SQLite's codes for a busy database, and for files that cannot be opened or written. */
const SQLITE_BUSY = 5
const SQLITE_FORBIDDEN = [3, 8, 14]

const LOCKS = '/proc/locks'

/**
 * Returns the module, or undefined in a runtime without it. Hides its warning that it is
 * experimental.
 */
export function nodeSqlite() {
  const { emitWarning } = process
  /** @param {any} warning @param {any[]} rest any: the arguments of process.emitWarning */
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

/**
 * Creates LOCK with the mode of our other files. A new file can be closed, because no process has
 * locked it yet.
 * @param {string} path
 */
export function makeIfMissing(path) {
  try {
    fs.closeSync(fs.openSync(path, 'wx', 0o600))
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error.code !== 'EEXIST') throw error
  }
}

/**
 * Returns a connection that holds LOCK until it is closed.
 * @param {any} sqlite any: node:sqlite, or undefined where Node lacks it
 * @param {string} path
 */
export function lockNatively(sqlite, path) {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    makeIfMissing(path)
    const before = identityOf(path)
    if (before === undefined) continue
    const connection = lockOnce(sqlite, path)
    // Another process has removed the database and LOCK with it.
    if (identityOf(path) === before) return connection
    connection.close()
  }
  throw locked(path, 'processes that make and remove it')
}

/** @param {any} sqlite @param {string} path any: node:sqlite, or undefined where Node lacks it */
function lockOnce(sqlite, path) {
  fs.accessSync(path, fs.constants.R_OK | fs.constants.W_OK)
  let connection
  try {
    connection = new sqlite.DatabaseSync(path)
    // Keep the journal in memory, so that there is no file next to LOCK.
    connection.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE')
    return connection
  } catch (/** @type {any} any: whatever was thrown */ error) {
    connection?.close()
    // The primary code is the low byte; a runtime without codes has the message.
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

/**
 * Returns an id that changes when the name refers to another file, even one with the same inode.
 * @param {string} path
 */
function identityOf(path) {
  const stats = fs.statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats && `${stats.dev}:${stats.ino}:${stats.birthtimeNs}`
}

/**
 * Reads the kernel's table of locks, if readable, in Node's thread pool.
 * @returns {Promise<string | undefined>}
 */
export async function readLocks() {
  let fd
  try {
    fd = fs.openSync(LOCKS, 'r')
    for (let text = ''; ;) {
      // Usually the second read finds the end. If made some ms later it would take as long as the
      // first.
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

/** Reads whole lines; '' at the end. @param {number} fd @returns {Promise<string | undefined>} */
function readPage(fd) {
  return new Promise((resolve) => {
    fs.read(fd, Buffer.alloc(64 << 10), (error, size, page) => resolve(error ? undefined : page.toString('utf8', 0, size)))
  })
}

/** @param {string} path @param {string | undefined} [locks] */
export function refuseIfLocked(path, locks) {
  const pid = holderOf(path, locks)
  if (pid !== undefined) throw locked(path, named(pid))
}

/**
 * Returns the process that has locked the file, if the kernel reports it.
 *
 * ```text
 * 1: POSIX  ADVISORY  WRITE 19171 fe:00:10429538 0 EOF
 *    number, kind, -, mode, pid, device and inode, range
 * 1: -> POSIX ...
 *    a process waiting for it
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
    // On file systems without a device of their own (btrfs, overlay), stat and this table may
    // report different devices.
    const sameDevice = major === 0n || (BigInt(`0x${lineMajor}`) === major && BigInt(`0x${lineMinor}`) === minor)
    if (sameDevice && BigInt(inode) === stats.ino) return Number(pid)
  }
  return undefined
}
