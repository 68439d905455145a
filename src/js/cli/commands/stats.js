import { COMPARATOR_OPTION, JSON_OPTION, READONLY_OPTION } from '../arguments.js'
import { orderOf } from '../comparator.js'
import { filesOf, reading, tablesOf } from '../database.js'
import { counted, grouped, sized, table } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../database.js').Db} Db */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'stats',
  summary: 'print levels, files, sizes and amplification',
  usage: '<directory>',
  details: `Read amplification: the largest number of tables that a lookup of a missing key reads, without filters. Space amplification:
bytes of all tables divided by bytes of the deepest level.`,
  positionals: [1, 1],
  options: { ...JSON_OPTION, ...COMPARATOR_OPTION, ...READONLY_OPTION },

  /** @param {Call} call */
  async run({ values, positionals: [location], out }) {
    const stats = await reading(location, async (db) => ({ tables: tablesOf(db), info: await db.info() }), orderOf(values))
    const summary = summarise(location, stats)
    if (values.json) return out.json(summary)
    const { levels, files, amplification } = summary
    out.line(`${location}: ${counted(summary.tables, 'table')}, ${sized(summary.bytes)} in ${counted(files.length, 'file')}`)
    out.line()
    if (levels.length > 0) {
      out.line(table([['level', 'tables', 'bytes'], ...levels.map(({ level, tables, bytes }) => [level, tables, bytes])]))
      out.line()
    }
    const kinds = new Map()
    for (const { kind, size } of files) kinds.set(kind, { count: (kinds.get(kind)?.count ?? 0) + 1, size: (kinds.get(kind)?.size ?? 0) + size })
    out.line(table([['files', 'count', 'bytes'], ...Array.from(kinds, ([kind, { count, size }]) => [kind, count, size])]))
    out.line()
    out.line(`read amplification   ${grouped(amplification.read)}`)
    out.line(`space amplification  ${amplification.space === null ? '-' : amplification.space.toFixed(2)}`)
    out.line()
    out.write(summary.stats)
  }
}

/**
 * @param {string} location
 * @param {{ tables: ReturnType<typeof tablesOf>, info: import('../../types/index.js').Info }} stats
 */
function summarise(location, { tables, info }) {
  /** @type {{ level: number, tables: number, bytes: number }[]} */
  const levels = []
  for (const { level, size } of tables) {
    const found = levels.find((one) => one.level === level)
    if (found) { found.tables++; found.bytes += size } else levels.push({ level, tables: 1, bytes: size })
  }
  const tableBytes = tables.reduce((sum, { size }) => sum + size, 0)
  const files = filesOf(location)
  return {
    location,
    tables: tables.length,
    tableBytes,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    levels,
    filesAtLevel: info.filesAtLevel,
    files,
    amplification: {
      read: levels.reduce((sum, { level, tables }) => sum + (level === 0 ? tables : 1), 0),
      space: tableBytes === 0 ? null : tableBytes / levels[levels.length - 1].bytes
    },
    memoryUsage: info.memoryUsage,
    counters: info.counters,
    stats: info.stats
  }
}
