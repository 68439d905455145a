import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { finished, pipeline } from 'node:stream/promises'
import { Readable, Transform } from 'node:stream'
import { JSON_OPTION, READONLY_OPTION, UsageError } from '../arguments.js'
import { reading } from '../database.js'
import { Progress } from '../output.js'
import { counted, sized } from '../text.js'

export const command = {
  name: 'export',
  summary: 'write the database as a zip',
  usage: '<directory> [file.zip]',
  details: `The zip holds a LevelDB directory, flat: unpacked anywhere it is a database. Without a file (or with -) it goes to standard output.
A file is complete or not there.`,
  positionals: [1, 2],
  options: { ...JSON_OPTION, ...READONLY_OPTION },

  async run({ values, positionals: [location, target = '-'], out }) {
    if (target === '-' && out.isTerminal) throw new UsageError('a zip is nothing for a terminal: name a file, or send it elsewhere')
    if (target === '-' && values.json) throw new UsageError('--json needs a file: the zip itself goes to standard output')
    const bytes = await reading(location, async (db) => {
      const zip = Readable.fromWeb(db.export())
      return target === '-' ? toOutput(zip) : toFile(zip, target)
    })
    if (target === '-') return
    if (values.json) out.json({ file: target, bytes })
    else out.line(`${target}: ${sized(bytes)} (${counted(bytes, 'byte')})`)
  }
}

async function toOutput(zip) {
  zip.pipe(process.stdout, { end: false })
  await finished(zip, { writable: false })
}

async function toFile(zip, target) {
  const partial = `${target}.partial`
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
    await pipeline(zip, count, createWriteStream(partial, { flags: 'w', flush: true }))
    await rename(partial, target)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  } finally {
    progress.end()
  }
  return bytes
}
