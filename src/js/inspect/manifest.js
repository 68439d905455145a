// Explains a manifest: its edits, and the version after each.
import { aligned, column, regionsOf } from './regions.js'
import { feedAll, parsed } from './feed.js'
import { joined, recordBytes } from './log.js'
import { released } from './block.js'
import { newInstance, withInstance } from './module.js'

/** @typedef {import('../types/inspect.js').Source} Source */
/** @typedef {import('../types/inspect.js').Checkpoint} Checkpoint */
/** @typedef {import('../types/inspect.js').Edits} Edits */
/** @typedef {import('../types/inspect.js').ManifestMap} ManifestMap */
/** @typedef {import('../types/inspect.js').ManifestPart} ManifestPart */
/** @typedef {import('../types/inspect.js').EditView} EditView */
/** @typedef {import('../types/inspect.js').VersionState} VersionState */

/** The same list is in src/inspect/manifest/state.rs. */
export const EDIT_REASONS = Object.freeze(['new database', 'snapshot', 'opened', 'flush', 'move', 'compaction', 'drop', 'other'])

/** Bytes read at once. */
const READ_AHEAD = 1 << 20

/** Edits that a map keeps by default. */
const EDITS_MAX = 1_000_000

/** Bytes of a row. */
const ROW = 56

/** @type {Checkpoint} */
const START = { edits: 0, offset: 0, regions: 0, state: new Uint8Array(0) }

/** @param {Source} source @param {Checkpoint} from @param {number} max */
const started = async ({ size }, { edits, offset, regions, state }, max) => (await newInstance()).inspectManifest(size, edits, offset, regions, state, max)

/**
 * @param {Source} source
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {AsyncGenerator<ManifestPart, void>}
 */
export async function * sweepManifest(source, options) {
  yield * partsOf(source, options, () => true)
}

/**
 * `keeps`: whether rows are wanted.
 * @param {Source} source
 * @param {{ signal?: AbortSignal } | undefined} options
 * @param {() => boolean} keeps
 * @returns {AsyncGenerator<ManifestPart, void>}
 */
async function * partsOf(source, { signal } = {}, keeps) {
  const inspector = await started(source, START, Number.MAX_SAFE_INTEGER)
  for await (const done of feedAll(source, inspector, READ_AHEAD, signal)) {
    const checkpoint = checkpointOf(inspector.checkpoint())
    const findings = parsed(inspector.findings())
    const [summary] = parsed(inspector.spans())
    if (!keeps()) inspector.discard()
    yield {
      done,
      regions: regionsOf(inspector.regions()),
      edits: editsOf(inspector.records()),
      findings,
      ...checkpoint && { checkpoint },
      ...summary && { summary, state: inspector.state() }
    }
  }
}

/**
 * @param {Source} source
 * @param {{ signal?: AbortSignal, progress?: (done: number) => void, maxEdits?: number }} [options]
 * @returns {Promise<ManifestMap>}
 */
export async function mapManifest(source, { signal, progress, maxEdits = EDITS_MAX } = {}) {
  /** @type {ManifestPart[]} */
  const parts = []
  const checkpoints = []
  const findings = []
  let summary
  /** @type {Uint8Array} */
  let state = new Uint8Array(0)
  let kept = 0
  for await (const part of partsOf(source, { signal }, () => parts.length === 0 || kept < maxEdits)) {
    if (part.checkpoint) checkpoints.push(part.checkpoint)
    findings.push(...part.findings)
    summary ??= part.summary
    state = part.state ?? state
    if (part.edits.length > 0 || part.regions.length > 0 || parts.length === 0) parts.push(part)
    kept += part.edits.length
    progress?.(part.done)
  }
  return {
    summary: /** @type {import('../types/inspect.js').Span} */ (summary),
    regions: joined(parts.map(({ regions }) => regions)),
    edits: joined(parts.map(({ edits }) => edits)),
    checkpoints,
    state,
    findings
  }
}

/**
 * @param {Source} source
 * @param {{ offset: number, end: number }} edit
 * @returns {Promise<EditView>}
 */
export async function openEdit(source, { offset, end }) {
  const stored = await recordBytes(source, offset, end)
  return withInstance((exports) => released(exports.openEdit(offset, stored), (view) => ({ span: JSON.parse(view.span()), contents: JSON.parse(view.contents()), raw: view.raw() ?? new Uint8Array(0) })))
}

/**
 * @param {Source} source
 * @param {{ checkpoints: Checkpoint[] }} map
 * @param {number} edit
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<VersionState>}
 */
export async function levelsAt(source, { checkpoints }, edit, { signal } = {}) {
  const from = checkpoints.findLast(({ edits }) => edits <= edit + 1) ?? START
  const inspector = await started(source, from, edit + 1)
  for await (const _ of feedAll(source, inspector, READ_AHEAD, signal)) {
    inspector.discard()
    inspector.findings()
    inspector.checkpoint()
  }
  const [{ facts: { tables, ...facts }, spans }] = parsed(inspector.version())
  return { ...facts, tables: spans.map((/** @type {import('../types/inspect.js').Span} */ { facts }) => facts) }
}

/**
 * @param {Uint8Array | undefined} packed
 * @returns {Checkpoint | undefined}
 */
function checkpointOf(packed) {
  if (packed === undefined) return undefined
  const [edits, offset, regions] = new Float64Array(packed.slice(0, 24).buffer)
  return { edits, offset, regions, state: packed.slice(24) }
}

/**
 * @param {Uint8Array} rows
 * @returns {Edits}
 */
function editsOf(rows) {
  const { buffer, length } = aligned(rows)
  const count = length / ROW
  const floats = new Float64Array(buffer, 0, length / 8)
  const words = new Uint32Array(buffer, 0, length / 4)
  const bytes = new Uint8Array(buffer, 0, length)
  return {
    length: count,
    offset: column(Float64Array, count, floats, 0, ROW / 8),
    end: column(Float64Array, count, floats, 1, ROW / 8),
    region: column(Float64Array, count, floats, 2, ROW / 8),
    size: column(Float64Array, count, floats, 3, ROW / 8),
    tableBytes: column(Float64Array, count, floats, 4, ROW / 8),
    added: column(Uint32Array, count, words, 10, ROW / 4),
    removed: column(Uint32Array, count, words, 11, ROW / 4),
    tables: column(Uint32Array, count, words, 12, ROW / 4),
    reason: column(Uint8Array, count, bytes, 52, ROW),
    from: column(Uint8Array, count, bytes, 53, ROW),
    to: column(Uint8Array, count, bytes, 54, ROW),
    state: column(Uint8Array, count, bytes, 55, ROW)
  }
}
