// An engine that the tabs of a browser share, opened by a worker of the program's own: in place while
// it owns the files.
import { TabConnection } from './connection.js'
import { engineOf } from './tab-engine.js'
import { serveWorker } from './worker.js'

/** @typedef {import('./connection.js').Listeners} Listeners */
/** @typedef {import('./tab-engine.js').Opened} Opened */

/**
 * Opens a database in this worker, or joins the tab that has it open.
 * @param {any} files any: RawFiles
 * @param {any} options any: the engine's, and `multiTab`
 * @param {Listeners} listeners
 * @returns {Promise<Opened>}
 */
export async function openHere(files, options, listeners) {
  /** @type {import('../remote/host.js').Host | undefined} */
  let host
  const connection = await TabConnection.open(files, { ...options, openTables: true }, listeners, ({ receive }) => {
    /** @type {(message: any) => void} any: see worker.js */
    let hear = () => {}
    const later = (/** @type {() => void} */ act) => { queueMicrotask(act) }
    host = serveWorker({
      post: (message) => later(() => receive(message)),
      listen: (listener) => { hear = listener }
    }, () => files, true)
    return {
      post: (message) => later(() => hear(message)),
      end() { files.release() }
    }
  })
  if (!connection.isOwner || host === undefined) return { engine: engineOf(connection, options) }
  connection.detach()
  const own = host
  return {
    engine: own.engine,
    turns: own.turns,
    // Opening read-only takes no lock in the engine, which so does not free it.
    close: () => own.close([]).finally(() => files.release())
  }
}
