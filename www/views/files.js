// The files that are open: of a database folder, or dropped together.
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { nameText } from '../ui/bytes.js'
import { placesIn } from '../model/file-order.js'
import { ROLES } from '../model/folders.js'
import { counted, grouped, sized } from '../ui/numbers.js'
import { LOADED } from './loaded.js'

/** @typedef {import('../model/model.js').Model} Model */
/** @typedef {import('../model/file.js').OpenFile} OpenFile */

/** Columns, by which of them files can be put in order, and whether first from the largest down. @type {[string, boolean?][]} */
const COLUMNS = [['name', false], ['kind'], ['role'], ['size', true], ['entries'], ['SHA-256'], ['findings']]

/** @param {Model} model */
export function files(model) {
  const { files } = model
  const { by, isDown } = model.order
  const places = placesIn(files, model.order)
  const fileAt = (/** @type {number} */ index) => files[places[index]]
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'Open files',
    columns: 'files-grid',
    head: COLUMNS.map(([name, fallsFirst]) => fallsFirst === undefined ? html`<span class=${name === 'entries' ? 'number' : ''}>${name}</span>` : sorter(model, /** @type {'name' | 'size'} */ (name), fallsFirst)),
    sorted: COLUMNS.map(([name, fallsFirst]) => fallsFirst === undefined ? undefined : by !== name ? 'none' : isDown ? 'descending' : 'ascending'),
    count: files.length,
    selected: model.file === undefined ? -1 : places.indexOf(files.indexOf(model.file)),
    row: (index) => rowOf(fileAt(index)),
    onSelect: (index, how) => how === 'pointer' && model.look(fileAt(index)),
    onOpen: (index) => model.look(fileAt(index))
  })
  return html`
    ${model.takenAt === undefined ? nothing : html`<p class="dim">As it was at ${new Date(model.takenAt).toLocaleTimeString('en-GB')}; its owner may have written since.</p>`}
    ${model.folders.map((folder) => LOADED.database?.(folder))}
    ${LOADED.evidence?.(model)}
    <virtual-list id="files" class="fill" .list=${list} .version=${by + isDown + files.map(({ status, detected, findings, digest, sha256, place }) => `${status}${detected?.kind}${findings.length}${digest}${sha256}${place?.role}`).join()}></virtual-list>
    <p class="foot">${counted(files.length, 'file')} · ${grouped(files.reduce((sum, { size }) => sum + size, 0))} B</p>`
}

/** The name of a column, which puts the files in its order, then turns it around, then in the usual one. @param {Model} model @param {'name' | 'size'} column @param {boolean} fallsFirst */
function sorter(model, column, fallsFirst) {
  const { by, isDown } = model.order
  const next = by !== column ? { by: column, isDown: fallsFirst } : isDown === fallsFirst ? { by: column, isDown: !fallsFirst } : undefined
  return html`<button class="sorter ${column === 'size' ? 'number' : ''}" title=${next === undefined ? 'in the usual order' : `${next.isDown ? 'descending' : 'ascending'} by ${column}`} @click=${() => model.setOrder(next)}>${column}<span aria-hidden="true">${by !== column ? ' ↕' : isDown ? ' ↓' : ' ↑'}</span></button>`
}

/** @param {OpenFile} file */
function roleOf({ place }) {
  if (place === undefined) return ''
  const text = `${ROLES[place.role] ?? place.role}${place.level === undefined ? '' : `, L${place.level}`}${place.unfinished ? ', unfinished' : ''}`
  return place.role === 'orphan' || place.role === 'misnamed' ? html`<span class="warn">${text}</span>` : text
}

/** @param {OpenFile} file */
function entriesOf({ summary, place }) {
  const { entries, operations, edits } = (summary ?? place?.summary)?.facts ?? {}
  const count = entries ?? operations ?? edits
  return typeof count === 'number' && (summary !== undefined || entries === undefined) ? grouped(count) : '—'
}

/** @param {OpenFile} file */
function digestOf({ sha256, digest, size }) {
  if (size === 0 && sha256 === undefined) return ''
  if (digest === 'running') return html`<span class="dim">reading …</span>`
  if (digest === 'changed') return html`<span class="bad">changed since the first digest</span>`
  if (digest === 'failed') return html`<span class="bad">could not be read</span>`
  return sha256 === undefined ? html`<span class="dim">not computed</span>` : html`<code title=${sha256}>${sha256.slice(0, 16)}…</code>${digest === 'same' ? ' unchanged' : ''}`
}

/** @param {OpenFile} file */
function rowOf(file) {
  const { findings, worst, sweep, status } = file
  return {
    cells: [
      nameText(file.name),
      kindOf(file),
      roleOf(file),
      html`<span class="number" title=${sized(file.size)}>${grouped(file.size)}</span>`,
      html`<span class="number">${entriesOf(file)}</span>`,
      digestOf(file),
      worst !== undefined ? html`<span class=${worst}>${counted(findings.length, 'finding')}</span>` : sweep.status === 'done' ? 'sound' : file.size === 0 || (status === 'ready' && file.regions === undefined) ? '' : status === 'new' ? html`<span class="dim">not read</span>` : '…'
    ]
  }
}

/** @param {OpenFile} file */
export function kindOf({ detected, size }) {
  if (detected === undefined) return '…'
  if (detected.kind === 'foreign') return detected.format
  return size === 0 ? 'empty' : detected.kind
}

/** What the engine calls a report of this page as JSON. */
const REPORT = 'report of the inspector'

/** Errors of a browser that a file which changed gives. @type {Record<string, string>} */
const GONE = {
  NotReadableError: 'The file changed on disk since it was opened, and is not read any more. What is shown is as it was before: drop it again, or refresh. ',
  NotFoundError: 'The file is gone since it was opened. What is shown is as it was before. '
}

/** The kind of a file, in a sentence, with what its name says if that differs. @param {OpenFile} file */
export function about(file) {
  const { detected, name, size, failure } = file
  if (failure !== undefined) return html`<p class="finding bad"><b>${failure.code in GONE ? 'S01' : failure.code}</b> ${GONE[failure.code] ?? ''}${nameText(failure.message)}</p>`
  if (detected === undefined) return nothing
  const { kind, format, reason, named } = detected
  const text = {
    table: '',
    log: '',
    manifest: '',
    current: 'This file names the current manifest.',
    'info log': 'This is the text that LevelDB writes about what it does.',
    empty: 'The file is empty. LevelDB leaves LOCK empty on purpose; an empty table or log means that nothing was written.',
    zeros: 'The whole file is zeros: space that was set aside and never written.',
    foreign: `This is no LevelDB file, but ${/^H/.test(format ?? '') ? 'an' : 'a'} ${format}.${format === REPORT ? ' It tells what was found in the files that it names: open those to look into them.' : ''}`,
    unknown: 'No known structure. Blocks that have a right checksum are looked for; the bytes are under Hex.'
  }[kind]
  // A name alone makes no table.
  if (kind === 'table' && file.sweep.status === 'done' && file.regions !== undefined && file.regions.totals().kinds.every(({ kind }) => kind === 'gap')) {
    return html`<p class="note">No known structure: there is no footer, and 0 blocks were found by their checksums. Only the name says that this is a table.</p>`
  }
  const differs = named !== undefined && named !== kind && size > 0
  if (text === '' && !differs) return nothing
  return html`<p class="note">${differs ? html`${nameText(name)} is named as a ${named}, but its content is ${kind === 'unknown' ? 'not known' : kind === 'zeros' || kind === 'empty' ? kind : `a ${kind === 'foreign' ? format : kind}`} (${reason}). ` : ''}${text}</p>`
}
