// Where one is: the address of what is looked at, and the browser's history.
//
// What is opened, another file and another view are entries of the history; a selection and a zoom
// change the address of the entry that one is at. Back and Forward lead through what is open, and open
// again what was: an example and a database of this site by the address, files of the user's machine
// while this page is there, since only it knows them.
import { addressOf, parseAddress, placeOf, tagOf, tagOfAll } from './address.js'

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('./address.js').Address} Address */
/** @typedef {{ given: import('./bytes.js').Given[], source: string, tag?: string, takenAt?: number }} Opened */

/** How the address names a live database. */
export const LIVE = 'demo:live'
/** Where `varve inspect` leads: to all files, or to the only one. */
const SERVED = '#/npx'
/** Earlier files that can be opened again, and bytes of each set that are in memory, as those unpacked from a zip are. */
const KEPT = 10
const KEPT_BYTES = 64 << 20
/** Safari allows a hundred changes of the address in 30 seconds. */
const REPLACED_MS = 350

export class Navigation {
  /** Whether the first screen is shown, also while files are open. */
  isHome = true
  /** What the address asks for, until it is opened. @type {Address | undefined} */
  awaited
  /** Counts arrivals, so that a slow answer can tell that it is late. */
  turns = 0
  #model
  /** What was opened from the user's machine, by the number that entries of the history have. @type {Map<string, Opened>} */
  #kept = new Map()
  /** What is open. @type {string | undefined} */
  #opening
  #openings = 0
  /** As the browser has it. @type {{ hash?: string, opening?: string }} */
  #shown = {}
  /** The entry that one is at, without what is selected. @type {string | undefined} */
  #place
  /** Whether files are being opened. */
  #isOpening = false
  /** The place that is being restored: its address has the selection, which is not there yet. @type {string | undefined} */
  #restoring
  #isSilent = false
  /** Whether what is opened next was asked for by the address, so that it adds no entry. */
  #isArriving = false
  /** An address that is to replace the shown one. @type {{ text: string, timer: ReturnType<typeof setTimeout> } | undefined} */
  #pending
  #replacedAt = -Infinity

  /** @param {Model} model */
  constructor(model) {
    this.#model = model
  }

  /** Files are put in place of others. @param {Opened} opened @param {string} [again] as of an entry of the history */
  begin(opened, again) {
    const { given, tag } = opened
    this.#opening = again ?? `${performance.timeOrigin} ${++this.#openings}`
    this.#isOpening = true
    this.#restoring = undefined
    this.isHome = false
    // All others are read again as they are.
    if (tag !== undefined && tag !== LIVE) return
    const bytes = given.reduce((sum, { blob }) => sum + (blob === undefined || blob instanceof File ? 0 : blob.size), 0)
    this.#kept.delete(this.#opening)
    if (bytes <= KEPT_BYTES) this.#kept.set(this.#opening, opened)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT) break
      this.#kept.delete(oldest)
    }
  }

  /** Goes to what was asked for of the files that are open now, or to the only one. */
  async land() {
    const model = this.#model
    const { files, sourceTag, openings } = model
    const { awaited } = this
    this.awaited = undefined
    this.#isOpening = false
    const wanted = awaited && files.find(({ name }) => name === awaited.file)
    const isOfMachine = awaited !== undefined && /^files?:/.test(awaited.source)
    const isAsked = awaited !== undefined && (isOfMachine ? sourceTag === undefined : awaited.source === sourceTag)
    if (!isAsked || (awaited.source.startsWith('file:') && wanted === undefined)) {
      if (files.length === 1) await model.look(files[0])
    } else if (!isOfMachine) {
      await this.#restore(awaited)
    } else if (awaited.source.startsWith('files:')) {
      if (awaited.source !== tagOfAll(files)) model.warn('These are other files than those of the link: their number, names or sizes differ.')
      await this.#restore(awaited)
    } else if (wanted !== undefined) {
      // The name alone does not make it the file of the link.
      const isOther = awaited.source !== tagOf(wanted)
      if (isOther) model.warn(`This is another ${wanted.name} than that of the link: its size or its ends differ. What the link shows cannot be shown of it.`)
      await this.#restore(isOther ? { ...awaited, selection: undefined, zoom: undefined } : awaited)
    }
    if (openings === model.openings) this.publish()
  }

  /** A live database begins. */
  live() {
    this.#opening = undefined
    this.#restoring = undefined
    this.awaited = undefined
    this.isHome = false
    this.publish()
  }

  /** Nothing is open any more. */
  close() {
    this.#opening = undefined
    this.#restoring = undefined
    this.#isOpening = false
  }

  /** Goes to the first screen; what is open stays so. */
  goHome() {
    this.#leave()
    this.#flush()
    this.#place = undefined
    this.awaited = undefined
    this.#write('pushState', '#', undefined)
    this.#stayHome()
  }

  #stayHome() {
    this.isHome = true
    this.#model.live?.pause()
    this.#model.changed()
  }

  /** What is opened next is the same, read again: one stays where one is. */
  stay() {
    this.awaited = this.#here()
  }

  /** Goes from the first screen to what is open. */
  resume() {
    this.isHome = false
    this.publish()
    this.#model.changed()
  }

  /** What the address asks for cannot be opened: the address is that of what is open again. */
  failed() {
    this.awaited = undefined
    this.#isArriving = false
    this.publish()
  }

  /** Tells the browser where one is: as a new entry of its history, or in place of the one that one is at. */
  publish() {
    if (this.isHome || this.#isOpening || this.#isSilent || this.awaited !== undefined) return
    const here = this.#here()
    if (here === undefined) return
    const place = placeOf(here)
    if (place === this.#restoring) return
    // Somebody goes on before all is restored.
    if (this.#restoring !== undefined) this.#leave()
    const text = addressOf(here)
    const isNew = place !== this.#place && !this.#isArriving
    this.#isArriving = false
    this.#place = place
    if (isNew) {
      this.#flush()
      return this.#write('pushState', text, this.#opening)
    }
    this.#drop()
    if (text === this.#shown.hash && this.#opening === this.#shown.opening) return
    const wait = REPLACED_MS - (performance.now() - this.#replacedAt)
    if (wait <= 0) return this.#replace(text)
    this.#pending = { text, timer: setTimeout(() => this.#flush(), wait) }
  }

  /** @param {string} text */
  #replace(text) {
    this.#replacedAt = performance.now()
    this.#write('replaceState', text, this.#opening)
  }

  /** @param {'pushState' | 'replaceState'} how @param {string} text @param {string | undefined} opening */
  #write(how, text, opening) {
    history[how](opening === undefined ? null : { opening }, '', text)
    this.#shown = { hash: location.hash, opening }
  }

  /** Replaces the address now. */
  #flush() {
    const { text } = this.#pending ?? {}
    this.#drop()
    if (text !== undefined) this.#replace(text)
  }

  /** Does not replace it any more. */
  #drop() {
    clearTimeout(this.#pending?.timer)
    this.#pending = undefined
  }

  /** What is restored now is not any more. */
  #leave() {
    this.turns++
    this.#restoring = undefined
  }

  /** @returns {Address | undefined} */
  #here() {
    const { file, files, view, sourceTag, source, selection, zoom, lookup, live, searched } = this.#model
    if (view === 'live' && live !== undefined) return { source: LIVE, file: '', view }
    if (files.length === 0) return undefined
    const isOfAll = (view === 'files' || view === 'trace') && files.length > 1
    if (file === undefined && !isOfAll) return undefined
    const known = sourceTag ?? (isOfAll ? tagOfAll(files) : tagOf(/** @type {import('./file.js').OpenFile} */ (file)))
    const place = { source: known, view, ...isOfAll && sourceTag === undefined && { name: source }, ...view === 'trace' && lookup.traced !== undefined && { traced: lookup.traced }, ...view === 'search' && { searched } }
    if (file === undefined || (view === 'files' && isOfAll)) return { ...place, file: '' }
    return { ...place, file: file.name, selection, zoom: zoom[0] === 0 && zoom[1] >= file.size ? undefined : zoom }
  }

  /**
   * Goes where the browser's address leads: Back or Forward was pressed, a link followed, or an address typed.
   * Returns what the caller has to open; `undefined`: nothing.
   *
   * @returns {Promise<Address | undefined>}
   */
  async arrive() {
    const { hash } = location
    const opening = history.state?.opening
    // The browser tells of one step twice, as `popstate` and `hashchange`.
    if (hash === this.#shown.hash && opening === this.#shown.opening) return undefined
    this.#drop()
    this.#leave()
    this.#shown = { hash, opening }
    this.awaited = undefined
    this.#place = undefined
    this.#isArriving = false
    if (hash.length <= 1) {
      this.#stayHome()
      return undefined
    }
    const address = hash === SERVED ? { source: 'npx', file: '', view: /** @type {const} */ ('map') } : parseAddress(hash)
    if (address === undefined) return undefined
    this.#place = placeOf(address)
    if (this.#isOpening) {
      // It is gone to when all are there, if it is about them.
      this.awaited = address
      if (opening === this.#opening) return undefined
    } else if (this.#isOpen(address, opening)) {
      this.isHome = false
      await this.#restore(address)
      return undefined
    }
    this.awaited = address
    const kept = opening === undefined ? undefined : this.#kept.get(opening)
    this.#isArriving = kept !== undefined || !/^files?:/.test(address.source)
    if (kept !== undefined) {
      await this.#model.open(kept.given, kept, opening)
      return undefined
    }
    if (this.#isArriving) return address
    // Only the user can open it.
    this.#model.close()
    this.#stayHome()
    return undefined
  }

  /** @param {Address} address @param {string | undefined} opening */
  #isOpen({ source, file, view }, opening) {
    const { files, sourceTag, live } = this.#model
    if (source === LIVE && view === 'live') return live !== undefined
    if (files.length === 0) return false
    if (opening !== undefined && opening === this.#opening) return true
    if (sourceTag !== undefined) return source === sourceTag && source !== LIVE
    return source.startsWith('files:') ? source === tagOfAll(files) : files.some((each) => each.name === file && tagOf(each) === source)
  }

  /** Shows what an address says of the files that are open. @param {Address} address */
  async #restore(address) {
    const model = this.#model
    const turn = ++this.turns
    this.#isSilent = true
    const file = model.files.find(({ name }) => name === address.file)
    const looking = this.#turnTo(file, address)
    this.#isSilent = false
    const here = this.#here()
    this.#place = this.#restoring = here && placeOf(here)
    const isLate = () => turn !== this.turns || (file !== undefined && model.file !== file)
    await looking
    if (file !== undefined && !isLate()) await this.#select(file, address, isLate)
    if (turn !== this.turns) return
    this.#restoring = undefined
    this.publish()
  }

  /** @param {import('./file.js').OpenFile | undefined} file @param {Address} address */
  async #turnTo(file, { view, traced, searched }) {
    const model = this.#model
    if (view === 'live') return model.show(view)
    let looking
    if (file !== undefined) looking = model.look(file, view)
    else if (view === 'trace') model.lookAtNone(view)
    // A link to a file that is not among them.
    else if (view !== 'files' && model.files.length === 1) looking = model.look(model.files[0])
    else model.show('files')
    model.select(undefined)
    if (view === 'trace') model.lookup.restore(traced)
    if (view === 'search') model.searched = searched
    await looking
    if (view !== 'search' || searched === undefined) return
    const { restoreSearch } = await import('./searching.js')
    // Somebody may have gone on meanwhile.
    if (model.view === view && (file === undefined || model.file === file)) restoreSearch(model, searched)
  }

  /** @param {import('./file.js').OpenFile} file @param {Address} address @param {() => boolean} isGone */
  async #select(file, { view, selection, zoom = [0, file.size] }, isGone) {
    const model = this.#model
    // What was selected meanwhile stays so.
    const isLate = () => isGone() || model.selection !== undefined
    model.setZoom(zoom)
    if (selection === undefined) return
    // What has no index is known after it was read.
    if (file.regions?.having(selection.from)?.kind === 'gap') await model.sweep(file)
    if (isLate()) return
    const record = model.recordHaving(selection.from)
    if (record !== undefined && selection.entry !== undefined) return model.selectOperation(record, selection.entry, { view })
    const block = file.regions?.having(selection.from)
    if (block !== undefined) await model.decode(block.offset)
    if (isLate()) return
    if (block !== undefined && selection.entry !== undefined) model.selectEntry(block.offset, selection.entry, { view })
    else model.select({ ...selection, block: block?.offset, record }, { view })
  }
}
