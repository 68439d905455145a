// Saves what can be read of a damaged database: how strict, a dry run with exact counts, then the file.
import { html, nothing } from 'lit'
import { bytesText, nameText } from '../ui/bytes.js'
import { counted, grouped, sized } from '../ui/numbers.js'

/** @typedef {import('varve/inspect').SalvageReport} SalvageReport */
/** @typedef {import('varve/inspect').Remark} Remark */

/** Rows of a list. */
const LISTED_MAX = 100

/** @type {[import('varve/inspect').Strictness, string][]} */
const CHOICES = [
  ['sound', 'sound blocks only'], ['carved', 'also blocks found by their checksums'], ['doubtful', 'also what can be read despite a wrong checksum']
]

/** @type {Record<string, string>} */
const USES = { whole: 'sound', part: 'entries written anew', none: 'not used' }

/** Whether this site can have private files; a page from disk has none. */
const hasFiles = () => location.protocol !== 'file:' && navigator.storage?.getDirectory !== undefined

/** @param {import('../model/model.js').Model} model @param {string} folder of the database, with its slash */
export function salvagePanel(model, folder) {
  const { salvage } = model
  const files = salvage.filesOf(folder)
  const isMine = salvage.folder === folder
  const status = isMine ? salvage.status : 'none'
  const isBusy = status === 'running' || status === 'saving'
  const size = files.reduce((sum, each) => sum + each.size, 0)
  const choose = (/** @type {Event} */ event) => salvage.choose(/** @type {any} any: the field's name is the choice's */ ({ [/** @type {HTMLSelectElement} */ (event.target).name]: /** @type {HTMLSelectElement} */ (event.target).value }))
  return html`
    <section class="salvage" aria-label="Salvage">
      <h2>Salvage ${folder === '' ? '' : nameText(folder)}</h2>
      <p class="dim">Makes a sound database of what can be read of ${counted(files.length, 'file')}. They are not changed.</p>
      <div class="bar">
        <label>use <select name="strictness" ?disabled=${isBusy} @change=${choose}>${CHOICES.map(([value, text]) => html`<option value=${value} ?selected=${salvage.strictness === value}>${text}</option>`)}</select></label>
        <label><input type="checkbox" ?disabled=${isBusy} .checked=${salvage.isSortedAnew} @change=${(/** @type {Event} */ event) => salvage.choose({ isSortedAnew: /** @type {HTMLInputElement} */ (event.target).checked })}> sort by bytes, whatever the comparator</label>
        <label>to <select name="target" ?disabled=${isBusy} @change=${choose}><option value="zip">a zip of a database directory</option><option value="ndjson" ?selected=${salvage.target === 'ndjson'}>NDJSON, live entries</option>${hasFiles() ? html`<option value="origin" ?selected=${salvage.target === 'origin'}>a new database of this site</option>` : nothing}</select></label>
        ${salvage.target !== 'origin' ? nothing : html`<label>named <input name="name" ?disabled=${isBusy} .value=${salvage.name || salvage.nameOffered} maxlength="80" autocomplete="off" spellcheck="false" @change=${choose}></label>`}
        ${status === 'running' ? html`<span role="status">Read ${sized(salvage.done)} of ${sized(size)} …</span> <button @click=${() => salvage.end()}>Stop</button>`
          : status === 'saving' ? html`<span role="status">${salvage.target === 'origin' ? `Copied ${sized(salvage.saved)}` : `Wrote ${sized(salvage.saved)}`} …</span> <button @click=${() => salvage.stop()}>Stop</button>`
          : html`<button @click=${() => salvage.count(folder)}>Dry run</button> <button ?disabled=${status !== 'counted'} @click=${() => salvage.write()}>Save</button>`}
      </div>
      ${isMine && salvage.failure !== '' ? html`<p class="finding bad">${nameText(salvage.failure)}</p>` : nothing}
      ${isMine && salvage.made !== undefined ? html`<p class="finding">The database ${nameText(salvage.made)} of this site is complete. <button @click=${() => salvage.open()}>Open it</button></p>` : nothing}
      ${isMine && salvage.report !== undefined ? result(salvage.report) : nothing}
    </section>`
}

/** @param {SalvageReport} report */
function result({ live, liveBytes, keys, entries, tombstones, tables, files, adopted, leftBehind, doubtful, atRisk, oldDataMayReappear }) {
  return html`
    <p class="counts">Can be saved: <b>${counted(live, 'live key')}</b>, ${sized(liveBytes)}; ${counted(entries, 'entry', 'entries')} of ${counted(keys, 'key')}, ${counted(tombstones, 'tombstone')}, in ${counted(tables, 'table')}.</p>
    ${oldDataMayReappear ? html`<p class="finding warn">Newer entries may be missing: overwritten values and deleted keys can be visible again.</p>` : nothing}
    ${list('Used, and may be wrong', doubtful.map(placeOf), true)}
    ${list('Left behind', leftBehind.map(placeOf), true)}
    ${list('Keys that may be missing, old or back from deletion', atRisk.map(({ file, from, to, live }) => html`${nameText(file)}: ${from === undefined && to === undefined ? 'any key' : html`${from === undefined ? 'from the first' : html`from ${bytesText(from)}`} ${to === undefined ? 'to the last' : html`up to ${bytesText(to)}`}`}, ${counted(live, 'live key')} there can be saved`), false)}
    ${list('Entries by file', files.map(({ file, use, entries, lostBytes, reason }) => html`${nameText(file)}: ${use === 'none' ? html`not used: ${nameText(reason ?? '')}` : html`${counted(entries, 'entry', 'entries')}, ${USES[use]}${lostBytes > 0 ? `; ${counted(lostBytes, 'byte')} could not be used` : ''}`}`), false)}
    ${adopted.map(({ file, as }) => html`<p class="dim">${nameText(file)} is read as ${as}.</p>`)}`
}

/** @param {Remark} remark */
const placeOf = ({ file, offset, reason }) => html`${nameText(file)} at ${grouped(offset)}: ${nameText(reason)}`

/** @param {string} title @param {unknown[]} rows @param {boolean} isOpen */
function list(title, rows, isOpen) {
  if (rows.length === 0) return nothing
  return html`<details ?open=${isOpen}><summary>${title}: ${grouped(rows.length)}</summary><ul>${rows.slice(0, LISTED_MAX).map((row) => html`<li>${row}</li>`)}</ul>${rows.length > LISTED_MAX ? html`<p class="dim">and ${grouped(rows.length - LISTED_MAX)} more</p>` : nothing}</details>`
}
