// Opens a database for one command.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Varve } from '../level/varve.js'
import { UsageError } from './arguments.js'
import { inItsOrder, orderOf } from './comparator.js'
import { checkDirectory } from './location.js'
import { Progress } from './output.js'
import { afterCode, counted, grouped, visible } from './text.js'

/**
 * A database opened by a command.
 * @typedef {import('../types/index.js').Varve<Buffer, Buffer>} Db
 */
/** @typedef {import('./arguments.js').Values} Values */

/** Options of every opening: keys and values are bytes. */
const BYTES = { keyEncoding: 'buffer', valueEncoding: 'buffer' }

/**
 * Opens the database, calls `act` with it and the name of its comparator, and closes the database even if
 * that fails.
 *
 * @template T
 * @param {string | null} location
 * @param {Record<string, any>} options of Varve; any: Varve checks them
 * @param {(db: Db, comparator: string | undefined) => Promise<T>} act `undefined`: bytewise order
 * @returns {Promise<T>}
 */
export async function withDatabase(location, options, act) {
  if (location !== null) checkDirectory(location, options.readOnly ? 'read' : options.createIfMissing === false ? 'write' : 'make')
  const { db, comparator } = await inItsOrder(location ?? options.storage?.directory ?? null, options, async (given) => {
    const db = /** @type {Db} */ (/** @type {unknown} */ (new Varve(location, { ...BYTES, ...given })))
    await db.open()
    return { db, comparator: given.comparator }
  })
  try {
    await warnOfDamage(db, location)
    return await act(db, comparator)
  } finally {
    await db.close()
  }
}

/** Databases with damage that was skipped on opening. */
const damaged = new WeakSet()

/** Whether opening skipped damage, so that entries may be missing. @param {Db} db */
export const wasDamaged = (db) => damaged.has(db)

/**
 * Reports damage that was skipped on opening on standard error.
 * @param {Db} db
 * @param {string | null} location
 */
async function warnOfDamage(db, location) {
  const { recovery: { findings, logs, left, copies } } = await db.info()
  if (findings.length === 0) return
  damaged.add(db)
  const place = location ?? 'the database'
  const lines = [
    `varve: warning: ${place} is damaged; only the data before the damage was read`,
    ...findings.map((finding) => `  damage: ${lineOf(finding)}`),
    ...logs.map(({ file, entries }) => `  kept: ${file}: ${counted(entries, 'entry', 'entries')}`),
    ...left.map(({ file, offset, bytes }) => `  left: ${file}: ${counted(bytes, 'byte')} from offset ${grouped(offset)}`),
    ...copies.map((file) => `  copy: ${file} has the data that was not read`),
    copies.length === 0
      ? `\`varve verify ${place}\` lists all damage; \`varve repair\` on a copy recovers the data after it`
      : `\`varve repair\` on a copy recovers data from ${copies.join(' and ')}`
  ]
  console.error(lines.map(visible).join('\n'))
}

/**
 * As withDatabase, read-only.
 * @template T
 * @param {string | null} location
 * @param {(db: Db, comparator: string | undefined) => Promise<T>} act
 */
export const reading = (location, act, options = {}) => withDatabase(location, { ...options, readOnly: true, createIfMissing: false }, act)

/**
 * As withDatabase, for a command that writes; fails with --readonly.
 * @template T
 * @param {string | null} location
 * @param {Values} values of the command; its --comparator is the database's
 * @param {Record<string, any>} options any: Varve checks them
 * @param {(db: Db, comparator: string | undefined) => Promise<T>} act
 */
export function writing(location, values, options, act) {
  if (values.readonly) throw new UsageError('this command writes: run it without --readonly')
  return withDatabase(location, { ...options, ...orderOf(values) }, act)
}

/**
 * Shows the progress of a command that reads all table files. The engine blocks the event loop
 * meanwhile, so progress is drawn from the storage's reads.
 *
 * @template T
 * @param {string} label
 * @param {string} location
 * @param {(place: { location: string | null, options: Record<string, unknown> }) => Promise<T>} act
 *   called with the arguments of Varve
 * @returns {Promise<T>}
 */
export async function watched(label, location, act) {
  if (process.stderr.isTTY !== true) return act({ location, options: {} })
  const progress = new Progress(label, tablesSize(location))
  const { NodeStorage } = await import('../storage/node/directory.js')
  class WatchedStorage extends NodeStorage {
    /** @param {string} name @param {'read' | 'append'} access */
    open(name, access) {
      const file = super.open(name, access)
      const read = file.read.bind(file)
      file.read = (offset, into) => {
        const count = read(offset, into)
        progress.add(count)
        return count
      }
      return file
    }
  }
  try {
    return await act({ location: null, options: { storage: new WatchedStorage(location) } })
  } finally {
    progress.end()
  }
}

/**
 * @typedef {{ name: string, size: number, kind: 'table' | 'log' | 'manifest' | 'current' | 'lock' |
 *             'info log' | 'temporary' | 'other' }} DirectoryFile
 */

/** @type {[RegExp, DirectoryFile['kind']][]} */
const KINDS = [
  [/^\d+\.(ldb|sst)$/, 'table'],
  [/^\d+\.log$/, 'log'],
  [/^MANIFEST-\d+$/, 'manifest'],
  [/^CURRENT$/, 'current'],
  [/^LOCK(\.varve)?$/, 'lock'],
  [/^LOG(\.old)?$/, 'info log'],
  [/^\d+\.dbtmp$/, 'temporary']
]

/** Returns the files of a directory. @returns {DirectoryFile[]} @param {string} location */
export function filesOf(location) {
  const found = readdirSync(location, { withFileTypes: true }).filter((entry) => !entry.isDirectory())
  return found.map(({ name }) => ({
    name,
    kind: KINDS.find(([pattern]) => pattern.test(name))?.[1] ?? 'other',
    size: statSync(join(location, name), { throwIfNoEntry: false })?.size ?? 0
  })).sort((a, b) => a.name < b.name ? -1 : 1)
}

/** @param {string} location */
function tablesSize(location) {
  try {
    return filesOf(location).filter(({ kind }) => kind === 'table' || kind === 'log').reduce((sum, { size }) => sum + size, 0)
  } catch {
    // Opening reports the error.
    return 0
  }
}

/**
 * Parses the property leveldb.sstables: the live tables, by level.
 *
 * @returns {{ level: number, number: number, name: string, size: number, range: string }[]}
 * @param {{ getProperty(name: string): string }} db
 */
export function tablesOf(db) {
  const tables = []
  let level = 0
  for (const line of db.getProperty('leveldb.sstables').split('\n')) {
    const heading = /^--- level (\d+) ---$/.exec(line)
    if (heading) level = Number(heading[1])
    const table = /^ (\d+):(\d+)\[(.*)\]$/.exec(line)
    if (table) tables.push({ level, number: Number(table[1]), name: `${table[1].padStart(6, '0')}.ldb`, size: Number(table[2]), range: table[3] })
  }
  return tables
}

/** @param {{ code: string, message: string }} finding */
export const lineOf = ({ code, message }) => `${code}: ${afterCode(message)}`

/**
 * Returns an error as JSON.
 * @param {{ code: string, message: string, file?: string, offset?: number | string }} finding
 */
export const findingOf = ({ code, message, file, offset }) => ({ code, message, ...file !== undefined && { file }, ...offset !== undefined && { offset } })
