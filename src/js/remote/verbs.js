// The methods of an engine that other threads can call, with their arguments and results.
//
//   request = verb u8, argument*
//   answer  = number of the request u32, 1, result  |  number, 0, extra (a description of an error)
//
// Requests carry no numbers: both sides count the requests that have a reply.
import { allocate } from '../bytes/bytes.js'
import { readText } from '../bytes/text.js'
import { describe, revive } from './failure.js'

/**
 * Writes and reads one type. In a session, some reads need its handles (session.js).
 * any: each codec has its own type.
 * @typedef {{ write(out: import('./messages.js').Outbox, value: any): void,
 *             read(from: import('./messages.js').Inbox, session?: any): any }} Codec
 */

// ---- Arguments and results ----

/** @type {Codec} */
const NOTHING = { write() {}, read() {} }
/** @type {Codec} */
const FLAG = { write: (out, value) => out.u8(value ? 1 : 0), read: (from) => from.u8() === 1 }
/** A flag, or undefined. @type {Codec} */
const CHOICE = { write: (out, value) => out.u8(value === undefined ? 2 : Number(value)), read: (from) => [false, true][from.u8()] }
/** @type {Codec} */
const NUMBER = { write: (out, value) => out.f64(value), read: (from) => from.f64() }
/** Bytes or undefined; read as a view of the message. @type {Codec} */
const BYTES = { write: (out, value) => out.bytes(value), read: (from) => from.bytes() }
/** A cloneable object. @type {Codec} */
const PLAIN = { write: (out, value) => out.extra(value), read: (from) => from.extra() }

/** @type {Codec} */
const KEYS = {
  write(out, keys) {
    out.u32(keys.length)
    for (const key of keys) out.bytes(key)
  },
  read: (from) => Array.from({ length: from.u32() }, () => from.bytes())
}

/** A value that the caller will own, or undefined. @type {Codec} */
const VALUE = {
  write(out, value) {
    out.u8(value === undefined ? 0 : 1)
    if (value !== undefined) out.handOver(value)
  },
  read: (from) => from.u8() === 0 ? undefined : from.handedOver()
}

/** A value as a string, or undefined. @type {Codec} */
const TEXT = { write: (out, value) => out.bytes(value), read: (from) => from.text(readText) }

/** Values or undefined, in one shared buffer. @type {Codec} */
const VALUES = {
  write(out, values) {
    out.u32(values.length)
    for (const value of values) out.bytes(value)
  },
  read(from) {
    const views = KEYS.read(from)
    const all = allocate(views.reduce((/** @type {any} any: each codec has its own type */ size, /** @type {any} any: each codec has its own type */ view) => size + (view?.length ?? 0), 0))
    let at = 0
    return views.map((/** @type {any} any: each codec has its own type */ view) => {
      if (view === undefined) return undefined
      const start = at
      all.set(view, start)
      at += view.length
      return all.subarray(start, at)
    })
  }
}

/** @type {Codec} */
const PAGE = {
  write(out, { rows, count, done }) {
    out.u32(count)
    out.u8(done ? 1 : 0)
    out.handOver(rows)
  },
  read: (from) => ({ count: from.u32(), done: from.u8() === 1, rows: from.handedOver() })
}

/** The report of verify(): its findings are errors. @type {Codec} */
const REPORT = {
  write: (out, report) => out.extra({ ...report, findings: (report.findings ?? []).map((/** @type {any} any: whatever was thrown */ error) => describe(error)) }),
  read(from) {
    const report = from.extra()
    return { ...report, findings: report.findings.map(revive) }
  }
}

/** A snapshot to read from, sent as its handle and read as the engine's number. @type {Codec} */
const SNAPSHOT = {
  write: (out, id) => out.u32(id ?? 0),
  read(from, session) {
    const id = from.u32()
    return id === 0 ? undefined : session.idOf(id)
  }
}

/** The handle that a verb acts on. @type {Codec} */
const HANDLE = { write: (out, id) => out.u32(id), read: (from, session) => session.handle(from.u32(), false) }
/** The handle that a verb frees. @type {Codec} */
const FREED = { write: (out, id) => out.u32(id), read: (from, session) => session.handle(from.u32(), true) }

/** A storage, created again on the other side. @type {Codec} */
const STORAGE = {
  write: (out, storage) => out.extra(recipeOf(storage)),
  read: (from, session) => session.storageOf(from.extra())
}

/** @param {[string, Codec][]} fields @returns {Codec} */
const record = (...fields) => ({
  write(out, value) {
    for (const [name, codec] of fields) codec.write(out, value[name])
  },
  read: (from, session) => Object.fromEntries(fields.map(([name, codec]) => [name, codec.read(from, session)]))
})

const RANGE = record(['gt', BYTES], ['gte', BYTES], ['lt', BYTES], ['lte', BYTES], ['reverse', FLAG], ['limit', NUMBER],
  ['keys', FLAG], ['values', FLAG], ['fillCache', CHOICE], ['verifyChecksums', CHOICE], ['snapshot', SNAPSHOT])

const WATCHED = record(['gt', BYTES], ['gte', BYTES], ['lt', BYTES], ['lte', BYTES], ['since', NUMBER])

/**
 * Returns a cloneable description of how to create the storage, or null for memory.
 * @param {any} storage any: a Storage, or a description of one
 * @returns {{ module: string, export: string, args: any[] } | { named: string, storage?: string } | null}
 */
export function recipeOf(storage) {
  if (storage === null || storage === undefined) return null
  if (storage.inWorker.named !== undefined) return storage.inWorker
  const { module, export: name, args } = storage.inWorker
  try {
    return structuredClone({ module: String(module), export: name, args: [...args] })
  } catch (/** @type {any} any: whatever was thrown */ cause) {
    throw Object.assign(new Error(`The storage cannot be created in a worker: ${cause.message}`, { cause }), { code: 'invalid-argument' })
  }
}

// ---- The table ----

/**
 * @typedef {object} Verb
 * @property {string} name the name of the method
 * @property {number} code
 * @property {string} method the engine's method, if it has another name
 * @property {Codec[]} args
 * @property {Codec | null} answer null: there is no reply, and a failure is reported by the handle
 * @property {boolean} writes if the worker dies, it may have been applied
 * @property {string} [inPlace] the engine's method that also flushes the disk before it returns
 * @property {boolean} makes creates a handle, whose number the client has chosen
 * @property {boolean} of the first argument is a handle: starts after earlier requests of the
 *   handle
 * @property {boolean} frees the handle is freed
 * @property {number} snapshotAt the index of the argument that is a snapshot, -1 if there is none
 * @property {boolean} waits the answer may take for ever: nothing waits for it
 */

const writes = { writes: true }
const makes = { makes: true }
const of = { of: true }
const frees = { of: true, frees: true }

/** @type {[string, Codec[], Codec | null, Partial<Verb>?][]} */
const TABLE = [
  ['put', [BYTES, BYTES, FLAG], NOTHING, { ...writes, inPlace: 'putSync' }],
  ['del', [BYTES, FLAG], NOTHING, { ...writes, inPlace: 'delSync' }],
  ['write', [BYTES, FLAG], NOTHING, { ...writes, inPlace: 'writeSync' }],
  ['get', [BYTES, SNAPSHOT, FLAG], VALUE],
  ['getString', [BYTES, SNAPSHOT, FLAG], TEXT, { method: 'get' }],
  ['getMany', [KEYS, SNAPSHOT, FLAG], VALUES],
  ['has', [BYTES, SNAPSHOT, FLAG], FLAG],
  ['hasMany', [KEYS, SNAPSHOT, FLAG], PLAIN],
  ['snapshot', [], null, makes],
  ['releaseSnapshot', [FREED], null, frees],
  ['iterator', [RANGE], null, makes],
  ['next', [HANDLE, NUMBER, NUMBER], PAGE, of],
  ['seek', [HANDLE, BYTES], null, of],
  ['closeIterator', [FREED], null, frees],
  ['watch', [WATCHED], null, makes],
  ['changes', [HANDLE, NUMBER], PAGE, of],
  ['changed', [HANDLE], NOTHING, { ...of, waits: true }],
  ['closeWatch', [FREED], null, frees],
  ['flush', [], NOTHING],
  ['sync', [], NOTHING],
  ['resume', [], NOTHING],
  ['compactRange', [BYTES, BYTES], NOTHING],
  ['deleteRange', [BYTES, BYTES], NUMBER, writes],
  ['approximateSize', [BYTES, BYTES], NUMBER],
  ['info', [], PLAIN],
  ['verify', [], REPORT],
  ['checkpoint', [STORAGE], NOTHING],
  ['exportStart', [], null, makes],
  ['exportNext', [HANDLE, NUMBER], VALUE, of],
  ['exportEnd', [FREED], null, frees],
  ['listen', [FLAG], null],
  ['close', [], NOTHING]
]

/** The verbs by code. @type {Verb[]} */
export const VERBS = TABLE.map(([name, args, answer, more], code) =>
  ({ name, code, method: name, args, answer, writes: false, makes: false, of: false, frees: false, waits: false, snapshotAt: args.indexOf(SNAPSHOT), ...more }))
