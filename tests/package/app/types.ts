// A user's program in TypeScript: compiled with --strict by the tests, in each way that TypeScript finds packages.
import { test } from 'node:test'
import { InvalidArgumentError, Varve, VarveError, type DatabaseOptions, type Info } from 'varve'
import { Varve as Inline } from 'varve/inline'
import { testStorage } from 'varve/test/storage'

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
  }
  return db.info()
}

testStorage(() => { throw new Error('not run') }, { test: (name, run) => test(name, run) })
