import { buffer } from 'node:stream/consumers'
import { COMPARATOR_OPTION, ENCODING_OPTIONS, JSON_OPTION, READONLY_OPTION, SYNC_OPTION, UsageError } from '../arguments.js'
import { writing } from '../database.js'
import { systemError } from '../location.js'
import { bytesOf, inJson } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../database.js').Db} Db */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'put',
  summary: 'store a value under a key',
  usage: '<directory> <key> [value]',
  details: `Without the argument, the value is read from standard input, unchanged (surrounding white space is removed unless the
encoding is utf8). Give '' to store an empty value: an empty input is an error. Creates the database if it does not exist.`,
  positionals: [2, 3],
  options: { ...ENCODING_OPTIONS, ...SYNC_OPTION, ...JSON_OPTION, ...COMPARATOR_OPTION, ...READONLY_OPTION },

  /** @param {Call} call */
  async run({ values, positionals: [location, text, given], out }) {
    const { keyEncoding, valueEncoding, sync = false } = values
    const key = bytesOf(text, keyEncoding, 'the key')
    const value = given === undefined ? await fromInput(valueEncoding) : bytesOf(given, valueEncoding, 'the value')
    await writing(location, values, {}, (db) => db.put(key, value, { sync }))
    if (values.json) out.json({ key: inJson(key, keyEncoding), bytes: value.length })
  }
}

/** @param {string} encoding */
async function fromInput(encoding) {
  const missing = "no value given: put it after the key, or send it to standard input; '' stores an empty value"
  if (process.stdin.isTTY === true) throw new UsageError(missing)
  const bytes = await buffer(process.stdin).catch((error) => { throw systemError(error, 'standard input') })
  if (bytes.length === 0) throw new UsageError(missing)
  return encoding === 'utf8' ? bytes : bytesOf(bytes.toString('latin1').trim(), encoding, 'standard input')
}
