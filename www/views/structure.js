// Footer, metaindex, index and filter: each field with its bytes and its value.
import { html, nothing } from 'lit'
import { bytesOfHex, bytesText } from '../ui/bytes.js'
import { counted, grouped, hex, range } from '../ui/numbers.js'

/** @typedef {import('../model/model.js').Model} Model */
/** @typedef {import('varve/inspect').Span} Span */

/** @param {Model} model */
export function structure(model) {
  const { file } = model
  if (file === undefined || file.regions === undefined) return nothing
  // From the end of the file to its beginning, as a reader does.
  const parts = [...file.parts].sort((a, b) => b.offset - a.offset)
  return html`
    <div class="scroll">
      ${totals(file)}
      ${parts.length === 0 ? html`<p class="empty">No part of this file can be explained.</p>` : parts.map((span) => part(model, span))}
    </div>`
}

/** @type {Record<string, string>} */
const TITLES = { footer: 'Footer', metaindex: 'Metaindex', index: 'Index', filter: 'Filter', meta: 'Metadata block', fragment: 'Fragment' }

/** @param {Model} model @param {Span} span */
function part(model, span) {
  const { selection } = model
  const at = selection !== undefined && selection.from >= span.offset && selection.from < span.offset + span.length
  return html`
    <section class=${at ? 'part at' : 'part'}>
      <h2>${TITLES[span.kind] ?? span.kind} <button class="link" @click=${() => model.select({ from: span.offset, to: span.offset + span.length, block: span.offset })}>${range(span.offset, span.offset + span.length)}</button>
        <span class="dim">${counted(span.length, 'byte')}</span></h2>
      ${span.findings.map((finding) => html`<p class="finding ${finding.severity}"><b>${finding.code}</b> ${finding.reason}</p>`)}
      ${span.kind === 'footer' && span.spans.length > 0 ? nothing : facts(span)}
      ${span.spans.length === 0 ? nothing : html`
        <table class="fields">
          <caption class="hidden">Fields of the ${TITLES[span.kind] ?? span.kind}</caption>
          <thead><tr><th scope="col">Bytes</th><th scope="col">Field</th><th scope="col">Value</th></tr></thead>
          <tbody>${rows(span.spans).map((row) => fieldRow(model, row, span))}</tbody>
        </table>`}
    </section>`
}

/** Fields of one span that are listed. */
const LISTED = 200

/**
 * Spans and the spans inside, in order.
 * @param {Span[]} spans
 * @param {number} [depth]
 * @param {boolean} [inside] offsets are those of the decompressed contents
 * @returns {{ span: Span, depth: number, inside: boolean }[]}
 */
function rows(spans, depth = 0, inside = false) {
  return spans.slice(0, LISTED).flatMap((span) => [{ span, depth, inside }, ...rows(span.spans, depth + 1, inside || span.facts.inside === true)])
}

/** @param {Model} model @param {{ span: Span, depth: number, inside: boolean }} row @param {Span} outer */
function fieldRow(model, { span: field, depth, inside }, outer) {
  const end = field.offset + field.length
  const { selection } = model
  const selected = inside ? selection?.block === outer.offset && selection.inside?.[0] === field.offset && selection.inside[1] === end
    : selection?.from === field.offset && selection.to === end
  const select = () => inside
    ? model.selectInside(outer.offset, [field.offset, end], { view: 'hex' })
    : model.select({ from: field.offset, to: end, block: outer.offset }, { view: 'hex' })
  const isChecksum = field.name === 'checksum'
  const shown = Object.entries(field.facts).filter(([name]) => name !== 'inside')
  return html`
    <tr class=${selected ? 'selected' : ''} @mouseenter=${() => inside || model.hoverOver({ from: field.offset, to: end })} @mouseleave=${() => model.hoverOver(undefined)}>
      <td class="number"><button class="link" @click=${select}>${range(field.offset, end)}</button></td>
      <td class="depth-${Math.min(3, depth)}">${field.name ?? field.kind}${field.facts.inside === true ? html` <span class="dim">${model.file?.regions?.having(outer.offset)?.codec === 0 ? '' : 'decompressed, '}offsets below are inside</span>` : nothing}</td>
      <td>${shown.map(([name, fact], index) => html`${index > 0 ? ' · ' : ''}${name === 'value' ? '' : html`<span class="dim">${wordsOf(name)}</span> `}${
        isChecksum && typeof fact === 'number' ? hex(fact, 8) : factText(field.name === 'magic' ? 'magic' : name, fact)}`)}</td>
    </tr>`
}

/** @param {Span} span */
export function facts(span) {
  const entries = Object.entries(span.facts)
  if (entries.length === 0) return nothing
  const isPart = Number(span.facts.damagedBlocks ?? 0) > 0
  return html`<dl class="facts">${entries.map(([name, fact]) => html`<div><dt>${wordsOf(name)}${isPart && name === 'entries' ? ' that could be read' : ''}</dt><dd>${factText(name, fact)}</dd></div>`)}</dl>
    ${'storedChecksum' in span.facts ? html`<p class="dim">${NOTES.storedChecksum}</p>` : nothing}`
}

/** What is not said by the name of a fact. @type {Record<string, string>} */
const NOTES = {
  storedChecksum: 'CRC-32C of the stored bytes and the byte of the codec after them. In the file it is masked: rotated right by 15 bits, plus 0xa282ead8.'
}

/** `storedSize` as "stored size". @param {string} name */
export const wordsOf = (name) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

/** The largest sequence number, as index keys have it: such a key sorts before all entries of its user key. */
const SEQUENCE_MAX = 2 ** 56 - 1

/** @param {number | string} sequence */
export const sequenceText = (sequence) => Number(sequence) >= SEQUENCE_MAX ? 'max' : grouped(Number(sequence))

/** Facts whose value is a string of hexadecimal bytes. */
const BYTES = new Set(['name', 'magic', 'key'])

/** @param {string} name @param {unknown} fact */
export function factText(name, fact) {
  if (typeof fact === 'number') return /checksum/i.test(name) ? hex(fact, 8) : grouped(fact)
  if (typeof fact === 'boolean') return fact ? 'yes' : 'no'
  if (typeof fact === 'string') return name === 'magic' ? fact.replace(/(..)/g, '$1 ').trim() : BYTES.has(name) && /^([0-9a-f]{2})*$/.test(fact) ? bytesText(bytesOfHex(fact)) : fact
  if (fact !== null && typeof fact === 'object' && 'key' in fact) {
    const { key, size, sequence, type } = /** @type {import('varve/inspect').InternalKey} */ (fact)
    return html`${bytesText(bytesOfHex(key), { size })}${sequence === undefined ? '' : html` <span class="dim">@${sequenceText(sequence)} ${type === 'deletion' ? 'del' : 'put'}</span>`}`
  }
  return String(fact)
}

/** @param {import('../model/file.js').OpenFile} file */
function totals({ summary }) {
  if (summary === undefined) return nothing
  return html`<section class="part"><h2>The table</h2>${facts(summary)}</section>`
}
