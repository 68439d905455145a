// Draws the levels of a database: each table is a bar over its key range, which shows overlaps.
//
//   level 0   [=====================================================]  000011   1.9 MiB
//   level 2   [==========][=========][=======][=====================]  4 tables  7.1 MiB
//             AD         CN         FR       MX                     ZW

const COLUMNS = 64
const COLOURS = [36, 34, 32, 35]

/**
 * @param {{ level: number, name: string, size: number, first: string, last: string }[]} tables
 * @param {string[]} keys all keys in order, for where a table begins and ends
 * @param {boolean} terminal colours and blocks, else plain text
 * @returns {string}
 */
export function picture(tables, keys, terminal) {
  if (tables.length === 0) return '  no tables: everything is in the log'
  const column = (key) => Math.min(COLUMNS - 1, Math.floor(rankOf(keys, key) / keys.length * COLUMNS))
  const rows = rowsOf(tables).map(({ label, tables }) => {
    const bytes = tables.reduce((sum, { size }) => sum + size, 0)
    const what = tables.length === 1 ? tables[0].name.replace(/\.\w+$/, '') : `${tables.length} tables`
    return `  ${label.padEnd(8)} ${barsOf(tables, column, terminal)} ${what.padEnd(10)} ${(bytes / 2 ** 20).toFixed(1).padStart(5)} MiB`
  })
  return [...rows, `  ${''.padEnd(8)} ${rulerOf(keys)}`].join('\n')
}

/** Tables of level 0 have one line each, those of another level share a line. */
function rowsOf(tables) {
  const rows = []
  for (const table of tables) {
    const last = rows.at(-1)
    if (table.level > 0 && last?.level === table.level) last.tables.push(table)
    else rows.push({ level: table.level, label: last?.level === table.level ? '' : `level ${table.level}`, tables: [table] })
  }
  return rows
}

function barsOf(tables, column, terminal) {
  const cells = Array(COLUMNS).fill(' ')
  tables.forEach(({ first, last }, index) => {
    const [from, to] = [column(first), column(last)]
    for (let at = from; at <= to; at++) {
      const edge = at === from ? '[' : at === to ? ']' : '='
      cells[at] = terminal ? `\x1b[${COLOURS[index % COLOURS.length]}m${at === from && to > from ? '▐' : '█'}\x1b[0m` : edge
    }
  })
  return cells.join('')
}

function rulerOf(keys) {
  let ruler = ''
  for (let at = 0; at < COLUMNS; at += 8) ruler += keys[Math.floor(at / COLUMNS * keys.length)].slice(0, 2).padEnd(8)
  return ruler.trimEnd()
}

/** Returns the number of keys before `key`. */
function rankOf(keys, key) {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (Buffer.compare(Buffer.from(keys[middle]), Buffer.from(key)) < 0) low = middle + 1
    else high = middle
  }
  return low
}
