// Runs workloads on one database, in a page or in a worker. Every value read is compared with the
// value written.
import { data, each } from './data.js'

/** @type {any} any: the methods of a peer (peers/) */
let store
let opened = 0
/** @type {(name: string, durable: boolean) => any} any: a peer, or undefined if it has no durable writes */
let open
let cap = 1000
let entries = data(0)

/** @param {string} peer @param {number} n @param {number} ms at most for a workload */
export async function begin(peer, n, ms) {
  ({ open } = await import(`./peers/${peer}.js`))
  entries = data(n)
  cap = ms
}

async function fresh(durable = false) {
  await store?.close()
  store = await open(`bench ${opened++}`, durable)
  return store !== undefined
}

/** @param {Uint8Array | undefined} value @param {number} i */
function check(value, i) {
  const wanted = entries.values[i]
  if (value?.length !== wanted.length || value[0] !== wanted[0] || value[99] !== wanted[99]) throw new Error(`the value of key ${i} differs from the written one`)
}

/** Loads all entries: reads follow. @param {number} size of a batch */
async function fill(size) {
  await fresh()
  const { keys, values, shuffled, n } = entries
  for (let at = 0; at < n; at += size) {
    await store.batch(shuffled.slice(at, at + size).map((j) => ({ type: 'put', key: keys[j], value: values[j] })))
  }
  return n
}

/** @type {Record<string, () => Promise<number | undefined>>} */
const WORKLOADS = {
  async fillseq() {
    await fresh()
    return each(entries.n, cap, (i) => store.put(entries.keys[i], entries.values[i], false))
  },

  /** Sixty-four puts are begun before the first one is awaited. */
  async fillrandom_64_at_once() {
    await fresh()
    const { keys, values, shuffled, n } = entries
    return 64 * await each(n >> 6, cap, (i) => Promise.all(shuffled.slice(i << 6, i + 1 << 6).map((j) => store.put(keys[j], values[j], false))))
  },

  async fillsync() {
    if (!await fresh(true)) return undefined
    const { keys, values, shuffled, n } = entries
    return each(n, cap, (i) => store.put(keys[shuffled[i]], values[shuffled[i]], true))
  },

  fillrandom_batch100: () => fill(100),
  fillrandom_batch1000: () => fill(1000),

  readrandom: () => each(entries.n, cap, async (i) => check(await store.get(entries.keys[entries.reads[i]]), entries.reads[i])),

  async readrandom_64_at_once() {
    const { keys, reads, n } = entries
    return 64 * await each(n >> 6, cap, async (i) => {
      const some = reads.slice(i << 6, i + 1 << 6)
      const found = await Promise.all(some.map((j) => store.get(keys[j])))
      for (let k = 0; k < some.length; k++) check(found[k], some[k])
    })
  },

  async readseq() {
    let i = 0
    for await (const page of store.pages()) {
      for (const [key, value] of page) {
        if (key[15] !== entries.keys[i][15]) throw new Error(`key ${i} of the scan differs`)
        check(value, i++)
      }
    }
    if (i !== entries.n) throw new Error(`${i} entries of ${entries.n}`)
    return i
  }
}

export const ALL = Object.keys(WORKLOADS)

/** @param {string} workload @returns how many operations in how many seconds; undefined if it cannot be done */
export async function run(workload) {
  const start = performance.now()
  const ops = await WORKLOADS[workload]()
  return ops === undefined ? undefined : { ops, seconds: (performance.now() - start) / 1000 }
}
