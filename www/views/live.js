// A live database: what is written, how it gets from the log to the levels, and what that costs.
import { html, nothing } from 'lit'
import '../ui/line-chart.js'
import '../ui/lsm-tree.js'
import '../ui/virtual-list.js'
import { bytesText, nameText } from '../ui/bytes.js'
import { counted, grouped, sized } from '../ui/numbers.js'
import { USAGE } from '../model/commands.js'
import { KINDS } from '../workload.js'

/** @typedef {import('../model/model.js').Model} Model */
/** @typedef {import('../model/live.js').Live} Live */

const encoder = new TextEncoder()
/** Characters of a line of the console. */
const LINE_MAX = 600

const RATES = [[200, '200 a second'], [1000, '1,000 a second'], [5000, '5,000 a second'], [Infinity, 'as fast as it goes']]

/** What can be set, and its limits. @type {{ name: 'seed' | 'keys' | 'operations' | 'valueSize', label: string, min: number, max: number }[]} */
const SETTINGS = [
  { name: 'seed', label: 'seed', min: 0, max: 2 ** 32 - 1 }, { name: 'keys', label: 'keys', min: 1, max: 500_000 },
  { name: 'operations', label: 'operations', min: 1, max: 5_000_000 }, { name: 'valueSize', label: 'bytes of a value', min: 0, max: 100_000 }
]

/** @type {{ name: 'writeBufferSize' | 'maxFileSize' | 'blockSize' | 'filterBits', label: string, min: number, max: number }[]} */
const OPTIONS = [
  { name: 'writeBufferSize', label: 'write buffer, bytes', min: 4096, max: 64 << 20 }, { name: 'maxFileSize', label: 'table size, bytes', min: 4096, max: 64 << 20 },
  { name: 'blockSize', label: 'block size, bytes', min: 64, max: 4 << 20 }, { name: 'filterBits', label: 'filter bits a key', min: 0, max: 43 }
]

/** @param {Model} model */
export function live(model) {
  const { live } = model
  if (live === undefined) return nothing
  const { state, status } = live
  return html`
    <h1 class="hidden">Live database</h1>
    ${controls(live)}
    ${status === 'failed' ? html`<p class="finding bad">The live database ended: ${nameText(live.lines.find(({ isBad }) => isBad)?.text ?? 'its worker stopped')}. Reset begins with an empty one.</p>` : nothing}
    ${state === undefined ? html`<p class="empty" role="status">${status === 'failed' ? '' : 'Starting the engine …'}</p>` : html`
      ${memtable(live)}
      <div class="tree"><lsm-tree .tables=${drawn(live)} .selected=${-1}></lsm-tree></div>
      ${state.tables.length === 0 ? html`<p class="dim">No table yet: entries are in the log and in memory until the write buffer is full. Run the workload, or type writes below.</p>` : nothing}
      ${figures(live)}
      <div class="live-halves">
        ${events(live)}
        ${terminal(live)}
      </div>`}`
}

/** @param {Live} live */
function controls(live) {
  const { settings, options, status } = live
  const busy = status === 'running'
  const number = (/** @type {any} any: settings or options */ owner, /** @type {{ name: string, label: string, min: number, max: number }} */ { name, label, min, max }) => html`
    <label>${label} <input type="number" min=${min} max=${max} .value=${String(owner[name])} ?disabled=${busy} @change=${(/** @type {Event} */ event) => {
      const field = /** @type {HTMLInputElement} */ (event.target)
      const isGood = field.value !== '' && field.checkValidity() && Number.isInteger(Number(field.value))
      field.setAttribute('aria-invalid', String(!isGood))
      if (!isGood) return
      owner[name] = Number(field.value)
      live.reset()
    }}></label>`
  const choose = (/** @type {(value: string) => void} */ act) => (/** @type {Event} */ event) => act(/** @type {HTMLSelectElement} */ (event.target).value)
  return html`
    <div class="bar live-bar">
      <button class="primary" @click=${() => live.toggle()} ?disabled=${status === 'starting' || status === 'failed' || live.state?.isDone}>${busy ? 'Pause' : 'Run'}</button>
      <button @click=${() => live.step()} ?disabled=${status === 'starting' || status === 'failed'} title="to the next flush or compaction, or to its end">Step</button>
      <button @click=${() => live.reset()}>Reset</button>
      <label>workload <select ?disabled=${busy} @change=${choose((value) => { settings.kind = /** @type {any} any: one of them */ (value); live.reset() })}>${Object.entries(KINDS).map(([kind, { title, says }]) => html`<option value=${kind} title=${says} ?selected=${kind === settings.kind}>${title}</option>`)}</select></label>
      ${number(settings, SETTINGS[0])}
      <label>speed <select @change=${choose((value) => { live.rate = Number(value) })}>${RATES.map(([rate, title]) => html`<option value=${String(rate)} ?selected=${rate === live.rate}>${title}</option>`)}</select></label>
      <button @click=${() => live.openFiles()} ?disabled=${live.state === undefined}>Look into its files</button>
    </div>
    <details><summary>More options: each begins with an empty database</summary>
      <div class="bar live-bar">${SETTINGS.slice(1).map((each) => number(settings, each))}${OPTIONS.map((each) => number(options, each))}
        <label>compression <select ?disabled=${busy} @change=${choose((value) => { options.compression = /** @type {any} any: one of them */ (value); live.reset() })}>${['snappy', 'none'].map((name) => html`<option ?selected=${name === options.compression}>${name}</option>`)}</select></label></div>
    </details>`
}

/** @param {Live} live */
function memtable({ state, options, settings }) {
  const { memoryBytes = 0, done = 0, isDue, isRunning } = state ?? {}
  return html`
    <div class="bar meters">
      <label>workload <progress max=${settings.operations} .value=${done}></progress> ${grouped(done)} of ${grouped(settings.operations)} operations</label>
      <label>in memory <progress max=${options.writeBufferSize} .value=${Math.min(memoryBytes, options.writeBufferSize)}></progress> ${sized(memoryBytes)} of ${sized(options.writeBufferSize)}</label>
      <span class="dim" id="due">${isRunning ? 'a job is running' : isDue ? 'a job is due' : 'no job is due'}</span>
    </div>`
}

/** Tables as the tree draws them. @param {Live} live */
function drawn({ state, inputs, fresh }) {
  return (state?.tables ?? []).map(({ file, level, number, size, smallest, largest }) => ({
    level, number: String(number), size, smallest: hexOf(smallest), largest: hexOf(largest),
    ...inputs.has(file) ? { mark: /** @type {const} */ ('input') } : fresh.has(file) ? { mark: /** @type {const} */ ('new') } : {}
  }))
}

/** @param {Uint8Array} bytes */
const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/** @param {Live} live */
function figures(live) {
  const { state, amplification: { written, writtenWithLog, read, space } } = live
  if (state === undefined) return nothing
  const { userBytes, counters, fileBytes, liveBytes, liveEntries, tables } = state
  const ratio = (/** @type {number | undefined} */ value) => value === undefined ? '—' : value.toFixed(2)
  const facts = [
    ['user bytes', grouped(userBytes), 'keys and values as they were given'], ['log', grouped(counters.bytesLogged), 'bytes written to logs'],
    ['flushes', grouped(counters.bytesFlushed), 'bytes of tables written from memory'],
    ['compactions', `${grouped(counters.bytesCompactionRead)} read, ${grouped(counters.bytesCompacted)} written`, 'bytes of tables read and written again'],
    ['live', `${counted(liveEntries, 'entry', 'entries')}, ${grouped(liveBytes)} B in ${counted(tables.length, 'table')}`, 'what a scan would give'], ['on disk', grouped(fileBytes), 'bytes of all files'],
    ['write amplification', `${ratio(written)} (${ratio(writtenWithLog)} with the log)`, '(flushes + compactions written) / user bytes'],
    ['read amplification', read === undefined ? '— (type get)' : `${ratio(read)} blocks a get`, 'blocks read by the gets of the console'], ['space amplification', ratio(space), 'bytes on disk / live bytes']
  ]
  return html`
    <dl class="facts" id="live-figures">${facts.map(([name, value, title]) => html`<div title=${title}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    <line-chart title="write amplification over user bytes" .points=${live.points} .version=${userBytes}></line-chart>`
}

/** @param {Live} live */
function events({ events }) {
  const list = /** @type {import('../ui/virtual-list.js').List} */ ({
    label: 'What happened, the last first',
    columns: 'events-grid',
    head: [html`<span class="number">operation</span>`, 'event'],
    count: events.length,
    selected: -1,
    row: (index) => ({ cells: [html`<span class="number">${grouped(events[index].at)}</span>`, events[index].text] }),
    onSelect: () => {},
    onOpen: () => {}
  })
  return html`<virtual-list id="events" class="fill" .list=${list} .version=${`${events.length} ${events[0]?.at} ${events[0]?.text}`}></virtual-list>`
}

/** @param {Live} live */
function terminal(live) {
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault()
    const field = /** @type {HTMLInputElement} */ (/** @type {HTMLFormElement} */ (event.target).elements.namedItem('command'))
    if (field.value.trim() === '') return
    live.command(field.value)
    field.value = ''
  }
  return html`
    <section class="fill terminal" aria-label="Console">
      <form class="bar" @submit=${submit}><input class="query mono" name="command" aria-label="Command" placeholder="put KEY VALUE, get KEY, scan …" title=${USAGE} autocomplete="off" spellcheck="false"><button>Do it</button></form>
      <ol class="scroll" tabindex="0" aria-label="Commands and answers, the last first">${live.lines.length === 0 ? html`<li class="dim">${USAGE}</li>` : live.lines.map(({ text, isAnswer, isBad }) => html`<li class=${isBad ? 'bad' : isAnswer ? '' : 'dim'}>${isAnswer ? '' : '> '}${bytesText(encoder.encode(text), { max: LINE_MAX })}</li>`)}</ol>
    </section>`
}
