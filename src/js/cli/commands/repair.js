import { JSON_OPTION } from '../arguments.js'
import { findingOf, lineOf, watched } from '../database.js'
import { checkDirectory } from '../location.js'
import { Varve } from '../../level/varve.js'
import { counted } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'repair',
  summary: 'rebuild a damaged database from its undamaged entries',
  usage: '<directory>',
  details: `Make a copy first. All entries whose checksum is correct are kept; unused files are listed and moved to the directory lost.
Logs are written to tables; a sound database with empty logs is left unchanged. If the manifest cannot be read, overwritten
or deleted entries can reappear. A database with another comparator (such as Chromium's idb_cmp1) is only repaired with
--comparator; the program that created it can then no longer open it. Exit code 1 if damage was found; the database can be
opened again.`,
  positionals: [1, 1],
  options: {
    comparator: { type: 'string', value: 'NAME', help: 'sort the entries again, by leveldb.BytewiseComparator' },
    ...JSON_OPTION
  },

  /** @param {Call} call */
  async run({ values, positionals: [place], out }) {
    checkDirectory(place, 'write')
    const report = await watched('repair', place, ({ location, options }) =>
      Varve.repair(location, { ...options, ...values.comparator !== undefined && { comparator: values.comparator } }))
    const { tables, entries, lost, findings } = report
    if (values.json) {
      out.json({ tables, entries, lost, findings: findings.map(findingOf) })
    } else {
      out.line(`${counted(entries, 'entry', 'entries')} in ${counted(tables, 'table')}`)
      if (lost.length > 0) out.line('moved to lost (their undamaged entries are in the database):')
      for (const name of lost) out.line(`lost/${name}`)
      if (findings.length > 0) out.line('damage found:')
      for (const finding of findings) out.line(lineOf(finding))
      if (findings.length === 0 && lost.length === 0) out.line('sound: nothing was changed')
    }
    return findings.length > 0 ? 1 : 0
  }
}
