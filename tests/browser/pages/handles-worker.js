// The worker's part of handles.test.mjs: opens files of one directory.
import { RawFiles } from '/src/js/storage/browser/raw-files.js'

const COUNT = 40
const NAMES = Array.from({ length: COUNT }, (_, i) => `file-${i}`)

/** @type {RawFiles} */
let files

const tell = (kind, value) => postMessage({ kind, value })

async function newOwner(directory) {
  files = new RawFiles(['handles', directory])
  await files.list(true)
}

/** Begins to open files, creating those that are missing; resolves with the errors. */
async function openFiles(names) {
  const settled = await Promise.allSettled(names.map(async (name) => {
    await files.open(name, true)
    tell('opened')
  }))
  return settled.flatMap(({ reason }, i) => (reason ? [`${names[i]}: ${reason}`] : []))
}

/**
 * Has a new owner open all files; resolves with the times at which handles were open. The first file
 * is opened alone: of calls made together, Firefox answers the first hardly before the last.
 */
async function take(directory) {
  await newOwner(directory)
  const failures = await openFiles(NAMES.slice(0, 1))
  const first = Date.now()
  failures.push(...await openFiles(NAMES.slice(1)))
  return { first, all: Date.now(), failures }
}

const act = {
  /** Opens all files at once, and says so before any is open. */
  async begin(directory) {
    await newOwner(directory)
    void openFiles(NAMES)
    tell('begun')
  },

  async take(directory) {
    tell('done', await take(directory))
  },

  /** As after a trap of the engine: a new owner replaces one whose opens are in flight. */
  async trap(directory, delay) {
    await newOwner(directory)
    const old = files
    void openFiles(NAMES)
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay))
    const opened = old.count
    const at = Date.now()
    await old.closeAll()
    const closed = Date.now()
    tell('done', { at, opened, closed, ...await take(directory) })
  },

  async end(directory, isLast) {
    await files.closeAll()
    if (isLast) await files.removeAll()
    tell('ended')
  }
}

onmessage = ({ data: { name, args } }) => {
  act[name](...args).catch((error) => tell('failed', error))
}
