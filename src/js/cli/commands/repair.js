import { JSON_OPTION } from '../arguments.js'
import { findingOf, watched } from '../database.js'
import { checkDirectory } from '../location.js'
import { Varve } from '../../level.js'
import { counted } from '../text.js'
import { lineOf } from './verify.js'

export const command = {
  name: 'repair',
  summary: 'rebuild a damaged database from what its files still hold',
  usage: '<directory>',
  details: `Make a copy first. What is left over goes to the directory lost. Entries that were overwritten or deleted may come back.
Exit code 1 if anything was found wrong on the way; the database can be opened again.`,
  positionals: [1, 1],
  options: JSON_OPTION,

  async run({ values, positionals: [place], out }) {
    checkDirectory(place, 'write')
    const report = await watched('repair', place, ({ location, options }) => Varve.repair(location, options))
    const { tables, entries, lost, findings } = report
    if (values.json) {
      out.json({ tables, entries, lost, findings: findings.map(findingOf) })
    } else {
      out.line(`${counted(entries, 'entry', 'entries')} in ${counted(tables, 'table')}`)
      for (const name of lost) out.line(`lost/${name}`)
      for (const finding of findings) out.line(lineOf(finding))
    }
    return findings.length > 0 ? 1 : 0
  }
}
