// What stands where a command wants a directory, before anything is opened: a message that says what to do instead.
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { VarveError } from '../errors.js'
import { UsageError } from './arguments.js'

const READ = constants.R_OK | constants.X_OK

/** What the codes of the system mean, and what to do. @type {Record<string, string>} */
const REASONS = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is a file, not a directory',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ELOOP: 'the links lead in a circle',
  ENAMETOOLONG: 'the path is too long',
  EISDIR: 'a directory, where a file should be'
}

/** What to do about an error of the system, as the end of a message. @param {any} error any: whatever was thrown */
export const remedyOf = (error) => ['EACCES', 'EPERM'].includes(error?.code) ? '; ask its owner, or run as a user who may' : ''

/**
 * An error of the system that names the path as the caller gave it.
 *
 * @param {any} error
 * @param {string} path
 */
export function systemError(error, path) {
  if (!Object.hasOwn(REASONS, error?.code)) return error
  return new VarveError(`${path}: ${REASONS[error.code]} (${error.code})${remedyOf(error)}`, { code: 'LEVEL_IO_ERROR', cause: error })
}

/**
 * Throws if `path` cannot be the directory that a command needs.
 *
 * @param {string} path
 * @param {'read' | 'write' | 'make'} need to be there, to be there and writable, or at most to be no file
 * @param {string} [hint] what to do if there is none
 */
export function checkDirectory(path, need, hint = '; `varve put` and `varve import` make a database') {
  if (path === '') throw new UsageError('the directory is an empty string')
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

/** Whether a directory is there; what cannot be told is an error. @param {string} path */
export function isDirectory(path) {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    throw systemError(error, path)
  }
}

/** The state of a file to be read, or of a pipe or device. @param {string} path */
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
    throw new UsageError(`there is no directory ${path} (ENOENT)${hint}`)
  }
}

/** A file: which command takes it. @param {string} path @param {boolean} isRegular */
function insteadOf(path, isRegular) {
  const name = basename(path)
  if (/^\d+\.(ldb|sst)$/.test(name)) return `${path} is a table file, not a directory: \`varve layout\` takes it; its database is ${dirname(path)}`
  if (/^(\d+\.(log|dbtmp)|MANIFEST-\d+|CURRENT|LOCK|LOG(\.old)?)$/.test(name)) {
    return `${path} is one file of a database, not a directory: give the directory, ${dirname(path)}`
  }
  if (isRegular && isZip(path)) return `${path} is a zip, not a directory: \`varve import <directory> ${path}\` makes a database of it`
  return `${path} is a file, not a directory; \`varve layout\` takes table files, \`varve import\` zips`
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
