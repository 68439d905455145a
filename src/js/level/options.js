// Checks the location and options of a database and converts them for the engine.
import { hasStorage, isWindow } from '#place'
import { isFull } from '../engine/module.js'
import { InvalidArgumentError, OutOfRangeError, VarveError } from '../errors.js'
import { meant } from './spelling.js'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

/**
 * any: options have values of many types
 * @typedef {(name: string, value: any) => any} Check returns the value, or a replacement for it
 */
/**
 * Options of a method of abstract-level. any: its types do not declare those of private methods
 * @typedef {any} Options
 */
/**
 * A key or value. any: its type depends on the encodings that the user chose
 * @typedef {any} Encoded
 */

/** @type {Check} */
const flag = (name, value) => {
  if (typeof value !== 'boolean') throw new InvalidArgumentError(`The option '${name}' must be a boolean`)
  return value
}

/** @param {number} min @param {number} max @returns {Check} */
const whole = (min, max) => (name, value) => {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  const Class = typeof value === 'number' ? OutOfRangeError : InvalidArgumentError
  throw new Class(`The option '${name}' must be a whole number from ${min} to ${max}`)
}

/** @param {...unknown} choices @returns {Check} */
const oneOf = (...choices) => (name, value) => {
  if (choices.includes(value)) return value
  throw new InvalidArgumentError(`The option '${name}' must be one of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`)
}

/** @type {Check} */
const text = (name, value) => {
  if (typeof value === 'string' && value !== '') return value
  throw new InvalidArgumentError(`The option '${name}' must be a non-empty string`)
}

/** @type {Check} */
const compression = (name, value) => {
  const choice = oneOf(true, false, 'snappy', 'none')(name, value)
  return choice === true ? 'snappy' : choice === false ? 'none' : choice
}

/**
 * Larger than LevelDB's 8 MiB: reading a block again costs a read, a checksum and a decompression
 * on the calling thread.
 */
const CACHE_SIZE = 32 * MIB

/**
 * Public name (classic-level's where it exists), the engine's name, and the check of the value.
 * @type {[string, string, Check][]}
 */
const OPTIONS = [
  ['compression', 'compression', compression],
  ['cacheSize', 'blockCacheSize', whole(0, 4 * GIB - 1)],
  ['writeBufferSize', 'writeBufferSize', whole(4 * KIB, GIB)],
  ['blockSize', 'blockSize', whole(64, 4 * MIB)],
  ['maxOpenFiles', 'maxOpenFiles', whole(10, 50_000)],
  ['blockRestartInterval', 'blockRestartInterval', whole(1, 64 * KIB)],
  ['maxFileSize', 'maxFileSize', whole(16 * KIB, GIB)],
  ['readOnly', 'readOnly', flag],
  ['paranoidChecks', 'paranoidChecks', flag],
  ['filterBits', 'filterBits', whole(0, 43)],
  ['comparator', 'comparator', text],
  ['recovery', 'recovery', oneOf('point-in-time', 'strict', 'compat')],
  ['reuseLogs', 'reuseLogs', flag],
  ['maxValueBytes', 'maxValueSize', whole(KIB, GIB)],
  ['memoryLimit', 'memoryLimit', whole(2 * MIB, 4 * GIB)]
]

/** Options that abstract-level reads, which would take any value for a boolean. */
const FLAGS = ['createIfMissing', 'errorIfExists']

const NAMES = [...OPTIONS.map(([name]) => name), ...FLAGS, 'keyEncoding', 'valueEncoding', 'storage', 'worker', 'multiTab']

/**
 * Checks what abstract-level takes as it is: booleans, and misspelt names. Other unknown options
 * are ignored: they may be abstract-level's or a plug-in's.
 * @param {Record<string, unknown>} options
 */
export function checkOptions(options) {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null) continue
    if (FLAGS.includes(name)) flag(name, value)
    if (NAMES.includes(name)) continue
    const known = meant(name, NAMES)
    if (known !== undefined) throw new InvalidArgumentError(`Unknown option '${name}': did you mean '${known}'?`)
  }
}

/**
 * Returns the engine's options.
 * @param {Record<string, unknown>} options
 * @returns {Record<string, unknown>} EngineOptions of docs/border.md
 */
export function engineOptionsOf(options) {
  /** @type {Record<string, unknown>} */
  const result = { blockCacheSize: CACHE_SIZE }
  for (const [name, engineName, check] of OPTIONS) {
    // Ignore properties of Object.prototype.
    const value = Object.hasOwn(options, name) ? options[name] : undefined
    if (value !== undefined && value !== null) result[engineName] = check(name, value)
  }
  return result
}

// ---- Location and storage ----

const STORAGE_METHODS = ['lock', 'unlock', 'list', 'create', 'open', 'editNames', 'removePlace']

/**
 * Returns the place of a database: a directory's path, a Storage object, or neither (memory). A
 * relative path is resolved against the current working directory, `base`.
 * @param {unknown} location
 * @param {any} storage any: user input, checked here
 * @returns {{ path: string | null, base?: string, kind?: 'auto' | 'opfs' | 'indexeddb',
 *             storage: import('../types/index.js').Storage | null }}
 */
export function placeOf(location, storage) {
  if (storage === undefined || storage === null || storage === 'auto') return { path: pathOf(location), base: workingDirectory(), kind: 'auto', storage: null }
  if (storage === 'opfs' || storage === 'indexeddb') {
    if (hasStorage(storage)) return { path: pathOf(location), kind: storage, storage: null }
    throw new VarveError(`The option 'storage' cannot be '${storage}' here`, { code: 'LEVEL_NOT_SUPPORTED' })
  }
  if (location !== undefined && location !== null) {
    throw new InvalidArgumentError("The first argument 'location' must be null with the option 'storage'")
  }
  if (storage === 'memory') return { path: null, storage: null }
  for (const method of STORAGE_METHODS) {
    if (typeof storage[method] !== 'function') {
      throw new InvalidArgumentError(`The option 'storage' must be 'auto', 'opfs', 'indexeddb', 'memory' or a storage object: it has no method ${method}()`)
    }
  }
  return { path: null, storage }
}

/**
 * Returns what makes workers, if it is the user's.
 * @param {any} worker any: user input, checked here
 * @returns {((needs: { full: boolean }) => Worker) | undefined}
 */
export function workerMakerOf(worker) {
  if (typeof worker !== 'function') return undefined
  return (needs) => {
    const made = worker(needs)
    if (typeof made?.postMessage !== 'function') throw new InvalidArgumentError("The function of the option 'worker' must return a Worker")
    return made
  }
}

/** @param {unknown} multiTab whether other tabs may use the database at the same time */
export function checkMultiTab(multiTab) {
  return multiTab === undefined || multiTab === null || flag('multiTab', multiTab)
}

/**
 * Whether the engine runs in a worker. The worker must be able to recreate the storage: functions
 * cannot be cloned.
 * @param {unknown} worker
 * @param {{ path: string | null, storage: any, kind?: string }} place any: user input, checked here
 */
export function isInWorker(worker, { path, storage, kind }) {
  // A window cannot open files.
  if (path !== null && isWindow()) return true
  // Nor can the lean module use IndexedDB.
  if (kind === 'indexeddb' && !isFull()) {
    if (typeof Worker === 'function') return true
    throw new VarveError("A database in IndexedDB needs the full module here: import from 'varve/full'", { code: 'LEVEL_NOT_SUPPORTED' })
  }
  if (worker === undefined || worker === null || (typeof worker !== 'function' && !flag('worker', worker))) return false
  if (storage === null || isRecipe(storage.inWorker)) return true
  const message = "With the option 'worker' a storage object needs a property inWorker, { module, export, args }, because objects with methods cannot be cloned"
  throw new VarveError(message, { code: 'LEVEL_NOT_SUPPORTED' })
}

/** @param {any} recipe any: user input, checked here */
function isRecipe(recipe) {
  if (typeof recipe !== 'object' || recipe === null) return false
  const { module, export: name, args } = recipe
  return (typeof module === 'string' || module instanceof URL) && typeof name === 'string' && Array.isArray(args)
}

/** @param {unknown} location */
function pathOf(location) {
  const path = location instanceof URL ? pathOfUrl(location) : location
  // Never fall back to memory: the caller would lose data.
  // Half a character of UTF-16 would be replaced: different names, one database.
  if (typeof path === 'string' && /\p{Cs}/u.test(path)) throw new InvalidArgumentError("The first argument 'location' must be well-formed Unicode")
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new InvalidArgumentError("The first argument 'location' must be a non-empty string, a file: URL, or null with the option 'storage'")
  }
  return path
}

/** @param {URL} url */
function pathOfUrl({ protocol, hostname, pathname }) {
  if (protocol !== 'file:') throw new InvalidArgumentError("The first argument 'location' must be a URL of scheme file:")
  if (hostname !== '') throw new InvalidArgumentError("The first argument 'location' must be a file: URL without a host")
  if (/%2f/i.test(pathname)) throw new InvalidArgumentError("The first argument 'location' must be a file: URL without %2F")
  const path = decoded(pathname)
  return /^\/[a-z]:/i.test(path) && globalThis.process?.platform === 'win32' ? path.slice(1) : path
}

/** @param {string} pathname */
function decoded(pathname) {
  try {
    return decodeURIComponent(pathname)
  } catch (cause) {
    throw new InvalidArgumentError("The first argument 'location' must be a file: URL whose % escapes are UTF-8", { cause })
  }
}

function workingDirectory() {
  try {
    return globalThis.process?.cwd?.()
  } catch {
    // The directory was removed. An absolute path does not need it; opening a relative one fails.
    return undefined
  }
}
