// The bytes, coloured by what they belong to: of the file, or of a decompressed block.
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { accepted } from '../ui/field.js'
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
    <div class="fill hex" @mousedown=${(/** @type {MouseEvent} */ event) => press(event, space)} @mousemove=${(/** @type {MouseEvent} */ event) => drag(event, space)}
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
  const octets = []
  const letters = []
  let place = 0
  // One element for bytes that look the same: an element for each would take the time of a frame to lay out.
  for (let i = 0; i < length;) {
    const begin = i
    while (start + i >= owners[place].to && place < owners.length - 1) place++
    const owner = owners[place]
    const selected = start + i >= from && start + i < to
    const end = Math.min(length, Math.max(start + i + 1, owner.to) - start, selected ? to - start : from > start + i ? from - start : length)
    let [digits, text] = ['', '']
    for (; i < end; i++) {
      digits += `${i === begin ? '' : gapBefore(i)}${bytes[i].toString(16).padStart(2, '0')}`
      text += bytes[i] >= 0x20 && bytes[i] < 0x7f ? String.fromCharCode(bytes[i]) : '·'
    }
    const classes = `b ${owner.kind}${start + begin === owner.from ? ' begins' : ''}${selected ? ' selected' : ''}`
    octets.push(html`${begin === 0 ? '' : gapBefore(begin)}<span class=${classes}>${digits}</span>`)
    letters.push(html`<span class=${classes}>${text}</span>`)
  }
  const begun = owners.filter((owner) => owner.from >= start)
  const told = (begun.length > 0 ? begun : owners.slice(0, 1)).map((owner) => owner.path.at(-1)).filter((name, index, all) => all.indexOf(name) === index)
  return {
    cells: [
      offset, html`<span class="octets" data-from=${start} data-length=${length}>${octets}</span>`, html`<span class="letters" data-from=${start} data-length=${length}>${letters}</span>`,
      html`<span class="dim">${told.join(' · ')}</span>`
    ]
  }
}

/** Between the digits of two bytes: a wider one in the middle of a row. @param {number} index of the second, in its row */
const gapBefore = (index) => index === WIDTH / 2 ? '  ' : ' '

// ---- Choosing bytes ----

/** @type {number | undefined} */
let pressed

/** The byte under the pointer: all letters have the same width. @param {MouseEvent} event */
function byteOf(event) {
  const run = /** @type {HTMLElement} */ (event.target).closest?.('.octets, .letters')
  if (!(run instanceof HTMLElement)) return undefined
  const { left, width } = run.getBoundingClientRect()
  const [from, length] = [Number(run.getAttribute('data-from')), Number(run.getAttribute('data-length'))]
  const letter = (event.clientX - left) / width * (run.textContent?.length ?? 0)
  // Three letters a byte, a gap half to each side, and one more in the middle.
  const index = run.className === 'letters' ? Math.floor(letter) : Math.floor((letter + 0.5 - (letter > 3 * WIDTH / 2 ? 1 : 0)) / 3)
  return from + Math.max(0, Math.min(length - 1, index))
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
  if (pressed === undefined || event.buttons !== 1) return
  const at = byteOf(event)
  if (at === undefined) return
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
    if (accepted(field, offset === undefined ? `Offsets are 0 to ${grouped(space.size - 1)}, decimal or 0x…, or end-48, or +16.` : '')) space.select(Number(offset), Number(offset) + 1)
  }
  return html`<form class="jump" @submit=${act}><label>Go to <input name="offset" size="12" placeholder="0x1a0, end-48" autocomplete="off" spellcheck="false"></label></form>`
}
