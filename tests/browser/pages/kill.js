// A page of kill.test.mjs: three writers in two databases, which are checked when they are opened.
import { Varve } from '/pkg/browser.js'
import { check, write } from '/tests/browser/lib/operations.mjs'

/** The writers of each database. */
const WRITERS = { one: ['a', 'b'], two: ['c'] }

/** Small buffers, so that tables are always being written and merged. */
const OPTIONS = { valueEncoding: 'view', writeBufferSize: 32 << 10, maxFileSize: 64 << 10 }

/** @type {Worker[]} */
const workers = []
globalThis.Worker = class extends Worker {
  constructor(...given) {
    super(...given)
    workers.push(this)
  }
}

/** The messages of an error and its causes. */
const told = (error) => error === undefined ? '' : `${error.code} ${error.message}; ${told(error.cause)}`

const now = () => performance.timeOrigin + performance.now()

/** @type {Record<string, any>} */
let databases = {}
/** The loops of the writers, which end when `round` is another object. @type {Promise<void>[]} */
let writers = []
let round = {}

Object.assign(globalThis, {
  isReady: true,

  /**
   * Opens the databases and checks what they hold. Resolves with the number of operations that each
   * writer's entries come from, the times from opening each database to the first value, and when
   * the last one had it.
   */
  async take({ generation, acknowledged, verify }) {
    await globalThis.leave()
    const times = []
    await Promise.all(Object.keys(WRITERS).map(async (name) => {
      const start = now()
      const db = databases[name] = new Varve(`${name} ${generation}`, OPTIONS)
      await db.open().catch((error) => { throw new Error(told(error)) })
      await db.get(`${WRITERS[name][0]}/000`)
      times.push(now() - start)
    }))
    const at = now()
    const found = {}
    const findings = []
    for (const [name, db] of Object.entries(databases)) {
      for (const writer of WRITERS[name]) found[writer] = await check(db, writer, acknowledged[writer])
      if (verify) findings.push(...(await db.verify()).findings)
    }
    return { times, at, found, findings }
  },

  /** Closes the databases. Their writers end first: what an owner did not begin goes to the next one. */
  async leave() {
    round = {}
    const left = Object.values(databases)
    databases = {}
    await Promise.allSettled([...writers.splice(0), ...left.map((db) => db.close())])
  },

  /** Begins to write behind the operations that `take` found. */
  go(generation, trial, from) {
    const own = round = {}
    for (const [name, db] of Object.entries(databases)) {
      for (const writer of WRITERS[name]) {
        const report = async (count) => {
          if (round !== own) throw new Error('ended')
          await fetch(`/acknowledged/${generation}/${writer}`, { method: 'POST', body: String(count) })
          if (round !== own) throw new Error('ended')
        }
        writers.push(write(db, writer, from[writer], report).catch((error) => {
          if (round === own) fetch(`/failed/${trial}`, { method: 'POST', body: `${writer}: ${error.stack}` })
        }))
      }
    }
  },

  /** Ends the workers in the middle of whatever they do. Nobody tells the databases. */
  terminate() {
    round = {}
    databases = {}
    for (const worker of workers.splice(0)) worker.terminate()
  },

  destroy: (generation) => Promise.all(Object.keys(WRITERS).map((name) => Varve.destroy(`${name} ${generation}`)))
})
