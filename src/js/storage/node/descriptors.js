// Descriptors of tables: no more than a share of what the process may have open, for all databases of a thread together.
//
// A table does not change while it has its name, so its descriptor can be closed and the file opened again for the next read. Those
// that were not used lately are closed when there are too many, or when the process has none left for another file.
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'

/** So many are always kept; until then nobody asks what the limit is. */
const OPEN_MIN = 8
/** Where the limit cannot be learned. Running into it lowers this. */
const OPEN_MAX_UNKNOWN = 1000
/** Threads share the limit without talking to one another. */
const SHARE_OF_WORKER = 1 / 4

/** Tables with a descriptor that may be closed, in the order in which they are looked at. @type {Set<TableDescriptor>} */
const closable = new Set()
/** All tables that are open to be read. @type {Map<string, Set<TableDescriptor>>} */
const byPath = new Map()
let openMax = OPEN_MIN
/** @type {boolean | undefined} undefined: nobody has asked */
let isLimitKnown

/** A table that is open to be read, whether or not it has a descriptor at the moment. */
export class TableDescriptor {
  #path
  #isOurs
  #size
  #time
  /** @type {number | undefined} */
  #fd
  /** Since it was last looked at. */
  #used = true
  /** Why it may not be closed: its name is gone, or flushes are under way. */
  #holds = 0

  /**
   * @param {string} path
   * @param {number} fd open
   * @param {fs.Stats} stats
   * @param {boolean} isOurs whether we hold the lock: then nobody else changes files, and what has their names is theirs
   */
  constructor(path, fd, stats, isOurs) {
    this.#path = path
    this.#fd = fd
    this.#isOurs = isOurs
    this.#size = stats.size
    this.#time = stats.mtimeMs
    const all = byPath.get(path)
    if (all) all.add(this)
    else byPath.set(path, new Set([this]))
    closable.add(this)
    makeRoom()
  }

  get fd() {
    this.#used = true
    return this.#fd ?? this.#reopen()
  }

  #reopen() {
    const fd = withSpare(() => this.#openAgain())
    this.#fd = fd
    if (this.#holds === 0) {
      closable.add(this)
      makeRoom()
    }
    return fd
  }

  #openAgain() {
    if (this.#isOurs) return fs.openSync(this.#path, 'r')
    let fd
    try {
      fd = fs.openSync(this.#path, 'r')
    } catch (/** @type {any} any: whatever was thrown */ error) {
      throw error.code === 'ENOENT' ? this.#changed('was removed', error) : error
    }
    const { size, mtimeMs } = fs.fstatSync(fd)
    if (size === this.#size && mtimeMs === this.#time) return fd
    fs.closeSync(fd)
    throw this.#changed('was replaced')
  }

  /** @param {string} how @param {unknown} [cause] */
  #changed(how, cause) {
    const message = `${this.#path} ${how} by another process: open the database again`
    return Object.assign(new Error(message, { cause }), { code: 'LEVEL_SOURCE_CHANGED', path: this.#path })
  }

  /** From now on the descriptor stays open, until as many calls of release() or the end. */
  hold() {
    const { fd } = this
    this.#holds++
    closable.delete(this)
    return fd
  }

  release() {
    if (--this.#holds === 0 && this.#fd !== undefined) closable.add(this)
  }

  /** Closes the descriptor if it was not used since it was last looked at; answers whether it did. */
  closeIfUnused() {
    closable.delete(this)
    if (this.#used) {
      this.#used = false
      closable.add(this)
      return false
    }
    this.#close()
    return true
  }

  #close() {
    const fd = this.#fd
    this.#fd = undefined
    if (fd !== undefined) fs.closeSync(fd)
  }

  /** For good. */
  close() {
    closable.delete(this)
    const all = byPath.get(this.#path)
    if (all?.delete(this) && all.size === 0) byPath.delete(this.#path)
    this.#close()
  }
}

/** The file at `path` is about to lose its name: whoever has it open goes on reading it. @param {string} path */
export function keepOpen(path) {
  for (const table of byPath.get(path) ?? []) {
    try {
      table.hold()
    } catch (/** @type {any} any: whatever was thrown */ error) {
      // It is gone already: there is nothing to keep.
      if (error.code !== 'ENOENT' && error.code !== 'LEVEL_SOURCE_CHANGED') throw error
    }
  }
}

/**
 * Does what needs a descriptor. While the process has none left, tables give theirs.
 *
 * @template T
 * @param {() => T} act
 * @returns {T}
 */
export function withSpare(act) {
  for (;;) {
    try {
      return act()
    } catch (error) {
      if (!isExhausted(error)) throw error
      if (!giveBack()) throw explained(error)
    }
  }
}

/** Makes sure that there are `count` descriptors for code that takes a failure to open a file for an answer. @param {number} count @param {string} path of a file or directory */
export function ensureSpare(count, path) {
  const fds = /** @type {number[]} */ ([])
  try {
    while (fds.length < count) fds.push(withSpare(() => fs.openSync(path, 'r')))
  } finally {
    for (const fd of fds) fs.closeSync(fd)
  }
}

/** @param {any} error any: whatever was thrown */
const isExhausted = (error) => error?.code === 'EMFILE' || error?.code === 'ENFILE'

/** @param {any} error any: whatever was thrown */
function explained(error) {
  const advice = '; no table has one to give back: close other files or sockets, or raise the limit (ulimit -n)'
  if (!error.message.includes(advice)) error.message += advice
  return error
}

/** Half of the descriptors that can be closed; answers whether there was one. */
function giveBack() {
  const left = closable.size >> 1
  const before = closable.size
  closeUntil(left)
  if (isLimitKnown === false) openMax = Math.max(OPEN_MIN, left)
  return before > 0
}

function makeRoom() {
  if (closable.size <= openMax) return
  if (isLimitKnown === undefined) learnLimit()
  closeUntil(openMax)
}

/** Those used since they were last looked at are passed once, so that a scan over all of them does not turn out the busiest. @param {number} count */
function closeUntil(count) {
  while (closable.size > count) {
    for (const table of closable) {
      if (table.closeIfUnused()) break
    }
  }
}

function learnLimit() {
  const limit = readLimit()
  isLimitKnown = limit !== undefined
  const share = limit === undefined ? OPEN_MAX_UNKNOWN : shareOf(limit)
  openMax = Math.max(OPEN_MIN, Math.floor(isMainThread ? share : share * SHARE_OF_WORKER))
}

/** LevelDB's share, a fifth; a half where enough is left for others. @param {number} limit */
const shareOf = (limit) => limit / (limit < 1024 ? 5 : 2)

/** How many descriptors this process may have, where the kernel tells. Node itself has raised it as far as it may. */
function readLimit() {
  if (process.platform !== 'linux') return undefined
  try {
    const limits = withSpare(() => fs.readFileSync('/proc/self/limits', 'latin1'))
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1]
    return soft === undefined ? undefined : soft === 'unlimited' ? Infinity : Number(soft)
  } catch {
    return undefined
  }
}
