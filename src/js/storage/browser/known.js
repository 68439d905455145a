// Remembers in IndexedDB which databases were created, so that one whose files are gone is not taken
// for a new one. Browsers evict both together, but a browser that repairs its index of files, a page or
// a user may remove the files alone. Asked only where there is no file; without IndexedDB nothing is
// remembered.

const DATABASE = 'varve-known'
const STORE = 'names'

/** @param {IDBRequest} request @returns {Promise<any>} any: the value of the request */
const settled = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error)
})

/**
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} act
 */
async function within(mode, act) {
  const opening = indexedDB.open(DATABASE)
  opening.onupgradeneeded = () => { opening.result.createObjectStore(STORE) }
  const database = await settled(opening)
  try {
    const transaction = database.transaction(STORE, mode)
    const complete = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve
      transaction.onabort = () => reject(transaction.error)
    })
    const [value] = await Promise.all([settled(act(transaction.objectStore(STORE))), complete])
    return value
  } finally {
    database.close()
  }
}

/** @param {string} name @returns {Promise<boolean>} */
export const isKnown = (name) => attempt(() => within('readonly', (store) => store.count(name)).then((count) => count > 0), false)

/** @param {string} name */
export const remember = (name) => attempt(() => within('readwrite', (store) => store.put(Date.now(), name)), undefined)

/** @param {string} name */
export const forget = (name) => attempt(() => within('readwrite', (store) => store.delete(name)), undefined)

/** @template T @param {() => Promise<T>} act @param {T} otherwise */
async function attempt(act, otherwise) {
  try {
    return await act()
  } catch {
    return otherwise
  }
}
