// The live database, in a worker of its own: runs a workload on a real engine in memory, a few
// operations at a time, and tells how its files and levels are afterwards.
import { openLive } from 'varve/inspect'
import { Workload } from './workload.js'

/** @typedef {import('./workload.js').Settings} Settings */
/** @typedef {{ type: 'put' | 'del', key: Uint8Array, value?: Uint8Array }} Operation */

/** Background work after each write, in bytes: more than a write adds, so that none piles up. */
const WORK_BYTES = 8 << 10
/** Longest time in ms of one call. */
const TIME_MAX = 40

/** @type {import('varve/inspect').LiveDatabase | undefined} */
let database
/** @type {Workload} */
let workload
/** The size of each live entry, by its key in Latin-1. @type {Map<string, number>} */
let live
let [liveBytes, userBytes, reads, blocksRead] = [0, 0, 0, 0]

function opened() {
  if (database === undefined) throw new Error('there is no live database')
  return database
}

/** @param {Operation} operation */
function count({ key, value }) {
  const name = String.fromCharCode(...key.subarray(0, 4096))
  userBytes += key.length + (value?.length ?? 0)
  liveBytes -= live.get(name) ?? 0
  if (value === undefined) return live.delete(name)
  live.set(name, key.length + value.length)
  liveBytes += key.length + value.length
}

/** @param {Operation} operation */
async function write(operation) {
  if (operation.value === undefined) await opened().del(operation.key)
  else await opened().put(operation.key, operation.value)
  count(operation)
}

/** The next operation of the workload. */
async function writeNext() {
  const { key, value } = workload.next()
  await write({ type: value === undefined ? 'del' : 'put', key, value })
}

/** How the database is, and what happened since the last call. */
function now() {
  return { ...opened().state(), events: opened().takeEvents(), done: workload.done, isDone: workload.isDone, userBytes, liveBytes, liveEntries: live.size, reads, blocksRead }
}

/** any: each call has its own arguments and answers @type {Record<string, (...args: any[]) => Promise<any>>} */
const calls = {
  /** @param {import('varve/inspect').LiveOptions} options @param {Settings} settings */
  async open(options, settings) {
    await database?.close()
    database = await openLive(options)
    workload = new Workload(settings)
    live = new Map()
    liveBytes = userBytes = reads = blocksRead = 0
    return now()
  },

  /** Goes on with the workload and with background work. @param {number} operations */
  async run(operations) {
    const start = performance.now()
    for (let left = operations; left > 0 && !workload.isDone; left--) {
      await writeNext()
      if (opened().isDue) await opened().work(WORK_BYTES)
      if (performance.now() - start > TIME_MAX) break
    }
    if (workload.isDone) await opened().settle()
    return now()
  },

  /** Begins or ends the job that is due; else goes on until one is due. */
  async step() {
    if (!await opened().step()) {
      while (!workload.isDone && !opened().isDue) await writeNext()
    }
    return now()
  },

  /** @param {Operation[]} operations */
  async write(operations) {
    if (operations.length === 1) await write(operations[0])
    else {
      await opened().batch(/** @type {any} any: those with a value are puts */ (operations))
      operations.forEach(count)
    }
    return now()
  },

  /** @param {Uint8Array} key */
  async get(key) {
    const before = opened().state().counters
    const value = await opened().get(key)
    const after = opened().state().counters
    const [read, cached, noes] = /** @type {const} */ (['blockReads', 'blockCacheHits', 'filterNegatives']).map((name) => after[name] - before[name])
    reads++
    blocksRead += read + cached
    return { value, read, cached, noes, now: now() }
  },

  /** @param {{ gte?: Uint8Array, lt?: Uint8Array, limit: number }} range */
  async entries(range) {
    return opened().entries(range)
  },

  async flush() {
    await opened().flush()
    return now()
  },

  async compact() {
    await opened().compact()
    return now()
  },

  /** The files as they are now. */
  async files() {
    const files = []
    for (const { name, size, read } of opened().files()) {
      const bytes = new Uint8Array(size)
      await read(0, bytes)
      files.push({ name, size, blob: new Blob([bytes]) })
    }
    return files
  }
}

/** @param {string} call @param {any[]} args any: as of the call */
export function liveCall(call, args) {
  return calls[call](...args)
}
