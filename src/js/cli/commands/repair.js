import { JSON_OPTION } from '../arguments.js'
import { findingOf, lineOf, watched } from '../database.js'
import { checkDirectory } from '../location.js'
import { Varve } from '../../level/varve.js'
import { counted } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'repair',
  summary: 'rebuild a damaged database from what its files still hold',
  usage: '<directory>',
  details: `Make a copy first. Everything whose checksum holds is kept; what is not used goes to the directory lost, and each part of it is
listed. Logs become tables; a sound database with empty logs stays as it is. Without a readable manifest, entries that were overwritten or deleted may come back.
A database that was made with another comparator (Chromium's idb_cmp1, say) is refused, unless --comparator names the one that it
is to have from then on; the program that made it cannot open it then. Exit code 1 if anything was found wrong on the way; the
database can be opened again.`,
  positionals: [1, 1],
  options: {
    comparator: { type: 'string', value: 'NAME', help: 'sort the entries anew: leveldb.BytewiseComparator' },
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
      if (lost.length > 0) out.line('set aside (the sound entries of logs and tables among them are in the database):')
      for (const name of lost) out.line(`lost/${name}`)
      if (findings.length > 0) out.line('found:')
      for (const finding of findings) out.line(lineOf(finding))
      if (findings.length === 0 && lost.length === 0) out.line('sound: nothing was changed')
    }
    return findings.length > 0 ? 1 : 0
  }
}
