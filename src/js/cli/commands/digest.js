import { createHash } from 'node:crypto'
import { COMPARATOR_OPTION, JSON_OPTION, READONLY_OPTION } from '../arguments.js'
import { orderOf } from '../comparator.js'
import { reading, wasDamaged, watched } from '../database.js'
import { checkDirectory } from '../location.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../database.js').Db} Db */

const ROWS = 1000

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'digest',
  summary: 'print a SHA-256 of all entries',
  usage: '<directory>',
  details: `Hashes, in key order,
  u32le key length, key, u32le value length, value
for every entry: databases with the same entries have the same digest, whatever their files. If the order of keys is not known
(see standard error) or --comparator is as-stored, the digest depends on the order of the files. Exit code 1 if the database
is damaged and some data was not read; see standard error.`,
  positionals: [1, 1],
  options: { ...JSON_OPTION, ...COMPARATOR_OPTION, ...READONLY_OPTION },

  /** @param {Call} call */
  async run({ values, positionals: [place], out }) {
    checkDirectory(place, 'read')
    const { entries, sha256, code } = await watched('digest', place, ({ location, options }) => reading(location, async (db) => ({
      ...await digestOf(db), code: wasDamaged(db) ? 1 : 0
    }), { ...options, ...orderOf(values) }))
    if (values.json) out.json({ entries, sha256 })
    else out.line(`${sha256}  ${place}`)
    return code
  }
}

/** @param {Db} db */
export async function digestOf(db) {
  const hash = createHash('sha256')
  const length = Buffer.alloc(4)
  let entries = 0
  const iterator = db.iterator()
  try {
    for (let rows = await iterator.nextv(ROWS); rows.length > 0; rows = await iterator.nextv(ROWS)) {
      for (const row of rows) {
        for (const part of row) {
          length.writeUInt32LE(part.length)
          hash.update(length)
          hash.update(part)
        }
      }
      entries += rows.length
    }
  } finally {
    await iterator.close()
  }
  return { entries, sha256: hash.digest('hex') }
}
