import { buffer } from 'node:stream/consumers'
import { ENCODING_OPTIONS, JSON_OPTION, READONLY_OPTION, SYNC_OPTION } from '../arguments.js'
import { writing } from '../database.js'
import { bytesOf, inJson } from '../text.js'

export const command = {
  name: 'put',
  summary: 'store a value under a key',
  usage: '<directory> <key> [value]',
  details: 'Without a value, it is read from standard input, to the end and as it is (in another encoding than utf8, without\nwhite space around it). The database is made if it is not there.',
  positionals: [2, 3],
  options: { ...ENCODING_OPTIONS, ...SYNC_OPTION, ...JSON_OPTION, ...READONLY_OPTION },

  async run({ values, positionals: [location, text, given], out }) {
    const { keyEncoding, valueEncoding, sync = false } = values
    const key = bytesOf(text, keyEncoding, 'the key')
    const value = given === undefined ? await fromInput(valueEncoding) : bytesOf(given, valueEncoding, 'the value')
    await writing(location, values, {}, (db) => db.put(key, value, { sync }))
    if (values.json) out.json({ key: inJson(key, keyEncoding), bytes: value.length })
  }
}

async function fromInput(encoding) {
  const bytes = await buffer(process.stdin)
  return encoding === 'utf8' ? bytes : bytesOf(bytes.toString('latin1').trim(), encoding, 'standard input')
}
