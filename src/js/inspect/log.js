// Explains the bytes of a write-ahead log without a database.
import { aligned, column, regionsOf } from './regions.js'
import { feedAll, namesOf, parsed } from './feed.js'
import { released } from './block.js'
import { newInstance, withInstance } from './module.js'
import { bytesAt } from './source.js'

/** @typedef {import('../types/inspect.js').Source} Source */
/** @typedef {import('../types/inspect.js').LogMap} LogMap */
/** @typedef {import('../types/inspect.js').LogPart} LogPart */
/** @typedef {import('../types/inspect.js').LogRecords} LogRecords */
/** @typedef {import('../types/inspect.js').RecordView} RecordView */
/** @typedef {import('../types/inspect.js').Regions} Regions */

/** Bytes read at once. */
const READ_AHEAD = 4 << 20

/** Bytes of a record that are joined, with the headers of its fragments (src/inspect/log). */
const RECORD_MAX = (64 << 20) + (1 << 20)

/** Bytes of a row of records and of operations. */
const RECORD_ROW = 56
const OPERATION_ROW = 32

/**
 * @param {Source} source
 * @param {{ signal?: AbortSignal, comparator?: string }} [options]
 * @returns {AsyncGenerator<LogPart, void>}
 */
export async function * sweepLog(source, { signal, comparator = '' } = {}) {
  const inspector = (await newInstance()).inspectLog(source.size, comparator)
  for await (const done of feedAll(source, inspector, READ_AHEAD, signal)) {
    const findings = parsed(inspector.findings())
    const [summary] = parsed(inspector.spans())
    yield { done, regions: regionsOf(inspector.regions()), records: recordsOf(inspector.records()), findings, ...summary && { summary, names: namesOf(inspector.names()) } }
  }
}

/**
 * @param {Source} source
 * @param {{ signal?: AbortSignal, progress?: (done: number) => void }} [options]
 * @returns {Promise<LogMap>}
 */
export async function mapLog(source, { signal, progress } = {}) {
  /** @type {LogPart[]} */
  const parts = []
  for await (const part of sweepLog(source, { signal })) {
    parts.push(part)
    progress?.(part.done)
  }
  return {
    summary: /** @type {import('../types/inspect.js').Span} */ (parts.at(-1)?.summary),
    regions: joined(parts.map(({ regions }) => regions)),
    records: joined(parts.map(({ records }) => records)),
    findings: parts.flatMap(({ findings }) => findings)
  }
}

/**
 * @param {Source} source
 * @param {{ offset: number, end: number }} record
 * @returns {Promise<RecordView>}
 */
export async function openRecord(source, { offset, end }) {
  const stored = await recordBytes(source, offset, end)
  return withInstance((exports) => released(exports.openRecord(offset, stored), (view) => (
    { span: JSON.parse(view.span()), contents: JSON.parse(view.contents()), raw: view.raw() ?? new Uint8Array(0), operations: operationsOf(view.rows()) })))
}

/** The stored bytes of a record. @param {Source} source @param {number} offset @param {number} end */
export const recordBytes = (source, offset, end) => bytesAt(source, offset, Math.max(0, Math.min(end - offset, RECORD_MAX, source.size - offset)))

/**
 * Joins columns.
 * @template {Record<string, any> & { length: number }} T
 * @param {T[]} parts any: each column has its type
 * @returns {T}
 */
export function joined(parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  /** @type {Record<string, any>} any: as above */
  const all = { length }
  for (const [name, first] of Object.entries(parts[0])) {
    if (name === 'length') continue
    const whole = new first.constructor(length)
    let at = 0
    for (const part of parts) {
      whole.set(part[name], at)
      at += part.length
    }
    all[name] = whole
  }
  return /** @type {T} */ (all)
}

/**
 * @param {Uint8Array} rows
 * @returns {LogRecords}
 */
export function recordsOf(rows) {
  const { buffer, length } = aligned(rows)
  const count = length / RECORD_ROW
  const floats = new Float64Array(buffer, 0, length / 8)
  const words = new Uint32Array(buffer, 0, length / 4)
  const [f, w] = [RECORD_ROW / 8, RECORD_ROW / 4]
  return {
    length: count,
    offset: column(Float64Array, count, floats, 0, f),
    end: column(Float64Array, count, floats, 1, f),
    region: column(Float64Array, count, floats, 2, f),
    size: column(Float64Array, count, floats, 3, f),
    sequence: column(Float64Array, count, floats, 4, f),
    fragments: column(Uint32Array, count, words, 10, w),
    operations: column(Uint32Array, count, words, 11, w),
    state: column(Uint8Array, count, new Uint8Array(buffer, 0, length), 48, RECORD_ROW)
  }
}

/**
 * @param {Uint8Array} rows
 * @returns {import('../types/inspect.js').Operations}
 */
function operationsOf(rows) {
  const { buffer, length } = aligned(rows)
  const count = length / OPERATION_ROW
  const words = new Uint32Array(buffer, 0, length / 4)
  const step = OPERATION_ROW / 4
  return {
    length: count,
    sequence: column(Float64Array, count, new Float64Array(buffer, 0, length / 8), 0, OPERATION_ROW / 8),
    offset: column(Uint32Array, count, words, 2, step),
    keyStart: column(Uint32Array, count, words, 3, step),
    keyEnd: column(Uint32Array, count, words, 4, step),
    valueStart: column(Uint32Array, count, words, 5, step),
    end: column(Uint32Array, count, words, 6, step),
    type: column(Uint8Array, count, new Uint8Array(buffer, 0, length), 28, OPERATION_ROW)
  }
}
