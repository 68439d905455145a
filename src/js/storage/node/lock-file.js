// LOCK.varve: the holder of a directory, as JSON (lock.js).
import fs from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { ATTEMPTS_MAX, locked, named } from './errors.js'
import { IS_LINUX, readIfThere, readlinkIfThere } from './os.js'

/** Milliseconds to wait for another process's takeover, which takes less than one. */
const TAKEOVER_MS = 5

/**
 * Milliseconds to wait after a takeover that was killed, so that others that judged the same files
 * stale can finish.
 */
const SETTLE_MS = 50

/**
 * Age in ms after which an empty or torn LOCK.varve is stale: its writer was killed, or the power
 * failed.
 */
const WRITING_MS = 2000

/**
 * The content of the file.
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

/** @returns {Holder} @param {any} native any: node:sqlite, or undefined where Node lacks it */
function thisHolder(native) {
  return { ...thisProcess(), native, token: newToken() }
}

/**
 * Unique in this boot, and random elsewhere; loading `node:crypto` would take longer than the whole
 * lock.
 */
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

/** Our lock file. It stays open, so that other threads can see that its thread is alive. */
export class LockFile {
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
        // Others may have removed the stale file.
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
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (error.code === 'EEXIST') return undefined
      throw error
    }
    const file = new LockFile(path, text, fd)
    try {
      fs.writeSync(fd, text)
      return file
    } catch (/** @type {any} any: whatever was thrown */ error) {
      fs.closeSync(fd)
      fs.rmSync(path, { force: true })
      throw error
    }
  }

  /**
   * Removes a stale file, unless another process has. Returns true if the takeover file is stale
   * too: then another process may be doing the same.
   * @param {string} path
   * @param {string} stale its content
   * @param {string} text
   * @param {boolean} native whether we have locked LOCK
   */
  static async #clear(path, stale, text, native) {
    // Check again: another process may be writing the empty file.
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
 * Removes the file if its content is unchanged; a file created meanwhile gets its name back.
 * @param {string} path
 * @param {string} content
 */
function moveAway(path, content) {
  const aside = `${path}.${newToken()}`
  try {
    fs.renameSync(path, aside)
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error.code === 'ENOENT') return
    throw error
  }
  if (readIfThere(aside) !== content) {
    try {
      fs.linkSync(aside, path)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      // The file system has no links; with EEXIST there is a new owner already.
      if (error.code !== 'EEXIST') return fs.renameSync(aside, path)
    }
  }
  fs.rmSync(aside, { force: true })
}

/**
 * Returns a description of the holder; undefined if there is none.
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
  // Its holder held LOCK, which we hold now.
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
  } catch (/** @type {any} any: whatever was thrown */ error) {
    // EPERM: the process exists and belongs to another user.
    if (error.code === 'ESRCH') return false
  }
  if (start === undefined) return true
  const now = startOf(pid)
  return now === undefined || now === start
}

/**
 * Returns the start time of a process; undefined if unknown, '' for a zombie.
 * @param {number} pid
 */
function startOf(pid) {
  const stat = IS_LINUX ? readIfThere(`/proc/${pid}/stat`) : undefined
  if (stat === undefined) return undefined
  // The program name in parentheses may contain anything; the state is field 3, the start time
  // field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return 'ZX'.includes(fields[0]) ? '' : fields[19]
}

/**
 * Whether a thread of this process has the file open; an ended worker has not. True if unknown.
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
