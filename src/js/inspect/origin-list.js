// The databases of this origin, in its private files and in IndexedDB.
import { databasesInIndexedDb, databasesInOpfs } from '../storage/browser/names.js'
import { pathOf } from '../storage/browser/path.js'

/** @typedef {import('../types/inspect.js').OriginDatabase} OriginDatabase */

/** @returns {Promise<OriginDatabase[]>} */
export async function databasesOfOrigin() {
  const [opfs, indexeddb, held] = await Promise.all([databasesInOpfs(), databasesInIndexedDb(), heldLocks()])
  /** @param {OriginDatabase['storage']} storage @returns {(name: string) => OriginDatabase} */
  const entry = (storage) => (name) => ({ name, storage, inUse: held.has(lockOf(name)) })
  return [...opfs.map(entry('opfs')), ...indexeddb.map(entry('indexeddb'))]
}

/** The name of its lock, and of its database in IndexedDB. @param {string} name */
export const lockOf = (name) => pathOf(name).join('/')

/** The names of all locks that somebody holds. @returns {Promise<Set<string | undefined>>} */
export async function heldLocks() {
  const { held = [] } = await globalThis.navigator?.locks?.query() ?? {}
  return new Set(held.map(({ name }) => name))
}
