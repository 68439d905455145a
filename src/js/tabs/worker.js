// A worker of a page: it opens the engine for the page, at once or, for a database that several tabs
// share, when it gets the lock of the files.
//
//   from the page   { member: { named, storage, why, options, id, isExclusive } }, { joined: true }, { leave: true },
//                   { room: port }, else see session.js
//   to the page     { opened: place }, { needsFull: place }, { failed }, { left: true }, else see session.js
import { shareInstances } from '../engine/instance.js'
import { loadModule } from '../engine/module.js'
import { describe } from '../remote/failure.js'
import { Host } from '../remote/host.js'
import { Session } from '../remote/session.js'
import { stayAlive } from './alive.js'
import { Owner } from './owner.js'

/**
 * any: messages and their parts are defined elsewhere
 * @typedef {{ post(message: any, transfer?: any[]): void, listen(receive: (message: any) => void): void }} Port
 */

/**
 * Serves the page that this worker is of: one database, and others over ports (threads.js).
 * @param {(name: string, base?: unknown, kind?: string) => any} directoryAt any: as serveWorker
 * @param {(message: any) => boolean} [isOther] any: takes a message that is for somebody else
 */
export function servePage(directoryAt, isOther = () => false) {
  const serve = (/** @type {any} any: the scope of a worker, or a MessagePort */ port) => serveWorker({
    post: (message, transfer) => port.postMessage(message, { transfer }),
    listen: (receive) => {
      port.onmessage = (/** @type {MessageEvent} */ { data }) => {
        if (data.room === undefined) {
          if (!isOther(data)) receive(data)
          return
        }
        shareInstances()
        serve(data.room)
      }
    }
  }, directoryAt)
  serve(self)
}

/**
 * @param {Port} port to the page
 * @param {(name: string, base?: unknown, kind?: string) => any} directoryAt any: the storage of a named database
 * @param {boolean} [isDirect] whether the page calls the engine itself
 * @returns {Host}
 */
export function serveWorker(port, directoryAt, isDirect = false) {
  // Compiled by the time it is needed; its failure is reported then.
  loadModule().catch(() => {})
  const host = new Host(directoryAt)
  /** Whether the page has joined another owner, so that the database exists. */
  let hasJoined = false
  /** @type {any} any: RawFiles and the like */
  let files
  const session = new Session({
    post: port.post,
    listen: (receive) => port.listen((message) => {
      if (message.member !== undefined) join(message.member)
      else if (message.joined !== undefined) hasJoined = true
      else if (message.leave !== undefined) leave()
      else receive(message)
    })
  }, host)

  /** @param {{ named: string, storage?: string, why?: string, options: any, id: string, isExclusive: boolean }} place any: the engine's options */
  async function join({ named, storage, why, options, id, isExclusive }) {
    try {
      files = await directoryAt(named, undefined, storage)
      const place = { storage: files.kind, durability: files.durability, why: files.why ?? why }
      if (files.needsFull) return port.post({ needsFull: place })
      await (isExclusive ? files.acquire() : files.acquire(Infinity))
      const existing = hasJoined ? { createIfMissing: false, errorIfExists: false } : {}
      let owner = /** @type {Owner | undefined} */ (undefined)
      await host.openFiles(files, { ...options, ...existing }, (info) => {
        session.recovered(info)
        owner?.recovered(info)
      })
      const letGo = await stayAlive(id)
      port.post({ opened: place })
      owner = new Owner(host, {
        name: files.lockName,
        place,
        id,
        letGo,
        isExclusive,
        isReadOnly: options.readOnly === true,
        yieldTo: isDirect ? undefined : yieldTo,
        tell: (event, info) => port.post({ tab: event, info })
      })
    } catch (error) {
      await files?.release()
      port.post({ failed: describe(error) })
    }
  }

  return host

  /** Closes the database, or stops waiting for it: the worker goes on for others. */
  async function leave() {
    await session.stop()
    if (host.engine !== undefined) await host.close([]).catch(() => {})
    await files?.release()
  }

  /** Closes the database, so that another tab can open it. */
  async function yieldTo() {
    await session.stop()
    // A failed engine has nothing to close. The page ends this worker, which frees the files.
    await host.close([]).catch(() => {})
    port.post({ left: true })
  }
}
