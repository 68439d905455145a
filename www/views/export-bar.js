// Saves entries of the file: all, or some rows.
import { html, nothing } from 'lit'
import { counted, grouped, sized } from '../ui/numbers.js'
import { save } from '../ui/save.js'

/** @param {import('../model/model.js').Model} model */
export function exportBar(model) {
  const { file, exporting } = model
  const total = file?.regions?.entriesBefore.at(-1) ?? 0
  if (file === undefined || file.sweep.status !== 'done' || total === 0) return nothing
  if (exporting !== undefined) {
    return html`<div class="progress"><span role="status">${counted(exporting.rows, 'row')}, ${sized(exporting.bytes)}</span><button @click=${() => exporting.cancel()}>Stop</button></div>`
  }
  const act = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    const form = /** @type {HTMLFormElement} */ (event.target)
    const number = (/** @type {string} */ name, /** @type {number} */ otherwise) => {
      const { value } = /** @type {HTMLInputElement} */ (form.elements.namedItem(name))
      return value.trim() === '' ? otherwise : Number(value.replace(/[,_ ]/g, ''))
    }
    const format = /** @type {'ndjson' | 'csv'} */ (/** @type {HTMLSelectElement} */ (form.elements.namedItem('format')).value)
    const [from, last] = [number('first', 0), number('last', total - 1)]
    if (!(from >= 0 && last >= from && last < total)) return model.say(`there are rows 0 to ${total - 1}`)
    const made = await model.work.export({ format, from, to: last + 1 })
    if (made !== undefined) save(`${file.name}.${format}`, made)
  }
  return html`
    <form class="bar" @submit=${act}>
      <span>Export rows</span>
      <label><span class="hidden">first row</span><input name="first" inputmode="numeric" size="9" placeholder="0"></label> to
      <label><span class="hidden">last row</span><input name="last" inputmode="numeric" size="9" placeholder=${grouped(total - 1)}></label>
      <label>as <select name="format"><option value="ndjson">NDJSON, lossless</option><option value="csv">CSV</option></select></label>
      <button>Export</button>
      ${model.exported === undefined ? nothing : html`<span class="dim">${counted(model.exported.rows, 'row')} exported${model.exported.skipped > 0 ? html`, <span class="bad">${counted(model.exported.skipped, 'block')} left out: they cannot be decoded</span>` : ''}</span>`}
    </form>`
}
