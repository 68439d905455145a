// The index of a table: a key that separates each block from the next, and where the block is.
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { TRAILER } from '../model/blocks.js'
import { lastAt } from '../model/order.js'
import { counted, grouped, percent } from '../ui/numbers.js'
import { keyText } from './key-text.js'
import { sequenceText } from './structure.js'

/** @param {import('../model/model.js').Model} model */
export function index(model) {
  const { file } = model
  const { regions, index: view, handles } = file ?? {}
  if (file === undefined || regions === undefined) return nothing
  if (view === undefined || handles === undefined) return html`<p class="empty">${regions.columns.kind.length > 1 ? 'The index of this table cannot be read. Its blocks are found by their checksums: see Blocks.' : 'This file has no index.'}</p>`
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'Entries of the index',
    columns: 'index-grid',
    head: ['#', 'separator', 'sequence', 'offset', 'size', 'block'].map((name, place) => html`<span class=${place === 0 || (place >= 2 && place <= 4) ? 'number' : ''}>${name}</span>`),
    count: view.entries.length,
    selected: model.selection === undefined ? -1 : entryAt(handles, model.selection.from),
    row: (entry) => ({
      cells: [
        html`<span class="number">${grouped(entry)}</span>`,
        keyText(view, entry, file.keys),
        html`<span class="number">${sequenceText(view.entries.sequence[entry])}</span>`,
        html`<span class="number">${handles.offset[entry] < 0 ? '—' : grouped(handles.offset[entry])}</span>`,
        html`<span class="number">${handles.offset[entry] < 0 ? '—' : grouped(handles.size[entry])}</span>`,
        stateOf(regions, handles.offset[entry])
      ]
    }),
    onSelect: (entry) => {
      const region = regions.having(handles.offset[entry])
      if (region !== undefined) model.selectRegion(region)
    },
    onOpen: (entry) => {
      const region = regions.having(handles.offset[entry])
      if (region !== undefined) model.selectRegion(region, { view: 'entries' })
    }
  })
  const { length } = view.span
  const data = regions.totals().kinds.find(({ kind }) => kind === 'data')?.bytes ?? 0
  return html`
    <virtual-list id="index" class="fill" .list=${list} .version=${`${regions.version} ${file.keys.version}`}></virtual-list>
    <p class="foot">${counted(view.entries.length, 'entry', 'entries')} · ${grouped(length)} B stored · ${percent(length, data)} of the data that it leads to</p>`
}

/** @param {{ offset: Float64Array, size: Float64Array }} handles @param {number} offset */
function entryAt({ offset: offsets, size }, offset) {
  const entry = lastAt(offsets, offsets.length, offset)
  return entry >= 0 && offset < offsets[entry] + size[entry] + TRAILER ? entry : -1
}

/** @param {import('../model/regions.js').Regions} regions @param {number} offset */
function stateOf(regions, offset) {
  const region = offset < 0 ? undefined : regions.having(offset)
  if (region === undefined || region.offset !== offset) return html`<span class="bad">leads to no block</span>`
  return region.state === 'bad' ? html`<span class="bad">damaged</span>` : region.state === 'unread' ? html`<span class="dim">not read</span>` : 'ok'
}
