// What can be kept of all files: a report, digests, and a salvaged database.
import { html, nothing } from 'lit'
import { grouped } from '../ui/numbers.js'
import { save } from '../ui/save.js'
import { salvagePanel } from './salvage.js'

/** @typedef {import('../model/model.js').Model} Model */

/** @param {Model} model */
export const evidence = (model) => html`${reports(model)}${salvages(model)}`

/** Salvage, of each folder that has files. @param {Model} model */
function salvages(model) {
  const folders = [...new Set(model.files.filter(({ isOurs }) => isOurs).map(({ name }) => name.slice(0, name.lastIndexOf('/') + 1)))]
  if (folders.length === 0) return nothing
  return html`<details class="salvages" ?open=${model.salvage?.folder !== undefined}><summary>Salvage what can be read of a damaged database</summary>${folders.slice(0, 20).map((folder) => salvagePanel(model, folder))}</details>`
}

/** Digests and a report of all files. @param {Model} model */
function reports(model) {
  const { files, examined, source } = model
  const report = async (/** @type {'html' | 'json'} */ kind) => {
    const { asHtml, asJson, reportOf } = await import('../report.js')
    if (!await model.work.examine()) return
    const made = reportOf(model)
    const name = `${source.replace(/[^\w.-]+/g, '-') || 'files'}.report.${kind}`
    if (kind === 'html') save(name, asHtml(made), 'text/html')
    else save(name, asJson(made), 'application/json')
  }
  return html`
    <div class="bar">
      ${examined !== undefined ? html`<span role="status">Reading file ${grouped(examined + 1)} of ${grouped(files.length)} …</span>` : html`
        <button @click=${() => report('html')}>Report (HTML)</button><button @click=${() => report('json')}>Report (JSON)</button>
        <button @click=${async () => { for (const file of files) await model.work.digest(file) }}>${files.some(({ sha256 }) => sha256 !== undefined) ? 'Check the digests again' : 'Compute digests'}</button>
        <span class="dim">A report reads all files, and is the same for the same files.</span>`}
    </div>`
}
