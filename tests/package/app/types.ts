// A user's program in TypeScript, compiled with --strict and with each module resolution.
import { test } from 'node:test'
import { InvalidArgumentError, SourceChangedError, Varve, VarveError, type DatabaseOptions, type Info } from 'varve'
import { Varve as Inline } from 'varve/inline'
import { BlobStorage } from 'varve/blob'
import { HttpStorage, type HttpStorageOptions } from 'varve/http'
import { MapStorage } from 'varve/map'
import { testReadOnlyStorage, testStorage } from 'varve/test/storage'

const options: DatabaseOptions<string, { people: number }> = { valueEncoding: 'json', cacheSize: 1 << 20 }
const db: Varve<string, { people: number }> = new Varve('./db', options)
const inline: Varve = new Inline(null, { storage: 'memory' })

export async function main(): Promise<Info> {
  await db.put('a', { people: 1 }, { sync: true })
  const people: number | undefined = (await db.get('a'))?.people
  // @ts-expect-error a value is not a string here
  await db.put('b', 'text')
  const text: string | undefined = inline.getSync(String(people))
  for await (const [key, value] of db.iterator({ gte: 'a' })) console.log(key.length, value.people, text)
  try {
    await db.flush()
  } catch (error) {
    if (error instanceof VarveError && error.code === 'LEVEL_FULL') console.log(error.file)
    if (error instanceof InvalidArgumentError) console.log(error.code)
    if (error instanceof SourceChangedError) await db.close()
  }
  return db.info()
}

testStorage(() => { throw new Error('not run') }, { test: (name, run) => test(name, run) })

const remoteOptions: HttpStorageOptions = { headers: async () => ({ authorization: 'Bearer x' }), timeout: 5000, retries: 1 }
export const readers: Varve[] = [
  new HttpStorage('https://example.org/db/', remoteOptions),
  new BlobStorage(new Map([['CURRENT', new Blob([])]])),
  new BlobStorage({ CURRENT: new Blob([]) }),
  new MapStorage(new MapStorage.Place())
].map((storage) => new Varve(null, { storage, readOnly: true }))
// @ts-expect-error a timeout is a number
void new HttpStorage('https://example.org/db/', { timeout: '5 s' })
testReadOnlyStorage((files) => new BlobStorage(new Map([...files].map(([name, bytes]) => [name, new Blob([bytes])]))), { test })
