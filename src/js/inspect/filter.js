// The filters of a table: how full each is, which bits a key asks for, and whether they are right.
import { openBlock } from './block.js'
import { feedAll, parsed } from './feed.js'
import { newInstance, withInstance } from './module.js'
import { aligned, column } from './regions.js'

/** @typedef {import('../types/inspect.js').Source} Source */
/** @typedef {import('../types/inspect.js').Span} Span */
/** @typedef {import('../types/inspect.js').FilterView} FilterView */
/** @typedef {import('../types/inspect.js').FilterProbe} FilterProbe */
/** @typedef {import('../types/inspect.js').FilterTest} FilterTest */
/** @typedef {ReturnType<Awaited<ReturnType<typeof newInstance>>['openFilters']>} Filters */

/** Bytes of a row of src/inspect/filter.rs, and of the trailer of a block. */
const ROW = 16
const TRAILER = 5

/** Bytes read at once by a test. */
const READ_AHEAD = 4 << 20

/** The names of filters that the engine asks. */
const KNOWN = 'filter.leveldb.BuiltinBloomFilter2'

/**
 * @param {Source} source
 * @param {{ parts: Span[] }} map
 * @returns {Promise<FilterView | undefined>}
 */
export async function openFilter(source, { parts }) {
  const part = partOf(parts, 'filter')
  if (part === undefined) return undefined
  const name = new TextDecoder().decode(bytesOfHex(String(part.facts.name ?? '')))
  const none = { name, known: name === KNOWN, offset: part.offset, length: part.length, base: 0, count: 0, slots: slotsOf(new Uint8Array(0)), raw: new Uint8Array(0) }
  const opened = await filtersOf(source, parts)
  if (typeof opened === 'string') return { ...none, reason: opened }
  const { filters, raw } = opened
  return { ...none, base: 2 ** filters.baseLg(), count: filters.count(), slots: slotsOf(filters.rows()), raw }
}

/**
 * @param {Source} source
 * @param {{ parts: Span[] }} map
 * @param {Uint8Array} key
 * @param {{ comparator?: string }} [options]
 * @returns {Promise<FilterProbe | undefined>}
 */
export async function probeFilter(source, { parts }, key, { comparator = '' } = {}) {
  const opened = await filtersOf(source, parts, comparator)
  if (typeof opened === 'string' || !opened.filters.knowsOrder()) return undefined
  const { filters } = opened
  const [offset, size, slot] = filters.locate(key)
  if (offset === undefined) return { verdict: 'past end', bits: new Uint32Array(0), set: new Uint8Array(0) }
  const asked = filters.bits(slot, key)
  const maybe = filters.mayMatch(offset, key)
  const { raw } = await openBlock(source, { kind: 'data', offset, size })
  const isThere = raw && await withInstance(({ blockHas }) => blockHas(raw, key, comparator))
  return {
    verdict: maybe ? 'maybe' : 'no', block: { offset, size }, slot,
    bits: Uint32Array.from(asked, (value) => Math.floor(value / 2)),
    set: Uint8Array.from(asked, (value) => value % 2),
    ...isThere !== undefined && { isThere }
  }
}

/**
 * @param {Source} source
 * @param {{ parts: Span[] }} map
 * @param {{ keys?: number, seed?: number, comparator?: string }} [options]
 * @returns {Promise<{ asked: number, passed: number } | undefined>}
 */
export async function measureFilter(source, { parts }, { keys = 10_000, seed = 1, comparator = '' } = {}) {
  const opened = await filtersOf(source, parts, comparator)
  if (typeof opened === 'string' || !opened.filters.knowsOrder()) return undefined
  const [asked, passed] = opened.filters.measure(keys, seed)
  return { asked, passed }
}

/**
 * @param {Source} source
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {AsyncGenerator<FilterTest, void>}
 */
export async function * testFilter(source, { signal } = {}) {
  const inspector = (await newInstance()).inspectTable(source.size, 3, '')
  inspector.testDoubtfulFilter()
  for await (const done of feedAll(source, inspector, READ_AHEAD, signal)) {
    const findings = parsed(inspector.findings()).filter(({ code }) => code === 'T41')
    const [summary] = parsed(inspector.spans())
    inspector.discard()
    yield { done, findings, ...summary && { keys: summary.facts.entries, denied: summary.facts.deniedByFilter ?? 0 } }
  }
}

/**
 * The filters and the contents of their block, or why they cannot be used.
 * @param {Source} source
 * @param {Span[]} parts
 * @param {string} [comparator]
 * @returns {Promise<{ filters: Filters, raw: Uint8Array } | string>}
 */
async function filtersOf(source, parts, comparator = '') {
  const [filter, index] = await Promise.all([contentsOf(source, partOf(parts, 'filter')), contentsOf(source, partOf(parts, 'index'))])
  if (filter === undefined) return 'the filter block cannot be decoded'
  const name = bytesOfHex(String(partOf(parts, 'filter')?.facts.name ?? ''))
  try {
    return { filters: (await newInstance()).openFilters(name, filter, index ?? new Uint8Array(0), comparator), raw: filter }
  } catch (/** @type {any} any: thrown by the engine */ error) {
    return error.message
  }
}

/** @param {Span[]} parts @param {string} kind */
const partOf = (parts, kind) => parts.find((part) => part.kind === kind)

/** @param {Source} source @param {Span | undefined} part @returns {Promise<Uint8Array | undefined>} */
async function contentsOf(source, part) {
  if (part === undefined) return undefined
  const { raw } = await openBlock(source, { kind: part.kind, offset: part.offset, size: Math.max(0, part.length - TRAILER) })
  return raw
}

/** @param {string} digits */
const bytesOfHex = (digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16))

/** @param {Uint8Array} rows @returns {FilterView['slots']} */
function slotsOf(rows) {
  const { buffer, length } = aligned(rows)
  const count = length / ROW
  const words = new Uint32Array(buffer, 0, length / 4)
  const bytes = new Uint8Array(buffer, 0, length)
  return {
    length: count,
    start: column(Uint32Array, count, words, 0, ROW / 4),
    end: column(Uint32Array, count, words, 1, ROW / 4),
    set: column(Uint32Array, count, words, 2, ROW / 4),
    probes: column(Uint8Array, count, bytes, 12, ROW),
    state: column(Uint8Array, count, bytes, 13, ROW)
  }
}
