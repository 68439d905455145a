// The records of a log: where each is, in how many fragments, and what it holds.
import { REGION_STATES } from 'varve/inspect'
import { html } from 'lit'
import '../ui/virtual-list.js'
import { counted, grouped } from '../ui/numbers.js'
import { progress } from './progress.js'

/** @param {import('../model/model.js').Model} model */
export function records(model) {
  const { file, selection } = model
  const { records: all } = file ?? {}
  if (file === undefined || all === undefined) return html`<p class="empty">No record has been read yet.</p>`
  const { columns } = all
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'Records of the file, in order',
    columns: 'records-grid',
    head: ['#', 'offset', 'fragments', 'bytes', 'first sequence', 'operations', 'state'].map((name, place) => html`<span class=${place < 6 ? 'number' : ''}>${name}</span>`),
    count: all.length,
    selected: selection?.record === undefined ? -1 : all.find('offset', selection.record),
    row: (index) => {
      const cell = (/** @type {unknown} */ value) => html`<span class="number">${value}</span>`
      const state = REGION_STATES[columns.state[index]]
      return {
        classes: state,
        cells: [cell(grouped(index)), cell(grouped(columns.offset[index])), cell(grouped(columns.fragments[index])), cell(grouped(columns.size[index])),
          cell(grouped(columns.sequence[index])), cell(grouped(columns.operations[index])), stateText(state)]
      }
    },
    onSelect: (index) => model.selectRecord(index),
    onOpen: (index) => model.selectRecord(index, { view: 'entries' })
  })
  return html`
    ${progress(model)}
    <virtual-list id="records" class="fill" .list=${list} .version=${`${all.length} ${file.sweep.status}`}></virtual-list>
    <p class="foot">${counted(all.length, 'record')} · ${counted(file.operationsBefore[all.length], 'operation')}</p>`
}

/** @param {string} state */
function stateText(state) {
  if (state === 'bad') return html`<span class="bad">damaged</span>`
  if (state === 'torn') return html`<span title="It was being written when the process stopped. LevelDB leaves it out.">unfinished</span>`
  return state === 'doubtful' ? html`<span class="warn">see damage</span>` : 'ok'
}
