// Entries that are sought in every table and log of a directory.
import { detect } from './detect.js'
import { feedAll, parsed } from './feed.js'
import { newInstance } from './module.js'

/** @typedef {import('../types/inspect.js').Source} Source */
/** @typedef {import('../types/inspect.js').Mention} Mention */
/** @typedef {import('../types/inspect.js').MentionsPart} MentionsPart */
/** @typedef {ReturnType<Awaited<ReturnType<typeof newInstance>>['inspectLog']>} Inspector */

/**
 * What is sought: the comparator of the manifest, empty if none is known, and what tells an inspector.
 * @typedef {{ comparator: string, seek: (inspector: Inspector) => void }} Sought
 */

/** Bytes read at once. */
export const READ_AHEAD = 4 << 20
/** Bytes of a value that are kept. */
export const VALUE_MAX = 256
/** The depth of a sweep (src/wasm/inspect.rs). */
const SWEEP = 3

/**
 * The mentions in all files, and the number of each file; one that cannot be read is told, and the next is read.
 * @param {Source[]} sources
 * @param {{ role: string, level?: number }[]} roles
 * @param {Sought} sought
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<MentionsPart & { at: number }, void>}
 */
export async function * mentionsIn(sources, roles, sought, signal) {
  let before = 0
  for (const [at, source] of sources.entries()) {
    const { role, level } = roles[at]
    const file = { at, file: source.name, role, ...level !== undefined && { level } }
    try {
      for await (const part of mentionsOf(source, sought, signal)) yield { ...file, ...part, done: before + part.done }
    } catch (/** @type {any} any: whatever was thrown */ error) {
      signal?.throwIfAborted()
      yield { ...file, mentions: [], isEnd: true, failure: String(error?.message ?? error), done: before + source.size }
    }
    before += source.size
  }
}

/**
 * The mentions in one file; nothing if it is neither a table nor a log.
 * @param {Source} source
 * @param {Sought} sought
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<Pick<MentionsPart, 'mentions' | 'more' | 'isEnd' | 'damage' | 'done'>, void>}
 */
async function * mentionsOf(source, { comparator, seek }, signal) {
  const { kind, named, format } = await detect(source)
  const isLog = kind === 'log'
  // Another engine's, in the place of a table or log.
  if (kind === 'foreign' && (named === 'table' || named === 'log')) throw new Error(`${format}, which is not read`)
  if (!isLog && kind !== 'table' && (kind === 'empty' || named !== 'table')) return
  const instance = await newInstance()
  const inspector = isLog ? instance.inspectLog(source.size, comparator) : instance.inspectTable(source.size, SWEEP, comparator)
  seek(inspector)
  let damage = 0
  for await (const done of feedAll(source, inspector, READ_AHEAD, signal)) {
    damage += parsed(inspector.findings()).filter(({ severity }) => severity === 'bad').length
    inspector.discard()
    const isEnd = parsed(inspector.spans()).some((span) => span.kind === 'table' || span.kind === 'log')
    const lines = inspector.mentions()
    const end = lines.indexOf('\n')
    const more = Number(lines.slice(0, end))
    yield { mentions: parsed(lines.slice(end + 1)).map(mentionOf), ...more > 0 && { more }, isEnd, damage, done }
  }
}

/** @param {import('../types/inspect.js').Span} span @returns {Mention} */
function mentionOf({ offset, length, facts }) {
  return /** @type {Mention} */ (/** @type {unknown} */ ({ offset, length, ...facts }))
}

/**
 * Number, role and level of each file.
 * @param {string} lines
 * @param {number} count
 * @returns {{ number?: number | string, role: string, level?: number }[]}
 */
export function rolesOf(lines, count) {
  return lines.split('\n').slice(1, 1 + count).map((line) => JSON.parse(line).facts)
}
