// Creates, removes and renames files, and makes names durable.
import fs from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { keepOpen, withSpare } from './descriptors.js'
import { explain } from './errors.js'
import { CREATE, DIRECTORY_MODE, FILE_MODE, IS_WINDOWS, flush, writeAll } from './os.js'

/**
 * Milliseconds a rename retries while files are in use: on Windows, virus scanners and indexers
 * open new files.
 */
const RENAME_PATIENCE_MS = 2000
const RENAME_BUSY = ['EPERM', 'EACCES', 'EBUSY']

/**
 * Errors of flushing a directory where that is not supported, as on NTFS, which journals names, and
 * some network file systems.
 */
const CANNOT_SYNC_DIRECTORY = IS_WINDOWS ? ['EPERM', 'EISDIR', 'EINVAL'] : ['EINVAL', 'ENOTSUP', 'ENOSYS']

/**
 * Creates a file, replacing any of that name: open readers keep the old one.
 * @param {string} path
 */
export function createNew(path) {
  try {
    return fs.openSync(path, CREATE, FILE_MODE)
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error.code !== 'EEXIST') throw error
    keepOpen(path)
    fs.unlinkSync(path)
    return fs.openSync(path, CREATE, FILE_MODE)
  }
}

/**
 * Removes a file in Node's thread pool: freeing a large file can take 10 ms.
 * @param {string} path
 * @returns {Promise<void>}
 */
export function removeIfThere(path) {
  // Deno passes undefined on success.
  return new Promise((resolve, reject) => fs.unlink(path, (error) => {
    if (!error || error.code === 'ENOENT') resolve()
    else reject(error)
  }))
}

/** The same on this thread. @param {string} path */
export function removeNow(path) {
  try {
    fs.unlinkSync(path)
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error.code !== 'ENOENT') throw error
  }
}

/** Returns whether the directory was removed. @param {string} directory */
export function removeIfEmpty(directory) {
  try {
    fs.rmdirSync(directory)
    return true
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false
    throw error
  }
}

/**
 * Replaces the content of the file at `path` atomically, also in a crash.
 * @param {string} path
 * @param {string} via
 * @param {Uint8Array} content
 */
export async function replace(path, via, content) {
  try {
    const fd = withSpare(() => createNew(via))
    try {
      writeAll(fd, content)
      await flush('fdatasync', fd)
    } finally {
      fs.closeSync(fd)
    }
    await renameOver(via, path)
  } catch (/** @type {any} any: whatever was thrown */ error) {
    try {
      fs.rmSync(via, { force: true })
    } catch {
      // Report the first failure; a leftover `via` only takes space.
    }
    throw error
  }
}

/**
 * Renames a file. On Windows it may return a promise that retries for a while.
 * @param {string} from
 * @param {string} to
 */
export function renameOver(from, to) {
  try {
    fs.renameSync(from, to)
  } catch (/** @type {any} any: whatever was thrown */ error) {
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
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (!RENAME_BUSY.includes(error.code) || performance.now() + pause > deadline) throw error
    }
  }
}

/**
 * Creates the directory and its parents, and makes their names durable.
 * @param {string} directory
 */
export async function makeDirectory(directory) {
  const missing = []
  for (let place = directory; !fs.existsSync(place) && dirname(place) !== place; place = dirname(place)) missing.push(place)
  if (missing.length === 0) return
  for (const place of missing.toReversed()) makeOne(place)
  for (const made of missing) await syncDirectory(dirname(made))
}

/**
 * Creates one directory, if it does not exist. mkdirSync with `recursive` never returns where the system refuses with
 * ENOENT although the parent exists, as in /proc.
 * @param {string} directory
 */
export function makeOne(directory) {
  try {
    fs.mkdirSync(directory, { mode: DIRECTORY_MODE })
  } catch (/** @type {any} any: whatever was thrown */ error) {
    // Another process may have created it meanwhile.
    if (error.code === 'EEXIST' && fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return
    // ENOENT would mean that nobody asked to create the directory.
    const code = error.code === 'ENOENT' ? 'EIO' : error.code
    throw Object.assign(new Error(`cannot create the directory ${directory}: ${error.message}`, { cause: error }), { code, path: directory })
  }
}

/** The same on this thread. @param {string} directory */
export function syncDirectoryNow(directory) {
  try {
    const fd = withSpare(() => fs.openSync(directory, 'r'))
    try {
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  } catch (error) {
    throwUnlessImpossible(error, directory)
  }
}

/** @param {string} directory */
export async function syncDirectory(directory) {
  try {
    const fd = withSpare(() => fs.openSync(directory, 'r'))
    try {
      await flush('fsync', fd)
    } finally {
      fs.closeSync(fd)
    }
  } catch (error) {
    throwUnlessImpossible(error, directory)
  }
}

/** @param {any} error any: whatever was thrown @param {string} directory */
function throwUnlessImpossible(error, directory) {
  if (!CANNOT_SYNC_DIRECTORY.includes(error.code)) throw explain(error, 'sync', directory)
}
