// Explains the bytes of a table file without a database: the inspector (src/inspect) requests bytes
// and returns spans, or rows of numbers. Damage is reported as findings.
import { viewOf } from './block.js'
import { feedAll, namesOf, parsed } from './feed.js'
import { newInstance } from './module.js'
import { column, regionsOf } from './regions.js'

/** @typedef {import('../types/inspect.js').Source} Source */
/** @typedef {import('../types/inspect.js').Span} Span */
/** @typedef {import('../types/inspect.js').Finding} Finding */
/** @typedef {import('../types/inspect.js').TableMap} TableMap */
/** @typedef {import('../types/inspect.js').Swept} Swept */

/** Bytes read at once, so that consecutive blocks need few reads. */
const READ_AHEAD = 1 << 20
const SWEEP_AHEAD = 4 << 20

/** Depths of the inspector (src/wasm/inspect.rs). */
const SPANS = 0
const ENTRIES = 1
const MAP = 2
const SWEEP = 3

/**
 * @param {Source} source
 * @param {{ entries?: boolean, comparator?: string }} [options]
 * @returns {AsyncGenerator<Span, void>}
 */
export async function * inspectTable(source, { entries = false, comparator = '' } = {}) {
  const inspector = (await newInstance()).inspectTable(source.size, entries ? ENTRIES : SPANS, comparator)
  for await (const _ of feedAll(source, inspector, READ_AHEAD)) {
    yield * parsed(inspector.spans())
  }
}

/**
 * @param {Source} source
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<TableMap>}
 */
export async function mapTable(source, { signal } = {}) {
  const inspector = (await newInstance()).inspectTable(source.size, MAP, '')
  /** @type {Span[]} */
  const parts = []
  for await (const _ of feedAll(source, inspector, 0, signal)) parts.push(...parsed(inspector.spans()))
  const summary = /** @type {Span} */ (parts.pop())
  const view = inspector.index()
  const handles = view?.handles()
  return {
    summary,
    parts,
    regions: regionsOf(inspector.regions()),
    findings: parsed(inspector.findings()),
    ...view && handles && {
      index: viewOf(view),
      handles: {
        offset: column(Float64Array, handles.length / 2, handles, 0, 2),
        size: column(Float64Array, handles.length / 2, handles, 1, 2)
      }
    }
  }
}

/**
 * @param {Source} source
 * @param {{ signal?: AbortSignal, comparator?: string }} [options]
 * @returns {AsyncGenerator<Swept, void>}
 */
export async function * sweepTable(source, { signal, comparator = '' } = {}) {
  const inspector = (await newInstance()).inspectTable(source.size, SWEEP, comparator)
  for await (const done of feedAll(source, inspector, SWEEP_AHEAD, signal)) {
    const [summary] = parsed(inspector.spans())
    const findings = parsed(inspector.findings())
    yield { done, regions: regionsOf(inspector.regions()), findings, ...summary && { summary, names: namesOf(inspector.names()) } }
  }
}
