// The names under which the engine reads files that are to be salvaged.
import { VarveError } from '../errors.js'
import { detect } from './detect.js'
import { readCurrent } from './last-version.js'
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
  const { roles, isRelative } = await rolesOf(sources, signal)
  const other = isRelative ? roles.findIndex(({ isOther, format }) => isOther && /manifest/.test(format)) : -1
  if (other >= 0 && !roles.some(({ kind }) => kind === 'table')) {
    throw new VarveError(`${sources[other].name} is a ${roles[other].format}, and no table beside it is LevelDB's: RocksDB's own tools read such a database`, { code: 'LEVEL_NOT_SUPPORTED' })
  }
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
    const { kind, role, isOther, format } = roles[index]
    if (isOther || (isRelative && role === 'other' && /^\d+\.(ldb|sst|log)$/.test(name))) {
      leftOut.push({ file: name, offset: 0, reason: isOther || kind === 'foreign' ? `not used: it is a ${format}` : 'not used: the database is of RocksDB or Pebble' })
      continue
    }
    // One file of no known structure may have blocks: of a disk image, or of a table that lost its ends.
    const isAlone = sources.length === 1
    const suffix = SUFFIXES[kind] ?? (kind === 'unknown' && isAlone ? 'ldb' : undefined)
    // Opening has set it aside; the engine reads it with the logs.
    if (/^\d+\.log\.damaged$/.test(name)) named.set(name, source)
    else if ((role === 'misnamed' || (role === 'other' && kind === 'unknown')) && suffix !== undefined && (!hasManifest || isAlone)) {
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
  /** @type {{ kind: string, format: string }[]} */
  const all = []
  for (const [index, source] of sources.entries()) {
    signal?.throwIfAborted()
    inspector.add(source.name, source.size)
    // A file that cannot be read is left to the engine, which says so.
    const detected = await detect(source).catch(() => ({ kind: 'unknown', format: '' }))
    all.push(detected)
    inspector.detected(index, detected.kind, detected.format)
  }
  await readCurrent(sources, inspector)
  const isRelative = inspector.isRelative()
  const isOther = all.map((_, index) => inspector.isRelativeFile(index))
  const lines = inspector.conclude().trimEnd().split('\n').slice(1, sources.length + 1)
  const roles = lines.map((/** @type {string} */ line, /** @type {number} */ index) => {
    const { facts: { role, number } } = JSON.parse(line)
    return { ...all[index], isOther: isOther[index], role: String(role), number: typeof number === 'number' ? number : undefined }
  })
  return { roles, isRelative }
}
