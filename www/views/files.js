// The files that are open: of a database folder, or dropped together.
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { nameText } from '../ui/bytes.js'
import { counted, grouped, sized } from '../ui/numbers.js'

/** @typedef {import('../model/model.js').Model} Model */
/** @typedef {import('../model/file.js').OpenFile} OpenFile */

/** @param {Model} model */
export function files(model) {
  const { files } = model
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'Open files',
    columns: 'files-grid',
    head: ['name', 'kind', 'size', 'why', 'findings'].map((name, place) => html`<span class=${place === 2 ? 'number' : ''}>${name}</span>`),
    count: files.length,
    selected: model.file === undefined ? -1 : files.indexOf(model.file),
    row: (index) => rowOf(files[index]),
    onSelect: (index, by) => by === 'pointer' && model.look(files[index]),
    onOpen: (index) => model.look(files[index])
  })
  return html`
    <virtual-list id="files" class="fill" .list=${list} .version=${files.map(({ status, detected, findings }) => `${status}${detected?.kind}${findings.length}`).join()}></virtual-list>
    <p class="foot">${counted(files.length, 'file')} · ${grouped(files.reduce((sum, { size }) => sum + size, 0))} B</p>`
}

/** @param {OpenFile} file */
function rowOf(file) {
  const { detected, findings, worst, sweep, status } = file
  return {
    cells: [
      nameText(file.name),
      kindOf(file),
      html`<span class="number" title=${sized(file.size)}>${grouped(file.size)}</span>`,
      html`<span class="dim">${detected?.reason ?? ''}</span>`,
      worst !== undefined ? html`<span class=${worst}>${counted(findings.length, 'finding')}</span>` : sweep.status === 'done' ? 'sound' : status === 'new' ? html`<span class="dim">not read</span>` : '…'
    ]
  }
}

/** @param {OpenFile} file */
export function kindOf({ detected, size }) {
  if (detected === undefined) return '…'
  if (detected.kind === 'foreign') return detected.format
  return size === 0 ? 'empty' : detected.kind
}

/** The kind of a file, in a sentence, with what its name says if that differs. @param {OpenFile} file */
export function about(file) {
  const { detected, name, size, failure } = file
  if (failure !== undefined && file.status === 'failed') return html`<p class="finding bad"><b>${failure.code}</b> ${nameText(failure.message)}</p>`
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
    foreign: `This is no LevelDB file, but a ${format}.`,
    unknown: 'No known structure. Blocks that have a right checksum are looked for; the bytes are under Hex.'
  }[kind]
  // A name alone makes no table.
  if (kind === 'table' && file.sweep.status === 'done' && file.regions !== undefined && file.regions.totals().kinds.every(({ kind }) => kind === 'gap')) {
    return html`<p class="note">No known structure: there is no footer, and 0 blocks were found by their checksums. Only the name says that this is a table.</p>`
  }
  const differs = named !== undefined && named !== kind && size > 0
  if (text === '' && !differs) return nothing
  return html`<p class="note">${differs ? html`${nameText(name)} is named as a ${named}, but its content is ${kind === 'unknown' ? 'not known' : `a ${kind === 'foreign' ? format : kind}`} (${reason}). ` : ''}${text}</p>`
}
