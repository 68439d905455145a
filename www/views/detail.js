// The panel beside the view: what is selected, with its key and its value.
import { keyOf, valueOf } from 'varve/inspect'
import { html, nothing } from 'lit'
import { bytesText, hexOf, nameText, partsOf, reasonText } from '../ui/bytes.js'
import { counted, grouped, hex, range } from '../ui/numbers.js'
import { sentenceOf, titleOf } from '../model/sentences.js'
import { keyFields, schemeTitle } from '../ui/key-parts.js'
import { keysAtRisk } from './at-risk.js'
import { facts, factText, wordsOf } from './structure.js'

/** @typedef {import('../model/model.js').Model} Model */

/** Bytes of a value that are shown before one asks for more. */
const SHOWN = 4096

/** @param {Model} model */
export function detail(model) {
  const { file, selection } = model
  if (file?.regions === undefined || selection === undefined) return nothing
  const region = file.regions.having(selection.from)
  const view = region && file.blocks.get(region.offset)
  if (selection.record !== undefined) return recordOf(model, selection.record)
  const entry = view !== undefined && selection.entry !== undefined && selection.entry < view.entries.length ? selection.entry : undefined
  return html`
    <h2>${region === undefined ? 'Selection' : titleOf(file, region)}${entry === undefined ? '' : html` <span class="dim">▸</span> entry ${grouped(entry)}`}</h2>
    <p>${selection.inside !== undefined && view !== undefined && !view.plain
      ? html`Bytes ${range(...selection.inside)} of the decompressed block, which is stored as bytes ${range(selection.from, selection.to)}`
      : region === undefined || entry !== undefined ? html`Bytes ${range(selection.from, selection.to)}` : sentenceOf(file, region)}</p>
    ${entry !== undefined && view !== undefined ? entryOf(model, view, entry) : region !== undefined ? regionOf(model, region) : nothing}
    ${inspector(model)}`
}

/** @param {Model} model @param {import('../model/regions.js').Region} region */
function regionOf(model, region) {
  const { file } = model
  const view = file?.blocks.get(region.offset)
  const part = file?.parts.find(({ offset }) => offset === region.offset)
  const span = view?.span ?? part
  const findings = file?.findings.filter(({ code, offset }) => !/^[DM]/.test(code) && offset >= region.offset && offset < region.end) ?? []
  return html`
    ${findings.slice(0, 10).map(({ code, severity, reason }) => html`<p class="finding ${severity}"><b>${code}</b> ${reasonText(reason)}</p>`)}
    ${file === undefined ? nothing : keysAtRisk(file, region)}
    ${span === undefined ? nothing : facts(span)}
    <p class="actions">
      <button @click=${() => model.show('hex')}>Bytes</button>
      ${region.kind === 'data' ? html`<button @click=${() => model.show('entries')}>Entries</button>` : nothing}
      <button @click=${() => model.setZoom([region.offset - region.size, region.end + region.size])}>Zoom the map to it</button>
    </p>`
}

/** @typedef {import('../explain.js').Explained} Explained */

/** What a key means, and why it is taken for that. @param {Model} model @param {Explained} of @param {number} index */
function meaning({ file }, { keys: explained }, index) {
  const { keys } = file ?? {}
  const parts = explained?.[index]
  if (!parts || keys?.scheme === undefined || keys.plain) return nothing
  return html`
    <h3>Meaning <span class="dim">${schemeTitle(keys.scheme.name)}, because ${nameText(keys.scheme.reason)}</span></h3>
    ${keyFields(parts, keys)}`
}

/** @param {Model} model @param {import('varve/inspect').BlockView & Explained} view @param {number} entry */
function entryOf(model, view, entry) {
  const { shared, keyStart, valueStart, end, sequence, type } = view.entries
  const whole = keyOf(view, entry, 64 << 10)
  const internal = type[entry] !== 255
  const key = internal ? whole.subarray(0, Math.max(0, whole.length - 8)) : whole
  const value = valueOf(view, entry)
  return html`
    <dl class="facts">
      <div><dt>shared</dt><dd>${grouped(shared[entry])}</dd></div>
      <div><dt>own</dt><dd>${grouped(valueStart[entry] - keyStart[entry])}</dd></div>
      <div><dt>value</dt><dd>${grouped(end[entry] - valueStart[entry])}</dd></div>
      <div><dt>sequence</dt><dd>${internal ? grouped(sequence[entry]) : '—'}</dd></div>
      <div><dt>type</dt><dd>${type[entry] === 1 ? 'put' : type[entry] === 0 ? 'deletion' : 'no internal key'}</dd></div>
    </dl>
    ${meaning(model, view, entry)}
    ${texts(model, key, type[entry] === 0 ? undefined : value)}`
}

/** @param {Model} model @param {number} offset of a record */
function recordOf(model, offset) {
  const { file, selection } = model
  const { records, opened } = /** @type {NonNullable<Model['file']>} */ (file)
  const index = records?.find('offset', offset) ?? -1
  const view = opened.get(offset)
  if (records === undefined || index < 0) return nothing
  const isManifest = file?.detected?.kind === 'manifest'
  const { end: { [index]: end }, size: { [index]: size }, fragments: { [index]: fragments } = { [index]: 1 } } = records.columns
  const operation = view !== undefined && selection?.entry !== undefined && selection.entry < view.operations.length ? selection.entry : undefined
  return html`
    <h2>${isManifest ? 'Edit' : 'Record'} ${grouped(index)}${operation === undefined ? '' : html` <span class="dim">▸</span> operation ${grouped(operation)}`}</h2>
    <p>Bytes ${range(offset, end)} of the file, ${isManifest ? counted(size, 'byte') : fragments === 1 ? 'in one fragment' : `in ${grouped(fragments)} fragments`}${selection?.inside === undefined ? '' : `; bytes ${range(...selection.inside)} of the joined record`}</p>
    ${[...view?.span.findings ?? [], ...view?.contents.findings ?? []].slice(0, 10).map(({ code, severity, reason }) => html`<p class="finding ${severity}"><b>${code}</b> ${reasonText(reason)}</p>`)}
    ${view === undefined ? html`<p class="dim">Reading …</p>` : operation !== undefined ? operationOf(model, view, operation) : html`${facts(view.contents)}${isManifest ? fields(model, offset, view.contents) : nothing}`}
    <p class="actions"><button @click=${() => model.show('hex')}>Bytes</button>${isManifest ? nothing : html`<button @click=${() => model.show('entries')}>Operations</button>`}</p>
    ${inspector(model)}`
}

/** Fields of an edit that are listed. */
const FIELDS = 100

/** @param {Model} model @param {number} record @param {import('varve/inspect').Span} contents */
function fields(model, record, { spans }) {
  return html`
    <table class="fields">
      <caption class="hidden">Fields of the edit</caption>
      <thead><tr><th scope="col">Bytes</th><th scope="col">Field</th></tr></thead>
      <tbody>${spans.slice(0, FIELDS).map((span) => html`<tr>
        <td class="number"><button class="link" @click=${() => model.selectInRecord(record, [span.offset, span.offset + span.length])}>${range(span.offset, span.offset + span.length)}</button></td>
        <td>${span.name ?? span.kind} ${Object.entries(span.facts).map(([name, fact]) => html`<div>${name === 'value' ? nothing : html`<span class="dim">${wordsOf(name)}</span> `}${factText(name, fact)}</div>`)}</td></tr>`)}</tbody>
    </table>
    ${spans.length > FIELDS ? html`<p class="dim">and ${grouped(spans.length - FIELDS)} more</p>` : nothing}`
}

/** @param {Model} model @param {import('varve/inspect').RecordView & Explained} view @param {number} index */
function operationOf(model, view, index) {
  const { operations, raw } = view
  const { keyStart, keyEnd, valueStart, end, type, sequence } = operations
  const key = raw.subarray(keyStart[index], keyEnd[index])
  const value = raw.subarray(valueStart[index], end[index])
  return html`
    <dl class="facts">
      <div><dt>sequence</dt><dd>${grouped(sequence[index])}</dd></div>
      <div><dt>type</dt><dd>${type[index] === 1 ? 'put' : 'deletion'}</dd></div>
    </dl>
    ${meaning(model, view, index)}
    ${texts(model, key, type[index] === 0 ? undefined : value)}`
}

/** @param {Model} model @param {Uint8Array} key @param {Uint8Array} [value] */
function texts(model, key, value) {
  return html`
    <h3>Key <button class="link" @click=${() => copy(key)}>copy</button>${model.lookup.folder === undefined ? nothing : html` <button class="link" @click=${() => model.lookup.pick(key)}>trace</button>`}</h3>
    <div class="value">${bytesText(key.subarray(0, SHOWN), { max: 2000, size: key.length })}</div>
    ${value === undefined ? nothing : html`
      <h3>Value <span class="dim">${chosen(value)}</span> <button class="link" @click=${() => copy(value)}>copy</button></h3>
      ${decoded(value)}
      <details><summary>As hexadecimal</summary><div class="value mono">${hexOf(value.subarray(0, SHOWN), ' ')}${value.length > SHOWN ? ` … +${grouped(value.length - SHOWN)} B` : ''}</div></details>`}`
}

/** Lossless: as text if it is valid, printable text; else as hexadecimal. @param {Uint8Array} bytes */
function copy(bytes) {
  const { parts, end } = partsOf(bytes, Infinity)
  const isText = end === bytes.length && parts.every(({ chip }) => !chip)
  navigator.clipboard?.writeText(isText ? parts.map(({ text }) => text).join('') : hexOf(bytes)).catch(() => {})
}

/** Larger values are not parsed. */
const PARSED_MAX = 1 << 20

/** @param {Uint8Array} value */
function jsonOf(value) {
  if (value.length === 0 || value.length > PARSED_MAX || ![0x7b, 0x5b, 0x22].includes(value[0])) return undefined
  try {
    return { json: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value)) }
  } catch {
    return undefined
  }
}

/** @param {Uint8Array} value */
function chosen(value) {
  if (value.length === 0) return 'empty'
  if (jsonOf(value) !== undefined) return 'JSON'
  const { parts } = partsOf(value.subarray(0, SHOWN), SHOWN)
  return parts.some(({ chip }) => chip) ? 'bytes' : 'text'
}

/** @param {Uint8Array} value */
function decoded(value) {
  const parsed = jsonOf(value)
  if (parsed !== undefined) {
    const text = new TextEncoder().encode(JSON.stringify(parsed.json, undefined, 2).slice(0, SHOWN * 2))
    // Lines of JSON are set as lines; every other control is a chip.
    return html`<div class="value json">${new TextDecoder().decode(text).split('\n').map((line) => html`<div>${bytesText(new TextEncoder().encode(line), { max: 1000 })}</div>`)}</div>`
  }
  return html`<div class="value">${bytesText(value.subarray(0, SHOWN), { max: 2000, size: value.length })}</div>`
}

/** The bytes at the start of the selection, as numbers. @param {Model} model */
function inspector(model) {
  const { file, selection } = model
  if (model.view !== 'hex' || file === undefined || selection === undefined) return nothing
  const region = file.regions?.having(selection.from)
  const joined = selection.record === undefined ? undefined : file.opened.get(selection.record)?.raw
  const raw = model.space !== 'raw' ? undefined : joined ?? (region === undefined ? undefined : file.blocks.get(region.offset)?.raw)
  const at = raw !== undefined && selection.inside !== undefined ? selection.inside[0] : selection.from
  const bytes = raw !== undefined ? raw.subarray(at, at + 10) : file.pages.get(at, 10)
  if (bytes === undefined || bytes.length === 0) return nothing
  return html`
    <h3>As a number <span class="dim">from ${hex(at)}</span></h3>
    <dl class="facts">${numbersOf(bytes).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

/** @param {Uint8Array} bytes at least one @returns {[string, string][]} */
function numbersOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  /** @type {[string, string][]} */
  const out = [['u8', grouped(bytes[0])]]
  const varint = varintOf(bytes)
  if (varint !== undefined) out.push(['varint', `${BigInt(varint.value).toLocaleString('en')} (${varint.size} B)`])
  if (bytes.length >= 2) out.push(['u16', grouped(view.getUint16(0, true))])
  if (bytes.length >= 4) out.push(['u32', grouped(view.getUint32(0, true))], ['f32', String(view.getFloat32(0, true))])
  if (bytes.length >= 8) out.push(['u64', view.getBigUint64(0, true).toLocaleString('en')], ['f64', String(view.getFloat64(0, true))])
  return out
}

/** @param {Uint8Array} bytes */
function varintOf(bytes) {
  let value = 0n
  for (let i = 0; i < bytes.length && i < 10; i++) {
    value |= BigInt(bytes[i] & 0x7f) << BigInt(7 * i)
    if (bytes[i] < 0x80) return value < 1n << 64n ? { value, size: i + 1 } : undefined
  }
  return undefined
}
