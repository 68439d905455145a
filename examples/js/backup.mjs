// A backup of one moment while others go on writing: a snapshot, copied into another database.
//
//   node examples/js/backup.mjs FROM TO
import { Varve } from 'varve'

const [from, to] = process.argv.slice(2)
const bytes = { keyEncoding: 'view', valueEncoding: 'view' }
const db = new Varve(from)
await db.batch(Array.from({ length: 10_000 }, (_, i) => ({ type: 'put', key: `key${i}`, value: `value ${i}` })))

const snapshot = db.snapshot()

let writing = true
const writer = (async () => {
  for (let i = 0; writing; i++) await db.put(`key${i % 10_000}`, 'changed')
})()

const backup = new Varve(to, { ...bytes, errorIfExists: true })
const rows = db.iterator({ ...bytes, snapshot })
for (let page; (page = await rows.nextv(1000)).length > 0;) {
  await backup.batch(page.map(([key, value]) => ({ type: 'put', key, value })))
}
await rows.close()
await snapshot.close()
await backup.flush()

writing = false
await writer
const values = await backup.values({ valueEncoding: 'utf8' }).all()
console.log(`${values.length} entries, ${values.filter((value) => value === 'changed').length} of them changed since`)
console.log((await backup.verify()).findings.length === 0 ? 'sound' : 'damaged')
await backup.close()
await db.close()
