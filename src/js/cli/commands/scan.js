import { boundsOf, COMPARATOR_OPTION, ENCODING_OPTIONS, JSON_OPTION, RANGE_OPTIONS, READONLY_OPTION, UsageError, wholeOf } from '../arguments.js'
import { orderOf, rangeIn } from '../comparator.js'
import { reading, wasDamaged } from '../database.js'
import { Progress } from '../output.js'
import { inJson, shown } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../database.js').Db} Db */

/** Entries read at a time. */
const ROWS = 1000

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'scan',
  summary: 'print entries in key order',
  usage: '<directory> [--prefix KEY] [--gte KEY] [--lt KEY] [--limit N] ...',
  details: `Prints one entry per line: key, tab, value; with --json one object per line. Exit code 1 if the database is damaged and
some data was not read; see standard error.

The order is that of the comparator that the manifest names: bytewise, or Chromium's idb_cmp1. With any other, which is then
told on standard error, and with --comparator as-stored, entries come file by file, as they are stored: bounds and --reverse
need an order and fail, and --prefix reads all entries.`,
  positionals: [1, 1],
  options: {
    ...RANGE_OPTIONS,
    limit: { type: 'string', value: 'N', help: 'print at most N entries' },
    reverse: { type: 'boolean', help: 'print in reverse key order' },
    keys: { type: 'boolean', help: 'print only keys' },
    values: { type: 'boolean', help: 'print only values' },
    ...ENCODING_OPTIONS,
    ...JSON_OPTION,
    ...COMPARATOR_OPTION,
    ...READONLY_OPTION
  },

  /** @param {Call} call */
  async run({ values, positionals: [location], out }) {
    const { json, reverse = false, keyEncoding, valueEncoding } = values
    if (values.keys && values.values) throw new UsageError('--keys and --values cannot be combined')
    const [keys, wantValues] = [!values.values, !values.keys]
    const bounds = boundsOf(values)
    const limit = wholeOf(values, 'limit', { otherwise: -1 })

    const line = json
      ? (/** @type {Buffer} */ key, /** @type {Buffer} */ value) => out.json({ ...keys && { key: inJson(key, keyEncoding) }, ...wantValues && { value: inJson(value, valueEncoding) } })
      : (/** @type {Buffer} */ key, /** @type {Buffer} */ value) => out.line([...keys ? [shown(key, keyEncoding)] : [], ...wantValues ? [shown(value, valueEncoding)] : []].join('\t'))

    // On a terminal the printed lines show progress.
    const progress = out.isTerminal ? undefined : new Progress('entries')
    return reading(location, async (db, comparator) => {
      const { range, prefix } = await rangeIn(comparator, bounds)
      const iterator = db.iterator({ ...range, reverse, limit: prefix === undefined ? limit : -1, keys: true, values: wantValues })
      let left = limit < 0 ? Infinity : limit
      try {
        for (let rows = await iterator.nextv(ROWS); rows.length > 0 && left > 0; rows = await iterator.nextv(ROWS)) {
          for (const [key, value] of rows) {
            if (prefix !== undefined && (left === 0 || !key.subarray(0, prefix.length).equals(prefix))) continue
            await line(key, value)
            left--
          }
          progress?.add(rows.length)
        }
      } finally {
        progress?.end()
        await iterator.close()
      }
      return wasDamaged(db) ? 1 : 0
    }, orderOf(values))
  }
}
