// An index in a second sublevel, written in the same batch as the data, so that they are always
// consistent.
//
//   node examples/js/sublevels.mjs
import { Varve } from 'varve'

const db = new Varve(null, { storage: 'memory' })
const towns = db.sublevel('towns', { valueEncoding: 'json' })
const bySize = db.sublevel('by-size')

const sizeKey = (size, name) => `${String(size).padStart(9, '0')}/${name}`

async function add(name, size) {
  await db.batch([
    { type: 'put', sublevel: towns, key: name, value: { size } },
    { type: 'put', sublevel: bySize, key: sizeKey(size, name), value: name }
  ])
}

for (const [name, size] of [['Lyon', 522_000], ['Nîmes', 148_000], ['Paris', 2_102_000], ['Sète', 44_000]]) await add(name, size)

console.log('the two largest:', await bySize.values({ reverse: true, limit: 2 }).all())
console.log('100,000 to 1,000,000:', await bySize.values({ gte: sizeKey(100_000, ''), lt: sizeKey(1_000_000, '') }).all())
console.log('from N on:', await towns.keys({ gte: 'N' }).all())

await bySize.clear({ lt: sizeKey(100_000, '') })
console.log('left in the index:', await bySize.values().all())
await db.close()
