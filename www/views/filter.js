// The filters of a table: how full each is, the bits of one, and what they say of a key.
import { html, nothing } from 'lit'
import { REGION_KINDS } from 'varve/inspect'
import '../ui/bit-grid.js'
import '../ui/virtual-list.js'
import { accepted, NO_HEX } from '../ui/field.js'
import { nameText, reasonText } from '../ui/bytes.js'
import { Filters } from '../model/filters.js'
import { counted, grouped, sized } from '../ui/numbers.js'

/** @typedef {import('../model/model.js').Model} Model */
/** @typedef {import('varve/inspect').FilterView} FilterView */

/** Above this number of probes a filter is reserved for other formats. */
const PROBES_MAX = 30
/** @param {number} part @param {number} whole */
const percent = (part, whole) => whole > 0 ? `${(part / whole * 100).toFixed(2)} %` : '—'

/** Findings that are listed. */
const LISTED_MAX = 20

/** @param {Model} model */
export function filter(model) {
  const { file } = model
  if (file?.regions === undefined) return nothing
  const filters = model.filters ??= new Filters(model, model.now, model.sweeper)
  filters.open(file)
  const { view, failure } = filters
  if (failure !== undefined) return html`<p class="finding bad">The filter could not be read: ${nameText(failure)}</p>`
  if (view === undefined) return html`<p class="empty">Reading the filter block …</p>`
  if (view === null && isNameless(file)) {
    const { columns } = file.regions ?? {}
    const at = columns?.kind.subarray(0, columns.length).indexOf(REGION_KINDS.indexOf('filter')) ?? -1
    return html`<p class="empty">The metaindex, which would name a filter, cannot be read. ${columns === undefined || at < 0 ? '' : `A filter block was found by its checksum at ${grouped(columns.offset[at])}.`}</p>`
  }
  if (view === null) return html`<p class="empty">This table has no filter: a look-up of a key in its range reads a block, whether the key is there or not. LevelDB makes none by default.</p>`
  const findings = file.findings.filter(({ code, offset }) => code === 'T40' || (code === 'T10' && offset >= view.offset && offset < view.offset + view.length))
  return html`
    ${findings.slice(0, LISTED_MAX).map(({ code, severity, reason }) => html`<p class="finding ${severity}"><b>${code}</b> ${reasonText(reason)}</p>`)}
    ${!view.known || view.reason !== undefined
      ? html`<p class="empty">${nameText(view.name)}: ${sized(view.length)} at ${grouped(view.offset)}. ${view.known ? html`It cannot be used: ${reasonText(view.reason ?? '')}. Look-ups read blocks without it.` : 'Only LevelDB’s Bloom filter is explained; an engine without this policy ignores the block.'}</p>`
      : slots(model, filters, view)}`
}

/** @param {Model} model @param {Filters} filters @param {FilterView} view */
function slots(model, filters, view) {
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'Filters',
    columns: 'slots-grid',
    head: ['#', 'covers', 'blocks', 'keys', 'bits', 'set', 'fill', 'k', 'expected'].map((name) => html`<span class="number">${name}</span>`),
    count: view.slots.length,
    selected: filters.chosen,
    row: (slot) => rowOf(filters, view, slot),
    onSelect: (slot) => filters.choose(slot),
    onOpen: (slot) => {
      const region = model.file?.regions?.having(slot * view.base)
      if (region !== undefined) model.selectRegion(region, { view: 'blocks' })
    }
  })
  return html`
    ${totals(filters, view)}
    <virtual-list id="slots" class="fill" .list=${list} .version=${`${model.file?.regions?.version} ${filters.chosen}`}></virtual-list>
    ${bits(filters, view)}
    ${asked(model, filters, view)}`
}

/** Bits and bytes of a filter without its last byte. @param {FilterView} view @param {number} slot */
function sizeOf({ slots: { start, end, probes, set } }, slot) {
  const size = Math.max(0, end[slot] - start[slot] - 1) * 8
  const fill = size === 0 ? 0 : set[slot] / size
  return { size, fill, k: probes[slot], expected: fill ** probes[slot] }
}

/** @param {Filters} filters @param {FilterView} view @param {number} slot */
function rowOf(filters, view, slot) {
  const { size, fill, k, expected } = sizeOf(view, slot)
  const { blocks, keys } = filters.countOf(slot)
  const isRead = filters.file?.regions?.totals().unread === 0
  const cell = (/** @type {unknown} */ value) => html`<span class="number">${value}</span>`
  const covers = cell(`${grouped(slot * view.base)}–${grouped((slot + 1) * view.base - 1)}`)
  const known = cell(isRead ? grouped(keys) : keys === 0 ? '—' : `≥ ${grouped(keys)}`)
  if (view.slots.state[slot] === 1) return { classes: 'bad', cells: [cell(grouped(slot)), covers, cell(grouped(blocks)), known, html`<span class="bad">impossible</span>`, '', '', '', cell('all pass')] }
  if (size === 0) return { classes: '', cells: [cell(grouped(slot)), covers, cell(grouped(blocks)), known, cell('empty'), '', '', '', cell('none pass')] }
  return { classes: '', cells: [cell(grouped(slot)), covers, cell(grouped(blocks)), known, cell(grouped(size)), cell(grouped(view.slots.set[slot])), cell(percent(fill, 1)), cell(k), cell(k > PROBES_MAX ? 'all pass' : percent(expected, 1))] }
}

/** @param {Filters} filters @param {FilterView} view */
function totals({ file }, view) {
  let [bits, set, empty, passing, least, most] = [0, 0, 0, 0, 255, 0]
  for (let slot = 0; slot < view.slots.length; slot++) {
    const { size, k, expected } = sizeOf(view, slot)
    if (size === 0) empty++
    else {
      bits += size
      set += view.slots.set[slot]
      passing += expected * size
      least = Math.min(least, k)
      most = Math.max(most, k)
    }
  }
  const { unread = 1 } = file?.regions?.totals() ?? {}
  const keys = file?.regions?.entriesBefore.at(-1) ?? 0
  const perKey = keys === 0 ? '—' : unread === 0 ? (bits / keys).toFixed(2) : `≤ ${(bits / keys).toFixed(2)}`
  return html`
    <dl class="facts" id="filter-facts">
      <div><dt>policy</dt><dd>${nameText(view.name.replace(/^filter\./, ''))}, LevelDB’s Bloom filter</dd></div>
      <div><dt>base</dt><dd>${grouped(view.base)} B of file for each filter</dd></div>
      <div><dt>filters</dt><dd>${grouped(view.count)}, ${grouped(empty)} empty</dd></div>
      <div><dt>bits</dt><dd>${grouped(bits)}, ${percent(set, bits)} set</dd></div>
      <div><dt>k</dt><dd>${most === 0 ? '—' : least === most ? grouped(least) : `${least} to ${most}`}</dd></div>
      <div><dt>bits a key</dt><dd>${perKey}</dd></div>
      <div><dt>expected wrong yes</dt><dd>${bits === 0 ? '—' : percent(passing, bits)}</dd></div>
    </dl>
    ${most > PROBES_MAX ? html`<p class="note">More than ${PROBES_MAX} probes are reserved for other formats: such a filter lets every key pass.</p>` : nothing}
    ${empty > 0 ? html`<p class="note">A filter is empty where no block begins: a stored block of ${grouped(view.base)} bytes or more skips filters. That is how the format works, not damage.</p>` : nothing}`
}

/** @param {Filters} filters @param {FilterView} view */
function bits({ chosen, probe }, view) {
  if (chosen >= view.slots.length || view.slots.state[chosen] === 1) return nothing
  const { size, k } = sizeOf(view, chosen)
  if (size === 0) return nothing
  const { start } = view.slots
  const bytes = view.raw.subarray(start[chosen], start[chosen] + size / 8)
  const marked = probe?.slot === chosen ? [...probe.bits] : []
  const label = `The ${grouped(size)} bits of filter ${grouped(chosen)}, ${grouped(view.slots.set[chosen])} set, ${counted(k, 'probe')}${marked.length === 0 ? '' : `; the key asks for ${marked.join(', ')}`}`
  return html`<div class="bits" tabindex="0" role="group" aria-label="Bits of the chosen filter"><bit-grid .bytes=${bytes} .marked=${marked} .label=${label}></bit-grid></div>`
}

/** @param {Model} model @param {Filters} filters @param {FilterView} view */
function asked(model, filters, view) {
  const act = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    const { elements } = /** @type {HTMLFormElement} */ (event.target)
    const field = /** @type {HTMLInputElement} */ (elements.namedItem('key'))
    filters.text = field.value
    filters.isHex = /** @type {HTMLInputElement} */ (elements.namedItem('hex')).checked
    if (accepted(field, filters.typed === undefined ? NO_HEX : '')) filters.ask()
  }
  const { measured, test } = filters
  const isTesting = test !== undefined && test.keys === undefined && test.isStopped !== true
  return html`
    <form class="bar" @submit=${act} aria-label="Ask the filter for a key">
      <input class="query" name="key" aria-label="Key" .value=${filters.text} placeholder="a key to ask for" autocomplete="off" spellcheck="false">
      <label><input type="checkbox" name="hex" .checked=${filters.isHex}> hexadecimal</label>
      <button>Probe</button>
      <button type="button" @click=${() => filters.measure()}>${measured === undefined ? 'Measure' : 'Measure again'}</button>
      ${isTesting ? html`<button type="button" @click=${() => filters.stop()}>Stop</button>` : html`<button type="button" @click=${() => filters.testAll()}>Self-test</button>`}
    </form>
    <div class="answers" tabindex="0" role="group" aria-label="Answers of the filter">
      ${filters.probe === undefined ? nothing : probed(filters.probe, view, filters.file)}
      ${measured === undefined ? nothing : html`<p id="measured">Measured: ${grouped(measured.passed)} of ${counted(measured.asked, 'absent key')} passed, ${percent(measured.passed, Math.max(1, measured.asked))}.</p>`}
      ${test === undefined ? nothing : tested(model, test)}
    </div>`
}

/** @param {import('varve/inspect').FilterProbe} probe @param {FilterView} view @param {Filters['file']} file */
function probed({ verdict, slot, bits, set, isThere, block }, view, file) {
  if (verdict === 'past end') return html`<p id="probe">The key is after the last one of the table: no filter is asked.</p>`
  // What is in a block with a wrong checksum proves nothing.
  const isBad = block !== undefined && file?.regions?.having(block.offset)?.state === 'bad'
  const there = isThere === undefined ? 'the block cannot be read' : `${isThere ? 'it is there' : 'it is not there'}${isBad ? ' as far as can be read, but the block is damaged' : ''}`
  const rating = isThere === undefined || isBad ? '' : verdict === 'maybe' ? (isThere ? ', a true positive' : ', a false positive') : isThere ? ', a false negative (T41)' : ', a true negative'
  const isMissing = slot !== undefined && slot >= view.count
  return html`
    <p id="probe">Block at ${grouped(block?.offset ?? 0)} → filter ${grouped(slot ?? 0)}${isMissing ? ', which the table does not have' : ''}${bits.length === 0 ? '' : html` → ${[...bits].map((bit, index) => html`${index > 0 ? ' ' : ''}<span class=${set[index] === 1 ? 'lit' : 'unlit'}>${bit}${set[index] === 1 ? '✓' : '✗'}</span>`)}`}.
      <b>${verdict === 'maybe' ? 'Maybe' : 'No: the key is not in this block'}</b>; ${there}${rating}.</p>`
}

/** @param {Model} model @param {NonNullable<Filters['test']>} test */
function tested(model, { done, keys, denied, findings, isStopped }) {
  const size = model.file?.size ?? 0
  if (keys === undefined) return html`<p id="self-test">${isStopped === true ? 'The test was stopped' : 'Testing every key'}: ${sized(done)} of ${sized(size)}.</p>`
  if (denied === 0) return html`<p id="self-test">Self-test: the filter lets all of ${counted(keys, 'key')} pass: no false negative.</p>`
  return html`
    <div id="self-test">
      <p class="finding bad"><b>T41</b> Self-test: the filter denies ${grouped(denied ?? 0)} of ${counted(keys, 'key')} that are there. An engine that asks it does not find them.</p>
      <ul>${findings.slice(0, LISTED_MAX).map(({ offset, length, reason }) => html`<li><button class="link" @click=${() => {
        const region = model.file?.regions?.having(offset)
        model.select({ from: offset, to: offset + length, block: region?.offset }, { view: 'blocks' })
      }}>${grouped(offset)}</button> ${reasonText(reason)}</li>`)}${findings.length > LISTED_MAX ? html`<li>and in ${counted(findings.length - LISTED_MAX, 'block')} more</li>` : nothing}</ul>
    </div>`
}

/** Whether the block that names a filter cannot be read. @param {import('../model/file.js').OpenFile} file */
function isNameless({ parts }) {
  const metaindex = parts.find(({ kind }) => kind === 'metaindex')
  return metaindex === undefined || metaindex.findings.some(({ severity }) => severity === 'bad')
}
