// Checks paths before a database is opened, so that messages can say what to do instead.
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { VarveError } from '../errors.js'
import { UsageError } from './arguments.js'

const READ = constants.R_OK | constants.X_OK

/** Messages for the system's error codes. @type {Record<string, string>} */
const REASONS = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is a file, not a directory',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'the path is too long',
  EISDIR: 'is a directory, not a file'
}

/**
 * Returns advice for a system error, to append to a message.
 * @param {any} error any: whatever was thrown
 */
export const remedyOf = (error) => ['EACCES', 'EPERM'].includes(error?.code) ? '; ask its owner for access, or run as another user' : ''

/**
 * Returns a system error with the path as the user wrote it.
 *
 * @param {any} error any: whatever was thrown
 * @param {string} path
 */
export function systemError(error, path) {
  if (!Object.hasOwn(REASONS, error?.code)) return error
  return new VarveError(`${path}: ${REASONS[error.code]} (${error.code})${remedyOf(error)}`, { code: 'LEVEL_IO_ERROR', cause: error })
}

/**
 * Throws unless `path` is a directory that the command can use.
 *
 * @param {string} path
 * @param {'read' | 'write' | 'make'} need `read` and `write` need an existing directory
 * @param {string} [hint] advice if it does not exist
 */
export function checkDirectory(path, need, hint = '; `varve put` and `varve import` create a database') {
  if (path === '') throw new UsageError('the directory name is empty')
  if (path.includes('\0')) return
  const stats = statsOf(path, need, hint)
  if (stats === undefined) return
  if (!stats.isDirectory()) throw new UsageError(insteadOf(path, stats.isFile()))
  try {
    accessSync(path, need === 'read' ? READ : READ | constants.W_OK)
  } catch (error) {
    throw systemError(error, path)
  }
}

/** Whether a directory exists; throws if that cannot be determined. @param {string} path */
export function isDirectory(path) {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    throw systemError(error, path)
  }
}

/** Returns the stats of a readable file, pipe or device. @param {string} path */
export function checkFile(path) {
  try {
    const stats = statSync(path)
    if (stats.isDirectory()) throw Object.assign(new Error('a directory'), { code: 'EISDIR' })
    accessSync(path, constants.R_OK)
    return stats
  } catch (error) {
    throw systemError(error, path)
  }
}

/** @param {string} path @param {'read' | 'write' | 'make'} need @param {string} hint */
function statsOf(path, need, hint) {
  try {
    return statSync(path)
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error.code !== 'ENOENT') throw systemError(error, path)
    if (need === 'make') return undefined
    throw new UsageError(`directory ${path} does not exist (ENOENT)${hint}`)
  }
}

/**
 * Returns a message that says which command accepts this file.
 * @param {string} path
 * @param {boolean} isRegular
 */
function insteadOf(path, isRegular) {
  const name = basename(path)
  if (/^\d+\.(ldb|sst)$/.test(name)) return `${path} is a table file, not a directory: use \`varve layout\`, or give the database ${dirname(path)}`
  if (/^(\d+\.(log|dbtmp)|MANIFEST-\d+|CURRENT|LOCK|LOG(\.old)?)$/.test(name)) {
    return `${path} is one file of a database, not a directory: give the directory, ${dirname(path)}`
  }
  if (isRegular && isZip(path)) return `${path} is a zip, not a directory: use \`varve import <directory> ${path}\``
  return `${path} is a file, not a directory; \`varve layout\` reads table files, \`varve import\` reads zips`
}

/** @param {string} path */
function isZip(path) {
  try {
    const fd = openSync(path, 'r')
    try {
      const bytes = Buffer.alloc(4)
      readSync(fd, bytes, 0, 4, 0)
      return ['PK\x03\x04', 'PK\x05\x06'].includes(bytes.toString('latin1'))
    } finally {
      closeSync(fd)
    }
  } catch {
    return false
  }
}
