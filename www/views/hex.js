// The bytes, coloured by what they belong to: of the file, or of a decompressed block.
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { grouped, hex as hexNumber, offsetOf, range } from '../ui/numbers.js'
import { lastAt } from '../model/order.js'
import { entryAt, ownerInRecord, ownerInside, ownerOf } from '../model/owners.js'
import { titleOf } from '../model/sentences.js'

/** @typedef {import('../model/model.js').Model} Model */
/** @typedef {import('../model/owners.js').Owner} Owner */

/** Bytes of a row. */
const WIDTH = 16

/**
 * What is shown: the file, or a block of it decompressed.
 *
 * @typedef {object} Space
 * @property {number} size
 * @property {(offset: number, length: number) => Uint8Array | undefined} bytes
 * @property {(at: number) => Owner} owner
 * @property {[number, number] | undefined} selected
 * @property {(from: number, to: number) => void} select
 * @property {number} digits of an offset
 */

/** @param {Model} model */
export function hex(model) {
  const { file } = model
  if (file === undefined) return nothing
  const region = model.selection === undefined ? undefined : file.regions?.having(model.selection.from)
  const view = region && file.blocks.get(region.offset)
  const record = model.selection?.record
  const opened = record === undefined ? undefined : file.opened.get(record)
  const title = opened !== undefined ? `Record ${file.records?.find('offset', /** @type {number} */ (record))}` : region === undefined ? '' : titleOf(file, region)
  const inside = model.space === 'raw' && (opened !== undefined || (view?.raw !== undefined && region !== undefined))
  const space = !inside ? ofFile(model) : opened !== undefined ? ofRecord(model, opened, title) : ofBlock(model, /** @type {any} any: checked above */ (region), /** @type {any} any: as above */ (view))
  return html`
    <div class="bar">
      ${opened !== undefined || (view !== undefined && !view.plain && view.raw !== undefined) ? html`
        <div class="choice" role="group" aria-label="Which bytes">
          <button aria-pressed=${!inside} @click=${() => model.setSpace('stored')}>In the file</button>
          <button aria-pressed=${inside} @click=${() => model.setSpace('raw')}>${title}, ${opened === undefined ? 'decompressed' : 'joined'}</button>
        </div>` : nothing}
      <span class="path">${path(space)}</span>
      ${goTo(model, space)}
    </div>
    ${list(model, space, inside ? `raw ${title}` : 'file')}`
}

/** @param {Model} model @returns {Space} */
function ofFile(model) {
  const file = /** @type {import('../model/file.js').OpenFile} */ (model.file)
  const { selection } = model
  return {
    size: file.size,
    bytes: (offset, length) => file.pages.get(offset, length),
    owner: (at) => ownerOf(file, at),
    selected: selection && [selection.from, selection.to],
    digits: Math.max(6, (file.size - 1).toString(16).length),
    select(from, to) {
      const region = file.regions?.having(from)
      const { entry } = ownerOf(file, from)
      const record = model.recordHaving(from)
      model.select({ from, to, block: region?.offset, ...record !== undefined && { record }, ...entry !== undefined && region !== undefined && { entry, inside: [from - region.offset, to - region.offset] } }, { keep: true })
    }
  }
}

/** @param {Model} model @param {import('../model/regions.js').Region} region @param {import('varve/inspect').BlockView} view @returns {Space} */
function ofBlock(model, region, view) {
  const file = /** @type {import('../model/file.js').OpenFile} */ (model.file)
  const raw = /** @type {Uint8Array} */ (view.raw)
  const title = titleOf(file, region)
  return {
    size: raw.length,
    bytes: (offset, length) => raw.subarray(offset, offset + length),
    owner: (at) => ownerInside(view, at, title),
    selected: model.selection?.inside,
    digits: Math.max(4, (raw.length - 1).toString(16).length),
    select(from, to) {
      const entry = entryAt(view, from)
      const has = entry >= 0 && from < view.entries.end[entry]
      model.select({ from: region.offset, to: region.end, block: region.offset, inside: [from, to], ...has && { entry } }, { keep: true })
    }
  }
}

/** @param {Model} model @param {import('varve/inspect').RecordView} view @param {string} title @returns {Space} */
function ofRecord(model, view, title) {
  const { raw, operations } = view
  const { from = 0, to = 0, record } = model.selection ?? {}
  return {
    size: raw.length,
    bytes: (offset, length) => raw.subarray(offset, offset + length),
    owner: (at) => ownerInRecord(view, at, title),
    selected: model.selection?.inside,
    digits: Math.max(4, (raw.length - 1).toString(16).length),
    select(begin, end) {
      const entry = lastAt(operations.offset, operations.length, begin)
      const has = entry >= 0 && begin < operations.end[entry]
      model.select({ from, to, record, inside: [begin, end], ...has && { entry } }, { keep: true })
    }
  }
}

/** @param {Space} space */
function path({ selected, owner, size }) {
  if (selected === undefined) return html`<span class="dim">Choose a byte to see what it belongs to.</span>`
  const [from, to] = selected
  const { path } = owner(Math.min(from, size - 1))
  return html`${path.join(' ▸ ')} <span class="dim">${range(from, to)} · ${hexNumber(from)}</span>`
}

/** @param {Model} model @param {Space} space @param {string} name */
function list(model, space, name) {
  const { size, selected, digits } = space
  const rows = {
    label: name === 'file' ? 'Bytes of the file' : `Bytes of ${name.slice(4)}`,
    columns: 'hex-grid',
    head: ['offset', '00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f', 'text', 'belongs to'],
    count: Math.ceil(size / WIDTH),
    selected: selected === undefined ? -1 : Math.floor(selected[0] / WIDTH),
    row: (/** @type {number} */ index) => rowOf(space, index * WIDTH, digits)
  }
  return html`
    <div class="fill hex" @mousedown=${(/** @type {MouseEvent} */ event) => press(event, space)} @mouseover=${(/** @type {MouseEvent} */ event) => drag(event, space)}
      @keydown=${{ handleEvent: (/** @type {KeyboardEvent} */ event) => key(event, model, space), capture: true }}>
      <virtual-list id="hex" class="fill" .list=${rows} .version=${[name, model.file?.regions?.version, selected].join()}></virtual-list>
    </div>`
}

/** @param {Space} space @param {number} start @param {number} digits */
function rowOf(space, start, digits) {
  const length = Math.min(WIDTH, space.size - start)
  const bytes = space.bytes(start, length)
  /** @type {Owner[]} */
  const owners = []
  for (let at = start; at < start + length;) {
    const owner = space.owner(at)
    owners.push(owner)
    at = Math.max(at + 1, owner.to)
  }
  const offset = html`<span class="number">${start.toString(16).padStart(digits, '0')}</span>`
  if (bytes === undefined) return { cells: [offset, '·· '.repeat(length), '·'.repeat(length), ''] }
  const [from, to] = space.selected ?? [-1, -1]
  const cells = []
  const text = []
  let place = 0
  for (let i = 0; i < length; i++) {
    const at = start + i
    while (at >= owners[place].to && place < owners.length - 1) place++
    const owner = owners[place]
    const classes = `b ${owner.kind}${at === owner.from ? ' begins' : ''}${at >= from && at < to ? ' selected' : ''}`
    const byte = bytes[i]
    cells.push(html`<span class=${classes} data-at=${at}>${byte.toString(16).padStart(2, '0')}</span>`)
    text.push(html`<span class=${classes} data-at=${at}>${byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·'}</span>`)
  }
  const begun = owners.filter((owner) => owner.from >= start)
  const told = (begun.length > 0 ? begun : owners.slice(0, 1)).map((owner) => owner.path.at(-1)).filter((name, index, all) => all.indexOf(name) === index)
  return {
    cells: [offset, cells, text, html`<span class="dim">${told.join(' · ')}</span>`]
  }
}

// ---- Choosing bytes ----

/** @type {number | undefined} */
let pressed

/** @param {Event} event */
const byteOf = (event) => {
  const at = /** @type {HTMLElement} */ (event.target).getAttribute?.('data-at')
  return at === null || at === undefined ? undefined : Number(at)
}

/** @param {MouseEvent} event @param {Space} space */
function press(event, space) {
  const at = byteOf(event)
  if (at === undefined || event.button !== 0) return
  pressed = event.shiftKey && space.selected !== undefined ? space.selected[0] : at
  space.select(Math.min(pressed, at), Math.max(pressed, at) + 1)
}

/** @param {MouseEvent} event @param {Space} space */
function drag(event, space) {
  const at = byteOf(event)
  if (at === undefined || pressed === undefined || event.buttons !== 1) return
  space.select(Math.min(pressed, at), Math.max(pressed, at) + 1)
}

/** @param {KeyboardEvent} event @param {Model} model @param {Space} space */
function key(event, model, space) {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  const at = space.selected?.[0] ?? 0
  const page = 16 * WIDTH
  const to = {
    ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - WIDTH, ArrowDown: at + WIDTH,
    PageUp: at - page, PageDown: at + page, Home: at - at % WIDTH, End: at - at % WIDTH + WIDTH - 1
  }[event.key]
  if (event.key === 'Enter' && space.selected !== undefined) {
    event.preventDefault()
    event.stopPropagation()
    const { entry } = space.owner(at)
    const region = model.file?.regions?.having(model.selection?.from ?? at)
    if (region !== undefined) model.show(model.selection?.record !== undefined ? 'records' : entry !== undefined || region.kind === 'data' ? 'entries' : region.kind === 'gap' ? 'map' : 'structure')
  } else if (to !== undefined) {
    event.preventDefault()
    event.stopPropagation()
    const next = Math.max(0, Math.min(space.size - 1, to))
    space.select(next, next + 1)
  }
}

/** @param {Model} model @param {Space} space */
function goTo(model, space) {
  const act = (/** @type {Event} */ event) => {
    event.preventDefault()
    const field = /** @type {HTMLInputElement} */ (/** @type {HTMLFormElement} */ (event.target).elements.namedItem('offset'))
    const offset = offsetOf(field.value, { at: space.selected?.[0] ?? 0, size: space.size })
    field.setAttribute('aria-invalid', String(offset === undefined))
    if (offset === undefined) model.say(`offsets are 0 to ${grouped(space.size - 1)}, decimal or 0x…, or end-48, or +16`)
    else space.select(offset, offset + 1)
  }
  return html`<form class="jump" @submit=${act}><label>Go to <input name="offset" size="12" placeholder="0x1a0, end-48" autocomplete="off" spellcheck="false"></label></form>`
}
