// Opens and removes databases of IndexedDB.
import { VarveError } from '../../errors.js'
import { sealedDatabases } from './seal.js'

const VERSION = 1

export const STORES = ['head', 'files', 'chunks']

/** How long to wait until readers have closed a database that is removed, in ms. */
const PATIENCE_MS = 2000

/** @param {string} message @param {string} code */
const refusal = (message, code) => new VarveError(message, { code })

const missing = () => new DOMException('there is no database here', 'NotFoundError')

/** The names of all databases; undefined where they cannot be listed. @returns {Promise<string[] | undefined>} */
export async function listDatabases() {
  const all = await globalThis.indexedDB?.databases?.()
  // WebKit lists one whose creation was aborted.
  return all?.filter(({ version }) => version !== 0).map(({ name }) => name ?? '')
}

/**
 * Opens a database; makes it, with its stores and its head, if `head` is given and there is none.
 *
 * Rejects with a NotFoundError if there is none; with LEVEL_EVICTED if there are its remains only: the
 * browser has removed its content.
 * @param {string} name
 * @param {Uint8Array} [head]
 * @returns {Promise<IDBDatabase>}
 */
export async function openDatabase(name, head) {
  if (head === undefined && (await listDatabases())?.includes(name) === false) throw missing()
  await sealedDatabases()
  return opened(name, head)
}

/**
 * The same for a reader: without `head`, nothing is created, not even the database that
 * `openDatabase` seals.
 * @param {string} name @param {Uint8Array} [head] @returns {Promise<IDBDatabase>}
 */
export function opened(name, head) {
  return new Promise((resolve, reject) => {
    const request = globalThis.indexedDB.open(name, VERSION)
    /** @type {unknown} */
    let why
    request.onupgradeneeded = (event) => {
      const { result: database, transaction } = request
      const { dataLoss, dataLossMessage } = /** @type {any} any: only Chromium has them */ (event)
      if (dataLoss === 'total') {
        why = refusal(`The browser has lost the database: ${dataLossMessage}`, 'LEVEL_EVICTED')
      } else if (head === undefined) {
        why = missing()
      } else {
        for (const store of STORES) database.createObjectStore(store)
        transaction?.objectStore('head').put(head, 0)
        return
      }
      // So that no empty database is left.
      transaction?.abort()
    }
    request.onsuccess = () => {
      const database = request.result
      if (STORES.every((store) => database.objectStoreNames.contains(store))) return resolve(database)
      database.close()
      reject(refusal('The browser has removed the content of the database', 'LEVEL_EVICTED'))
    }
    request.onerror = () => {
      if (request.error?.name === 'VersionError') why = refusal('The database was made by a newer version', 'LEVEL_NOT_SUPPORTED')
      reject(why ?? request.error)
    }
  })
}

/**
 * Removes a database; does nothing if there is none. Rejects with LEVEL_LOCKED if it is open.
 * @param {string} name
 * @param {import('./web-lock.js').WebLock} lock
 * @param {boolean} [isHeld] whether the caller holds the lock, and keeps it
 */
export async function removeDatabase(name, lock, isHeld = false) {
  if (!isHeld) await lock.acquire()
  try {
    await new Promise((resolve, reject) => {
      const request = globalThis.indexedDB.deleteDatabase(name)
      const timer = setTimeout(() => reject(lock.refusal()), PATIENCE_MS)
      const ended = (/** @type {() => void} */ settle) => () => {
        clearTimeout(timer)
        settle()
      }
      request.onsuccess = ended(() => resolve(undefined))
      request.onerror = ended(() => reject(request.error))
    })
  } finally {
    if (!isHeld) lock.letIn()
  }
}

/**
 * Whether a database with this name exists. Never makes one.
 * @param {string} name
 */
export async function databaseExists(name) {
  const listed = await listDatabases()
  if (listed !== undefined) return listed.includes(name)
  try {
    (await openDatabase(name)).close()
    return true
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error?.name === 'NotFoundError') return false
    // There is one, whatever is wrong with it.
    if (error instanceof VarveError) return true
    throw error
  }
}

/**
 * Tries whether databases work here, with one that is removed again. Resolves with undefined if they do,
 * otherwise with the reason.
 * @returns {Promise<unknown>}
 */
export async function probeIndexedDb() {
  const name = `varve probe ${Math.random()}`
  try {
    const database = await openDatabase(name, new Uint8Array(1))
    try {
      await new Promise((resolve, reject) => {
        const transaction = database.transaction(STORES, 'readwrite')
        transaction.objectStore('chunks').put(new Uint8Array(1), [1, 0, 0])
        transaction.oncomplete = resolve
        transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'))
      })
    } finally {
      database.close()
      globalThis.indexedDB.deleteDatabase(name)
    }
    return undefined
  } catch (error) {
    return error ?? new Error('the database could not be opened')
  }
}
