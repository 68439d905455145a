// A database that is filled until the storage is full, and what it must hold, for tests that call it
// by page.evaluate(). Each value follows from its key and its version, so that it need not be kept.
import { Varve } from '/pkg/browser.js'

/** Writes that are under way at a time. */
const TOGETHER = 16

/** Attempts after which the storage counts as full, with pauses in which the host is idle. */
const ATTEMPTS = 3
const PAUSE_MS = 400

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** A generator of 32-bit numbers. */
function numbers(seed) {
  let state = (seed ^ 0x9e3779b9) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let z = Math.imul(state ^ (state >>> 15), state | 1)
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61)
    return (z ^ (z >>> 14)) >>> 0
  }
}

/** A value that cannot be compressed. */
function valueOf(key, size) {
  let seed = size
  for (let i = 0; i < key.length; i++) seed = Math.imul(seed, 31) + key.charCodeAt(i)
  const next = numbers(seed)
  const words = new Uint32Array(Math.ceil(size / 4))
  for (let i = 0; i < words.length; i++) words[i] = next()
  return new Uint8Array(words.buffer, 0, size)
}

const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i])

/** The database, and the size of the value of each key that it must hold. */
const page = {
  /** @type {any} */
  db: undefined,
  next: numbers(1),
  /** @type {Map<string, number>} */
  sizes: new Map(),
  /** Keys whose write failed with an unknown result. */
  maybe: new Set(),
  /** Bytes of live data at the first error of the last `fill`. */
  liveAtFirstError: 0,

  async open(name, options = {}) {
    page.db = new Varve(name, { valueEncoding: 'view', ...options })
    try {
      await page.db.open()
    } catch (error) {
      return error.cause?.code ?? error.code
    }
    return 'open'
  },

  async close() {
    await page.db.close().catch(() => page.db.close())
  },

  seed(seed) { page.next = numbers(seed) },

  live() {
    let bytes = 0
    for (const [key, size] of page.sizes) bytes += key.length + size
    return bytes
  },

  /** Puts one new entry; resolves with its error's code, or undefined. */
  async putNew(sync = false) {
    const key = page.next().toString(16).padStart(8, '0') + page.next().toString(16).padStart(8, '0')
    const size = 2000 + page.next() % 6000
    try {
      await page.db.put(key, valueOf(key, size), { sync })
      page.sizes.set(key, size)
    } catch (error) {
      if (error.maybeApplied) page.maybe.add(key)
      return error.code
    }
  },

  /** Puts entries until all fail although the host was idle, or `bytes` are written; resolves with the codes of the errors. */
  async fill(bytes = Infinity) {
    const codes = {}
    const most = page.live() + bytes
    page.liveAtFirstError = 0
    for (let refused = 0; refused < ATTEMPTS && page.live() < most;) {
      const found = await Promise.all(Array.from({ length: TOGETHER }, (_, i) => page.putNew(i === 0 && page.next() % 8 === 0)))
      for (const code of found) if (code !== undefined) codes[code] = (codes[code] ?? 0) + 1
      if (page.liveAtFirstError === 0 && found.some((code) => code !== undefined)) page.liveAtFirstError = page.live()
      refused = found.every((code) => code !== undefined) ? refused + 1 : 0
      if (refused > 0) await pause(PAUSE_MS)
    }
    return codes
  },

  /** Deletes all keys but every `nth`; resolves with the codes of the errors. */
  async keepEvery(nth) {
    const codes = {}
    const keys = [...page.sizes.keys()].sort().filter((_, i) => i % nth !== 0)
    for (let at = 0; at < keys.length; at += TOGETHER) {
      await Promise.all(keys.slice(at, at + TOGETHER).map(async (key) => {
        try {
          await page.db.del(key)
          page.sizes.delete(key)
        } catch ({ code }) {
          codes[code] = (codes[code] ?? 0) + 1
        }
      }))
    }
    return codes
  },

  /** Resolves with what differs from what was acknowledged; the first few. */
  async differences() {
    const found = []
    const tell = (what) => { if (found.length < 5) found.push(what) }
    const missing = new Map(page.sizes)
    for await (const [key, value] of page.db.iterator()) {
      const size = missing.get(key)
      if (size === undefined && !page.maybe.has(key)) tell(`${key} should not be there`)
      else if (!same(value, valueOf(key, value.length)) || (size !== undefined && size !== value.length)) tell(`${key} has a wrong value`)
      missing.delete(key)
    }
    for (const key of missing.keys()) tell(`${key} is lost`)
    return found
  },

  /** Reads some keys one by one; resolves with the number of wrong values. */
  async wrongOnes(count) {
    let wrong = 0
    const keys = [...page.sizes.keys()]
    for (let i = 0; i < count; i++) {
      const key = keys[page.next() % keys.length]
      const value = await page.db.get(key)
      if (value === undefined || !same(value, valueOf(key, page.sizes.get(key)))) wrong++
    }
    return wrong
  },

  /** The size of an export. */
  async exported() {
    let bytes = 0
    const reader = page.db.export().getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return bytes
      bytes += value.length
    }
  },

  async compact() {
    try {
      await page.db.compactRange()
      return 'compacted'
    } catch ({ code, message }) {
      return `${code}: ${message}`
    }
  },

  async resume() {
    try {
      await page.db.resume()
      return 'resumed'
    } catch ({ code }) {
      return code
    }
  },

  firstError: () => page.liveAtFirstError,

  async info() {
    const { state, durability, quota, usage, levels, cause } = await page.db.info()
    return { state, durability, quota, usage, cause: cause?.code, levels: levels.map(({ bytes }) => bytes >> 10) }
  },

  /** What must be there, to be told to the page after a reload. */
  told: () => [[...page.sizes], [...page.maybe]],
  tell([sizes, maybe]) { [page.sizes, page.maybe] = [new Map(sizes), new Set(maybe)] }
}

Object.assign(globalThis, { Varve, page, isReady: true })
