// A database among the files: what its manifest says, and what was found so far.
import { html, nothing } from 'lit'
import { bytesOfHex, bytesText, nameText, reasonText } from '../ui/bytes.js'
import { counted, exact, grouped, sized } from '../ui/numbers.js'

/** Names that are listed. */
const NAMES_MAX = 10

/** Findings about a database that are listed. */
const ABOUT_MAX = 12

/** What a database's manifest says, and what is wrong with the whole. @param {import('../model/folders.js').Folder} folder */
export function database({ name, map, files }) {
  if (map === undefined) return html`<p class="dim">${name === '' ? '' : html`${nameText(name)}: `}comparing ${counted(files.length, 'file')} with the manifest …</p>`
  const { facts } = map.summary
  // What is about the whole, or about a file in it; what is inside a file is shown there.
  const about = map.findings.filter(({ file, code }) => file === undefined || /^[DM]/.test(code))
  const number = (/** @type {unknown} */ value) => value === undefined ? '—' : exact(value)
  const found = files.reduce((sum, { findings }) => sum + findings.length, map.findings.filter(({ file }) => file === undefined || files.every((each) => each.name !== name + file)).length)
  const isRead = files.every(({ detected, sweep }) => sweep.status === 'done' || !/^(table|log|man)/.test(detected?.kind ?? ''))
  const inLogs = Math.max(...files.filter(({ place }) => /^(current log|log to)/.test(place?.role ?? '')).map(({ place, summary }) => Number((summary ?? place?.summary)?.facts.maxSequence ?? 0)))
  return html`
    <section class="database">
      <h2>${name === '' ? 'A database' : html`A database in ${nameText(name)}`}</h2>
      <dl class="facts">
        ${typeof facts.comparator === 'string' ? html`<div><dt>comparator</dt><dd>${bytesText(bytesOfHex(facts.comparator))}</dd></div>` : nothing}
        ${files[0]?.keys.databases.slice(0, NAMES_MAX).map(({ name, stores }) => html`<div><dt>IndexedDB</dt><dd>${nameText(name)}${stores.length === 0 ? '' : html` <span class="dim">${stores.slice(0, NAMES_MAX).map((store, place) => html`${place > 0 ? ', ' : ''}${nameText(store)}`)}</span>`}</dd></div>`)}
        <div><dt>last sequence</dt><dd>${inLogs > Number(facts.lastSequence) ? html`${exact(inLogs)} <span class="dim">in a log, ${number(facts.lastSequence)} in the manifest</span>` : number(facts.lastSequence)}</dd></div>
        <div><dt>next file</dt><dd>${number(facts.nextFileNumber)}</dd></div>
        <div><dt>live tables</dt><dd>${number(facts.tables)}, ${sized(Number(facts.tableBytes ?? 0))}</dd></div>
        <div><dt>findings</dt><dd>${found === 0 ? 'none' : grouped(found)}${isRead ? '' : html` <span class="dim">so far: not all is read</span>`}</dd></div>
      </dl>
      ${about.slice(0, ABOUT_MAX).map(({ code, severity, reason, file }) => html`<p class="finding ${severity}"><b>${code}</b> ${file === undefined ? '' : html`${nameText(file)}: `}${reasonText(reason)}</p>`)}
      ${about.length > ABOUT_MAX ? html`<p class="dim">and ${grouped(about.length - ABOUT_MAX)} more</p>` : nothing}
    </section>`
}
