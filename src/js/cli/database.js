// Opening a database for one command.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Varve } from '../level/varve.js'
import { UsageError } from './arguments.js'
import { checkDirectory } from './location.js'
import { Progress } from './output.js'
import { counted, grouped, visible } from './text.js'

/** A database as commands open it. @typedef {import('../types/index.js').Varve<Buffer, Buffer>} Db */
/** @typedef {import('./arguments.js').Values} Values */

/** What all commands open with: bytes in, bytes out. */
const BYTES = { keyEncoding: 'buffer', valueEncoding: 'buffer' }

/**
 * Opens the database, acts, and closes it whatever comes of that.
 *
 * @template T
 * @param {string | null} location
 * @param {Record<string, any>} options of Varve; any: it checks them itself
 * @param {(db: Db) => Promise<T>} act
 * @returns {Promise<T>}
 */
export async function withDatabase(location, options, act) {
  if (location !== null) checkDirectory(location, options.readOnly ? 'read' : options.createIfMissing === false ? 'write' : 'make')
  const db = /** @type {Db} */ (/** @type {unknown} */ (new Varve(location, { ...BYTES, ...options })))
  await db.open()
  try {
    await warnOfDamage(db, location)
    return await act(db)
  } finally {
    await db.close()
  }
}

/** Databases of which opening has left something behind. */
const damaged = new WeakSet()

/** Whether opening has left something behind, so that what is read is not everything. @param {Db} db */
export const wasDamaged = (db) => damaged.has(db)

/** Says on standard error what opening has read past. @param {Db} db @param {string | null} location */
async function warnOfDamage(db, location) {
  const { recovery: { findings, logs, left, copies } } = await db.info()
  if (findings.length === 0) return
  damaged.add(db)
  const place = location ?? 'the database'
  const lines = [
    `varve: warning: ${place} is damaged; what stands before the damage is read`,
    ...findings.map((finding) => `  damage: ${lineOf(finding)}`),
    ...logs.map(({ file, entries }) => `  kept: ${file}: ${counted(entries, 'entry', 'entries')}`),
    ...left.map(({ file, offset, bytes }) => `  left: ${file}: ${counted(bytes, 'byte')} from offset ${grouped(offset)}`),
    ...copies.map((file) => `  copy: ${file}, which alone holds now what was left`),
    copies.length === 0
      ? `\`varve verify ${place}\` lists all damage; \`varve repair\` on a copy saves what stands behind it`
      : `\`varve repair\` on a copy tells how to use what is in ${copies.join(' and ')}`
  ]
  console.error(lines.map(visible).join('\n'))
}

/** The same, without writing a byte. @template T @param {string | null} location @param {(db: Db) => Promise<T>} act */
export const reading = (location, act, options = {}) => withDatabase(location, { ...options, readOnly: true, createIfMissing: false }, act)

/**
 * The same for a command that writes, unless it was told not to.
 * @template T
 * @param {string | null} location
 * @param {Values} values
 * @param {Record<string, any>} options any: Varve checks them
 * @param {(db: Db) => Promise<T>} act
 */
export function writing(location, values, options, act) {
  if (values.readonly) throw new UsageError('this command writes, which --readonly forbids')
  return withDatabase(location, options, act)
}

/**
 * Shows how much of the table files was read: what works through all of them leaves no time to others meanwhile, but it
 * does read.
 *
 * @template T
 * @param {string} label
 * @param {string} location
 * @param {(place: { location: string | null, options: Record<string, any> }) => Promise<T>} act is given what to open
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

/** @typedef {{ name: string, kind: 'table' | 'log' | 'manifest' | 'current' | 'lock' | 'info log' | 'temporary' | 'other', size: number }} DirectoryFile */

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

/** The files of a directory. @returns {DirectoryFile[]} @param {string} location */
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
    // Opening says what is wrong.
    return 0
  }
}

/**
 * The live tables, level by level, of LevelDB's own list of them.
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
export const lineOf = ({ code, message }) => `${code}: ${message}`

/** An error in JSON. @param {any} options */
export const findingOf = ({ code, message, file, offset }) => ({ code, message, ...file !== undefined && { file }, ...offset !== undefined && { offset } })
