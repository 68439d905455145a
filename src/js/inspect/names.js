// The names under which the engine reads files that are to be salvaged.
import { VarveError } from '../errors.js'
import { detect } from './detect.js'
import { newInstance } from './module.js'

/**
 * @typedef {import('../types/inspect.js').Source} Source
 * @typedef {import('../types/inspect.js').SalvageReport} SalvageReport
 */

/** @type {Record<string, string>} */
const SUFFIXES = { table: 'ldb', log: 'log' }

/**
 * Tables and logs of other names get one if no manifest tells which files belong to the database.
 * @param {Source[]} sources of one directory
 * @param {AbortSignal} [signal]
 */
export async function namesOf(sources, signal) {
  const roles = await rolesOf(sources, signal)
  const hasManifest = roles.some(({ role }) => role === 'current manifest')
  /** @type {Map<string, Source>} */
  const named = new Map()
  /** @type {SalvageReport['adopted']} */
  const adopted = []
  /** @type {SalvageReport['leftBehind']} */
  const leftOut = []
  let number = roles.reduce((most, each) => Math.max(most, each.number ?? 0), 0)
  for (const [index, source] of sources.entries()) {
    const { name } = source
    const { kind, role } = roles[index]
    // One file of no known structure may have blocks: of a disk image, or of a table that lost its ends.
    const isAlone = sources.length === 1
    const suffix = SUFFIXES[kind] ?? (kind === 'unknown' && isAlone ? 'ldb' : undefined)
    if ((role === 'misnamed' || (role === 'other' && kind === 'unknown')) && suffix !== undefined && (!hasManifest || isAlone)) {
      const as = `${String(++number).padStart(6, '0')}.${suffix}`
      adopted.push({ file: name, as })
      named.set(as, source)
    } else if (role === 'misnamed' || role === 'other') {
      if (role === 'misnamed') leftOut.push({ file: name, offset: 0, reason: `not used: its content is a ${kind}, but its name is none of LevelDB's, and the manifest does not name it` })
    } else if (named.has(name)) {
      leftOut.push({ file: name, offset: 0, reason: 'not used: another file has the same name' })
    } else if (role !== 'lock') {
      named.set(name, source)
    }
  }
  return { named, adopted, leftOut }
}

/** What each file is, and its part in the database. @param {Source[]} sources @param {AbortSignal} [signal] */
async function rolesOf(sources, signal) {
  const inspector = (await newInstance()).inspectDirectory()
  /** @type {string[]} */
  const kinds = []
  for (const [index, source] of sources.entries()) {
    signal?.throwIfAborted()
    inspector.add(source.name, source.size)
    // A file that cannot be read is left to the engine, which says so.
    const { kind, format } = await detect(source).catch(() => ({ kind: 'unknown', format: '' }))
    kinds.push(kind)
    inspector.detected(index, kind, format)
  }
  if (inspector.isRelative()) throw new VarveError('The manifest is of RocksDB or Pebble, whose entries cannot be salvaged', { code: 'LEVEL_NOT_SUPPORTED' })
  const lines = inspector.conclude().trimEnd().split('\n').slice(1, sources.length + 1)
  return lines.map((/** @type {string} */ line, /** @type {number} */ index) => {
    const { facts: { role, number } } = JSON.parse(line)
    return { kind: kinds[index], role: String(role), number: typeof number === 'number' ? number : undefined }
  })
}
