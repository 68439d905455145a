import { ENCODING_OPTIONS, JSON_OPTION, RANGE_OPTIONS, READONLY_OPTION, UsageError, rangeOf, wholeOf } from '../arguments.js'
import { reading, wasDamaged } from '../database.js'
import { Progress } from '../output.js'
import { inJson, shown } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../database.js').Db} Db */

/** Entries taken at once. */
const ROWS = 1000

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'scan',
  summary: 'print entries in order of their keys',
  usage: '<directory> [--prefix KEY] [--gte KEY] [--lt KEY] [--limit N] ...',
  details: 'An entry a line: key, tab, value. With --json an object a line. Exit code 1 if the database is damaged and\nsomething was left behind; standard error says what.',
  positionals: [1, 1],
  options: {
    ...RANGE_OPTIONS,
    limit: { type: 'string', value: 'N', help: 'at most N entries' },
    reverse: { type: 'boolean', help: 'from the last to the first' },
    keys: { type: 'boolean', help: 'keys alone' },
    values: { type: 'boolean', help: 'values alone' },
    ...ENCODING_OPTIONS,
    ...JSON_OPTION,
    ...READONLY_OPTION
  },

  /** @param {Call} call */
  async run({ values, positionals: [location], out }) {
    const { json, reverse = false, keyEncoding, valueEncoding } = values
    if (values.keys && values.values) throw new UsageError('--keys and --values exclude each other')
    const [keys, wantValues] = [!values.values, !values.keys]
    const range = { ...rangeOf(values), reverse, limit: wholeOf(values, 'limit', { otherwise: -1 }) }

    const line = json
      ? (/** @type {Buffer} */ key, /** @type {Buffer} */ value) => out.json({ ...keys && { key: inJson(key, keyEncoding) }, ...wantValues && { value: inJson(value, valueEncoding) } })
      : (/** @type {Buffer} */ key, /** @type {Buffer} */ value) => out.line([...keys ? [shown(key, keyEncoding)] : [], ...wantValues ? [shown(value, valueEncoding)] : []].join('\t'))

    // On a terminal the lines themselves are what moves.
    const progress = out.isTerminal ? undefined : new Progress('entries')
    return reading(location, async (db) => {
      const iterator = db.iterator({ ...range, keys: true, values: wantValues })
      try {
        for (let rows = await iterator.nextv(ROWS); rows.length > 0; rows = await iterator.nextv(ROWS)) {
          for (const [key, value] of rows) await line(key, value)
          progress?.add(rows.length)
        }
      } finally {
        progress?.end()
        await iterator.close()
      }
      return wasDamaged(db) ? 1 : 0
    })
  }
}
