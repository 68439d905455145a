import { createReadStream } from 'node:fs'
import { COMPARATOR_OPTION, JSON_OPTION, UsageError } from '../arguments.js'
import { orderOf } from '../comparator.js'
import { tablesOf } from '../database.js'
import { checkDirectory, checkFile } from '../location.js'
import { Varve } from '../../level/varve.js'
import { Progress } from '../output.js'
import { counted, sized } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'import',
  summary: 'create a database from a zip',
  usage: '<directory> [file.zip]',
  details: 'Reads a zip made by varve export, or any zip of a LevelDB directory. Without a file, or with -, it is read from standard\ninput. The directory must not contain a database.',
  positionals: [1, 2],
  options: { ...JSON_OPTION, ...COMPARATOR_OPTION },

  /** @param {Call} call */
  async run({ values, positionals: [location, source = '-'], out }) {
    if (source === '-' && process.stdin.isTTY === true) throw new UsageError('no zip given: name a file, or send the zip to standard input')
    const size = source === '-' ? 0 : checkFile(source).size
    checkDirectory(location, 'make')
    const input = source === '-' ? process.stdin : createReadStream(source)
    const progress = new Progress('import', size)
    const db = await Varve.import(location, streamOf(input, progress), orderOf(values)).finally(() => progress.end())
    const tables = tablesOf(db)
    await db.close()
    const bytes = tables.reduce((sum, { size }) => sum + size, 0)
    if (values.json) out.json({ directory: location, tables: tables.length, bytes })
    else out.line(`${location}: ${counted(tables.length, 'table')}, ${sized(bytes)}`)
  }
}

/**
 * Node's own conversion throws an error that cannot be caught when a failed import has cancelled
 * the stream.
 * @param {import('node:stream').Readable} input
 * @param {Progress} progress
 */
function streamOf(input, progress) {
  const chunks = input[Symbol.asyncIterator]()
  let isEmpty = true
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next()
      if (done && isEmpty) throw new UsageError('no zip given: the input is empty')
      if (done) return controller.close()
      isEmpty = false
      progress.add(value.length)
      controller.enqueue(value)
    },
    async cancel() {
      await chunks.return?.()
    }
  }, { highWaterMark: 0 })
}
