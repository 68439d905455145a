// The names of databases, and of what holds them: a directory of the origin private file system (OPFS)
// below `varve`, or a database of IndexedDB.
import { InvalidArgumentError } from '../../errors.js'
import { listDatabases } from './idb-open.js'

/** Characters that no file system changes or confuses; others become % and two digits. */
const PLAIN = /[a-z0-9_-]/

/** Longer names are refused by some file systems. */
const NAME_MAX = 240

/** The directory of all databases. */
const ALL = 'varve'

/**
 * The directories of a database, from the root; joined with `/`, the name of its lock and of its
 * database in IndexedDB.
 * @param {string} location
 */
export function pathOf(location) {
  const bytes = [...new TextEncoder().encode(location)]
  const name = bytes.map((byte) => {
    const character = String.fromCharCode(byte)
    return PLAIN.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`
  }).join('')
  if (name.length > NAME_MAX) {
    throw new InvalidArgumentError(`The name of the database is too long: it takes ${name.length} characters of a file's name, at most ${NAME_MAX} are allowed`)
  }
  return [ALL, name]
}

/**
 * The database in a directory with this name; undefined if no database has it.
 * @param {string} name
 */
function locationOf(name) {
  try {
    const location = decodeURIComponent(name)
    return pathOf(location)[1] === name ? location : undefined
  } catch {
    return undefined
  }
}

/** @param {string[]} names */
const locationsOf = (names) => names.map(locationOf).filter((location) => location !== undefined)

/** The databases in IndexedDB, in any order. */
export async function databasesInIndexedDb() {
  const prefix = `${ALL}/`
  return locationsOf((await listDatabases() ?? []).filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)))
}

/** The databases in OPFS, in any order; none where it is missing or refused. */
export async function databasesInOpfs() {
  const names = []
  try {
    const root = await navigator.storage.getDirectory()
    for await (const [name, { kind }] of (await root.getDirectoryHandle(ALL)).entries()) {
      if (kind === 'directory') names.push(name)
    }
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error?.name !== 'NotFoundError' && !isRefused(error)) throw error
  }
  return locationsOf(names)
}

/**
 * Whether this browser, or this window of it, has no private files.
 * @param {any} error any: whatever was thrown
 */
export const isRefused = (error) => ['TypeError', 'SecurityError', 'NotSupportedError'].includes(error?.name)
