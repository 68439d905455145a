// An engine that the tabs of a browser share, with the methods of WorkerEngine. A window loads this
// before it opens a database by name.
import { isFull } from '../engine/module.js'
import { WorkerEngine } from '../remote/client.js'
import { Elsewhere } from '../storage/browser/elsewhere.js'
import { pathOf } from '../storage/browser/path.js'
import { TabConnection } from './connection.js'
import { threadFor } from './threads.js'

/** @typedef {import('./connection.js').Listeners} Listeners */

/**
 * How a database is used: `engine` is of this thread, with its `turns` and what closes it, or in
 * another, without them.
 * any: Engine or WorkerEngine, which share their methods
 * @typedef {{ engine: any, turns?: import('../engine/scheduler.js').Turns, close?(): Promise<void> }} Opened
 */

/**
 * The database `location`, for a window.
 * @param {string} location
 * @param {string} [kind] 'opfs', 'indexeddb', or 'auto'
 */
export const elsewhere = (location, kind = 'auto') => new Elsewhere(pathOf(location), location, kind)

/**
 * Opens a database in a worker of this page, or joins the tab that has it open.
 * @param {any} storage any: describes the files to a worker
 * @param {any} options any: the engine's, and `multiTab`
 * @param {Listeners} listeners
 * @param {import('../remote/connection.js').MakeWorker} [makeWorker]
 * @returns {Promise<Opened>}
 */
export async function openShared(storage, options, listeners, makeWorker) {
  const connection = await TabConnection.open(storage, options, listeners, (to, isFullNeeded) => threadFor(to, isFull() || isFullNeeded, makeWorker))
  return { engine: engineOf(connection, options) }
}

/** @param {TabConnection} connection @param {any} options any: the engine's */
export function engineOf(connection, options) {
  return new WorkerEngine(/** @type {any} any: it shares Connection's methods */ (connection), options)
}
