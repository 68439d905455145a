// An engine that the tabs of a browser share, with the methods of WorkerEngine.
import { isFull } from '../engine/module.js'
import { WorkerEngine } from '../remote/client.js'
import { startThread } from '#thread'
import { TabConnection } from './connection.js'
import { serveWorker } from './worker.js'

/** @typedef {import('./connection.js').Listeners} Listeners */

/**
 * How a database is used: `engine` is of this thread, with its `turns` and what closes it, or in
 * another, without them.
 * any: Engine or WorkerEngine, which share their methods
 * @typedef {{ engine: any, turns?: import('../engine/scheduler.js').Turns, close?(): Promise<void> }} Opened
 */

/**
 * Opens a database in a worker of this page, or joins the tab that has it open.
 * @param {any} storage any: describes the files to a worker
 * @param {any} options any: the engine's, and `multiTab`
 * @param {Listeners} listeners
 * @param {import('../remote/connection.js').MakeWorker} [makeWorker]
 * @returns {Promise<Opened>}
 */
export async function openShared(storage, options, listeners, makeWorker) {
  const connection = await TabConnection.open(storage, options, listeners, (to, isFullNeeded) => startThread(to, isFull() || isFullNeeded, makeWorker))
  return { engine: engineOf(connection, options) }
}

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
  const connection = await TabConnection.open(files, options, listeners, ({ receive }) => {
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

/** @param {TabConnection} connection @param {any} options any: the engine's */
function engineOf(connection, options) {
  return new WorkerEngine(/** @type {any} any: it shares Connection's methods */ (connection), options)
}
