// Opens the database given on the command line, prints the result, and holds it until standard
// input ends.
import { Varve } from 'varve'

const db = new Varve(process.argv[2])
try {
  await db.open()
  await db.put('holder', String(process.pid), { sync: true })
  console.log('open')
  process.stdin.resume().on('end', () => db.close().then(() => process.exit(0)))
} catch (error) {
  console.log(error.cause?.code ?? error.code)
}
