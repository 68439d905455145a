// A database on a web server, opened read-only: only the blocks that are needed are fetched.
//
//   node examples/js/http.mjs [DIRECTORY]
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename, join } from 'node:path'
import { Varve } from 'varve'
import { HttpStorage } from 'varve/http'

const directory = process.argv[2] ?? './lakes-published'

// The publisher creates the database once.
const made = new Varve(directory)
for (let i = 0; i < 50; i++) {
  await made.batch(Array.from({ length: 1000 }, (_, j) => ({ type: 'put', key: `key${i * 1000 + j}`, value: `value ${i * 1000 + j} ${Math.random()}` })))
}
await made.compactRange()
await made.close()

// Any static server or object store works; this one supports only ranges and validators.
let sent = 0
const server = createServer((request, response) => {
  const path = join(directory, basename(new URL(request.url, 'http://x').pathname))
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found?.isFile()) return response.writeHead(404).end()
  const { size, mtimeMs } = found
  const [, from = 0, to = size - 1] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const last = Math.min(to === '' ? size - 1 : Number(to), size - 1)
  if (Number(from) > last) return response.writeHead(416, { 'content-range': `bytes */${size}` }).end()
  sent += last - from + 1
  response.writeHead(request.headers.range ? 206 : 200, {
    etag: `"${size}-${mtimeMs}"`, 'content-length': last - from + 1, 'accept-ranges': 'bytes', 'content-range': `bytes ${from}-${last}/${size}`
  })
  createReadStream(path, { start: Number(from), end: last }).pipe(response)
})
await new Promise((resolve) => server.listen(0, resolve))

const db = new Varve(null, { storage: new HttpStorage(`http://localhost:${server.address().port}/`), readOnly: true })
console.log((await db.get('key12345')).slice(0, 11))
console.log((await db.keys({ gte: 'key100', limit: 3 }).all()).join(' '))
await db.put('a', 'b').catch((error) => console.log(error.code))
await db.close()

const size = await new Varve(directory, { readOnly: true }).approximateSize('k', 'l')
console.log(sent < size / 4 ? 'a small part was sent' : `${sent} of ${size} bytes were sent`)
server.close()
