// A storage of your own: extends `varve/map`, which keeps files in a Map, and counts the reads.
//
//   node examples/js/storage.mjs
import { Varve } from 'varve'
import { MapStorage } from 'varve/map'

/** Each method of a storage returns a value or a promise of it. */
class CountingStorage extends MapStorage {
  reads = 0

  open(name, access) {
    const file = super.open(name, access)
    const read = file.read.bind(file)
    file.read = async (offset, into) => {
      this.reads++
      // An asynchronous read must not write to the engine's memory: it returns bytes of its own.
      const own = new Uint8Array(into.length)
      return own.subarray(0, read(offset, own))
    }
    return file
  }
}

const storage = new CountingStorage()
const db = new Varve(null, { storage })
await db.batch(Array.from({ length: 5000 }, (_, i) => ({ type: 'put', key: `key${String(i).padStart(4, '0')}`, value: `value ${i}` })))
await db.compactRange()
console.log('files:', storage.list().map((name) => name.replace(/\d+/, 'N')).sort())

storage.reads = 0
console.log(await db.get('key1234'))
console.log(`read: ${storage.reads > 0 && storage.reads <= 3 ? 'a block or so' : storage.reads}`)

await db.close()
const again = new Varve(null, { storage, createIfMissing: false })
console.log((await again.keys().all()).length, 'keys, opened again')
await again.close()
