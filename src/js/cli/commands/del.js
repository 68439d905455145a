import { COMPARATOR_OPTION, ENCODING_OPTIONS, JSON_OPTION, READONLY_OPTION, SYNC_OPTION } from '../arguments.js'
import { writing } from '../database.js'
import { bytesOf, inJson } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../database.js').Db} Db */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'del',
  summary: 'delete a key',
  usage: '<directory> <key>',
  details: 'Exit code 1 if the key did not exist.',
  positionals: [2, 2],
  options: { ...ENCODING_OPTIONS, ...SYNC_OPTION, ...JSON_OPTION, ...COMPARATOR_OPTION, ...READONLY_OPTION },

  /** @param {Call} call */
  async run({ values, positionals: [location, text], out }) {
    const { keyEncoding, sync = false } = values
    const key = bytesOf(text, keyEncoding, 'the key')
    const found = await writing(location, values, { createIfMissing: false }, async (db) => {
      const found = await db.has(key)
      if (found) await db.del(key, { sync })
      return found
    })
    if (values.json) out.json({ key: inJson(key, keyEncoding), found })
    return found ? 0 : 1
  }
}
