// Limits the file descriptors of tables, for all databases of a thread together.
//
// A table does not change while it has its name, so its descriptor can be closed and the file
// reopened for the next read. Descriptors not used recently are closed when there are too many, or
// when the process has none left.
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'

/** This many are always kept; the limit is read only beyond that. */
const OPEN_MIN = 8
/** The assumed limit if it is unknown; reaching the real one lowers it. */
const OPEN_MAX_UNKNOWN = 1000
/** Threads share the limit without communicating. */
const SHARE_OF_WORKER = 1 / 4

/** Tables whose descriptor may be closed, in clock order. @type {Set<TableDescriptor>} */
const closable = new Set()
/** All tables open for reading. @type {Map<string, Set<TableDescriptor>>} */
const byPath = new Map()
let openMax = OPEN_MIN
/** @type {boolean | undefined} undefined: not determined yet */
let isLimitKnown

/** A table open for reading, with or without a descriptor. */
export class TableDescriptor {
  #path
  #isOurs
  #size
  #time
  /** @type {number | undefined} */
  #fd
  /** Whether it was used since the clock last passed it. */
  #used = true
  /** Reasons not to close it: its name is removed, or a flush is running. */
  #holds = 0

  /**
   * @param {string} path
   * @param {number} fd open
   * @param {fs.Stats} stats
   * @param {boolean} isOurs whether we hold the lock, so that no other process replaces files
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

  /** Keeps the descriptor open until release() is called as often, or the file is closed. */
  hold() {
    const { fd } = this
    this.#holds++
    closable.delete(this)
    return fd
  }

  release() {
    if (--this.#holds === 0 && this.#fd !== undefined) closable.add(this)
  }

  /**
   * Closes the descriptor if it was not used since the clock last passed it; returns whether it
   * did.
   */
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

  /** Closes the table permanently. */
  close() {
    closable.delete(this)
    const all = byPath.get(this.#path)
    if (all?.delete(this) && all.size === 0) byPath.delete(this.#path)
    this.#close()
  }
}

/**
 * Called before the file at `path` loses its name: open readers keep their descriptor.
 * @param {string} path
 */
export function keepOpen(path) {
  for (const table of byPath.get(path) ?? []) {
    try {
      table.hold()
    } catch (/** @type {any} any: whatever was thrown */ error) {
      // The file is removed already.
      if (error.code !== 'ENOENT' && error.code !== 'LEVEL_SOURCE_CHANGED') throw error
    }
  }
}

/**
 * Runs `act`, which needs a descriptor. If the process has none left, closes those of tables and
 * retries.
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

/**
 * Ensures that `count` descriptors are free, for code that misinterprets a failure to open a file.
 * @param {number} count
 * @param {string} path of a file or directory
 */
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

/** Closes half of the descriptors that can be closed; returns whether there was one. */
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

/**
 * Skips descriptors used since the clock last passed, so that a scan does not evict the busiest.
 * @param {number} count
 */
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

/** Returns LevelDB's share, a fifth; half if the limit is large. @param {number} limit */
const shareOf = (limit) => limit / (limit < 1024 ? 5 : 2)

/** Returns the process limit of descriptors, if known. Node has raised it to the hard limit. */
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
