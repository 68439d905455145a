import { ENCODING_OPTIONS, JSON_OPTION, READONLY_OPTION, RANGE_OPTIONS, rangeOf } from '../arguments.js'
import { following } from '../../bytes/bytes.js'
import { tablesOf, watched, writing } from '../database.js'
import { checkDirectory } from '../location.js'
import { counted, sized } from '../text.js'

export const command = {
  name: 'compact',
  summary: 'merge tables, so that what was deleted and overwritten gives its space back',
  usage: '<directory> [--prefix KEY] [--gte KEY] [--lt KEY]',
  positionals: [1, 1],
  options: { ...RANGE_OPTIONS, ...ENCODING_OPTIONS, ...JSON_OPTION, ...READONLY_OPTION },

  async run({ values, positionals: [place], out }) {
    const { gt, gte = gt && following(gt), lte, lt = lte && following(lte) } = rangeOf(values)
    checkDirectory(place, 'write')
    const [before, after] = await watched('compact', place, ({ location, options }) =>
      writing(location, values, { ...options, createIfMissing: false }, async (db) => {
        const before = sizeOf(db)
        await db.compactRange(gte, lt)
        return [before, sizeOf(db)]
      }))
    if (values.json) return out.json({ before, after })
    out.line(`${counted(before.tables, 'table')}, ${sized(before.bytes)} -> ${counted(after.tables, 'table')}, ${sized(after.bytes)}`)
  }
}

function sizeOf(db) {
  const tables = tablesOf(db)
  return { tables: tables.length, bytes: tables.reduce((sum, { size }) => sum + size, 0) }
}
