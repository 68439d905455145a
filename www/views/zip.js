// What is inside a zip, with buttons that open its databases.
import { html, nothing } from 'lit'
import { openFolder } from '../model/archive.js'
import { nameText } from '../ui/bytes.js'
import { counted, grouped, sized } from '../ui/numbers.js'

const LISTED_MAX = 200

/** @param {import('../model/model.js').Model} model */
export function zip(model) {
  const { file } = model
  const listed = file?.zip
  if (file === undefined || listed === undefined) return nothing
  if (listed.status === 'reading') return html`<p class="empty" role="status">Reading the list of its entries …</p>`
  if (listed.status === 'failed') return html`<p class="finding bad">It cannot be looked into: ${nameText(listed.failure ?? '')}</p>`
  const { databases = [], problems = [], entries = 0, prefix = 0, opening } = listed
  return html`
    <section class="zip">
      <h2>Inside: ${counted(entries, 'entry', 'entries')}, ${counted(databases.length, 'database')}</h2>
      ${prefix > 0 ? html`<p class="dim">${counted(prefix, 'byte')} before the archive.</p>` : nothing}
      ${opening !== undefined ? html`<p role="status">Opening file ${grouped(opening + 1)} …</p>` : nothing}
      <ul class="demos">
        ${databases.slice(0, LISTED_MAX).map((each) => html`<li><button ?disabled=${opening !== undefined} @click=${() => openFolder(model, file, each)}>Open</button>
          <span>${each.folder === '' ? 'its outermost files' : nameText(each.folder)}: ${counted(each.entries.length, 'file')}, ${sized(each.entries.reduce((sum, { size }) => sum + size, 0))}</span></li>`)}
      </ul>
      ${databases.length > LISTED_MAX ? html`<p class="dim">and ${grouped(databases.length - LISTED_MAX)} more</p>` : nothing}
      ${problems.slice(0, LISTED_MAX).map(({ name, offset, problem }) => html`<p class="finding warn">${nameText(name)} at ${grouped(offset)} cannot be opened: ${nameText(problem ?? '')}</p>`)}
    </section>`
}
