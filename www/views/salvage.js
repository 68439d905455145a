// Saves what can be read of a damaged database: how strict, a dry run with exact counts, then the file.
import { html, nothing } from 'lit'
import { Salvage } from '../model/salvage.js'
import { bytesText, nameText, reasonText } from '../ui/bytes.js'
import { counted, grouped, sized } from '../ui/numbers.js'

/** @typedef {import('varve/inspect').SalvageReport} SalvageReport */
/** @typedef {import('varve/inspect').Remark} Remark */

/** Rows of a list. */
const LISTED_MAX = 100

/** How strict, and what is gained and risked. @type {[import('varve/inspect').Strictness, string, string][]} */
const CHOICES = [
  ['sound', 'only what a sound index lists', 'Nothing in the result can be wrong or out of place; of a table whose index or footer is damaged, nothing is saved.'],
  ['carved', 'everything with a right checksum', 'Blocks of tables without a usable index are saved too: each entry is as it was written, but such a table can be an old one that was no longer in use.'],
  ['doubtful', 'everything that can be read', 'Blocks and records with a wrong checksum are saved too, if they can be read to their ends: the most of what was there, but some keys and values may be wrong. They are listed below.']
]

/** @type {Record<string, string>} */
const USES = { whole: 'sound', part: 'entries written anew', none: 'not used' }

/** Where to, what it is, and how it is opened once it is saved. @type {[import('../model/salvage.js').Target, string, string][]} */
const TARGETS = [
  ['zip', 'a zip of a database directory', 'Unzip it, and open the folder with LevelDB; or drop the zip here to look into it.'],
  ['table', 'one table (.ldb) of the live entries', 'Drop it here to look into it. For a database around it, rename it to 000001.ldb in an empty folder and repair that: with LevelDB’s RepairDB, or varve repair.'],
  ['ndjson', 'NDJSON, live entries', 'Each line is an entry: {"key":…,"value":…}, as text or, where it is none, in base64.'],
  ['opfs', 'a new database of this site, in private files', ''],
  ['indexeddb', 'a new database of this site, in IndexedDB', '']
]

/** Those that there are: a page from disk has no site. */
const targets = () => TARGETS.filter(([target]) => !(target === 'opfs' || target === 'indexeddb') || (location.protocol !== 'file:' && (target === 'opfs' ? navigator.storage?.getDirectory : globalThis.indexedDB) !== undefined))

/** @param {import('../model/model.js').Model} model @param {string} folder of the database, with its slash */
export function salvagePanel(model, folder) {
  const salvage = Salvage.of(model)
  const files = salvage.filesOf(folder)
  // A picture is no damaged table, and RocksDB's tables are not read.
  if (!files.some(({ isOurs, detected }) => isOurs && detected?.kind !== 'foreign')) return nothing
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
        <label>save <select name="strictness" ?disabled=${isBusy} @change=${choose}>${CHOICES.map(([value, text]) => html`<option value=${value} ?selected=${salvage.strictness === value}>${text}</option>`)}</select></label>
        <label>to <select name="target" ?disabled=${isBusy} @change=${choose}>${targets().map(([value, text]) => html`<option value=${value} ?selected=${salvage.target === value}>${text}</option>`)}</select></label>
        ${!salvage.isCopy ? nothing : html`<label>named <input name="name" ?disabled=${isBusy} .value=${salvage.name || salvage.nameOffered} maxlength="80" autocomplete="off" spellcheck="false" @change=${choose}></label>`}
        ${status === 'running' ? html`<span role="status">Read ${sized(salvage.done)} of ${sized(size)} …</span> <button @click=${() => salvage.end()}>Stop</button>`
          : status === 'saving' ? html`<span role="status">${salvage.isCopy ? 'Copied' : 'Wrote'} ${sized(salvage.saved)} …</span> <button @click=${() => salvage.stop()}>Stop</button>`
          : html`<button @click=${() => salvage.count(folder)}>Dry run</button> <button ?disabled=${status !== 'counted'} @click=${() => salvage.write()}>Save</button>${status === 'counted' ? nothing : html` <span class="dim">The dry run counts what can be saved; then save it.</span>`}`}
      </div>
      <p class="dim">${CHOICES.find(([value]) => value === salvage.strictness)?.[2]}</p>
      <p class="dim"><label><input type="checkbox" ?disabled=${isBusy} .checked=${salvage.isSortedAnew} @change=${(/** @type {Event} */ event) => salvage.choose({ isSortedAnew: /** @type {HTMLInputElement} */ (event.target).checked })}> Put the keys in the order of their bytes.</label>
        For a database whose comparator is not known here: any program can read the result, but the one that made the database cannot.</p>
      ${isMine && salvage.failure !== '' ? html`<p class="finding bad">${nameText(salvage.failure)}</p>` : nothing}
      ${isMine && salvage.file !== undefined ? saved(salvage.file) : nothing}
      ${isMine && salvage.made !== undefined ? html`<p class="finding">The database ${nameText(salvage.made.name)} of this site is complete. <button @click=${() => salvage.open()}>Open it</button></p>` : nothing}
      ${isMine && salvage.report !== undefined ? result(salvage.report) : nothing}
    </section>`
}

/** @param {{ name: string, size: number, target: string }} file */
const saved = ({ name, size, target }) => html`<p class="finding saved">Saved ${nameText(name)}, ${counted(size, 'byte')}, where this browser keeps downloads. ${TARGETS.find(([each]) => each === target)?.[2]}</p>`

/** @param {SalvageReport} report */
function result({ live, liveBytes, keys, entries, tombstones, tables, files, adopted, leftBehind, doubtful, atRisk, oldDataMayReappear }) {
  return html`
    <p class="counts">Can be saved: <b>${counted(live, 'live key')}</b>, ${sized(liveBytes)}; ${counted(entries, 'entry', 'entries')} of ${counted(keys, 'key')}, ${counted(tombstones, 'tombstone')}, in ${counted(tables, 'table')}.</p>
    ${oldDataMayReappear ? html`<p class="finding warn">Newer entries may be missing: overwritten values and deleted keys can be visible again.</p>` : nothing}
    ${list('Used, and may be wrong', doubtful.map(placeOf), true)}
    ${list('Left behind', leftBehind.map(placeOf), true, lostIn(leftBehind))}
    ${list('Ranges of keys that may be missing, old or back from deletion', atRisk.map(({ file, from, to, live, entries }) => html`${nameText(file)}: ${from === undefined && to === undefined ? 'any key' : html`${from === undefined ? 'from the first' : html`from ${bytesText(from)}`} ${to === undefined ? 'to the last' : html`up to ${bytesText(to)}`}`}, ${counted(live, 'live key')} there can be saved${lost(entries, ' is lost', ' are lost')}`), false)}
    ${list('Entries by file', files.map(({ file, use, entries, lostBytes, reason }) => html`${nameText(file)}: ${use === 'none' ? html`not used: ${reasonText(reason ?? '')}` : html`${counted(entries, 'entry', 'entries')}, ${USES[use]}${lostBytes > 0 ? `; ${counted(lostBytes, 'byte')} could not be used` : ''}`}`), false)}
    ${adopted.map(({ file, as }) => html`<p class="dim">${nameText(file)} is read as ${as}.</p>`)}`
}

/** @param {Remark} remark */
const placeOf = ({ file, offset, length, reason, entries }) => html`${nameText(file)} at ${grouped(offset)}${length === undefined ? '' : `, ${counted(length, 'byte')}`}${lost(entries)}: ${reasonText(reason)}`

/** @type {Record<string, string>} */
const PRECISION = { exact: '', 'at least': 'at least ', about: 'about ' }

/** A number of entries, if it is known. @param {Remark['entries']} entries @param {string} [one] @param {string} [many] */
const lost = (entries, one = '', many = '') => entries === undefined ? '' : `, ${PRECISION[entries.is]}${counted(entries.count, `entry${one}`, `entries${many}`)}`

/** The entries of all parts together whose entries are known. @param {Remark[]} remarks */
function lostIn(remarks) {
  const known = remarks.flatMap(({ entries }) => entries ?? [])
  const is = (/** @type {const} */ (['about', 'at least', 'exact'])).find((each) => known.some((entries) => entries.is === each))
  return is === undefined ? '' : lost({ is, count: known.reduce((sum, { count }) => sum + count, 0) }).replace(',', ' with')
}

/** @param {string} title @param {unknown[]} rows @param {boolean} isOpen @param {string} [more] beside their number */
function list(title, rows, isOpen, more = '') {
  if (rows.length === 0) return nothing
  return html`<details ?open=${isOpen}><summary>${title}: ${grouped(rows.length)}${more}</summary><ul>${rows.slice(0, LISTED_MAX).map((row) => html`<li>${row}</li>`)}</ul>${rows.length > LISTED_MAX ? html`<p class="dim">and ${grouped(rows.length - LISTED_MAX)} more</p>` : nothing}</details>`
}
