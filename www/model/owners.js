// What each byte belongs to: the region, and the field in it.
import { BLOCK_KINDS, TRAILER } from './blocks.js'
import { lastAt } from './order.js'
import { titleOf } from './sentences.js'

/** @typedef {import('./file.js').OpenFile} OpenFile */
/** @typedef {import('varve/inspect').Span} Span */
/** @typedef {import('varve/inspect').BlockView} BlockView */
/** @typedef {import('varve/inspect').RecordView} RecordView */

/**
 * Bytes with one owner.
 *
 * @typedef {object} Owner
 * @property {number} from
 * @property {number} to
 * @property {string} kind of the region, for its colour
 * @property {string[]} path from the outer structure to the inner one
 * @property {number} [entry]
 */

/** The owner of a byte of the file. @param {OpenFile} file @param {number} at @returns {Owner} */
export function ownerOf(file, at) {
  const region = file.regions?.having(at)
  if (region === undefined) return { from: at, to: at + 1, kind: 'gap', path: [] }
  const { kind, offset, end } = region
  const title = titleOf(file, region)
  const whole = { from: offset, to: end, kind, path: [title] }
  if (kind === 'gap') return whole
  const part = file.parts.find((span) => span.offset === offset && span.length === region.size)
  if (part !== undefined && part.spans.length > 0) return inSpan(part, at, whole)
  if (kind === 'footer') return whole
  if (!BLOCK_KINDS.has(kind)) return ownerInLog(file, at, whole)
  const trailer = end - TRAILER
  if (at > trailer) return { from: trailer + 1, to: end, kind, path: [title, 'checksum'] }
  if (at === trailer) return { from: trailer, to: trailer + 1, kind, path: [title, 'codec'] }
  const view = file.blocks.get(offset)
  if (view?.plain !== true) return { from: offset, to: trailer, kind, path: [title, 'contents'] }
  const inside = ownerInside(view, at - offset, title)
  return { ...inside, from: inside.from + offset, to: Math.min(trailer, inside.to + offset) }
}

/** @param {OpenFile} file @param {number} at @param {Owner} whole @returns {Owner} */
function ownerInLog({ records, opened }, at, whole) {
  const index = records?.find('offset', at) ?? -1
  if (records === undefined || index < 0 || at >= records.columns.end[index]) return whole
  const record = opened.get(records.columns.offset[index])
  const outer = { ...whole, path: [`record ${index}`, ...whole.path] }
  if (record === undefined) return outer
  const fragment = record.span.spans.find(({ offset, length }) => offset <= at && at < offset + length)
  return fragment === undefined ? outer : inSpan(fragment, at, outer)
}

/** The owner of a byte of a joined record. @param {RecordView} view @param {number} at @param {string} title @returns {Owner} */
export function ownerInRecord({ operations, raw, contents }, at, title) {
  const index = lastAt(operations.offset, operations.length, at)
  const whole = { from: 0, to: raw.length, kind: 'full', path: [title] }
  if (index < 0 || at >= operations.end[index]) return inSpan(contents, at, whole)
  const [start, key, keyEnd, value, end] = [operations.offset[index], operations.keyStart[index], operations.keyEnd[index], operations.valueStart[index], operations.end[index]]
  const path = (/** @type {string} */ name) => [title, `operation ${index}`, name]
  if (at < key) return { from: start, to: key, kind: 'full', path: path('type, and length of the key'), entry: index }
  if (at < keyEnd) return { from: key, to: keyEnd, kind: 'full', path: path('key'), entry: index }
  if (at < value) return { from: keyEnd, to: value, kind: 'full', path: path('length of the value'), entry: index }
  return { from: value, to: end, kind: 'full', path: path('value'), entry: index }
}

/** @param {Span} span @param {number} at @param {Owner} outer @returns {Owner} */
function inSpan({ spans }, at, outer) {
  let { from } = outer
  for (const span of spans) {
    const end = span.offset + span.length
    if (span.length === 0 || end <= at) {
      from = Math.max(from, end)
      continue
    }
    // Between two spans: bytes of the outer one.
    if (span.offset > at) return { ...outer, from, to: Math.min(outer.to, span.offset) }
    return inSpan(span, at, { from: span.offset, to: end, kind: outer.kind, path: [...outer.path, span.name ?? span.kind] })
  }
  return { ...outer, from }
}

/** The owner of a byte of a decompressed block. @param {BlockView} view @param {number} at @param {string} title @returns {Owner} */
export function ownerInside(view, at, title) {
  const { entries, restarts, raw, span: { kind } } = view
  const entry = entryAt(view, at)
  const count = entries.length
  if (entry >= 0 && at < entries.end[entry]) {
    const [start, key, value, end] = [entries.offset[entry], entries.keyStart[entry], entries.valueStart[entry], entries.end[entry]]
    const name = `entry ${entry}`
    const tag = entries.type[entry] !== 255 && value - key >= 8 ? value - 8 : value
    if (at < key) return { from: start, to: key, kind, path: [title, name, 'lengths: shared, own, value'], entry }
    if (at < tag) return { from: key, to: tag, kind, path: [title, name, 'key, its own bytes'], entry }
    if (at < value) return { from: tag, to: value, kind, path: [title, name, 'sequence and type'], entry }
    return { from: value, to: end, kind, path: [title, name, 'value'], entry }
  }
  const size = raw?.length ?? 0
  const array = size - 4 - 4 * restarts.length
  if (at >= size - 4) return { from: size - 4, to: size, kind, path: [title, 'number of restart points'] }
  if (restarts.length > 0 && at >= array) {
    const point = Math.floor((at - array) / 4)
    return { from: array + point * 4, to: array + point * 4 + 4, kind, path: [title, `restart point ${point}: ${restarts[point]}`] }
  }
  const from = entry >= 0 ? entries.end[entry] : 0
  const next = entry + 1 < count ? entries.offset[entry + 1] : restarts.length > 0 ? array : size
  return { from, to: Math.max(at + 1, next), kind, path: [title, 'bytes of no entry'] }
}

/** The last entry that begins at or before a byte of the block; -1: none. @param {BlockView} view @param {number} at */
export const entryAt = ({ entries: { offset, length } }, at) => lastAt(offset, length, at)
