// Keys and values: of one block, or of all blocks in the order of the file.
import { valueOf } from 'varve/inspect'
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { bytesText, reasonText } from '../ui/bytes.js'
import { counted, grouped, percent } from '../ui/numbers.js'
import { doubtOf } from '../model/doubt.js'
import { lastAt } from '../model/order.js'
import { titleOf } from '../model/sentences.js'
import { doubtCount, doubtWord } from './doubt.js'
import { exportBar } from './export-bar.js'
import { keyChoice, keyText } from './key-text.js'
import { operations } from './operations.js'
import { progress } from './progress.js'

/** @typedef {import('../model/model.js').Model} Model */
/** @typedef {import('varve/inspect').BlockView} BlockView */

/** Bytes of a value that a row can show. */
const SHOWN = 400

/** @param {Model} model */
export function entries(model) {
  const { file } = model
  if (file?.regions === undefined) return nothing
  if (file.isLog) return operations(model)
  const scope = model.scope
  const region = regionOf(model)
  return html`
    <div class="bar">
      <div class="choice" role="group" aria-label="Which entries">
        <button aria-pressed=${scope === 'block'} @click=${() => model.setScope('block')}>This block</button>
        <button aria-pressed=${scope === 'all'} @click=${() => model.setScope('all')}>All entries</button>
      </div>
      ${scope === 'block' && region !== undefined
        ? html`<span>${titleOf(file, region)} · offset ${grouped(region.offset)}</span>
          <button @click=${() => model.nextRegion(-1, ({ kind }) => kind === 'data')}>Previous block</button>
          <button @click=${() => model.nextRegion(1, ({ kind }) => kind === 'data')}>Next block</button>`
        : jump(model)}
      ${keyChoice(model)}
    </div>
    ${scope === 'all' ? all(model) : region === undefined ? none(model) : one(model, region)}`
}

/** The data block that is selected, or the first. @param {Model} model */
export function regionOf({ file, selection }) {
  const { regions } = file ?? {}
  if (regions === undefined) return undefined
  const selected = selection && regions.having(selection.from)
  if (selected?.kind === 'data') return selected
  return regions.data.length > 0 ? regions.at(regions.data[0]) : undefined
}

/** @param {Model} model */
function none({ file }) {
  return html`<p class="empty">${file?.sweep.status === 'running' ? 'No block has been found yet.' : 'This file has no data block.'}</p>`
}

const HEAD = ['#', 'at', 'shared + own + value', html`<span class="hidden">restart</span>`, 'key', 'sequence', 'type', 'value']
const head = HEAD.map((name, place) => html`<span class=${place < 3 || place === 5 ? 'number' : ''}>${name}</span>`)

/** @param {Model} model @param {import('../model/regions.js').Region} region */
function one(model, region) {
  const { blocks, keys } = /** @type {import('../model/file.js').OpenFile} */ (model.file)
  const view = blocks.get(region.offset)
  if (view === undefined) {
    model.decode(region.offset)
    return html`<p class="empty">Reading ${counted(region.size, 'byte')} …</p>`
  }
  const { length } = view.entries
  const doubt = doubtOf(region.state, view.span.findings)
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: `Entries of the block at ${region.offset}`,
    columns: 'entries-grid',
    head,
    count: length,
    selected: model.selection?.block === region.offset ? model.selection.entry ?? -1 : -1,
    row: (index) => rowOf(view, index, grouped(index), keys, doubt),
    onSelect: (index) => model.selectEntry(region.offset, index),
    onOpen: (index) => model.selectEntry(region.offset, index, { view: 'hex' })
  })
  return html`
    ${view.span.findings.map(({ code, reason }) => html`<p class="finding bad"><b>${code}</b> ${reasonText(reason)}</p>`)}
    ${view.raw === undefined ? html`<p class="empty">The contents of this block cannot be decoded.</p>` : html`
      <virtual-list id="entries" class="fill" .list=${list} .version=${`${region.offset} ${blocks.size} ${keys.version} ${doubt}`}></virtual-list>
      <p class="foot">${foot(view)}${doubtCount(doubt === undefined ? 0 : length, 'blocks')}</p>`}`
}

/** @param {BlockView} view */
function foot({ entries: { length, shared, keyStart, valueStart }, restarts }) {
  let [saved, own] = [0, 0]
  for (let i = 0; i < length; i++) {
    saved += shared[i]
    own += valueStart[i] - keyStart[i]
  }
  const points = Array.from(restarts.subarray(0, 6), (at) => grouped(at)).join(' · ')
  return `${counted(length, 'entry', 'entries')} · ${grouped(saved)} of ${grouped(saved + own)} bytes of keys are shared (${percent(saved, saved + own)}) · restart ${restarts.length === 1 ? 'point' : 'points'} ${points}${restarts.length > 6 ? ` and ${restarts.length - 6} more` : ''}`
}

/** @param {BlockView} view @param {number} index @param {string} number @param {import('../model/keys-of.js').KeysOf} keys @param {ReturnType<typeof doubtOf>} doubt */
function rowOf(view, index, number, keys, doubt) {
  const { offset, keyStart, valueStart, end, shared, restart, type, sequence } = view.entries
  const internal = type[index] !== 255
  const own = valueStart[index] - keyStart[index]
  const value = valueOf(view, index)
  return {
    classes: `${doubt === 'damaged' ? 'bad' : ''} ${restart[index] ? 'restart' : ''} ${type[index] === 0 ? 'deletion' : ''}`,
    cells: [
      html`<span class="number">${number}</span>`,
      html`<span class="number">${grouped(offset[index])}</span>`,
      html`<span class="number">${shared[index]} + ${own} + ${grouped(end[index] - valueStart[index])}</span>`,
      restart[index] ? html`<span title="a restart point: the key is stored whole">◆</span>` : '',
      keyText(view, index, keys, { dim: shared[index] }),
      html`<span class="number">${internal ? grouped(sequence[index]) : '—'}</span>`,
      type[index] === 1 ? 'put' : type[index] === 0 ? html`<span class="deleted">del</span>` : html`<span class="bad">none</span>`,
      html`${doubtWord(doubt, 'block')}${bytesText(value.subarray(0, SHOWN), { size: value.length })}`
    ]
  }
}

// ---- All entries ----

/** @param {Model} model */
function all(model) {
  const { regions, sweep, keys } = /** @type {import('../model/file.js').OpenFile} */ (model.file)
  if (regions === undefined) return nothing
  const { entriesBefore: before, data } = regions
  const total = before[data.length]
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'All entries of the file',
    columns: 'entries-grid',
    head,
    count: total,
    selected: selectedOf(model),
    row: (index) => {
      const { offset, entry } = placeOf(model, index)
      const view = model.file?.blocks.get(offset)
      if (view === undefined) {
        model.decode(offset)
        return { cells: [html`<span class="number">${grouped(index)}</span>`, '', '', '', '…', '', '', ''] }
      }
      return entry < view.entries.length ? rowOf(view, entry, grouped(index), keys, doubtOf(regions.having(offset)?.state, view.span.findings)) : { cells: [html`<span class="number">${grouped(index)}</span>`] }
    },
    onSelect: (index) => selectRow(model, index),
    onOpen: (index) => selectRow(model, index, 'hex')
  })
  return html`
    ${sweep?.status === 'done' ? nothing : progress(model)}
    <virtual-list id="entries" class="fill" .list=${list} .version=${[regions.version, model.file?.decoded, keys.version].join()}></virtual-list>
    ${exportBar(model)}
    <p class="foot">${counted(total, 'entry', 'entries')}${sweep?.status === 'done' ? '' : ' so far'}${doubtCount(regions.unsureEntries, 'blocks')}</p>`
}

/** @param {Model} model @param {number} index */
function placeOf({ file }, index) {
  const { entriesBefore: before, data, columns } = /** @type {import('../model/regions.js').Regions} */ (file?.regions)
  const block = lastAt(before, data.length, index)
  return { offset: columns.offset[data[block]], entry: index - before[block] }
}

/** @param {Model} model */
function selectedOf({ file, selection }) {
  const { regions } = file ?? {}
  if (regions === undefined || selection?.block === undefined || selection.entry === undefined) return -1
  const number = regions.numberOf(regions.find(selection.block))
  return number < 0 ? -1 : regions.entriesBefore[number] + selection.entry
}

/** @param {Model} model @param {number} index @param {'hex'} [view] */
async function selectRow(model, index, view) {
  const { offset, entry } = placeOf(model, index)
  await model.decode(offset)
  model.selectEntry(offset, entry, { view })
}

/** @param {Model} model */
function jump(model) {
  const act = (/** @type {Event} */ event) => {
    event.preventDefault()
    const field = /** @type {HTMLInputElement} */ (/** @type {HTMLFormElement} */ (event.target).elements.namedItem('row'))
    const total = model.file?.regions?.entriesBefore.at(-1) ?? 0
    const index = Number(field.value.replace(/[,_ ]/g, ''))
    if (Number.isInteger(index) && index >= 0 && index < total) selectRow(model, index)
    else model.say(`there are rows 0 to ${total - 1}`)
  }
  return html`<form class="jump" @submit=${act}><label>Go to row <input name="row" inputmode="numeric" size="10"></label></form>`
}
