// Chromium keeps the index of an origin's private files in a LevelDB, and its IndexedDB in another, and
// goes on with the log that it finds. If the browser was killed while a record was being written, that
// record is torn. What follows it in its block of 32 KiB is dropped when the browser starts again: files
// that were created after a kill are then gone, and strict transactions, although everything was flushed.
// Records in later blocks are read.
//
// So a record that takes the rest of the block is written before any other: for files by a name longer
// than a block, in IndexedDB by a value.
import { isFirefox } from './place.js'

/** A block has 32,768 bytes. Chromium makes a file of a value with 65,509 bytes or more. */
const LENGTH = 33_000

const PREFIX = 'varve-seal-'

const uniqueName = () => PREFIX + Math.random().toString(36).slice(2)

/** @type {Promise<void> | undefined} */
let files

/** @type {Promise<void> | undefined} */
let databases

/**
 * Resolves when files and directories can be created, in any directory: the first call of a worker
 * takes some milliseconds.
 */
export function sealed() {
  files ??= sealFiles()
  return files
}

/** The same for the databases of IndexedDB. */
export function sealedDatabases() {
  databases ??= sealDatabases().catch(() => {})
  return databases
}

async function sealFiles() {
  // Firefox keeps its index in SQLite.
  if (isFirefox()) return
  try {
    const root = await navigator.storage.getDirectory()
    // Of its own name: where there is one already, nothing is written.
    await root.getFileHandle(uniqueName().padEnd(LENGTH, '-'), { create: true })
    void removeSeals(root).catch(() => {})
  } catch {
    // WebKit allows no such name. It has no such index.
  }
}

/** Also those of workers that were ended before they could. @param {FileSystemDirectoryHandle} root */
async function removeSeals(root) {
  for await (const name of root.keys()) {
    // Another worker may have removed it.
    if (name.startsWith(PREFIX)) await root.removeEntry(name).catch(() => {})
  }
}

/** @returns {Promise<void>} */
function sealDatabases() {
  // The others keep theirs in SQLite.
  if (!/Chrom/.test(globalThis.navigator?.userAgent ?? '')) return Promise.resolve()
  return new Promise((resolve) => {
    const opening = indexedDB.open(uniqueName())
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore('seal').put('-'.repeat(LENGTH), 0)
    }
    opening.onsuccess = () => {
      opening.result.close()
      void removeSealDatabases().catch(() => {})
      resolve()
    }
    // What was to be opened tells of the same trouble.
    opening.onerror = () => resolve()
  })
}

/** As above. */
async function removeSealDatabases() {
  for (const { name } of await indexedDB.databases()) {
    if (name?.startsWith(PREFIX)) indexedDB.deleteDatabase(name)
  }
}
