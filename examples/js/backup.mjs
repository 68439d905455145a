// A consistent backup while writes continue: exports a zip of LevelDB's files and creates a
// database from it.
//
//   node examples/js/backup.mjs [FROM TO]
import { createReadStream, createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Varve } from 'varve'

const [from = './lakes-busy', to = './lakes-restored'] = process.argv.slice(2)
const db = new Varve(from)
await db.batch(Array.from({ length: 10_000 }, (_, i) => ({ type: 'put', key: `key${i}`, value: `value ${i}` })))

// The zip contains the state at this call.
const zip = db.export()
let writing = true
const writer = (async () => {
  for (let i = 0; writing; i++) await db.put(`key${i % 10_000}`, 'changed')
})()
await pipeline(zip, createWriteStream(`${to}.zip`))
writing = false
await writer

const backup = await Varve.import(to, createReadStream(`${to}.zip`))
const values = await backup.values().all()
console.log(`${values.length} entries, ${values.filter((value) => value === 'changed').length} of them changed since`)
console.log((await backup.verify()).findings.length === 0 ? 'sound' : 'damaged')
await backup.close()
await db.close()
