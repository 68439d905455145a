// Finds the databases of this origin, by the names of what holds them (path.js).
import { listDatabases } from './idb-open.js'
import { ALL, pathOf } from './path.js'

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
