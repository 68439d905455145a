// Differences between operating systems.
import fs from 'node:fs'

export const IS_LINUX = process.platform === 'linux'
export const IS_WINDOWS = process.platform === 'win32'
export const FILE_MODE = 0o600
export const DIRECTORY_MODE = 0o700

/** Windows cannot truncate a file opened with O_APPEND, so appends there look up the end. */
export const APPEND = fs.constants.O_RDWR | (IS_WINDOWS ? 0 : fs.constants.O_APPEND)
export const CREATE = APPEND | fs.constants.O_CREAT | fs.constants.O_EXCL

/**
 * Continues a partial write until it is complete or fails with a reason.
 * @param {number} fd
 * @param {Uint8Array} data
 */
export function writeAll(fd, data) {
  let end = IS_WINDOWS ? fs.fstatSync(fd).size : null
  for (let done = 0; done < data.length;) {
    const count = fs.writeSync(fd, data, done, data.length - done, end)
    if (count === 0) throw Object.assign(new Error('EIO: the system wrote nothing and gave no reason'), { code: 'EIO' })
    done += count
    if (end !== null) end += count
  }
}

/**
 * @param {'fsync' | 'fdatasync'} call done by a thread of Node's, not the event loop's
 * @param {number} fd
 */
export function flush(call, fd) {
  return /** @type {Promise<void>} */ (new Promise((resolve, reject) => fs[call](fd, (error) => (error ? reject(error) : resolve()))))
}

/** @param {string} path */
export function readIfThere(path) {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (/** @type {any} any: whatever was thrown */ error) {
    // ESRCH: the process ended while its file in /proc was read. EACCES: the system hides it.
    if (['ENOENT', 'ESRCH'].includes(error.code) || path.startsWith('/proc/')) return undefined
    throw error
  }
}

/** @param {string} path */
export function readlinkIfThere(path) {
  try {
    return fs.readlinkSync(path)
  } catch {
    return undefined
  }
}
