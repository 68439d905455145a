// Published packages that use a level database, in a page on databases by name: datastore-level with the
// suite of interface-datastore, and an index of fergies-inverted-index, on which search-index is built.
import { LevelDatastore } from 'datastore-level'
import { InvertedIndex } from 'fergies-inverted-index'
import { interfaceDatastoreTests } from 'interface-datastore-tests'
import { Varve } from 'varve'

// ---- As much of mocha as the suite needs ----

const names = []
const tests = []
const hooks = [{ before: [], after: [], beforeEach: [], afterEach: [] }]

function describe(name, body) {
  names.push(name)
  hooks.push({ before: [], after: [], beforeEach: [], afterEach: [] })
  tests.push({ name: names.join(': '), all: hooks.at(-1).before })
  body()
  tests.push({ name: names.join(': '), all: hooks.at(-1).after })
  hooks.pop()
  names.pop()
}
const it = (name, body) => tests.push({ name: `${names.join(': ')}: ${name}`, body, around: [...hooks] })
const hook = (kind) => (body) => { hooks.at(-1)[kind].push(body) }

Object.assign(globalThis, { describe, it, before: hook('before'), after: hook('after'), beforeEach: hook('beforeEach'), afterEach: hook('afterEach') })

async function runAll() {
  const context = { timeout() {}, skip() {} }
  const failed = []
  let passed = 0
  for (const { name, body, all, around } of tests) {
    try {
      for (const hook of all ?? around.flatMap(({ beforeEach }) => beforeEach)) await hook.call(context)
      if (body === undefined) continue
      await body.call(context)
      passed++
    } catch (error) {
      failed.push(`${name}: ${error.stack}`)
    } finally {
      for (const hook of around?.toReversed().flatMap(({ afterEach }) => afterEach) ?? []) await hook.call(context).catch((error) => failed.push(`${name}, after it: ${error.stack}`))
    }
  }
  return { passed, failed }
}

// ---- The packages ----

let count = 0
const opened = []

globalThis.datastore = () => {
  describe('datastore-level', () => interfaceDatastoreTests({
    async setup() {
      const db = new Varve(`blocks ${count++}`, { keyEncoding: 'utf8', valueEncoding: 'view' })
      const store = new LevelDatastore(db)
      await store.open()
      opened.push((await db.info()).storage)
      return store
    },
    teardown: (store) => store.close()
  }))
  return runAll().then((result) => ({ ...result, opened: [...new Set(opened)], count }))
}

globalThis.index = async () => {
  const documents = Array.from({ length: 300 }, (_, i) => ({ _id: i, make: ['BMW', 'Volvo', 'Saab'][i % 3], colour: ['blue', 'red'][i % 2], price: 1000 + i }))
  const index = new InvertedIndex({ Level: Varve, name: 'cars' })
  await index.STORE.open()
  await index.PUT(documents)
  const ids = async (query) => (await query).map(({ _id }) => Number(_id)).sort((a, b) => a - b)
  const found = {
    volvo: await ids(index.GET('Volvo')),
    redSaab: await ids(index.AND(['make:Saab', 'colour:red'])),
    either: (await ids(index.OR(['make:BMW', 'colour:blue']))).length
  }
  await index.DELETE([1, 4])
  await index.STORE.close()
  const again = new InvertedIndex({ Level: Varve, name: 'cars' })
  await again.STORE.open()
  const left = (await ids(again.GET('make:Volvo'))).length
  await again.STORE.close()
  return { ...found, left }
}

globalThis.isReady = true
