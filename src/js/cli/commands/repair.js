import { JSON_OPTION } from '../arguments.js'
import { inItsOrder } from '../comparator.js'
import { findingOf, lineOf, watched } from '../database.js'
import { checkDirectory } from '../location.js'
import { Varve } from '../../level/varve.js'
import { counted, inJson, shown, visible } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'repair',
  summary: 'rebuild a damaged database from its undamaged entries',
  usage: '<directory>',
  details: `Make a copy first. All entries whose checksum is correct are kept, also those of tables without a readable index and of
logs that opening set aside (000003.log.damaged). Files are listed by what was taken from them; logs, damaged tables and
unused files are moved to the directory lost. A sound database with empty logs is left unchanged. If a table, a log or the
manifest is damaged or missing, overwritten values and deleted keys can reappear; the report then says so. A database with
another comparator than bytewise order or Chromium's idb_cmp1 is only repaired with --comparator; the program that created it
can then no longer open it. Exit code 1 if damage was found; the database can be opened again.`,
  positionals: [1, 1],
  options: {
    comparator: { type: 'string', value: 'NAME', help: 'sort the entries by leveldb.BytewiseComparator or idb_cmp1' },
    ...JSON_OPTION
  },

  /** @param {Call} call */
  async run({ values, positionals: [place], out }) {
    checkDirectory(place, 'write')
    const report = await watched('repair', place, ({ location, options }) =>
      inItsOrder(place, { ...options, ...values.comparator !== undefined && { comparator: values.comparator } }, (given) => Varve.repair(location, given)))
    const { tables, entries, recovered, unused, oldDataMayReappear, lost, findings } = report
    if (values.json) {
      out.json({ tables, entries, recovered: recovered.map(inWords), unused, oldDataMayReappear, lost, findings: findings.map(findingOf) })
    } else {
      out.line(`${counted(entries, 'entry', 'entries')} in ${counted(tables, 'table')}`)
      if (recovered.length > 0) out.line('entries were taken from:')
      for (const file of recovered) for (const line of linesOf(file)) out.line(line)
      if (unused.length > 0) out.line('not used:')
      for (const { file, lost, reason } of unused) out.line(`${visible(file)}, now lost/${visible(lost)}: ${reason}`)
      if (oldDataMayReappear) out.line('overwritten values and deleted keys can be visible again, because newer entries may have been lost')
      if (findings.length > 0) out.line('damage found:')
      for (const finding of findings) out.line(lineOf(finding))
      if (findings.length === 0 && lost.length === 0) out.line('sound: nothing was changed')
    }
    return findings.length > 0 ? 1 : 0
  }
}

/** @typedef {import('../../types/index.js').RecoveredFile} RecoveredFile */

/** @param {RecoveredFile} file */
function linesOf({ file, lost, entries, blocks, lostBytes, lostRanges }) {
  const from = blocks > 0 ? ` in ${counted(blocks, 'block')}` : ''
  const missing = lostBytes > 0 ? `; ${counted(lostBytes, 'byte')} could not be used` : ''
  return [
    `${visible(file)}, now lost/${visible(lost)}: ${counted(entries, 'entry', 'entries')}${from}${missing}`,
    ...lostRanges.map(({ from, to }) => `  keys may be missing ${from ? `from ${shown(from, 'escaped')} ` : ''}up to ${shown(to, 'escaped')}`)
  ]
}

/** Returns the file with the keys of its ranges as text. @param {RecoveredFile} file */
const inWords = (file) => ({
  ...file,
  lostRanges: file.lostRanges.map(({ from, to }) => ({ ...from && { from: inJson(from, 'utf8') }, to: inJson(to, 'utf8') }))
})
