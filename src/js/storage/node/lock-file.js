// LOCK.varve: who holds a directory, in JSON (lock.js).
import fs from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { ATTEMPTS_MAX, locked, named } from './errors.js'
import { IS_LINUX, readIfThere, readlinkIfThere } from './os.js'

/** How long somebody else's taking over is waited for at a time, in ms: it takes less than one. */
const TAKEOVER_MS = 5

/** Where that was cut short by a kill, in ms: time for whoever judged the same files stale to show up. */
const SETTLE_MS = 50

/** An empty or torn LOCK.varve this old, in ms, is no longer being written: its writer was killed, or the power went. */
const WRITING_MS = 2000

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

/** @returns {Holder} @param {any} native any: node:sqlite, or undefined where Node lacks it */
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
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error.code === 'ENOENT') return
    throw error
  }
  if (readIfThere(aside) !== content) {
    try {
      fs.linkSync(aside, path)
    } catch (/** @type {any} any: whatever was thrown */ error) {
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
  } catch (/** @type {any} any: whatever was thrown */ error) {
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
