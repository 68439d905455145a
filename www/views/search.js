// Entries that have some text or bytes, or whose key begins with some.
import { valueOf } from 'varve/inspect'
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { bytesOfHex, bytesText, nameText } from '../ui/bytes.js'
import { counted, grouped, percent, sized } from '../ui/numbers.js'
import { doubtOf } from '../model/doubt.js'
import { Everywhere } from '../model/everywhere.js'
import { ROLES } from '../model/folders.js'
import { LISTED_MAX } from '../model/query.js'
import { search as begin } from '../model/searching.js'
import { titleOf } from '../model/sentences.js'
import { doubtCount, doubtWord } from './doubt.js'
import { keyText } from './key-text.js'
import { STATES } from './trace.js'

/** @typedef {import('../model/model.js').Model} Model */

const SHOWN = 400

/** @param {Model} model */
export function search(model) {
  const { file, found } = model
  if (file === undefined) return nothing
  const everywhere = Everywhere.of(model)
  const { files, shown } = everywhere
  // A list of all files stays while one of them is read.
  if (file.regions === undefined && !file.isLog && shown === undefined) return nothing
  const isRunning = found?.status === 'running' || shown?.status === 'running'
  const act = (/** @type {Event} */ event) => {
    event.preventDefault()
    const field = /** @type {HTMLInputElement} */ (/** @type {HTMLFormElement} */ (event.target).elements.namedItem('query'))
    field.setAttribute('aria-invalid', String(!begin(model, field.value)))
  }
  const choose = (/** @type {Event} */ event) => {
    const select = /** @type {HTMLSelectElement} */ (event.target)
    everywhere.choose(/** @type {any} any: its options are these */ (select.value))
    // What is listed is of the other choice.
    if (found !== undefined || shown !== undefined) select.form?.requestSubmit()
  }
  return html`
    <search>
      <form class="bar" @submit=${act}>
        <input class="query" name="query" type="search" aria-label="Search" .value=${found?.text ?? shown?.text ?? ''} placeholder="text, prefix:user:, key:…, value:…, hex:6b 65 ?? 31" autocomplete="off" spellcheck="false">
        ${files.length < 2 ? nothing : html`<label>in <select name="where" @change=${choose}><option value="file" ?selected=${everywhere.where === 'file'}>this file</option><option value="files" ?selected=${everywhere.where === 'files'}>all ${grouped(files.length)} tables and logs here</option></select></label>`}
        <button>Search</button>
        ${isRunning ? html`<button type="button" @click=${() => { found?.cancel(); everywhere.stop() }}>Stop</button>` : nothing}
      </form>
    </search>
    ${model.refused !== undefined ? html`<p class="finding warn" role="alert">${model.refused}</p>` : shown !== undefined ? everywhereIn(everywhere, shown) : found === undefined ? html`<p class="empty">Text and bytes are found in keys and values of all entries, those of damaged blocks as far as they can be decoded. ${file.isLog ? nothing : html`In a table a <code>prefix:</code> is found by the index, without reading the other blocks${file.keys.isBytewise ? '' : ', but not in this one: its keys are not in the order of their bytes'}.`}</p>` : results(model, found)}`
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
      file.worst === 'bad' ? html` · <span class="bad">the file is damaged, so that entries may be missing</span>` : nothing}${
      unread > 0 ? html` · <span class="bad">${counted(unread, 'block')} not searched: they cannot be decoded</span>` : ''}</p>`
}

/** @param {Everywhere} everywhere @param {import('../model/everywhere.js').Matches} found */
function everywhereIn(everywhere, found) {
  const number = (/** @type {unknown} */ value) => html`<span class="number">${value}</span>`
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'Matches in all files',
    columns: 'everywhere-grid',
    head: ['#', 'file', 'offset', 'entry', 'key', 'sequence', 'value'].map((name, place) => html`<span class=${[0, 2, 3, 5].includes(place) ? 'number' : ''}>${name}</span>`),
    count: found.entries.length,
    selected: found.chosen,
    row: (index) => {
      const { file, role, level, offset, entry, key = '', keySize, sequence, type, value, valueSize, state } = found.entries[index]
      const keyBytes = bytesOfHex(key)
      return {
        classes: state === 'sound' ? '' : 'bad',
        cells: [
          number(grouped(index)), html`${nameText(file)} <span class="dim">${level === undefined ? ROLES[role] ?? role : `L${level}`}</span>`, number(grouped(offset)), number(grouped(entry)),
          bytesText(keyBytes, { size: Number(keySize ?? keyBytes.length) }), number(sequence === undefined ? '—' : grouped(Number(sequence))),
          html`${state === 'sound' ? nothing : html`<span class="bad">${STATES[state]}</span> `}${type === 'deletion' ? html`<span class="deleted">del</span>` : bytesText(bytesOfHex(value), { size: valueSize })}`
        ]
      }
    },
    onSelect: (index) => everywhere.select(index, false),
    onOpen: (index) => everywhere.select(index, true)
  })
  const { status, count, files, damaged, done, failure } = found
  const size = files.reduce((sum, each) => sum + each.size, 0)
  return html`
    <virtual-list id="matches" class="fill" .list=${list} .version=${`${found.entries.length} ${status}`}></virtual-list>
    ${failure === undefined ? nothing : html`<p class="finding bad">${nameText(failure)}</p>`}
    ${damaged.length > 0 ? html`<p class="finding bad">Damaged or not read, so that entries may be missing: ${damaged.slice(0, 20).map((name, index) => html`${index > 0 ? ', ' : ''}${nameText(name)}`)}${damaged.length > 20 ? ' …' : ''}</p>` : nothing}
    <p class="foot">${counted(count, 'match', 'matches')} in ${counted(files.length, 'file')}, live or not${count > found.entries.length ? ` · the first ${grouped(found.entries.length)} listed` : ''}${status === 'running' ? ` · ${sized(done)} of ${sized(size)} read` : status === 'stopped' ? ' · stopped' : ''}</p>`
}
