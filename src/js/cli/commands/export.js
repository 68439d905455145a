import { createWriteStream } from 'node:fs'
import { realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { finished, pipeline } from 'node:stream/promises'
import { Readable, Transform } from 'node:stream'
import { COMPARATOR_OPTION, JSON_OPTION, READONLY_OPTION, UsageError } from '../arguments.js'
import { orderOf } from '../comparator.js'
import { reading, wasDamaged } from '../database.js'
import { systemError } from '../location.js'
import { Progress } from '../output.js'
import { counted, sized } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../database.js').Db} Db */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'export',
  summary: 'write the database as a zip',
  usage: '<directory> [file.zip] [-o file.zip]',
  details: `Tables are not checked: run varve verify first. The zip contains the files of a LevelDB directory; unpack it to get a
database. Without a file, or with -, the zip goes to standard output. A file is replaced only when the zip is complete; a
pipe or device is written as the zip is produced. Exit code 1 if the database is damaged and some data was not read; see
standard error.`,
  positionals: [1, 2],
  options: { output: { type: 'string', short: 'o', value: 'FILE', help: 'the zip file' }, ...JSON_OPTION, ...COMPARATOR_OPTION, ...READONLY_OPTION },

  /** @param {Call} call */
  async run({ values, positionals: [location, named], out }) {
    if (named !== undefined && values.output !== undefined) throw new UsageError('the file is given twice: remove -o FILE or the argument')
    const target = values.output ?? named ?? '-'
    if (target === '-' && out.isTerminal) throw new UsageError('will not write a zip to a terminal: name a file with -o FILE, or redirect the output')
    if (target === '') throw new UsageError('the file name is empty')
    if (target === '-' && values.json) throw new UsageError('--json needs a file (-o FILE), because the zip goes to standard output')
    const place = target === '-' ? undefined : await placeOf(target)
    const { bytes, code } = await reading(location, async (db) => {
      const zip = Readable.fromWeb(/** @type {import('node:stream/web').ReadableStream} */ (db.export()))
      const bytes = place === undefined ? await toOutput(zip) : await toFile(zip, place)
      return { bytes, code: wasDamaged(db) ? 1 : 0 }
    }, orderOf(values))
    if (target === '-') return code
    if (values.json) out.json({ file: target, bytes })
    else out.line(`${target}: ${sized(bytes)} (${counted(bytes, 'byte')})`)
    return code
  }
}

/** @param {import('node:stream').Readable} zip */
async function toOutput(zip) {
  zip.pipe(process.stdout, { end: false })
  await finished(zip, { writable: false })
  return 0
}

/**
 * Returns the path to write to, with links resolved. `isSpecial`: a device or pipe, which a rename
 * would replace.
 * @param {string} target
 */
async function placeOf(target) {
  const present = await stat(target).catch((error) => {
    if (error.code !== 'ENOENT') throw systemError(error, target)
  })
  if (present === undefined) return { path: target, isSpecial: false }
  if (present.isDirectory()) throw new UsageError(`${target} is a directory`)
  return { path: await realpath(target), isSpecial: !present.isFile() }
}

/**
 * @param {import('node:stream').Readable} zip
 * @param {{ path: string, isSpecial: boolean }} place
 */
async function toFile(zip, { path, isSpecial }) {
  const partial = isSpecial ? path : `${path}.partial`
  const progress = new Progress('export')
  let bytes = 0
  const count = new Transform({
    transform(chunk, _, done) {
      bytes += chunk.length
      progress.add(chunk.length)
      done(null, chunk)
    }
  })
  try {
    await pipeline(zip, count, createWriteStream(partial, { flags: 'w', flush: !isSpecial }))
    if (!isSpecial) await rename(partial, path)
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (!isSpecial) await rm(partial, { force: true }).catch(() => {})
    throw error.path === partial ? systemError(error, error.code === 'ENOENT' ? dirname(path) : path) : error
  } finally {
    progress.end()
  }
  return bytes
}
