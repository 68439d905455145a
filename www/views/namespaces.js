// Keys grouped by how they begin: how many, and how much room they take.
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { bytesText } from '../ui/bytes.js'
import { counted, grouped, percent } from '../ui/numbers.js'
import { GROUPS_MAX, SEPARATORS } from '../model/grouping.js'
import { ORDERS } from '../model/groups.js'
import { parseQuery } from '../model/query.js'
import { searchTable } from '../model/searching.js'

/** @typedef {import('../model/model.js').Model} Model */
/** @typedef {import('../model/groups.js').Groups} Groups */

const LENGTHS = [1, 2, 4, 8]

/** @param {Model} model */
export function namespaces(model) {
  const { groups, file } = model
  if (file?.regions === undefined) return nothing
  if (groups === undefined) {
    return html`
      <p class="empty">Entries are counted by the beginnings of their keys, cut at a separator such as <code>:</code> or <code>!</code>. All blocks are read for it.</p>
      <p><button @click=${() => model.work.group({})}>Count the keys of this table</button>${model.tables.length > 1 ? html` <button @click=${() => model.work.group({ isWhole: true })}>Count those of all ${grouped(model.tables.length)} tables</button>` : nothing}</p>`
  }
  const stored = groups.stored
  const open = (/** @type {number} */ index) => {
    const { prefix } = groups.rows[index]
    if (prefix !== undefined) model.work.group({ prefix, isWhole: groups.isWhole, order: groups.order })
  }
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'Groups of keys',
    columns: 'groups-grid',
    head: ['keys that begin with', 'entries', 'deletes', 'key bytes', 'value bytes', '≈ stored', 'share'].map((name, place) => html`<span class=${place > 0 && place < 6 ? 'number' : ''}>${name}</span>`),
    count: groups.rows.length,
    selected: groups.selected,
    row: (index) => {
      const { kind, prefix, count, deletes, keyBytes, valueBytes, stored: own } = groups.rows[index]
      const name = prefix !== undefined ? bytesText(prefix, { dim: groups.prefix.length }) : kind === 'single' ? html`<span class="dim">keys with no further part</span>` : html`<span class="dim">other groups</span>`
      const numbers = [count, deletes, keyBytes, valueBytes, Math.round(own)].map((value) => html`<span class="number">${grouped(value)}</span>`)
      return { cells: [name, ...numbers, html`<span class="share"><progress max=${Math.max(1, stored)} .value=${own} aria-hidden="true"></progress> ${percent(own, stored)}</span>`] }
    },
    onSelect: (index) => model.selectGroup(index),
    onOpen: open
  })
  return html`
    ${bar(model, groups, open)}
    <virtual-list id="groups" class="fill" .list=${list} .version=${`${groups.rows.length} ${groups.entries} ${groups.order} ${groups.status}`}></virtual-list>
    <p class="foot" role=${groups.status === 'running' ? nothing : 'status'}>${counted(groups.entries, 'entry', 'entries')} in ${counted(groups.rows.length, 'group')}${groups.rows.length > GROUPS_MAX ? ', the rest together' : ''}, versions and deletes among them${
      groups.isWhole ? `, of ${counted(model.tables.length, 'table')}` : ''} · ${grouped(groups.blocks)} of ${counted(groups.total, 'block')} read${groups.status === 'stopped' ? ' · stopped' : ''}${
      groups.unread > 0 ? html` · <span class="bad">${counted(groups.unread, 'block')} not counted: they cannot be decoded</span>` : nothing}</p>`
}

/** @param {Model} model @param {Groups} groups @param {(index: number) => void} open */
function bar(model, groups, open) {
  const { prefix, rule, chosen, isWhole, order, selected, status } = groups
  const again = (/** @type {Parameters<Model['work']['group']>[0]} */ change) => model.work.group({ prefix, rule: chosen, isWhole, order, ...change })
  const valueOf = (/** @type {typeof rule} */ given) => given === undefined ? 'auto' : 'at' in given ? `at ${given.at}` : `bytes ${given.bytes}`
  const name = rule === undefined ? '' : 'at' in rule ? SEPARATORS.find(({ byte }) => byte === rule.at)?.name ?? '' : counted(rule.bytes, 'byte')
  const onRule = (/** @type {Event} */ event) => {
    const [kind, number] = /** @type {HTMLSelectElement} */ (event.target).value.split(' ')
    again({ rule: kind === 'auto' ? undefined : kind === 'at' ? { at: Number(number) } : { bytes: Number(number) } })
  }
  const current = groups.rows[selected]?.prefix
  return html`
    <div class="bar">
      <label>cut at <select @change=${onRule}>
        <option value="auto" ?selected=${chosen === undefined}>automatic${chosen === undefined && name !== '' ? `: ${name}` : ''}</option>
        ${SEPARATORS.map(({ byte, name }) => html`<option value=${`at ${byte}`} ?selected=${valueOf(chosen) === `at ${byte}`}>${name}</option>`)}
        ${LENGTHS.map((bytes) => html`<option value=${`bytes ${bytes}`} ?selected=${valueOf(chosen) === `bytes ${bytes}`}>${counted(bytes, 'byte')}</option>`)}
      </select></label>
      <label>sort by <select @change=${(/** @type {Event} */ event) => { groups.sort(/** @type {any} any: one of them */ (/** @type {HTMLSelectElement} */ (event.target).value)); model.changed() }}>
        ${Object.entries(ORDERS).map(([each, title]) => html`<option value=${each} ?selected=${each === order}>${title}</option>`)}</select></label>
      ${model.tables.length > 1 ? html`<label><input type="checkbox" .checked=${isWhole} @change=${() => again({ isWhole: !isWhole })}> all ${grouped(model.tables.length)} tables</label>` : nothing}
      ${status === 'running' ? html`<button @click=${() => groups.cancel()}>Stop</button>` : nothing}
      <span class="path">${prefix.length === 0 ? 'all keys' : html`keys that begin with ${bytesText(prefix)}`}</span>
      ${prefix.length > 0 ? html`<button @click=${() => again({ prefix: new Uint8Array(), rule: undefined })}>All keys</button>` : nothing}
      <button ?disabled=${current === undefined} @click=${() => open(selected)}>Deeper</button>
      <button ?disabled=${current === undefined || isWhole} title=${isWhole ? 'one table at a time can be searched' : ''} @click=${() => {
        const text = `prefix:${new TextDecoder('utf-8', { ignoreBOM: true }).decode(current)}`
        const query = parseQuery('prefix:x')
        if (query !== undefined && current !== undefined) searchTable(model, text, { ...query, bytes: current })
        model.show('search')
      }}>Show these entries</button>
    </div>`
}
