// The history of one key: every entry of it in every file, live or not, and how each file came to be.
import { feedAll, parsed } from './feed.js'
import { lastVersion } from './last-version.js'
import { mentionsIn, READ_AHEAD, rolesOf, VALUE_MAX } from './mentions.js'
import { newInstance } from './module.js'

/** @typedef {import('../types/inspect.js').Source} Source */
/** @typedef {import('../types/inspect.js').Span} Span */
/** @typedef {import('../types/inspect.js').FileEvent} FileEvent */
/** @typedef {import('../types/inspect.js').HistoryPart} HistoryPart */

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
  const sought = { comparator, seek: (/** @type {import('./mentions.js').Inspector} */ inspector) => inspector.seek(key, VALUE_MAX, comparator !== '') }
  for await (const { at, ...part } of mentionsIn(sources, roles, sought, signal)) yield { ...part, events: events.get(Number(roles[at].number)) ?? [] }
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
