import { createWriteStream, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { detect, openZip, salvage, STRICTNESS } from '../../inspect/index.js'
import { NodeStorage } from '../../storage/node/directory.js'
import { JSON_OPTION, UsageError } from '../arguments.js'
import { checkDirectory, isDirectory, systemError } from '../location.js'
import { OpenedFile } from '../opened-file.js'
import { Progress } from '../output.js'
import { counted, grouped, inJson, shown, visible } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../../types/inspect.js').Salvaged} Salvaged */
/** @typedef {import('../../types/inspect.js').SalvageReport} SalvageReport */

/** What is written anew of larger databases is kept in a temporary directory until it is copied. */
const MEMORY_MAX = 256 << 20
/** Lines of one kind that are printed without --json. */
const LINES_MAX = 50

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'salvage',
  summary: 'make a new database of what can be read of a damaged one',
  usage: '<directory or file> [<new directory | file.zip | file.ndjson | file.ldb>]',
  details: `The source is never changed: unlike varve repair, which rebuilds a database in its place. It is a directory, also without
CURRENT or manifest, a single table or log of any name, or a zip with one database. The target must not exist, or be an empty directory;
a file.ldb becomes one table with the newest version of each live key. With
--dry-run nothing is written, and the printed counts are those that the target would have.

--strictness sound uses blocks that a sound index lists; carved (default) also those found by their checksums where an index
is damaged; doubtful also blocks whose checksum is wrong, if they can be decoded and their keys are in order, and records of
logs with a wrong checksum whose sequence numbers fit: what they hold may be wrong. If files are missing or damaged, overwritten values and deleted keys can reappear: the key ranges are
printed. Exit code 1 if anything was left behind, or is used and may be wrong.`,
  positionals: [1, 2],
  options: {
    'dry-run': { type: 'boolean', help: 'only count' },
    strictness: { type: 'string', value: 'S', help: `${STRICTNESS.join(', ')} (default: carved)` },
    comparator: { type: 'string', value: 'NAME', help: 'sort the entries by leveldb.BytewiseComparator or idb_cmp1' },
    ...JSON_OPTION
  },

  /** @param {Call} call */
  async run({ values, positionals: [place, target], out }) {
    const isDry = values['dry-run'] === true
    if (target === undefined && !isDry) throw new UsageError('name the new directory, or count with --dry-run')
    if (target !== undefined && isDry) throw new UsageError('--dry-run writes nothing: leave the target out')
    if (values.strictness !== undefined && !STRICTNESS.includes(values.strictness)) throw new UsageError(`--strictness is one of ${STRICTNESS.join(', ')}`)
    if (target !== undefined) checkTarget(target)
    const files = filesAt(place)
    const size = files.reduce((sum, each) => sum + each.size, 0)
    const progress = new Progress('salvage', size)
    const scratch = size > MEMORY_MAX ? mkdtempSync(join(tmpdir(), 'varve-salvage-')) : undefined
    let told = 0
    try {
      const salvaged = await salvage(await sourcesIn(files), {
        ...values.strictness !== undefined && { strictness: values.strictness },
        ...values.comparator !== undefined && { comparator: values.comparator },
        scratch: scratch === undefined ? 'memory' : new NodeStorage(join(scratch, 'db')),
        progress(done) {
          progress.add(done - told)
          told = done
        }
      })
      try {
        if (target !== undefined) await write(salvaged, target)
      } finally {
        await salvaged.close()
      }
      progress.end()
      if (values.json) out.json(inWords(salvaged.report))
      else for (const line of linesOf(salvaged.report, target)) out.line(line)
      const { leftBehind, doubtful } = salvaged.report
      return leftBehind.length > 0 || doubtful.length > 0 ? 1 : 0
    } finally {
      progress.end()
      for (const file of files) file.close()
      if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true })
    }
  }
}

/** @param {string} place */
function filesAt(place) {
  try {
    if (!isDirectory(place)) return [new OpenedFile({ path: place, size: statSync(place).size }, basename(place))]
    const names = readdirSync(place, { withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name).sort()
    return names.map((name) => new OpenedFile({ path: join(place, name), size: statSync(join(place, name)).size }, name))
  } catch (error) {
    throw systemError(error, place)
  }
}

/** The files of the database, if the only file is a zip. @param {OpenedFile[]} files */
async function sourcesIn(files) {
  if (files.length !== 1 || (await detect(files[0])).format !== 'zip') return files
  const zip = await openZip(files[0])
  if (zip.databases.length !== 1) {
    const folders = zip.databases.map(({ folder }) => `\n  ${visible(folder === '' ? 'its outermost files' : folder)}`)
    throw new UsageError(`${files[0].path} has ${counted(folders.length, 'database')}, not one: unpack the one that is meant${folders.join('')}`)
  }
  const [{ folder, entries }] = zip.databases
  return Promise.all(entries.map(async (entry) => ({ ...await zip.open(entry), name: entry.name.slice(folder.length) })))
}

/** Files are never replaced. @param {string} target */
function checkTarget(target) {
  if (isFile(target)) {
    if (existsSync(target)) throw new UsageError(`${target} is there already: name a file that does not exist`)
    return
  }
  checkDirectory(target, 'make')
  if (existsSync(target) && readdirSync(target).length > 0) throw new UsageError(`${target} is not empty: name a directory that does not exist`)
}

/** @param {string} target */
const isFile = (target) => /\.(zip|ndjson|ldb)$/i.test(target)

/** @param {Salvaged} salvaged @param {string} target */
async function write(salvaged, target) {
  if (!isFile(target)) return salvaged.copy(new NodeStorage(target))
  const partial = `${target}.partial`
  try {
    const pieces = /\.zip$/i.test(target) ? salvaged.zip() : /\.ldb$/i.test(target) ? salvaged.table() : salvaged.ndjson()
    await pipeline(pieces, createWriteStream(partial, { flags: 'wx', flush: true }))
    await rename(partial, target)
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error?.code !== 'EEXIST') await rm(partial, { force: true }).catch(() => {})
    throw error?.path === partial ? systemError(error, partial) : error
  }
}

/** @param {SalvageReport} report @param {string | undefined} target */
function linesOf({ live, keys, entries, tombstones, tables, files, adopted, leftBehind, doubtful, atRisk, oldDataMayReappear }, target) {
  return [
    `${target === undefined ? 'would have' : `${visible(target)} has`} ${counted(live, 'live key')}: ${counted(entries, 'entry', 'entries')} of ${counted(keys, 'key')}, ${counted(tombstones, 'tombstone')}, in ${counted(tables, 'table')}`,
    ...files.map(({ file, use, entries, lostBytes, reason }) => `${visible(file)}: ${use === 'none' ? `not used: ${reason}` : `${counted(entries, 'entry', 'entries')}${use === 'whole' ? ', sound' : ''}${lostBytes > 0 ? `; ${counted(lostBytes, 'byte')} could not be used` : ''}`}`),
    ...adopted.map(({ file, as }) => `${visible(file)} is read as ${as}`),
    ...some(doubtful.map((each) => `used, and may be wrong: ${placeOf(each)}`)),
    ...some(leftBehind.map((each) => `left behind: ${placeOf(each)}`)),
    ...oldDataMayReappear ? ['overwritten values and deleted keys can be visible again, because newer entries may be missing'] : [],
    ...some(atRisk.map(({ file, from, to, live, entries }) => `at risk by ${visible(file)}: ${from === undefined && to === undefined ? 'any key' : `keys ${from === undefined ? '' : `from ${shown(from, 'escaped')} `}${to === undefined ? '' : `up to ${shown(to, 'escaped')}`}`}, ${grouped(live)} of them live${lost(entries)}${entries === undefined ? '' : ' lost'}`))
  ]
}

/** @param {import('../../types/inspect.js').Remark} remark */
const placeOf = ({ file, offset, length, reason, entries }) => `${visible(file)} at ${grouped(offset)}${length === undefined ? '' : `, ${counted(length, 'byte')}`}${lost(entries)}: ${visible(reason)}`

/** @param {import('../../types/inspect.js').Remark['entries']} entries */
const lost = (entries) => entries === undefined ? '' : `, ${entries.is === 'exact' ? '' : `${entries.is} `}${counted(entries.count, 'entry', 'entries')}`

/** @param {string[]} lines */
const some = (lines) => lines.length <= LINES_MAX ? lines : [...lines.slice(0, LINES_MAX), `and ${grouped(lines.length - LINES_MAX)} more; --json prints all`]

/** @param {SalvageReport} report */
const inWords = (report) => ({
  ...report,
  atRisk: report.atRisk.map(({ file, from, to, live, entries }) => ({ file, ...from && { from: inJson(from, 'utf8') }, ...to && { to: inJson(to, 'utf8') }, live, ...entries && { entries } }))
})
