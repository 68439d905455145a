// One key: the steps of a look-up in the database, the answer, what it cost, and the key's history.
import { html, nothing } from 'lit'
import '../ui/virtual-list.js'
import { accepted, NO_HEX } from '../ui/field.js'
import { bytesOfHex, bytesText, nameText, plainName, reasonText } from '../ui/bytes.js'
import { counted, grouped, sized } from '../ui/numbers.js'
import { ROLES } from '../model/folders.js'

/** @typedef {import('../model/model.js').Model} Model */
/** @typedef {import('../model/lookup.js').Lookup} Lookup */
/** @typedef {import('varve/inspect').TraceStep} TraceStep */
/** @typedef {import('../ui/virtual-list.js').List} List */

/** @param {Model} model */
export function trace(model) {
  const { lookup } = model
  const { alone, shownTab } = lookup
  if (lookup.scope === undefined) {
    return html`<p class="empty">A key is looked up in a database: in its logs, then in its tables, as its manifest names them. Open its whole folder, with CURRENT and the manifest, to see which files a look-up reads and why; or look at a table, to look the key up in that alone.</p>`
  }
  return html`
    ${alone === undefined ? nothing : html`<p class="note">${alone.isLog ? 'This log alone: every operation of the key in it.' : 'This table alone: what a look-up finds when it reaches this table.'} Open the whole folder, with CURRENT and the manifest, to see what the database has.</p>`}
    ${whichOf(model)}
    ${form(model)}
    <div class="bar choice" role="tablist" aria-label="What is shown of the key">${alone?.isLog ? nothing : tab(lookup, 'trace', 'Trace')}${tab(lookup, 'history', 'Provenance')}</div>
    <div class="fill panel" role="tabpanel" id="lookup-panel" aria-labelledby="tab-${shownTab}">${lookup.failure !== undefined
      ? html`<p class="finding bad">The files could not be read: ${nameText(lookup.failure)}</p>`
      : lookup.key === undefined ? html`<p class="empty">Give a key, as text or in hexadecimal, or press “trace” beside a key that is selected.</p>` : shownTab === 'trace' ? steps(lookup) : history(lookup)}</div>`
}

/** Which database it is of several, and what of it a look-up passes over. @param {Model} model */
function whichOf({ lookup, folders }) {
  const { folder } = lookup
  const passed = folder?.map?.findings.filter(({ code, severity }) => code === 'M03' && severity === 'warn').length ?? 0
  return html`
    ${folder === undefined || folders.length < 2 ? nothing : html`<p class="note">In ${nameText(folder.name || 'the folder itself')}, one of ${grouped(folders.length)} databases. Look at a file of another to look a key up there.</p>`}
    ${passed === 0 ? nothing : html`<p class="finding warn">The manifest is not complete, and a look-up passes over ${counted(passed, 'table')} that it does not name. Provenance finds the key there too.</p>`}`
}

/** @param {Model} model */
function form(model) {
  const { lookup } = model
  const act = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    const { elements } = /** @type {HTMLFormElement} */ (event.target)
    const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (elements.namedItem(name))
    lookup.text = field('key').value
    lookup.isHex = field('hex').checked
    lookup.at = field('at').value
    const isNumber = /^\s*\d{0,16}\s*$/.test(lookup.at)
    if (!accepted(field('key'), lookup.typed === undefined ? NO_HEX : '')) return
    if (accepted(field('at'), isNumber ? '' : 'A sequence number is a whole number; nothing: the last one.')) lookup.run()
  }
  return html`
    <form class="bar" @submit=${act} aria-label="Look a key up">
      <input class="query" name="key" aria-label="Key" .value=${lookup.text} placeholder="a key" autocomplete="off" spellcheck="false">
      <label><input type="checkbox" name="hex" .checked=${lookup.isHex}> hexadecimal</label>
      <label>at sequence <input class="short" name="at" inputmode="numeric" .value=${lookup.at} placeholder="latest" autocomplete="off"></label>
      <button>Trace</button>
      ${lookup.reading === undefined ? nothing : html`<span>read ${sized(lookup.reading)}</span><button type="button" @click=${() => lookup.stop()}>Stop</button>`}
    </form>`
}

/** @param {Lookup} lookup @param {Lookup['tab']} name @param {string} title */
function tab(lookup, name, title) {
  const isShown = lookup.shownTab === name
  const move = (/** @type {KeyboardEvent} */ event) => {
    if ((event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') || lookup.alone?.isLog) return
    event.preventDefault()
    lookup.show(name === 'trace' ? 'history' : 'trace')
    const other = name === 'trace' ? 'history' : 'trace'
    document.getElementById(`tab-${other}`)?.focus()
  }
  return html`<button role="tab" id="tab-${name}" aria-selected=${isShown} aria-controls="lookup-panel" tabindex=${isShown ? 0 : -1} @click=${() => lookup.show(name)} @keydown=${move}>${title}</button>`
}

// ---- The steps ----

/** @param {Lookup} lookup */
function steps(lookup) {
  const { result } = lookup
  if (result === undefined) return html`<p class="empty">${lookup.reading === undefined ? 'Stopped.' : 'Reading what is on the way …'}</p>`
  const list = /** @type {List} */ ({
    label: 'Steps of the look-up',
    columns: 'steps-grid',
    head: ['#', 'where', 'file', 'what happens', 'block', 'bytes', 'result'].map((name, place) => html`<span class=${place === 0 || place === 4 || place === 5 ? 'number' : ''}>${name}</span>`),
    count: result.steps.length,
    selected: lookup.chosen,
    row: (index) => {
      const step = result.steps[index]
      const cell = (/** @type {unknown} */ value) => html`<span class="number">${value}</span>`
      return {
        classes: step.outcome === 'unknown' ? 'bad' : '',
        cells: [cell(grouped(index + 1)), step.kind === 'log' ? 'log' : lookup.alone !== undefined ? 'table' : `L${step.level}`, step.file === undefined ? '' : nameText(step.file), pathOf(step, lookup.alone !== undefined), cell(step.offset === undefined ? '' : grouped(step.offset)), cell(step.bytes === 0 ? '' : grouped(step.bytes)), outcomeOf(step)]
      }
    },
    onSelect: (index) => choose(lookup, index, false),
    onOpen: (index) => choose(lookup, index, true)
  })
  return html`
    ${answerOf(result, lookup.alone !== undefined)}
    <virtual-list id="steps" class="fill" .list=${list} .version=${result}></virtual-list>
    ${chosenOf(result.steps[lookup.chosen], lookup.alone !== undefined)}
    ${billOf(result)}`
}

/** @param {Lookup} lookup @param {number} index @param {boolean} goes */
function choose(lookup, index, goes) {
  const step = lookup.result?.steps[index]
  if (step !== undefined) lookup.choose(index, { name: step.file, offset: step.offset, entry: step.entry, isLog: step.kind === 'log', byValue: true }, goes)
}

/** @param {import('varve/inspect').Trace} result @param {boolean} isAlone */
function answerOf({ answer, value, reason, steps, sequence }, isAlone) {
  const last = steps.at(-1)
  const decided = steps.find(({ outcome }) => outcome === 'found' || outcome === 'deleted')
  const where = decided === undefined ? '' : `${isAlone ? 'in' : decided.kind === 'log' ? 'in the log' : `in level ${decided.level}, in`} ${plainName(decided.file ?? '')}, sequence ${grouped(Number(decided.sequence))}`
  if (answer === 'value') return html`<p class="answer"><b>Found</b> ${where}: ${bytesText((value ?? new Uint8Array()).subarray(0, 400), { max: 200, size: value?.length })}</p>`
  if (answer === 'deleted') return html`<p class="answer"><b>Deleted</b> ${where}: the tombstone ends the search.</p>`
  if (answer === 'absent' && isAlone) return html`<p class="answer"><b>Absent</b>: this table does not have it${steps.some(({ outcome }) => outcome === 'newer') ? ' up to that sequence number' : ''}.</p>`
  if (answer === 'absent') return html`<p class="answer"><b>Absent</b>: no file that is looked at has it, up to sequence ${grouped(Number(sequence))}.</p>`
  // Nothing was looked at: no manifest can be used, or it names an order that is not known, which is no damage.
  if (steps.length === 0) return html`<p class="finding warn answer"><b>Not looked up</b>: ${reasonText(reason ?? '')}.</p>`
  return html`<p class="finding bad answer"><b>Unknown below this point</b>${last?.outcome === 'unknown' ? html` (step ${grouped(steps.length)})` : nothing}: ${reasonText(reason ?? '')}. The key may be there or not.</p>`
}

/** @param {TraceStep} step @param {boolean} [isAlone] then its range is not known */
function pathOf({ kind, outcome, skipped = 0, filter, slot, offset, mentions = 0, reason }, isAlone = false) {
  const others = skipped > 0 ? `${counted(skipped, 'table')} of the level skipped by range` : ''
  if (kind === 'level') return others
  if (kind === 'log') return reason !== undefined ? reasonText(reason) : mentions === 0 ? 'no operation of the key' : `${counted(mentions, 'operation')} of the key`
  if (outcome === 'skipped') return 'skipped by its range'
  const path = [...isAlone ? [] : ['in range'], ...outcome === 'past end' ? ['after the last key of the index'] : []]
  if (slot !== undefined) path.push(`filter ${grouped(slot)}: ${filter}`)
  else if (offset !== undefined) path.push('no filter is asked')
  if (others !== '') path.push(others)
  return path.join(' · ')
}

const OUTCOMES = /** @type {Record<TraceStep['outcome'], string>} */ ({
  skipped: 'skipped', filtered: 'not there', 'past end': 'not there', absent: 'not there', newer: 'newer only', found: 'found', deleted: 'tombstone', unknown: 'unknown'
})

/** @param {TraceStep} step */
function outcomeOf({ outcome, sequence, falsePositive }) {
  if (falsePositive === true) return 'not there: a false positive'
  const name = OUTCOMES[outcome]
  if (outcome === 'found' || outcome === 'deleted') return html`<b>${name}</b>, sequence ${grouped(Number(sequence))}`
  if (outcome === 'newer') return html`${name}: sequence ${grouped(Number(sequence))}`
  return outcome === 'unknown' ? html`<span class="bad">${name}</span>` : name
}

/** What a row may have no room for. @param {TraceStep | undefined} step @param {boolean} isAlone */
const chosenOf = (step, isAlone) => step === undefined ? nothing : step.reason === undefined
  ? html`<p>${step.file === undefined ? nothing : html`${nameText(step.file)}: `}${pathOf(step, isAlone)}${step.kind === 'table' && step.bytes > 0 ? ` · the index leads to the block at ${grouped(step.offset ?? 0)}: ${grouped(step.bytes)} B read` : ''}</p>`
  : html`<p class="finding ${step.outcome === 'unknown' ? 'bad' : 'warn'}">${reasonText(step.reason)}</p>`

/** @param {import('varve/inspect').Trace} result */
function billOf({ bill }) {
  const saved = bill.blocksUnfiltered - bill.blocks
  return html`<p class="foot" id="bill">${counted(bill.tables, 'table')} considered, ${grouped(bill.skipped)} skipped by range · ${counted(bill.filters, 'filter')} asked: ${counted(bill.noes, 'no', 'noes')}, ${counted(bill.falsePositives, 'false positive')} · ${counted(bill.blocks, 'block')} read, ${grouped(bill.blockBytes)} B${bill.logBytes > 0 ? ` · logs ${sized(bill.logBytes)}, which are in memory while a database is open` : ''} · Without filters: ${saved === 0 ? 'the same' : `${counted(bill.blocksUnfiltered, 'block')}, ${grouped(bill.bytesUnfiltered)} B`}.</p>`
}

// ---- The history ----

/** @param {Lookup} lookup */
function history(lookup) {
  const found = lookup.history
  if (found === undefined) return html`<p class="empty">Stopped.</p>`
  const list = /** @type {List} */ ({
    label: 'Entries of the key in all files, newest first',
    columns: 'history-grid',
    head: ['sequence', 'type', 'file', 'how the file came to be', 'offset', 'entry', 'value'].map((name, place) => html`<span class=${place === 0 || place === 4 || place === 5 ? 'number' : ''}>${name}</span>`),
    count: found.entries.length,
    selected: lookup.chosen,
    row: (index) => {
      const { sequence, key, type, file, offset, entry, value, valueSize, state, ...of } = found.entries[index]
      const cell = (/** @type {unknown} */ value) => html`<span class="number">${value}</span>`
      return {
        classes: state === 'sound' ? '' : 'bad',
        cells: [cell(sequence === undefined ? '—' : grouped(Number(sequence))), html`${type === 'value' ? 'put' : 'deletion'}${state === 'sound' ? nothing : html` <span class="bad">${STATES[state]}</span>`}`, nameText(file), originOf(of), cell(grouped(offset)), cell(grouped(entry)), html`${spelling(key)}${type === 'value' ? bytesText(bytesOfHex(value), { size: valueSize }) : nothing}`]
      }
    },
    onSelect: (index) => chooseEntry(lookup, index, false),
    onOpen: (index) => chooseEntry(lookup, index, true)
  })
  const entry = found.entries[lookup.chosen]
  return html`
    <virtual-list id="history" class="fill" .list=${list} .version=${`${found.entries.length} ${found.isDone}`}></virtual-list>
    ${entry === undefined ? nothing : html`<p>${nameText(entry.file)}: ${originOf(entry)}${entry.key === undefined ? nothing : html` · its key has other bytes, ${bytesText(bytesOfHex(entry.key), { max: 200 })}, and is the same one in the order of this database`}</p>`}
    ${found.damaged.length > 0 ? html`<p class="finding bad">Damaged, so that entries may be missing: ${found.damaged.slice(0, 20).map((name, index) => html`${index > 0 ? ', ' : ''}${nameText(name)}`)}${found.damaged.length > 20 ? ' …' : ''}</p>` : nothing}
    <p class="foot">${counted(found.count, 'entry', 'entries')} of the key in all tables and logs, live or not${found.isDone ? '' : lookup.reading === undefined ? ' · stopped' : ' · reading …'}${found.count > found.entries.length ? `, the first ${grouped(found.entries.length)} listed` : ''}.</p>`
}

/** Other bytes of the same key. @param {string} [key] */
const spelling = (key) => key === undefined ? nothing : html`<span class="dim">as ${bytesText(bytesOfHex(key), { max: 24 })}: </span>`

export const STATES = /** @type {Record<string, string>} */ ({ doubtful: 'doubtful', found: 'in a lost block', torn: 'after damage' })

/** @param {Lookup} lookup @param {number} index @param {boolean} goes */
function chooseEntry(lookup, index, goes) {
  const entry = lookup.history?.entries[index]
  if (entry !== undefined) lookup.choose(index, { name: entry.file, offset: entry.offset, entry: entry.entry, isLog: /log/.test(entry.role) }, goes)
}

/** @param {{ role: string, level?: number, events: import('varve/inspect').FileEvent[] }} file */
function originOf({ role, level, events }) {
  const now = level === undefined ? ROLES[role] ?? role : `live in L${level}`
  if (/log/.test(role)) return now
  const told = events.slice(-3).map(({ added, reason, edit, level, inputs }) => {
    const of = inputs.length === 0 ? '' : ` of ${inputs.slice(0, 4).map((number) => `#${number}`).join(', ')}${inputs.length > 4 ? ' …' : ''}`
    return added ? `${reason}${of} to L${level} in edit ${grouped(edit)}` : `removed by a ${reason} in edit ${grouped(edit)}`
  })
  return [now, ...told].join(' · ')
}
