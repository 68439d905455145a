// Runs abstract-level's suite, and tests that it lacks, where this script is loaded: in a window,
// whose databases are opened by the package's workers, in files or in IndexedDB, or in a dedicated
// worker, in place. The test
// bundles it with its own copy of the package.
import suite from 'abstract-level/test'
import batchTests from 'abstract-level/test/batch-test'
import commonOf from 'abstract-level/test/common'
import rangeTests from 'abstract-level/test/iterator-range-test'
import putTests from 'abstract-level/test/put-test'
import test from 'tape'
import { Varve } from '../../../src/js/index.js'
import { ownTests } from '../../js/lib/level-tests.mjs'

const isWindow = typeof document !== 'undefined'

/** With more than these, some that the suite does not use any more are closed. */
const OPEN_MAX = 50

/** How long files of a page that was loaded again may stay open. */
const PATIENCE_MS = 5000

/** Open databases. @type {Set<Varve>} */
const open = new Set()
/** The latest sublevel of a database. @type {WeakMap<Varve, any>} */
const latest = new WeakMap()
const told = { databases: 0, openTogether: 0 }
/** The storage of databases; undefined: files. */
let storage

function factory(options) {
  if (open.size >= OPEN_MAX) closeSome()
  const db = new Varve(`suite ${told.databases++}`, storage === undefined ? options : { ...options, storage })
  db.on('open', () => { told.openTogether = Math.max(told.openTogether, open.add(db).size) })
  db.on('closed', () => open.delete(db))
  const { sublevel } = db
  db.sublevel = (...args) => {
    const made = sublevel.apply(db, args)
    latest.set(db, made)
    return made
  }
  return db
}

/** Run on sublevels, the suite closes these and leaves their databases open; one cannot be closed. */
function closeSome() {
  for (const db of open) if (latest.get(db)?.status === 'closed') db.close().catch(() => {})
}

/**
 * Runs all tests, or a sample; each line of the TAP is told.
 * @param {(line: string) => void} tell
 */
function runAll(tell, isSample = false) {
  let text = ''
  test.createStream().on('data', (chunk) => {
    const lines = (text + chunk).split('\n')
    text = lines.pop()
    lines.forEach(tell)
  })
  if (isSample) {
    const common = commonOf({ test, factory })
    for (const tests of [putTests, batchTests, rangeTests]) tests.all(test, common)
  } else {
    suite({ test, factory })
  }
  ownTests(test, Varve, factory, { inPlace: !isWindow, hasProperties: !isWindow })
  return new Promise((resolve) => test.onFinish(() => resolve(told)))
}

/** The name of the database that is kept under this one: `varve/suite%201`. */
const nameOf = (kept) => decodeURIComponent(kept.slice('varve/'.length))

const failed = (error) => String(error?.stack ?? error)

/** What the page tells: lines that were not read yet, and an end. */
const page = { lines: [], result: undefined, failure: undefined }

const runIn = {
  window: () => runAll((line) => page.lines.push(line)),

  indexeddb(isSample) {
    storage = 'indexeddb'
    return runAll((line) => page.lines.push(line), isSample)
  },

  worker: () => new Promise((resolve, reject) => {
    const worker = new Worker(new URL('/suite/abstract-level.js', location.href), { type: 'module' })
    worker.onerror = reject
    worker.onmessage = ({ data: { line, result, failure } }) => {
      if (line !== undefined) page.lines.push(line)
      else if (failure !== undefined) reject(failure)
      else resolve(result)
    }
  })
}

if (isWindow) {
  Object.assign(globalThis, {
    isReady: true,

    run(place, isSample) {
      runIn[place](isSample).then((result) => { page.result = result }, (error) => { page.failure = failed(error) })
    },

    news: () => ({ ...page, lines: page.lines.splice(0) }),

    /** Removes all databases, which were of an earlier page; rejects if a file of one stays open. */
    async removeAll(place) {
      if (place === 'indexeddb') {
        for (const { name } of await indexedDB.databases()) await Varve.destroy(nameOf(name), { storage: place })
        return
      }
      const root = await navigator.storage.getDirectory()
      for (const end = performance.now() + PATIENCE_MS; ;) {
        try {
          return await root.removeEntry('varve', { recursive: true })
        } catch (error) {
          if (performance.now() > end) throw error
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      }
    }
  })
} else {
  runAll((line) => postMessage({ line })).then((result) => postMessage({ result }), (error) => postMessage({ failure: failed(error) }))
}
