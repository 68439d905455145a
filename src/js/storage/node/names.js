// Names of files: made, removed and moved, and made durable.
import fs from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { keepOpen, withSpare } from './descriptors.js'
import { attempt, explain } from './errors.js'
import { CREATE, DIRECTORY_MODE, FILE_MODE, IS_WINDOWS, flush, writeAll } from './os.js'

/** How long a rename waits for others to close the files, in ms: on Windows virus scanners and indexers open what is new. */
const RENAME_PATIENCE_MS = 2000
const RENAME_BUSY = ['EPERM', 'EACCES', 'EBUSY']

/** What a flush of a directory may answer where that cannot be done; NTFS keeps a journal of names, and so do some of networks. */
const CANNOT_SYNC_DIRECTORY = IS_WINDOWS ? ['EPERM', 'EISDIR', 'EINVAL'] : ['EINVAL', 'ENOTSUP', 'ENOSYS']

/** Opens a new file even if the name is taken: whoever has the old one open keeps it. @param {string} path */
export function createNew(path) {
  try {
    return fs.openSync(path, CREATE, FILE_MODE)
  } catch (/** @type {any} */ error) {
    if (error.code !== 'EEXIST') throw error
    keepOpen(path)
    fs.unlinkSync(path)
    return fs.openSync(path, CREATE, FILE_MODE)
  }
}

/** @param {string} directory */
export const makeLost = (directory) => fs.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE })

/** By a thread of Node's: giving back the space of a large file can take 10 ms. @param {string} path @returns {Promise<void>} */
export function removeIfThere(path) {
  // (Deno says of a success that its error is undefined.)
  return new Promise((resolve, reject) => fs.unlink(path, (error) => {
    if (!error || error.code === 'ENOENT') resolve()
    else reject(error)
  }))
}

/** Answers whether the directory is gone. @param {string} directory */
export function removeIfEmpty(directory) {
  try {
    fs.rmdirSync(directory)
    return true
  } catch (/** @type {any} */ error) {
    if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false
    throw error
  }
}

/**
 * The file at `path` holds exactly `content`: what was there before, or all of it, also after a crash.
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
  } catch (/** @type {any} */ error) {
    try {
      fs.rmSync(via, { force: true })
    } catch {
      // The caller hears of the first failure; what is left of `via` is only space.
    }
    throw error
  }
}

/** Done when it returns nothing; else (Windows) it is tried again for a while. @param {string} from @param {string} to */
export function renameOver(from, to) {
  try {
    fs.renameSync(from, to)
  } catch (/** @type {any} */ error) {
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
    } catch (/** @type {any} */ error) {
      if (!RENAME_BUSY.includes(error.code) || performance.now() + pause > deadline) throw error
    }
  }
}

/** Makes the directory and those above it, and their names durable. @param {string} directory */
export async function makeDirectory(directory) {
  const missing = []
  for (let place = directory; !fs.existsSync(place) && dirname(place) !== place; place = dirname(place)) missing.push(place)
  if (missing.length === 0) return
  attempt('create', directory, () => fs.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE }))
  for (const made of missing) await syncDirectory(dirname(made))
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
  } catch (/** @type {any} */ error) {
    if (!CANNOT_SYNC_DIRECTORY.includes(error.code)) throw explain(error, 'sync', directory)
  }
}
