// The operations of a log: puts and deletions, of one record or of all.
import { REGION_STATES } from 'varve/inspect'
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { bytesText } from '../ui/bytes.js'
import { keyLine } from '../ui/key-parts.js'
import { counted, grouped } from '../ui/numbers.js'
import { doubtOf } from '../model/doubt.js'
import { lastAt } from '../model/order.js'
import { doubtCount, doubtWord } from './doubt.js'
import { keyChoice } from './key-text.js'
import { progress } from './progress.js'

/** @typedef {import('../model/model.js').Model} Model */
/** @typedef {import('varve/inspect').RecordView} RecordView */

/** Bytes of a key or value that a row can show. */
const SHOWN = 400

/** @param {Model} model */
export function operations(model) {
  const { file, scope, selection } = model
  const { records } = file ?? {}
  if (file === undefined || records === undefined || records.length === 0) return html`<p class="empty">${file?.sweep.status === 'running' ? 'No record has been read yet.' : 'This file has no records.'}</p>`
  const chosen = selection?.record === undefined ? 0 : Math.max(0, records.find('offset', selection.record))
  return html`
    <div class="bar">
      <div class="choice" role="group" aria-label="Which operations">
        <button aria-pressed=${scope === 'block'} @click=${() => model.setScope('block')}>This record</button>
        <button aria-pressed=${scope === 'all'} @click=${() => model.setScope('all')}>All operations</button>
      </div>
      ${scope === 'block' ? html`
        <span>Record ${grouped(chosen)} · offset ${grouped(records.columns.offset[chosen])}</span>
        <button @click=${() => model.selectRecord(chosen - 1)}>Previous record</button>
        <button @click=${() => model.selectRecord(chosen + 1)}>Next record</button>` : nothing}
      ${keyChoice(model)}
    </div>
    ${scope === 'block' ? one(model, chosen) : all(model)}`
}

const head = ['#', 'at', 'key + value', 'key', 'sequence', 'type', 'value'].map((name, place) => html`<span class=${place < 3 || place === 4 ? 'number' : ''}>${name}</span>`)

/** @param {Model} model @param {number} record */
function one(model, record) {
  const { file, selection } = model
  const { keys } = /** @type {NonNullable<Model['file']>} */ (file)
  const offset = file?.records?.columns.offset[record]
  const view = file?.opened.get(offset)
  if (view === undefined) {
    model.openRecord(offset)
    return html`<p class="empty">Reading the record …</p>`
  }
  const doubt = doubtOf(REGION_STATES[file?.records?.columns.state[record]])
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: `Operations of record ${record}`,
    columns: 'operations-grid',
    head,
    count: view.operations.length,
    selected: selection?.record === offset ? selection?.entry ?? -1 : -1,
    row: (index) => rowOf(view, index, index, keys, doubt),
    onSelect: (index) => model.selectOperation(offset, index),
    onOpen: (index) => model.selectOperation(offset, index, { view: 'hex' })
  })
  return html`
    ${[...view.span.findings, ...view.contents.findings].map(({ code, severity, reason }) => html`<p class="finding ${severity}"><b>${code}</b> ${reason}</p>`)}
    <virtual-list id="entries" class="fill" .list=${list} .version=${`${offset} ${keys.version} ${doubt}`}></virtual-list>
    <p class="foot">${counted(view.operations.length, 'operation')} · ${grouped(view.raw.length)} B${doubtCount(doubt === undefined ? 0 : view.operations.length, 'records', 'operation', 'operations')}</p>`
}

/** @param {Model} model */
function all(model) {
  const { file, selection } = model
  const records = /** @type {NonNullable<NonNullable<Model['file']>['records']>} */ (file?.records)
  const before = file?.operationsBefore ?? new Float64Array(1)
  const total = before[records.length]
  const placeOf = (/** @type {number} */ index) => {
    const record = lastAt(before, records.length, index)
    return { offset: records.columns.offset[record], operation: index - before[record], state: REGION_STATES[records.columns.state[record]] }
  }
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'All operations of the log',
    columns: 'operations-grid',
    head,
    count: total,
    selected: selection?.record !== undefined && selection.entry !== undefined ? before[records.find('offset', selection.record)] + selection.entry : -1,
    row: (index) => {
      const { offset, operation, state } = placeOf(index)
      const view = file?.opened.get(offset)
      if (view === undefined) model.openRecord(offset)
      return view !== undefined && operation < view.operations.length ? rowOf(view, operation, index, /** @type {NonNullable<Model['file']>} */ (file).keys, doubtOf(state)) : { cells: [html`<span class="number">${grouped(index)}</span>`, '', '', '…', '', '', ''] }
    },
    onSelect: (index) => {
      const { offset, operation } = placeOf(index)
      model.selectOperation(offset, operation)
    },
    onOpen: (index) => {
      const { offset, operation } = placeOf(index)
      model.selectOperation(offset, operation, { view: 'hex' })
    }
  })
  return html`
    ${file?.sweep.status === 'done' ? nothing : progress(model)}
    <virtual-list id="entries" class="fill" .list=${list} .version=${`${records.length} ${file?.decoded} ${file?.keys.version}`}></virtual-list>
    <p class="foot">${counted(total, 'operation')}${file?.sweep.status === 'done' ? '' : ' so far'}${doubtCount(file?.unsureOperations ?? 0, 'records', 'operation', 'operations')}</p>`
}

/** @param {RecordView & import('../explain.js').Explained} view @param {number} index @param {number} number @param {import('../model/keys-of.js').KeysOf} keys @param {ReturnType<typeof doubtOf>} doubt */
function rowOf({ operations, raw, keys: explained }, index, number, keys, doubt) {
  const { offset, keyStart, keyEnd, valueStart, end, type, sequence } = operations
  const parts = keys.plain ? undefined : explained?.[index]
  const [key, value] = [keyEnd[index] - keyStart[index], end[index] - valueStart[index]]
  return {
    classes: `${doubt === 'damaged' ? 'bad' : ''} ${type[index] === 0 ? 'deletion' : ''}`,
    cells: [
      html`<span class="number">${grouped(number)}</span>`,
      html`<span class="number">${grouped(offset[index])}</span>`,
      html`<span class="number">${grouped(key)} + ${grouped(value)}</span>`,
      parts ? keyLine(parts, keys) : bytesText(raw.subarray(keyStart[index], Math.min(keyEnd[index], keyStart[index] + SHOWN)), { size: key }),
      html`<span class="number">${grouped(sequence[index])}</span>`,
      type[index] === 1 ? 'put' : html`<span class="deleted">del</span>`,
      html`${doubtWord(doubt, 'record')}${bytesText(raw.subarray(valueStart[index], Math.min(end[index], valueStart[index] + SHOWN)), { size: value })}`
    ]
  }
}
