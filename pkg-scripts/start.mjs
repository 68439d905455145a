// npm start: a demonstration with the npm package. Loads the world's towns into a directory, reads
// ranges, flushes, compacts, draws levels and tables, and compares every entry with LevelDB
// (classic-level).
//
//   npm start [-- --dir DIR] [--inspect | --no-inspect]
//
//   --dir          the database directory, by default target/cities (deleted first)
//   --inspect      at the end, shows the database in the inspector until Ctrl-C; by default on a terminal
//
// Runs the set-up and the build first if they are needed.
import { existsSync, readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build, isCurrent } from './build.mjs'
import { inRoot } from './lib/paths.mjs'
import { run } from './lib/run.mjs'
import { main, setup } from './setup.mjs'

const BATCH = 1000

const count = (number) => number.toLocaleString('en')
const say = (what, text) => console.log(`${what.padEnd(12)} ${text}`)
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`

/** Builds the part of pkg/ that Node needs, unless it is current. */
async function built() {
  if (isCurrent('full.wasm', 'instance-full.js', 'inspector/app.js')) return
  say('build', 'compiling the engine; the first time, this takes a minute or two')
  await build({ forNode: !existsSync(inRoot('pkg', 'browser.js')) })
  console.log('')
}

async function load(db, entries) {
  const since = performance.now()
  // In the order of names, not of keys, so that tables overlap until they are compacted.
  const name = (key) => key.slice(key.lastIndexOf('/') + 1)
  const operations = Array.from(entries, ([key, value]) => ({ type: 'put', key, value }))
    .sort((a, b) => name(a.key) < name(b.key) ? -1 : 1)
  let bytes = 0
  for (let at = 0; at < operations.length; at += BATCH) {
    const batch = operations.slice(at, at + BATCH)
    await db.batch(batch)
    for (const { key, value } of batch) bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  say('loaded', `${count(operations.length)} entries, ${count(bytes)} bytes of keys and values, in ${seconds(since)}`)
}

/** Returns the range of all keys with this prefix. */
async function scan(db, what, prefix) {
  const since = performance.now()
  const towns = await db.values({ gte: prefix, lt: `${prefix}\uffff` }).all()
  const ms = (performance.now() - since).toFixed(1)
  say('range', `${what}: ${count(towns.length)} towns in ${ms} ms: ${towns.slice(0, 3).map((town) => JSON.parse(town).name).join(', ')} ...`)
}

async function gets(db, keys) {
  const since = performance.now()
  let read = 0
  for (let at = 0; at < keys.length; at += 17, read++) {
    if (await db.get(keys[at]) === undefined) throw new Error(`${keys[at]} is not found`)
  }
  say('gets', `${count(read)} single reads, ${Math.round((performance.now() - since) / read * 1e3)} us each`)
}

/** Returns the tables with their first and last keys, from a property of LevelDB. */
function tablesOf(db, list) {
  const keyOf = (text) => Buffer.from(text.replace(/\\x([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16))), 'latin1').toString()
  return list(db).map((table) => {
    const [, first, last] = /^'(.*)' @ \d+ : \d \.\. '(.*)' @ \d+ : \d$/.exec(table.range) ?? [null, '', '']
    return { ...table, first: keyOf(first), last: keyOf(last) }
  })
}

/** Reads the directory with LevelDB and compares every entry with the loaded data. */
async function compare(directory, entries) {
  const { ClassicLevel } = await import('classic-level')
  const since = performance.now()
  const level = new ClassicLevel(directory, { createIfMissing: false })
  const expected = entries.entries()
  let compared = 0
  for await (const [key, value] of level.iterator()) {
    const next = expected.next().value
    if (next?.[0] !== key || next[1] !== value) throw new Error(`LevelDB reads ${key}, expected ${next?.[0] ?? 'no more entries'}`)
    compared++
  }
  await level.close()
  const missing = expected.next().value
  if (missing) throw new Error(`LevelDB does not find ${missing[0]}`)
  say('LevelDB', `classic-level opened the directory: ${count(compared)} entries, every one as loaded, in ${seconds(since)}`)
}

/** Shows the database in the inspector's page until Ctrl-C. */
async function inspect(directory) {
  console.log('\nThe inspector, with this database in it (Ctrl-C ends):')
  await run(process.execPath, [inRoot('src', 'js', 'cli', 'main.js'), 'inspect', '--no-open', directory], { timeoutSeconds: 24 * 3600 })
}

await main(async () => {
  const { values } = parseArgs({ options: { dir: { type: 'string' }, inspect: { type: 'boolean' }, 'no-inspect': { type: 'boolean' } } })
  const directory = values.dir ? resolve(process.env.INIT_CWD ?? '.', values.dir) : inRoot('target', 'cities')
  if (values.dir && existsSync(directory) && readdirSync(directory).length > 0) {
    console.error(`${directory} is not empty; choose another --dir`)
    return 1
  }
  await built()
  await setup(['packages'])

  const [{ Varve }, { tablesOf: list }, { cities }, { picture }] = await Promise.all(
    ['../src/js/index.js', '../src/js/cli/database.js', './lib/cities.mjs', './lib/picture.mjs'].map((path) => import(path)))
  const draw = (db, keys) => console.log(`\n${picture(tablesOf(db, list), keys, process.stdout.isTTY === true)}\n`)

  const { towns, entries } = cities()
  const keys = Array.from(entries.keys())
  say('towns', `${count(towns)} from GeoNames, ${count(entries.size)} with a distinct place and name`)
  if (!values.dir) await Varve.destroy(directory)

  const db = new Varve(directory)
  say('database', directory)
  await load(db, entries)
  await db.flush()
  say('flushed', 'the memtable to a table; the levels, over the key range:')
  draw(db, keys)
  await scan(db, 'Iceland', 'IS/')
  await scan(db, 'the middle of Paris, the area u09tv', 'FR/u09tv')
  await gets(db, keys)

  const since = performance.now()
  await db.compactRange()
  say('compacted', `in ${seconds(since)}`)
  draw(db, keys)
  const report = await db.verify()
  if (report.findings.length > 0) throw report.findings[0]
  say('verified', `${report.tables} tables, ${count(report.entries)} entries, ${count(report.bytes)} bytes: all checksums match`)
  await db.close()

  await compare(directory, entries)
  const shown = relative(process.env.INIT_CWD ?? '.', directory) || '.'
  console.log(`\nTry also:\n  node src/js/cli/main.js scan ${shown} --gte IS/ --limit 3\n  node src/js/cli/main.js stats ${shown}\n  node src/js/cli/main.js layout ${join(shown, readdirSync(directory).find((name) => /\.ldb$/.test(name)) ?? '')}\n  node src/js/cli/main.js inspect ${shown}`)
  if (values.inspect || (process.stdout.isTTY === true && !values['no-inspect'])) await inspect(directory)
  return 0
})
