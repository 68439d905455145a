import { COMPARATOR_OPTION, ENCODING_OPTIONS, JSON_OPTION, READONLY_OPTION } from '../arguments.js'
import { orderOf } from '../comparator.js'
import { reading } from '../database.js'
import { bytesOf, inJson, shown } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../database.js').Db} Db */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'get',
  summary: 'print the value of a key',
  usage: '<directory> <key>',
  details: 'Exit code 1 if the key does not exist.',
  positionals: [2, 2],
  options: {
    ...ENCODING_OPTIONS,
    ...JSON_OPTION,
    raw: { type: 'boolean', help: "print only the value, byte for byte" },
    ...COMPARATOR_OPTION,
    ...READONLY_OPTION
  },

  /** @param {Call} call */
  async run({ values, positionals: [location, text], out }) {
    const { keyEncoding, valueEncoding } = values
    const key = bytesOf(text, keyEncoding, 'the key')
    const value = await reading(location, (db) => db.get(key), orderOf(values))
    if (values.json) {
      out.json(value === undefined
        ? { key: inJson(key, keyEncoding), found: false }
        : { key: inJson(key, keyEncoding), found: true, value: inJson(value, valueEncoding) })
    } else if (value !== undefined) {
      if (values.raw) out.write(value)
      else out.line(shown(value, valueEncoding, { lines: true }))
    }
    return value === undefined ? 1 : 0
  }
}
