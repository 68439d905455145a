// Entries with some bytes in their keys or values, in every table and log of a directory.
import { lastVersion } from './last-version.js'
import { mentionsIn, rolesOf, VALUE_MAX } from './mentions.js'
import { patternOf } from './pattern.js'

/**
 * @param {import('../types/inspect.js').Source[]} sources
 * @param {import('../types/inspect.js').Wanted} wanted
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {AsyncGenerator<import('../types/inspect.js').MentionsPart, void>}
 */
export async function * searchFiles(sources, wanted, { signal } = {}) {
  const { bytes, mask, place } = patternOf(wanted)
  const { inspector, comparator } = await lastVersion(sources, signal)
  const roles = rolesOf(inspector.conclude(), sources.length)
  const sought = { comparator, seek: (/** @type {import('./mentions.js').Inspector} */ inspector) => inspector.seekBytes(bytes, mask, place, VALUE_MAX) }
  for await (const { at, ...part } of mentionsIn(sources, roles, sought, signal)) yield part
}
