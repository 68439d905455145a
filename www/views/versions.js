// The edits of a manifest, and the tree as it was after the one that is selected.
import { EDIT_REASONS } from 'varve/inspect'
import { html, nothing } from 'lit'
import '../ui/lsm-tree.js'
import '../ui/virtual-list.js'
import { bytesOfHex, bytesText, nameText } from '../ui/bytes.js'
import { counted, exact, grouped, sized } from '../ui/numbers.js'
import { progress } from './progress.js'

/** @typedef {import('../model/model.js').Model} Model */

/** @param {Model} model */
export function versions(model) {
  const { file } = model
  const { records: edits } = file ?? {}
  if (file === undefined || edits === undefined || edits.length === 0) return html`<p class="empty">${file?.sweep.status === 'running' ? 'No edit has been read yet.' : 'This manifest has no edits.'}</p>`
  const at = model.edit
  const { columns } = edits
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'Edits of the manifest',
    columns: 'edits-grid',
    head: ['#', 'offset', 'size', 'reason', 'added', 'removed', 'tables', 'bytes'].map((name, place) => html`<span class=${place === 3 ? '' : 'number'}>${name}</span>`),
    count: edits.length,
    selected: at,
    row: (index) => {
      const cell = (/** @type {unknown} */ value) => html`<span class="number">${value}</span>`
      return {
        classes: columns.reason[index] === 255 ? 'bad' : '',
        cells: [cell(grouped(index)), cell(grouped(columns.offset[index])), cell(grouped(columns.size[index])), reasonOf(columns, index), cell(signed('+', columns.added[index])), cell(signed('−', columns.removed[index])),
          cell(grouped(columns.tables[index])), cell(grouped(columns.tableBytes[index]))]
      }
    },
    onSelect: (index) => model.selectRecord(index),
    onOpen: (index) => model.selectRecord(index, { view: 'hex' })
  })
  return html`
    ${progress(model)}
    <virtual-list id="edits" class="fill" .list=${list} .version=${`${edits.length} ${file.sweep.status}`}></virtual-list>
    <div class="bar">
      <label class="timeline">After edit <input type="range" min="0" max=${edits.length - 1} .value=${String(at)} aria-valuetext=${`edit ${at}: ${textOf(columns, at)}`} @input=${(/** @type {Event} */ event) => model.selectRecord(Number(/** @type {HTMLInputElement} */ (event.target).value))}></label>
      <span>${grouped(at)} of ${grouped(edits.length - 1)}</span>
    </div>
    ${tree(model, at)}`
}

/** @param {string} sign @param {number} count */
const signed = (sign, count) => count === 0 ? '' : `${sign}${grouped(count)}`

/** @param {any} columns any: of the model @param {number} index */
function textOf({ reason, from, to, state }, index) {
  const name = EDIT_REASONS[reason[index]]
  if (name === undefined) return state[index] === 0 ? 'not read' : 'cannot be decoded'
  if (name === 'flush') return `flush to L${to[index]}`
  if (name === 'move') return `move L${from[index]} → L${to[index]}`
  return name === 'compaction' ? `compaction L${from[index]} → L${to[index]}` : name
}

/** @param {any} columns any: of the model @param {number} index */
const reasonOf = (columns, index) => columns.reason[index] === 255 ? html`<span class="bad">${textOf(columns, index)}</span>` : textOf(columns, index)

/** @param {Model} model @param {number} edit */
function tree(model, edit) {
  const { version, table } = model
  if (version?.edit !== edit) model.replay(edit)
  if (version?.failure !== undefined) return html`<p class="finding bad">The version after edit ${grouped(version.edit)} cannot be found: ${nameText(version.failure)}</p>`
  if (version?.state === undefined) return html`<p class="empty">Replaying ${counted(edit + 1, 'edit')} …</p>`
  const { tables, comparator, ranks, logNumber, nextFileNumber, lastSequence, tableBytes } = version.state
  const drawn = tables.map(({ level, number, size, smallest, largest }, index) => ({ ...ranks && { ranks: /** @type {[number, number]} */ ([ranks[2 * index], ranks[2 * index + 1]]) }, level, number: String(number), size: Number(size), smallest: smallest.key, largest: largest.key }))
  const times = model.folder?.times ?? new Map()
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'Live tables, by level and number',
    columns: times.size === 0 ? 'tables-grid' : 'tables-grid timed',
    head: ['level', 'table', 'bytes', 'smallest', 'largest', ...times.size === 0 ? [] : ['written, by LOG']].map((name, place) => html`<span class=${place === 1 || place === 2 ? 'number' : ''}>${name}</span>`),
    count: tables.length,
    selected: table,
    row: (index) => {
      const { level, number, size, smallest, largest } = tables[index]
      const cell = (/** @type {unknown} */ value) => html`<span class="number">${value}</span>`
      return { cells: [`L${level}`, cell(`#${number}`), cell(grouped(Number(size))), bytesText(bytesOfHex(smallest.key)), bytesText(bytesOfHex(largest.key)), ...times.size === 0 ? [] : [times.get(String(number)) ?? '—']] }
    },
    onSelect: (index) => model.selectTable(index),
    onOpen: (index) => {
      const name = new RegExp(`(^|/)0*${tables[index].number}\\.(ldb|sst)$`)
      const file = model.files.find((each) => name.test(each.name))
      if (file === undefined) model.say(`table ${tables[index].number} is not among the open files`)
      else model.look(file)
    }
  })
  return html`
    <dl class="facts">
      <div><dt>after edit</dt><dd>${grouped(version.edit)}</dd></div>
      ${comparator === undefined ? nothing : html`<div><dt>comparator</dt><dd>${bytesText(bytesOfHex(comparator))}</dd></div>`}
      <div><dt>log</dt><dd>${logNumber ?? '—'}</dd></div>
      <div><dt>next file</dt><dd>${nextFileNumber ?? '—'}</dd></div>
      <div><dt>last sequence</dt><dd>${lastSequence === undefined ? '—' : exact(lastSequence)}</dd></div>
      <div><dt>live</dt><dd>${counted(tables.length, 'table')}, ${sized(Number(tableBytes))}</dd></div>
    </dl>
    ${model.file?.keys.isUnknown ? html`<p class="dim">The order of this comparator is not known here: tables are drawn in the order of the bytes of their keys.</p>` : nothing}
    ${tables.length === 0 ? html`<p class="empty">No table is live after this edit.</p>` : html`
      <div class="tree"><lsm-tree .tables=${drawn} .selected=${table} .onSelect=${(/** @type {number} */ index) => model.selectTable(index)}></lsm-tree></div>
      <virtual-list id="tables" class="fill" .list=${list} .version=${version.edit}></virtual-list>`}`
}
