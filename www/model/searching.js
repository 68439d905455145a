// Searches begin here: in one table block by block, in logs and in several files file by file.
import { counted } from '../ui/numbers.js'
import { Everywhere } from './everywhere.js'
import { blocksFor, Found } from './found.js'
import { parseQuery } from './query.js'

/** @typedef {import('./model.js').Model} Model */

/**
 * Searches for what was typed, or says why that is not possible.
 *
 * @param {Model} model
 * @param {string} text
 * @returns {boolean} whether it is possible
 */
export function search(model, text) {
  const { file } = model
  const everywhere = Everywhere.of(model)
  const query = parseQuery(text)
  const isAll = everywhere.where === 'files' && everywhere.files.length > 1
  model.searched = query && { text, where: isAll ? 'files' : 'file' }
  if (query === undefined) refuse(model, /^hex:./.test(text) ? 'This is not hexadecimal: give pairs of digits, or ?? for any byte, such as hex:6b 65 ?? 31, up to 1,024 bytes.' : 'There is nothing to search for: give some text, prefix:…, key:…, value:… or hex:6b 65 ?? 31, up to 1,024 bytes.')
  else if (file?.isLog || isAll) everywhere.run(text, query)
  else searchTable(model, text, query)
  model.publish()
  return query !== undefined
}

/** Searches for what an address says, unless that is shown. @param {Model} model @param {import('./address.js').Searched} searched */
export function restoreSearch(model, { text, where }) {
  const everywhere = Everywhere.of(model)
  const { shown } = everywhere
  if (shown === undefined ? model.found?.text === text && where === 'file' : shown.text === text && shown.where === where) return
  everywhere.choose(where)
  search(model, text)
}

/** What was typed is nothing to search for. @param {Model} model @param {string} why */
function refuse(model, why) {
  model.found?.cancel()
  model.found = undefined
  model.everywhere?.end()
  model.refused = why
  model.changed()
}

/** Looks for entries of the table that is looked at. @param {Model} model @param {string} text as it was typed @param {import('./query.js').Query} query */
export async function searchTable(model, text, query) {
  const { file } = model
  if (file?.regions === undefined) return
  model.refused = undefined
  model.everywhere?.end()
  model.found?.cancel()
  const control = new AbortController()
  const blocks = blocksFor(file, query)
  const made = () => model.found = new Found(text, blocks.offset.length, () => control.abort())
  let found = made()
  const begin = () => {
    found = made()
    model.changed()
  }
  try {
    await model.work.call('search', [file.id, blocks, query], {
      signal: control.signal,
      begin,
      onPart: (part) => {
        found.take(part)
        model.progressed()
      }
    })
    found.status = control.signal.aborted ? 'stopped' : 'done'
  } catch (error) {
    found.status = 'stopped'
    if (!control.signal.aborted) file.fail(error)
  }
  model.say(counted(found.count, 'match', 'matches'))
}
