// Chromium keeps the index of all private files in a LevelDB, and goes on with the log that it finds.
// If the browser was killed while a record was being written, that record is torn. What follows it in
// its block of 32 KiB is dropped when the browser starts again: files that were created after a kill
// are then gone, although everything was flushed. Records in later blocks are read.
//
// So a file with a name longer than a block is created, and removed, before any other is created: its
// record takes the rest of the block.

/** The record holds the name twice. */
const LENGTH = 33_000

const PREFIX = 'varve-seal-'

/** @type {Promise<void> | undefined} */
let sealing

/**
 * Resolves when files and directories can be created, in any directory: the first call of a worker
 * takes some milliseconds.
 */
export function sealed() {
  sealing ??= seal()
  return sealing
}

async function seal() {
  // Firefox keeps its index in SQLite.
  if (/ Gecko\/\d/.test(globalThis.navigator?.userAgent ?? '')) return
  try {
    const root = await navigator.storage.getDirectory()
    // Of its own name: where there is one already, nothing is written.
    await root.getFileHandle(PREFIX + Math.random().toString(36).slice(2).padEnd(LENGTH, '-'), { create: true })
    void removeSeals(root).catch(() => {})
  } catch {
    // WebKit allows no such name. It has no such index.
  }
}

/** Also those of workers that were ended before they could. @param {FileSystemDirectoryHandle} root */
async function removeSeals(root) {
  for await (const name of root.keys()) {
    if (name.startsWith(PREFIX)) await root.removeEntry(name)
  }
}
