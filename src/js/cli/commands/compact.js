import { COMPARATOR_OPTION, ENCODING_OPTIONS, JSON_OPTION, READONLY_OPTION, RANGE_OPTIONS, UsageError, boundsOf } from '../arguments.js'
import { rangeIn } from '../comparator.js'
import { following } from '../../bytes/bytes.js'
import { tablesOf, watched, writing } from '../database.js'
import { checkDirectory } from '../location.js'
import { counted, sized } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../database.js').Db} Db */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'compact',
  summary: 'merge tables to free the space of deleted and overwritten entries',
  usage: '<directory> [--prefix KEY] [--gte KEY] [--lt KEY]',
  positionals: [1, 1],
  options: { ...RANGE_OPTIONS, ...ENCODING_OPTIONS, ...JSON_OPTION, ...COMPARATOR_OPTION, ...READONLY_OPTION },

  /** @param {Call} call */
  async run({ values, positionals: [place], out }) {
    const bounds = boundsOf(values)
    checkDirectory(place, 'write')
    const [before, after] = await watched('compact', place, ({ location, options }) =>
      writing(location, values, { ...options, createIfMissing: false }, async (db, comparator) => {
        const { range, prefix } = await rangeIn(comparator, bounds)
        if (prefix !== undefined) throw new UsageError(`--prefix is a range of keys only in bytewise order: give the bounds of the range in ${comparator}`)
        const { gt, gte = gt && following(gt), lte, lt = lte && following(lte) } = range
        const before = sizeOf(db)
        await db.compactRange(/** @type {Buffer} */ (gte), /** @type {Buffer} */ (lt))
        return [before, sizeOf(db)]
      }))
    if (values.json) return out.json({ before, after })
    out.line(`${counted(before.tables, 'table')}, ${sized(before.bytes)} -> ${counted(after.tables, 'table')}, ${sized(after.bytes)}`)
  }
}

/** @param {Db} db */
function sizeOf(db) {
  const tables = tablesOf(db)
  return { tables: tables.length, bytes: tables.reduce((sum, { size }) => sum + size, 0) }
}
