// The history of one key: every entry of it in every file, live or not, and how each file came to be.
import { detect } from './detect.js'
import { feedAll, parsed } from './feed.js'
import { lastVersion } from './last-version.js'
import { newInstance } from './module.js'

/** @typedef {import('../types/inspect.js').Source} Source */
/** @typedef {import('../types/inspect.js').Span} Span */
/** @typedef {import('../types/inspect.js').FileEvent} FileEvent */
/** @typedef {import('../types/inspect.js').HistoryPart} HistoryPart */
/** @typedef {import('../types/inspect.js').Mention} Mention */

/** Bytes read at once. */
const READ_AHEAD = 4 << 20
/** Bytes of a value that are kept. */
const VALUE_MAX = 256
/** The depth of a sweep (src/wasm/inspect.rs). */
const SWEEP = 3

/**
 * @param {Source[]} sources
 * @param {Uint8Array} key
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {AsyncGenerator<HistoryPart, void>}
 */
export async function * keyHistory(sources, key, { signal } = {}) {
  const { inspector, comparator } = await lastVersion(sources, signal)
  const roles = rolesOf(inspector.conclude(), sources.length)
  const events = await eventsOf(sources, roles.map(({ number }) => number), signal)
  let before = 0
  for (const [at, source] of sources.entries()) {
    const { number, role, level } = roles[at]
    const file = { file: source.name, role, ...level !== undefined && { level }, events: events.get(Number(number)) ?? [] }
    try {
      for await (const part of mentionsOf(source, key, comparator, signal)) yield { ...file, ...part, done: before + part.done }
    } catch (/** @type {any} any: whatever was thrown */ error) {
      signal?.throwIfAborted()
      yield { ...file, mentions: [], isEnd: true, failure: String(error?.message ?? error), done: before }
    }
    before += source.size
  }
}

/**
 * The mentions in one file; nothing if it is neither a table nor a log.
 * @param {Source} source
 * @param {Uint8Array} key
 * @param {string} comparator of the manifest; empty: none is known, and all of a table is read
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<Pick<HistoryPart, 'mentions' | 'isEnd' | 'damage' | 'done'>, void>}
 */
async function * mentionsOf(source, key, comparator, signal) {
  const { kind, named } = await detect(source)
  const isLog = kind === 'log'
  if (!isLog && kind !== 'table' && (kind === 'empty' || named !== 'table')) return
  const instance = await newInstance()
  const inspector = isLog ? instance.inspectLog(source.size, comparator) : instance.inspectTable(source.size, SWEEP, comparator)
  inspector.seek(key, VALUE_MAX, comparator !== '')
  let damage = 0
  for await (const done of feedAll(source, inspector, READ_AHEAD, signal)) {
    damage += parsed(inspector.findings()).filter(({ severity }) => severity === 'bad').length
    inspector.discard()
    const isEnd = parsed(inspector.spans()).some((span) => span.kind === 'table' || span.kind === 'log')
    yield { mentions: parsed(inspector.mentions()).map(mentionOf), isEnd, damage, done }
  }
}

/** @param {Span} span @returns {Mention} */
function mentionOf({ offset, length, facts }) {
  return /** @type {Mention} */ (/** @type {unknown} */ ({ offset, length, ...facts }))
}

/**
 * Number, role and level of each file.
 * @param {string} lines
 * @param {number} count
 * @returns {{ number?: number | string, role: string, level?: number }[]}
 */
function rolesOf(lines, count) {
  return lines.split('\n').slice(1, 1 + count).map((line) => JSON.parse(line).facts)
}

/**
 * What all manifests tell of tables with these numbers, in the order of the edits.
 * @param {Source[]} sources
 * @param {(number | string | undefined)[]} numbers
 * @param {AbortSignal} [signal]
 * @returns {Promise<Map<number, FileEvent[]>>}
 */
async function eventsOf(sources, numbers, signal) {
  const watched = Float64Array.from(numbers.filter((number) => number !== undefined), Number)
  /** @type {Map<number, FileEvent[]>} */
  const events = new Map()
  const manifests = sources.filter(({ name, size }) => size > 0 && /^MANIFEST-\d+$/.test(name)).sort((a, b) => Number(a.name.slice(9)) - Number(b.name.slice(9)))
  for (const source of manifests) {
    const inspector = (await newInstance()).inspectManifest(source.size, 0, 0, 0, new Uint8Array(0), Number.MAX_SAFE_INTEGER)
    inspector.watch(watched)
    try {
      for await (const _ of feedAll(source, inspector, READ_AHEAD, signal)) {
        inspector.discard()
        inspector.findings()
        inspector.checkpoint()
        for (const { offset, facts, spans } of parsed(inspector.events())) {
          const { number, ...rest } = facts
          const inputs = spans.map((/** @type {Span} */ { facts }) => facts.number)
          const known = events.get(number) ?? []
          known.push({ manifest: source.name, offset, ...rest, inputs })
          events.set(number, known)
        }
      }
    } catch {
      // A manifest that cannot be read tells nothing of its tables.
      signal?.throwIfAborted()
    }
  }
  return events
}
