// A database in a directory: writes, reads, iterates over a range, and makes the writes durable.
//
//   node examples/js/hello.mjs [DIRECTORY]
import { Varve } from 'varve'

const db = new Varve(process.argv[2] ?? './lakes', { valueEncoding: 'json' })

await db.put('jp/biwa', { depth: 104 })
await db.batch([
  { type: 'put', key: 'jp/suigetsu', value: { depth: 34 } },
  { type: 'put', key: 'tr/van', value: { depth: 451 } }
])

console.log(await db.get('jp/suigetsu'))
console.log(await db.get('jp/nowhere'))

for await (const [key, { depth }] of db.iterator({ gte: 'jp/', lt: 'jp0' })) {
  console.log(`${key}: ${depth} m`)
}

await db.sync()
console.log((await db.info()).durability)
await db.close()
