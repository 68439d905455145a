// Every block of a table, in the order of the file.
import { CODECS } from 'varve/inspect'
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { counted, grouped } from '../ui/numbers.js'
import { TRAILER } from '../model/blocks.js'
import { entryOf } from './at-risk.js'
import { keyText } from './key-text.js'
import { progress } from './progress.js'

/** @typedef {import('../model/model.js').Model} Model */
/** @typedef {import('../model/regions.js').Region} Region */

const HEAD = ['#', 'kind', 'offset', 'stored', 'raw', 'ratio', 'codec', 'entries', 'restarts', 'checksum', 'keys up to']

/** @param {Model} model */
export function blocks(model) {
  const { file } = model
  const { regions } = file ?? {}
  if (file === undefined || regions === undefined) return nothing
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'Blocks of the file, by offset',
    columns: 'blocks-grid',
    head: HEAD.map((name, place) => html`<span class=${place >= 2 && place <= 5 || place === 7 || place === 8 ? 'number' : ''}>${name}</span>`),
    count: regions.length,
    selected: model.selection === undefined ? -1 : regions.find(model.selection.from),
    row: (index) => rowOf(model, regions.at(index)),
    onSelect: (index) => model.selectRegion(regions.at(index)),
    onOpen: (index) => model.selectRegion(regions.at(index), { view: regions.at(index).kind === 'data' ? 'entries' : regions.at(index).kind === 'index' ? 'index' : 'structure' }),
    onHover: (index) => model.hoverOver(index < 0 ? undefined : { from: regions.at(index).offset, to: regions.at(index).end })
  })
  return html`
    ${progress(model)}
    <virtual-list id="blocks" class="fill" .list=${list} .version=${`${regions.version} ${file.keys.version}`}></virtual-list>
    ${totals(regions)}`
}

/** @param {Model} model @param {Region} region */
function rowOf({ file }, region) {
  const of = /** @type {import('../model/file.js').OpenFile} */ (file)
  const number = of.regions?.numberOf(region.index) ?? -1
  const isBlock = region.kind !== 'gap' && region.kind !== 'footer'
  const stored = region.size - (isBlock ? TRAILER : 0)
  const cell = (/** @type {unknown} */ value) => html`<span class="number">${value}</span>`
  return {
    classes: `${region.kind} ${region.state}`,
    cells: [
      number < 0 ? '' : grouped(number),
      html`<span class="key ${region.kind}" aria-hidden="true"></span>${region.kind === 'gap' ? 'nothing' : region.kind}`,
      cell(grouped(region.offset)),
      cell(grouped(stored)),
      cell(region.raw > 0 ? grouped(region.raw) : '—'),
      cell(region.raw > 0 && stored > 0 ? (region.raw / stored).toFixed(2) : '—'),
      region.codec === 255 || !isBlock ? '—' : CODECS[region.codec] ?? String(region.codec),
      cell(region.entries > 0 ? grouped(region.entries) : '—'),
      cell(region.restarts > 0 ? grouped(region.restarts) : '—'),
      checksum(region),
      number < 0 ? '' : separator(of, number)
    ]
  }
}

/** @param {Region} region */
function checksum({ kind, state }) {
  if (kind === 'gap') return ''
  if (state === 'unread') return html`<span class="dim">not read</span>`
  if (state === 'bad') return html`<span class="bad">bad</span>`
  return state === 'found' ? html`<span title="no readable index names it; its checksum matches">found</span>` : state === 'doubtful' ? html`<span class="warn">see damage</span>` : 'ok'
}

/** The key of the index entry that leads to the block. @param {import('../model/file.js').OpenFile} file @param {number} number */
function separator(file, number) {
  if (file.index === undefined || file.handles === undefined || file.regions === undefined) return ''
  const entry = entryOf(file, number)
  if (entry < 0) return html`<span class="dim">not in the index</span>`
  return keyText(file.index, entry, file.keys)
}

/** @param {import('../model/regions.js').Regions} regions */
function totals(regions) {
  const { kinds, data, unread } = regions.totals()
  const of = kinds.find(({ kind }) => kind === 'data')
  if (of === undefined) return nothing
  const stored = of.bytes - of.count * TRAILER
  return html`<p class="foot">${counted(data, 'data block')} · ${grouped(stored)} B stored${unread === 0 ? ` → ${grouped(of.raw)} B raw${of.decoded > 0 ? ` · ratio ${(of.raw / of.decoded).toFixed(2)}${of.decoded < stored ? ' of those that can be decoded' : ''}` : ''}` : ''}</p>`
}
