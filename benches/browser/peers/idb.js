// IndexedDB by itself: a transaction for each commit, pages by getAll.
import { openDB } from 'idb'

export async function open(name) {
  const db = await openDB(name, 1, { upgrade: (db) => { db.createObjectStore('entries') } })
  const write = async (entries, durability) => {
    const transaction = db.transaction('entries', 'readwrite', { durability })
    for (const { key, value } of entries) transaction.store.put(value, key)
    await transaction.done
  }
  return {
    put: (key, value, sync) => write([{ key, value }], sync ? 'strict' : 'relaxed'),
    batch: (operations) => write(operations, 'relaxed'),
    get: (key) => db.get('entries', key),
    async * pages() {
      for (let range; ;) {
        const { store } = db.transaction('entries')
        const [keys, values] = await Promise.all([store.getAllKeys(range, 1000), store.getAll(range, 1000)])
        if (keys.length === 0) return
        yield keys.map((key, i) => [new Uint8Array(key), values[i]])
        range = IDBKeyRange.lowerBound(keys.at(-1), true)
      }
    },
    close: () => db.close()
  }
}
