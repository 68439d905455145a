// An engine that the tabs of a browser share, with the methods of WorkerEngine.
import { WorkerEngine } from '../remote/client.js'
import { TabConnection } from './connection.js'

/**
 * @param {any} storage any: describes the files to a worker
 * @param {any} options any: the engine's, and `multiTab`
 * @param {import('./connection.js').Listeners} listeners
 */
export async function openShared(storage, options, listeners) {
  return new WorkerEngine(/** @type {any} any: it shares Connection's methods */ (await TabConnection.open(storage, options, listeners)), options)
}
