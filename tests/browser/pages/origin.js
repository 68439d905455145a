// A database that one tab writes and another reads by its files, for tests that call this page by
// page.evaluate(). Puts are numbered, so that a reader can tell a prefix of them from anything else.
import { BlobStorage } from '/pkg/blob.js'
import { Varve } from '/pkg/full.js'
import { databasesOfOrigin, filesOfOrigin } from '/pkg/inspect.js'

/** The writer's progress: puts that were begun, and that were acknowledged. */
const progress = { begun: 0, acknowledged: 0, slowest: 0, isDone: true }
let writing = Promise.resolve()
let stopped = false

const keyOf = (number) => String(number).padStart(8, '0')

/** Most are small; some cross the blocks of a log, and a few are as large as several. */
function valueOf(number) {
  const size = number % 1000 === 999 ? 150_000 : number % 50 === 49 ? 5000 : 80 + number % 41
  return `${number}|`.padEnd(size, String.fromCharCode(97 + number % 26))
}

/** Puts until `count` are done or it is stopped, `together` at a time. */
async function write(count, together) {
  stopped = false
  const start = performance.now()
  const first = progress.begun
  while (progress.begun < first + count && !stopped) {
    const puts = []
    const begun = performance.now()
    for (let i = 0; i < together; i++, progress.begun++) puts.push(db.put(keyOf(progress.begun), valueOf(progress.begun)))
    await Promise.all(puts)
    progress.acknowledged = progress.begun
    progress.slowest = Math.max(progress.slowest, performance.now() - begun)
  }
  return { count: progress.begun - first, ms: performance.now() - start }
}

Object.assign(globalThis, {
  Varve,
  databasesOfOrigin,
  filesOfOrigin,

  async own(name, options) {
    globalThis.db = new Varve(name, options)
    await db.open()
  },

  /** Starts to write; `done` waits for the end. */
  begin(count, together) {
    progress.slowest = 0
    progress.isDone = false
    writing = write(count, together).finally(() => { progress.isDone = true })
  },

  done: () => writing,

  stopWriting() {
    stopped = true
    return writing
  },

  progress: () => ({ ...progress }),

  /** Numbers the next puts from 0. */
  reset() {
    progress.begun = progress.acknowledged = 0
  },

  /** Opens the files that are there now, and counts the puts in them: an error unless they are a prefix. */
  async count(name, storage, options) {
    const start = performance.now()
    const { files, sequence, repeated } = await filesOfOrigin(name, storage, options)
    const took = performance.now() - start
    const problems = files.filter(({ problem }) => problem !== undefined)
    if (problems.length > 0) throw new Error(`${problems[0].name}: ${problems[0].problem}`)
    const copy = new Varve(null, { storage: new BlobStorage(new Map(files.map(({ name, blob }) => [name, blob]))), readOnly: true, createIfMissing: false })
    try {
      await copy.open()
      const { recovery } = await copy.info()
      if (recovery.findings.length > 0) throw recovery.findings[0]
      let number = 0
      for await (const [key, value] of copy.iterator()) {
        if (key !== keyOf(number)) throw new Error(`the put after ${number - 1} is ${key}`)
        if (value !== valueOf(number)) throw new Error(`put ${number} has another value`)
        number++
      }
      return { count: number, sequence, repeated, took, tables: files.filter(({ name }) => name.endsWith('.ldb')).length }
    } finally {
      await copy.close()
    }
  },

  /** The entries of the files that are there now, and the damage that is found in them. */
  async read(name, storage) {
    const { files } = await filesOfOrigin(name, storage)
    const copy = new Varve(null, { storage: new BlobStorage(new Map(files.map(({ name, blob }) => [name, blob]))), readOnly: true, createIfMissing: false })
    try {
      const rows = await copy.iterator().all()
      const { recovery } = await copy.info()
      return { rows, findings: recovery.findings.map(({ message }) => message) }
    } finally {
      await copy.close()
    }
  },

  /** Name, size and SHA-256 of each file. */
  async digests(name, storage) {
    const { files } = await filesOfOrigin(name, storage)
    return Promise.all(files.map(async ({ name, size, blob }) => [name, size, String(new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer())))]))
  },

  /** The names of the raw files of a database that are not empty. */
  async rawNames(name) {
    const directory = await (await (await navigator.storage.getDirectory()).getDirectoryHandle('varve')).getDirectoryHandle(name)
    const names = []
    for await (const [found, handle] of directory.entries()) {
      if (/^p\d{5}$/.test(found) && (await handle.getFile()).size > 0) names.push(found)
    }
    return names
  },

  /** How often filesOfOrigin fails in `ms`, and in `min` openings. */
  async attempts(name, storage, ms, options, min = 1) {
    const counts = { openings: 0, failed: 0, repeated: 0, took: [] }
    for (const end = performance.now() + ms; performance.now() < end || counts.openings < min; counts.openings++) {
      const start = performance.now()
      try {
        counts.repeated += (await filesOfOrigin(name, storage, options)).repeated
        counts.took.push(performance.now() - start)
      } catch (error) {
        if (error.code !== 'LEVEL_SOURCE_CHANGED') throw error
        counts.failed++
      }
    }
    return counts
  },

  /** All that is stored here: names of files and directories, of databases and of their stores. */
  async stored() {
    const found = []
    async function walk(directory, path) {
      for await (const [name, handle] of directory.entries()) {
        if (name.startsWith('varve-seal-')) continue
        found.push(path + name)
        if (handle.kind === 'directory') await walk(handle, `${path}${name}/`)
      }
    }
    await walk(await navigator.storage.getDirectory(), '/')
    for (const { name, version } of await indexedDB.databases()) found.push(`${name} ${version}`)
    return found.sort()
  },

  isReady: true
})
