// The page: header, navigation, the view, and what is selected.
import { LitElement, html, nothing } from 'lit'
import { Client } from './client.js'
import { Model } from './model/model.js'
import { ABOUT, keysOf, ONLY_OF, suits, VIEWS } from './model/views.js'
import { nameText, plainName } from './ui/bytes.js'
import { counted } from './ui/numbers.js'
import { about, files, kindOf } from './views/files.js'
import { LOADED } from './views/loaded.js'
import { map } from './views/map.js'
import { DEMOS, dropped, openScreen } from './views/open.js'

Object.assign(LOADED, { files, map })

/** Loads the script of a view that is not there from the beginning. @param {import('./model/views.js').View} view */
async function loadView(view) {
  Object.assign(LOADED, view === 'live' ? await import('./views/live.js') : (await import('./views/more.js')).MORE)
}

/** When other views are loaded that nobody asked for yet, in ms. */
const LOADED_AFTER_MS = 300

/** Views that need no map of the file. */
const ANY_FILE = new Set(['files', 'hex'])

/**
 * What the page in one file has inside: the worker's script, and the module for it, in base64 of gzip.
 * @type {{ worker: string, wasm: string } | undefined}
 */
const INSIDE = /** @type {any} any: set by that page */ (globalThis).VARVE_INSIDE

/** The address of the worker's script. */
const workerUrl = () => INSIDE === undefined
  ? new URL('./worker.js', import.meta.url).href
  : URL.createObjectURL(new Blob([`self.VARVE_WASM = '${INSIDE.wasm}';\n${INSIDE.worker}`], { type: 'text/javascript' }))

/** A worker of the page; its policy for scripts allows this script alone. */
function startWorker() {
  const url = workerUrl()
  const types = /** @type {any} any: not in the types of all libraries */ (globalThis).trustedTypes
  workerPolicy ??= types?.createPolicy('varve-worker', { createScriptURL: (/** @type {string} */ text) => text === url || text.startsWith('blob:') ? text : '' })
  return new Worker(workerPolicy?.createScriptURL(url) ?? url, { type: INSIDE === undefined ? 'module' : 'classic' })
}
/** @type {any} any: TrustedTypePolicy */
let workerPolicy

class InspectorApp extends LitElement {
  constructor() {
    super()
    const crashed = (/** @type {string} */ message) => this.model.warn(`The decoder failed on these bytes and was started again: ${message}`)
    this.model = new Model(() => new Client(startWorker, crashed))
    this.model.addEventListener('change', () => this.requestUpdate())
    this.model.addEventListener('made', () => this.origin(this.model.salvage?.made?.name ?? '', this.model.salvage?.made?.storage ?? 'opfs'))
    this.over = false
    this.helping = false
    /** @type {import('varve/inspect').OriginDatabase[]} */
    this.databases = []
    /** The first key of `g m` and its like. */
    this.pending = ''
    /** What tells `varve inspect` that the page is open. @type {AbortController | undefined} */
    this.alive = undefined
    /** Its answer, kept so that it is not taken for done. @type {Response | undefined} */
    this.answer = undefined
    /** The view that had the focus. */
    this.shown = ''
  }

  createRenderRoot() {
    return this
  }

  connectedCallback() {
    super.connectedCallback()
    document.addEventListener('keydown', (event) => this.onKey(event))
    document.addEventListener('keydown', (event) => this.onSecondKey(event), { capture: true })
    for (const kind of ['dragenter', 'dragover']) document.addEventListener(kind, (event) => this.onDrag(/** @type {DragEvent} */ (event)))
    document.addEventListener('dragleave', (event) => event.relatedTarget === null && this.setOver(false))
    document.addEventListener('drop', (event) => this.onDrop(event))
    for (const kind of ['popstate', 'hashchange']) addEventListener(kind, () => this.follow())
    this.follow()
    this.listDatabases()
    // A failure is told when one is shown.
    setTimeout(() => loadView('hex').then(() => this.requestUpdate(), () => {}), LOADED_AFTER_MS)
  }

  /** Goes where the address leads, and opens what is not open. */
  async follow() {
    const address = await this.model.navigation.arrive()
    if (address === undefined) return
    const { source } = address
    const [, storage, name] = /^(opfs|indexeddb):([^]*)$/.exec(source) ?? []
    if (source.startsWith('demo:')) await this.demo(source.slice('demo:'.length))
    else if (source === 'npx') await this.served()
    else if (name !== undefined) await this.origin(name, /** @type {'opfs' | 'indexeddb'} */ (storage))
  }

  /** Whether something else was opened or gone to since; called when an answer is there. */
  isLate() {
    const { openings, navigation } = this.model
    const { turns } = navigation
    return () => openings !== this.model.openings || turns !== navigation.turns
  }

  /** @param {string} name */
  async demo(name) {
    if (name === 'live') return this.model.startLive()
    const demo = DEMOS.find((each) => each.name === name)
    if (demo === undefined) return this.model.navigation.failed()
    const isLate = this.isLate()
    try {
      const given = await Promise.all(demo.files.map(async (path) => {
        const response = await fetch(new URL(`./demo/${path}`, import.meta.url))
        if (!response.ok) throw new Error(`demo/${path}: ${response.status}`)
        const blob = await response.blob()
        return { blob, size: blob.size, name: /** @type {string} */ (path.split('/').at(-1)) }
      }))
      if (isLate()) return
      await this.model.open(given, { source: demo.title, tag: `demo:${name}` })
    } catch (/** @type {any} any: whatever was thrown */ error) {
      this.model.navigation.failed()
      this.model.warn(`The example could not be loaded: ${error.message}`)
    }
  }

  /** Lists the databases of this site, for the first screen. */
  async listDatabases() {
    try {
      this.databases = await this.model.now.call('databases', [])
    } catch {
      // A page from disk, or a browser without storage, has none.
      this.databases = []
    }
    this.requestUpdate()
  }

  /** Opens a database of this site, as it is now. @param {string} name @param {'opfs' | 'indexeddb'} storage @param {boolean} [isAgain] */
  async origin(name, storage, isAgain = false) {
    try {
      const isLate = this.isLate()
      const { files, takenAt } = await this.model.now.call('origin', [name, storage])
      if (isLate()) return
      if (isAgain) this.model.navigation.stay()
      await this.model.open(files, { source: name, tag: `${storage}:${name}`, takenAt })
      const problems = files.filter((/** @type {any} any: an answer of the worker */ { problem }) => problem !== undefined)
      if (problems.length > 0) this.model.warn(problems.map((/** @type {any} any: as above */ { name, problem }) => `${name}: ${problem}`).join('; '))
    } catch (/** @type {any} any: whatever was thrown */ error) {
      this.model.navigation.failed()
      this.model.warn(`${plainName(name)} could not be read: ${error.message}`)
    }
  }

  /** Reads what is open again, if it is of this site or served. */
  refresh() {
    const [, storage, name] = /^(opfs|indexeddb):([^]*)$/.exec(this.model.sourceTag ?? '') ?? []
    if (name !== undefined) this.origin(name, /** @type {'opfs' | 'indexeddb'} */ (storage), true)
    else if (this.model.sourceTag === 'npx') this.served(true)
  }

  /** Opens what `varve inspect` serves. @param {boolean} [isAgain] */
  async served(isAgain = false) {
    const isLate = this.isLate()
    try {
      const { name, files } = await (await fetch('./files.json')).json()
      this.alive?.abort()
      this.alive = new AbortController()
      const given = files.map((/** @type {{ name: string, size: number, url: string }} */ { name, size, url }) => ({ name, size, url: new URL(url, location.href).href }))
      // Stays open as long as the page, so that `varve inspect --once` can tell when to end.
      fetch('./alive', { signal: this.alive.signal }).then((response) => { this.answer = response }).catch(() => {})
      if (isLate()) return
      if (given.length === 0) return this.model.navigation.failed()
      if (isAgain) this.model.navigation.stay()
      await this.model.open(given, { source: name, tag: 'npx' })
    } catch (/** @type {any} any: whatever was thrown */ error) {
      this.model.navigation.failed()
      this.model.warn(`The files could not be listed: ${error.message}. Does \`varve inspect\` still run?`)
    }
  }

  /** @param {import('./views/open.js').Given[]} given @param {string} source */
  open(given, source) {
    return this.model.open(given, { source })
  }

  /** @param {boolean} over */
  setOver(over) {
    this.over = over
    this.requestUpdate()
  }

  /** @param {DragEvent} event */
  onDrag(event) {
    if (!event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    if (!this.over) this.setOver(true)
  }

  /** @param {DragEvent} event */
  async onDrop(event) {
    if (event.dataTransfer === null || !event.dataTransfer.types.includes('Files')) return
    event.preventDefault()
    this.setOver(false)
    try {
      const { given, source, skipped } = await dropped(event.dataTransfer)
      if (given.length === 0) this.model.warn('There is no file in what was dropped.')
      else {
        const opened = this.open(given, source)
        if (skipped > 0) this.model.warn(`Not all of it was opened: ${counted(skipped, 'file or folder', 'files or folders')} left out, beyond 100,000 files or inside 32 folders. Drop a part of it.`)
        await opened
      }
    } catch (/** @type {any} any: whatever was thrown */ error) {
      this.model.warn(`This could not be read: ${error.message}. The browser blocks some folders.`)
    }
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = /** @type {HTMLElement} */ (event.target)
    if (event.key === 'Escape' && target instanceof HTMLInputElement) return target.blur()
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || target.closest?.('input, textarea, select, dialog') || (target.closest?.('button, summary') && event.key === ' ')) return
    const { model, isOpen } = this
    const act = /** @type {Record<string, () => void>} */ ({
      '?': () => this.toggleHelp(),
      o: () => /** @type {HTMLElement | null} */ (this.querySelector('input[type=file]:not([webkitdirectory])'))?.click(),
      ...isOpen && {
        g: () => { this.pending = 'g' },
        '/': () => this.applies('search') && this.show('search'),
        '.': () => model.nextRegion(1),
        ',': () => model.nextRegion(-1),
        n: () => model.nextRegion(1, ({ state }) => state === 'bad' || state === 'doubtful'),
        N: () => model.nextRegion(-1, ({ state }) => state === 'bad' || state === 'doubtful'),
        r: () => this.refresh(),
        '[': () => model.step(-1),
        ']': () => model.step(1),
        Escape: () => model.select(undefined)
      },
      ...isOpen && model.view === 'live' && { ' ': () => model.live?.toggle(), ArrowRight: () => model.live?.step() }
    })[event.key]
    if (act === undefined) return
    event.preventDefault()
    act()
  }

  /** The key after `g`, before the map or a list can take it. @param {KeyboardEvent} event */
  onSecondKey(event) {
    if (this.pending !== 'g') return
    this.pending = ''
    const view = VIEWS.find((each) => ABOUT[each].key === event.key)
    if (view === undefined || !this.applies(view)) return
    event.preventDefault()
    event.stopPropagation()
    this.show(view)
  }

  /** Whether something is shown, and not the first screen. */
  get isOpen() {
    const { files, live, navigation } = this.model
    return !navigation.isHome && (files.length > 0 || live !== undefined)
  }

  /** A view that was chosen has the focus, unless something in it has. */
  updated() {
    const { view } = this.model
    // The first screen begins with its first button, as any page does.
    const { isOpen } = this
    const isNew = isOpen && view !== this.shown
    this.shown = isOpen ? view : ''
    // Where the navigation is a row that scrolls.
    if (isNew) this.querySelector('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
    // Lists draw themselves after this.
    if (isNew) requestAnimationFrame(() => (document.activeElement === document.body || document.activeElement === null) && this.focusView())
  }

  focusView() {
    for (const selector of ['main .query', 'main [tabindex="0"]', 'main button']) {
      const found = /** @type {HTMLElement | null} */ (this.querySelector(selector))
      if (found !== null) return found.focus({ preventScroll: true })
    }
  }

  async toggleHelp() {
    if (LOADED.help === undefined) await this.load('hex')
    this.helping = !this.helping
    this.requestUpdate()
    // As a modal dialog: it takes the focus, and gives it back.
    if (this.helping) this.updateComplete.then(() => /** @type {HTMLDialogElement | null} */ (this.querySelector('dialog'))?.showModal())
  }

  /** @param {import('./model/views.js').View} view */
  show(view) {
    this.model.show(view)
    this.model.addEventListener('change', () => this.updateComplete.then(() => this.focusView()), { once: true })
  }

  /** @param {import('./model/views.js').View} view */
  applies(view) {
    const { file, files } = this.model
    if (view === 'live') return this.model.live !== undefined
    if (view === 'files' || view === 'trace') return files.length > 0
    return file !== undefined && (file.regions !== undefined || ANY_FILE.has(view) || (view === 'damage' && file.findings.length > 0)) && suits(view, file.detected?.kind ?? 'table')
  }

  render() {
    const { model } = this
    const { file, view } = model
    const { isOpen } = this
    document.title = file === undefined || !isOpen ? 'Varve inspector' : `${plainName(file.name)} · Varve inspector`
    return html`
      <header>
        <a class="home" href="#" @click=${this.goHome}><span class="mark" aria-hidden="true"></span>Varve inspector</a>
        ${isOpen ? html`<span class="source">${this.crumbs()}</span>` : nothing}
        <span class="grow"></span>
        ${isOpen && /^(opfs|indexeddb|npx)/.test(model.sourceTag ?? '') ? html`<button class="small" title="read it again (r)" @click=${() => this.refresh()}>Refresh</button>` : nothing}
        ${isOpen ? html`<label class="button small"><input type="file" multiple @change=${this.onPick}>Open</label>` : nothing}
        <button class="small" @click=${this.toggleHelp} aria-label="Help and keys">?</button>
      </header>
      ${isOpen ? html`
        <nav aria-label="Views">
          ${VIEWS.filter((each) => each !== 'live' || model.live !== undefined).map((each) => this.item(each))}
        </nav>` : nothing}
      <main class=${isOpen ? `view-${view}` : 'first'} tabindex="-1">
        ${model.notice === undefined ? nothing : html`<p class="finding bad notice">${nameText(model.notice)} <button class="link" @click=${() => model.warn(undefined)}>dismiss</button></p>`}
        ${isOpen ? this.body() : this.first()}
      </main>
      ${isOpen && model.selection !== undefined ? html`<aside aria-label="Selection">${LOADED.detail?.(model)}</aside>` : nothing}
      ${this.over ? html`<div class="drop" aria-hidden="true"><span>Drop to open</span></div>` : nothing}
      ${this.helping ? LOADED.help?.(() => this.toggleHelp()) : nothing}
      <p class="hidden" role="status">${model.said}</p>`
  }

  /** A view in the navigation. @param {import('./model/views.js').View} view */
  item(view) {
    const { file } = this.model
    const keys = keysOf(view)
    const applies = this.applies(view)
    const title = applies ? `${ABOUT[view].shows} (press ${keys.join(', then ')})` : (file && ONLY_OF[view]?.else) ?? ABOUT[view].shows
    // ARIA has no way to name keys that are pressed one after the other.
    return html`<button class="item" aria-current=${view === this.model.view ? 'page' : nothing} ?disabled=${!applies} title=${title} aria-keyshortcuts=${keys.length === 1 ? keys[0] : nothing} @click=${() => this.show(view)}>
      <span>${ABOUT[view].title}${view === 'damage' && file?.worst !== undefined ? html` <span class="badge ${file.worst}">${file.findings.length}</span>` : nothing}</span><kbd aria-hidden="true">${keys.join(' ')}</kbd></button>`
  }

  first() {
    const { model } = this
    const { awaited } = model.navigation
    const isOpen = model.files.length > 0 || model.live !== undefined
    return openScreen({
      open: (given, source) => this.open(given, source),
      demo: INSIDE === undefined ? (name) => this.demo(name) : undefined,
      databases: this.databases,
      origin: (name, storage) => this.origin(name, storage),
      awaited: awaited !== undefined && /^files?:/.test(awaited.source) ? { name: plainName(awaited.name ?? awaited.file), count: Number(/^files:(\d+)/.exec(awaited.source)?.[1] ?? 1) } : undefined,
      left: isOpen ? { name: plainName(model.source), resume: () => model.navigation.resume() } : undefined
    })
  }

  body() {
    const { model } = this
    const { file, view } = model
    if (view === 'live') return this.shownBy(view)
    if (view === 'trace') return html`<h1 class="hidden">A key of ${plainName(model.source)}</h1>${this.shownBy(view)}`
    if (view === 'files' || file === undefined) return html`<h1 class="hidden">Files of ${plainName(model.source)}</h1>${files(model)}`
    return html`
      <h1 class="hidden">${ABOUT[view].title} of ${plainName(file.name)}</h1>
      ${about(file)}
      ${LOADED.zip?.(model)}
      ${file.status === 'reading' ? html`<p class="empty" role="status">Reading the footer and the index …</p>` : nothing}
      ${file.regions === undefined && view !== 'hex' && view !== 'damage' && !(view === 'search' && model.everywhere?.shown !== undefined) ? nothing : (suits(view, file.detected?.kind ?? 'table') ? this.shownBy(view) : html`<p class="empty">${ONLY_OF[view]?.else}.</p>`)}`
  }

  /** @param {import('./model/views.js').View} view */
  shownBy(view) {
    const show = LOADED[view]
    if (show !== undefined) return show(this.model)
    // Then it gets the focus as a new one.
    this.load(view).then(() => { this.shown = '' })
    return html`<p class="empty" role="status">Loading the view …</p>`
  }

  /** Loads a view, or says why that is not possible. @param {import('./model/views.js').View} view */
  async load(view) {
    try {
      await loadView(view)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      this.model.warn(`The view could not be loaded: ${error.message}`)
    }
    this.requestUpdate()
  }

  crumbs() {
    const { source, file, files } = this.model
    return html`<bdi>${plainName(source)}</bdi>${file !== undefined && (files.length > 1 || file.name !== source) ? html` <span class="dim">▸</span> <bdi>${plainName(file.name)}</bdi>` : nothing}
      ${file === undefined ? nothing : html`<span class="dim">${kindOf(file)}</span>`}`
  }

  /** @param {Event} event */
  goHome(event) {
    event.preventDefault()
    this.model.navigation.goHome()
    this.listDatabases()
  }

  /** @param {Event} event */
  onPick(event) {
    const field = /** @type {HTMLInputElement} */ (event.target)
    const given = [...field.files ?? []].map((file) => ({ blob: file, size: file.size, name: file.name }))
    if (given.length > 0) this.open(given, given.length === 1 ? given[0].name : counted(given.length, 'file'))
    field.value = ''
  }
}

customElements.define('inspector-app', InspectorApp)
