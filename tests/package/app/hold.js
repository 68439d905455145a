// Holds the database that the command line names, until standard input ends; says what became of opening it.
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
