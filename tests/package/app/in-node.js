import { readdirSync } from 'node:fs'
import { use } from './smoke.js'

/** Runs the program in the directory given on the command line; prints its result. */
export async function inNode(varve) {
  const directory = process.argv[2]
  const db = new varve.Varve(directory, { valueEncoding: 'json' })
  const answer = await use(varve, db)
  const second = await new varve.Varve(directory).open().catch((error) => error)
  await db.close()
  console.log(JSON.stringify({ answer, locked: second.cause?.code, files: readdirSync(directory) }))
}
