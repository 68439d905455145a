// Entries that have some text or bytes, or whose key begins with some.
import { valueOf } from 'varve/inspect'
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { bytesText } from '../ui/bytes.js'
import { counted, grouped, percent } from '../ui/numbers.js'
import { doubtOf } from '../model/doubt.js'
import { LISTED_MAX, parseQuery } from '../model/query.js'
import { titleOf } from '../model/sentences.js'
import { doubtCount, doubtWord } from './doubt.js'
import { keyText } from './key-text.js'

/** @typedef {import('../model/model.js').Model} Model */

const SHOWN = 400

/** @param {Model} model */
export function search(model) {
  const { file, found } = model
  if (file?.regions === undefined) return nothing
  const act = (/** @type {Event} */ event) => {
    event.preventDefault()
    const field = /** @type {HTMLInputElement} */ (/** @type {HTMLFormElement} */ (event.target).elements.namedItem('query'))
    const query = parseQuery(field.value)
    field.setAttribute('aria-invalid', String(query === undefined))
    if (query === undefined) model.work.refuse('There is nothing to search for: give some text, prefix:…, key:…, value:… or hex:6b 65 ?? 31, up to 1,024 bytes.')
    else model.work.search(field.value, query)
  }
  return html`
    <search>
      <form class="bar" @submit=${act}>
        <input class="query" name="query" type="search" aria-label="Search" .value=${found?.text ?? ''} placeholder="text, prefix:user:, key:…, value:…, hex:6b 65 ?? 31" autocomplete="off" spellcheck="false">
        <button>Search</button>
        ${found?.status === 'running' ? html`<button type="button" @click=${() => found.cancel()}>Stop</button>` : nothing}
      </form>
    </search>
    ${model.refused !== undefined ? html`<p class="finding warn" role="alert">${model.refused}</p>` : found === undefined ? html`<p class="empty">Text and bytes are found in keys and values of all entries, those of damaged blocks as far as they can be decoded. A <code>prefix:</code> is found by the index, without reading the other blocks${file.keys.isBytewise ? '' : ', but not in this table: its keys are not in the order of their bytes'}.</p>` : results(model, found)}`
}

/** @param {Model} model @param {NonNullable<Model['found']>} found */
function results(model, found) {
  const file = /** @type {import('../model/file.js').OpenFile} */ (model.file)
  const { columns } = found.matches
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'Matches',
    columns: 'matches-grid',
    head: ['#', 'block', 'entry', 'key', 'sequence', 'value'].map((name, place) => html`<span class=${place === 0 || place === 2 || place === 4 ? 'number' : ''}>${name}</span>`),
    count: found.matches.length,
    selected: model.selection?.entry === undefined ? -1 : found.indexOf(model.selection),
    row: (index) => {
      const [offset, entry] = [columns.block[index], columns.entry[index]]
      const view = file.blocks.get(offset)
      const region = file.regions?.having(offset)
      if (view === undefined) model.decode(offset)
      const head = [html`<span class="number">${grouped(index)}</span>`, region === undefined ? '' : titleOf(file, region), html`<span class="number">${grouped(entry)}</span>`]
      if (view === undefined) return { cells: [...head, '…', '', ''] }
      const value = valueOf(view, entry)
      const doubt = doubtOf(region?.state, view.span.findings)
      return { classes: doubt === 'damaged' ? 'bad' : '', cells: [...head, keyText(view, entry, file.keys), html`<span class="number">${grouped(view.entries.sequence[entry])}</span>`, html`${doubtWord(doubt, 'block')}${bytesText(value.subarray(0, SHOWN), { size: value.length })}`] }
    },
    onSelect: (index) => model.selectEntry(columns.block[index], columns.entry[index]),
    onOpen: (index) => model.selectEntry(columns.block[index], columns.entry[index], { view: 'entries' })
  })
  const { status, blocks, total, count, unread, unsure } = found
  return html`
    <virtual-list id="matches" class="fill" .list=${list} .version=${`${found.matches.length} ${file.decoded} ${file.keys.version} ${file.regions?.version}`}></virtual-list>
    <p class="foot">${counted(count, 'match', 'matches')}${count > LISTED_MAX ? `, the first ${grouped(LISTED_MAX)} listed` : ''} in ${counted(blocks, 'block')}${doubtCount(unsure, 'blocks', 'match', 'matches')}${file.index === undefined && file.sweep.status !== 'done' ? ' (the file was not read yet: only blocks that are known)' : ''}${
      status === 'running' ? ` of ${grouped(total)} (${percent(blocks, total)})` : status === 'stopped' ? ' · stopped' : ''}${
      unread > 0 ? html` · <span class="bad">${counted(unread, 'block')} not searched: they cannot be decoded</span>` : ''}</p>`
}
