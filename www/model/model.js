// What the page knows and what is selected. Views read it; every change goes through a method here,
// and is told by one event, `change`.
import { Decoding } from './decoding.js'
import { OpenFile } from './file.js'
import { inOrder, USUAL } from './file-order.js'
import { shareKeys } from './keys-of.js'
import { Lookup } from './lookup.js'
import { LIVE, Navigation } from './navigation.js'
import { isText, Reading } from './reading.js'
import { Work } from './work.js'

/** @typedef {import('../client.js').Client} Client */
/** @typedef {import('./regions.js').Region} Region */

/**
 * What is selected, in every view at once.
 *
 * @typedef {object} Selection
 * @property {number} from the first byte, in the file
 * @property {number} to the byte after the last
 * @property {number} [block] the offset of the region that it is in
 * @property {number} [record] the offset of the record that it is in
 * @property {number} [entry] an entry of that block, or an operation of that record, by its number
 * @property {[number, number]} [inside] bytes of the decompressed block, or of the joined record
 */

/** Milliseconds between two steps of long work that are shown. */
const PROGRESS_MS = 120

/** Selections that `[` and `]` go through. */
const HISTORY_MAX = 200

/** @typedef {import('./views.js').View} View */

export class Model extends EventTarget {
  /** The name of what was opened. */
  source = ''
  /** As the address names it, if it does: `demo:healthy`. @type {string | undefined} */
  sourceTag
  /** When a database of this site was read, in ms since 1970. @type {number | undefined} */
  takenAt
  /** @type {OpenFile[]} */
  files = []
  /** How their list is ordered. @type {import('./file-order.js').Order} */
  order = USUAL
  /** The databases among them. @type {import('./folders.js').Folder[]} */
  folders = []
  /** The one that is looked at. @type {OpenFile | undefined} */
  file
  /** @type {View} */
  view = 'files'
  /** @type {Selection | undefined} */
  selection
  /** The file that is being read for a report. @type {number | undefined} */
  examined
  /** An export that runs. @type {{ rows: number, bytes: number, skipped: number, cancel: () => void } | undefined} */
  exporting
  /** What the last one wrote. @type {{ rows: number, skipped: number } | undefined} */
  exported
  /** What was searched for, and where. @type {import('./address.js').Searched | undefined} */
  searched
  /** What was searched for, and found so far. @type {import('./found.js').Found | undefined} */
  found
  /** Why what was typed cannot be searched for. @type {string | undefined} */
  refused
  /** Keys by how they begin. @type {import('./groups.js').Groups | undefined} */
  groups
  /** The tables after an edit of a manifest. @type {{ edit: number, state?: import('varve/inspect').VersionState & { ranks?: Uint32Array }, failure?: string } | undefined} */
  version
  /** One of them, by its place in the list. */
  table = -1
  /** Outlined, never scrolled to. @type {{ from: number, to: number } | undefined} */
  hover
  /** Whether the list of entries is of one block or of the file. @type {'block' | 'all'} */
  scope = 'block'
  /** Whether bytes are shown as the file has them, or as they are decompressed. @type {'stored' | 'raw'} */
  space = 'stored'
  /** The part of the file that the map shows. @type {[number, number]} */
  zoom = [0, 1]
  /** Said politely to those who do not see it. */
  said = ''
  /** What could not be done. @type {string | undefined} */
  notice
  /** A database that runs while one watches. @type {import('./live.js').Live | undefined} */
  live
  /** @type {Selection[]} */
  #history = []
  #place = -1
  #queued = false
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later
  #replaying = false
  #openings = 0
  /** Those of the table that is looked at, once its view was shown. @type {import('./filters.js').Filters | undefined} */
  filters
  /** Once its view was shown. @type {import('./salvage.js').Salvage | undefined} */
  salvage
  /** Once its view was shown. @type {import('./everywhere.js').Everywhere | undefined} */
  everywhere

  /** @param {() => Client} newWorker */
  constructor(newWorker) {
    super()
    this.newWorker = newWorker
    /** For what is looked at. */
    this.now = newWorker()
    /** For whole files. */
    this.sweeper = newWorker()
    this.navigation = new Navigation(this)
    this.reading = new Reading(this, this.now)
    this.decoding = new Decoding(this, this.now)
    this.work = new Work(this, this.sweeper)
    this.lookup = new Lookup(this, this.sweeper)
  }

  /** Tells views, once for all changes of a frame. */
  changed() {
    if (this.#queued) return
    this.#queued = true
    requestAnimationFrame(() => {
      this.#queued = false
      this.dispatchEvent(new Event('change'))
    })
  }

  /** Tells views of one of many steps: to draw each would take what the work itself needs. */
  progressed() {
    this.#later ??= setTimeout(() => {
      this.#later = undefined
      this.changed()
    }, PROGRESS_MS)
  }

  // ---- Opening ----

  /**
   * Opens files in place of those that are open.
   *
   * @param {import('./bytes.js').Given[]} given
   * @param {{ source: string, tag?: string, takenAt?: number }} of
   * @param {string} [again] as the history of the browser names it, if it was open before
   */
  async open(given, { source, tag, takenAt }, again) {
    const { live } = this
    if (tag === LIVE) this.live = undefined
    this.close()
    // Its files are looked into while it lives.
    if (tag === LIVE) this.live = live
    this.takenAt = takenAt
    const opening = ++this.#openings
    this.source = source
    this.sourceTag = tag
    this.files = inOrder(given).map((each) => new OpenFile(each, () => this.changed()))
    this.order = USUAL
    shareKeys(this.files)
    for (const file of this.files) {
      this.now.register(file.id, file.given)
      this.sweeper.register(file.id, file.given)
    }
    this.view = 'files'
    this.navigation.begin({ given, source, tag, takenAt }, again)
    this.changed()
    for (const file of this.files) {
      await this.reading.detect(file)
      if (opening !== this.#openings) return
    }
    await this.navigation.land()
    if (opening !== this.#openings) return
    this.changed()
    await this.work.compare()
  }

  /** Counts what was opened, so that a slow answer can tell that it is late. */
  get openings() {
    return this.#openings
  }

  /** Begins a live database, in a worker of its own. */
  async startLive() {
    this.close()
    this.source = 'Live database'
    this.sourceTag = LIVE
    this.view = 'live'
    const [{ openings }, { turns }] = [this, this.navigation]
    const { Live } = await import('./live.js')
    if (openings !== this.openings || turns !== this.navigation.turns) return
    this.live = new Live(this, this.newWorker())
    this.navigation.live()
    this.changed()
    await this.live.reset()
  }

  close() {
    this.#openings++
    this.live?.end()
    this.live = undefined
    this.navigation.close()
    this.work.end()
    this.lookup.end()
    this.filters?.end()
    this.salvage?.close()
    this.everywhere?.end()
    for (const file of this.files) {
      this.now.forget(file.id)
      this.sweeper.forget(file.id)
    }
    this.files = []
    this.folders = []
    this.file = undefined
    this.found = undefined
    this.searched = undefined
    this.refused = undefined
    this.groups = undefined
    this.exported = undefined
    this.decoding.end()
    this.selection = undefined
    this.hover = undefined
    this.notice = undefined
    this.#history = []
    this.#place = -1
    this.changed()
  }

  /** Looks at one of the open files. @param {OpenFile} file @param {View} [view] */
  async look(file, view) {
    // A list that is not drawn anew yet has rows of what was open before.
    if (!this.files.includes(file)) return
    if (file.detected === undefined && file.status === 'new') await this.reading.detect(file)
    this.#turnTo(file)
    this.view = view ?? (isText(file) || (file.isOther && !file.isZip) ? 'hex' : 'map')
    this.changed()
    this.publish()
    if (file.isZip) import('./archive.js').then(({ listZip }) => listZip(this, file), (error) => file.fail(error))
    await this.read(file)
  }

  /** Shows a view of all files. @param {View} view */
  lookAtNone(view) {
    this.#turnTo(undefined)
    this.show(view)
  }

  /** @param {OpenFile | undefined} file */
  #turnTo(file) {
    if (this.file === file) return
    this.lookup.around(() => { this.file = file })
    this.everywhere?.turned()
    this.found?.cancel()
    this.found = undefined
    if (this.everywhere?.shown === undefined) this.searched = undefined
    this.refused = undefined
    this.groups?.cancel()
    this.groups = undefined
    this.exporting?.cancel()
    this.exported = undefined
    // A record of a log often has one operation only.
    this.scope = file?.isLog ? 'all' : 'block'
    this.version = undefined
    this.table = -1
    this.selection = undefined
    this.#history = []
    this.#place = -1
    this.zoom = [0, Math.max(1, file?.size ?? 1)]
  }

  /** Reads what is needed for a first look, unless it was. @param {OpenFile} file */
  read(file) {
    return this.reading.read(file)
  }

  /** Reads and checks all of a file. @param {OpenFile} file */
  sweep(file) {
    return this.work.sweep(file)
  }

  /** Shows keys as bytes, or as what they mean. @param {boolean} plain */
  setPlain(plain) {
    this.file?.keys.show(plain)
    this.changed()
  }

  // ---- Looking ----

  /** @param {View} view */
  show(view) {
    this.view = view
    this.changed()
    this.publish()
  }

  /** @param {import('./file-order.js').Order} [order] */
  setOrder(order = USUAL) {
    this.order = order
    this.changed()
  }

  /** @param {'block' | 'all'} scope */
  setScope(scope) {
    this.scope = scope
    this.changed()
  }

  /** @param {'stored' | 'raw'} space */
  setSpace(space) {
    this.space = space
    this.changed()
  }

  /** @param {[number, number]} zoom */
  setZoom([from, to]) {
    const size = Math.max(1, this.file?.size ?? 1)
    const length = Math.max(8, Math.min(size, to - from))
    const start = Math.max(0, Math.min(size - length, from))
    this.zoom = [start, start + length]
    this.changed()
    this.publish()
  }

  /**
   * @param {Selection | undefined} selection
   * @param {{ view?: View, keep?: boolean }} [options] `keep`: not a step of its own in the history
   */
  select(selection, { view, keep = false } = {}) {
    this.selection = selection
    if (view !== undefined) this.view = view
    if (selection !== undefined && !keep) {
      this.#history.length = this.#place + 1
      this.#history.push(selection)
      if (this.#history.length > HISTORY_MAX) this.#history.shift()
      this.#place = this.#history.length - 1
    }
    if (selection?.record !== undefined) this.openRecord(selection.record)
    else if (selection?.block !== undefined) this.decode(selection.block)
    this.changed()
    this.publish()
  }

  /** @param {Region} region @param {{ view?: View }} [options] */
  selectRegion(region, options) {
    this.space = 'stored'
    const record = this.recordHaving(region.offset)
    this.select({ from: region.offset, to: region.end, block: region.offset, ...record !== undefined && { record } }, options)
  }

  /** The offset of the record that has this byte. @param {number} at */
  recordHaving(at) {
    const { records } = this.file ?? {}
    const index = records?.find('offset', at) ?? -1
    return records !== undefined && index >= 0 && at < records.columns.end[index] ? records.columns.offset[index] : undefined
  }

  /** @param {number} index @param {{ view?: View }} [options] */
  selectRecord(index, options) {
    const { records } = this.file ?? {}
    if (records === undefined || index < 0 || index >= records.length) return
    const from = records.columns.offset[index]
    this.select({ from, to: records.columns.end[index], record: from }, options)
  }

  /** Shows bytes of a joined record. @param {number} record its offset @param {[number, number]} inside */
  selectInRecord(record, inside) {
    const { records } = this.file ?? {}
    const index = records?.find('offset', record) ?? -1
    if (records === undefined || index < 0) return
    this.space = 'raw'
    this.select({ from: record, to: records.columns.end[index], record, inside }, { view: 'hex' })
  }

  /** @param {number} record its offset @param {number} operation @param {{ view?: View }} [options] */
  async selectOperation(record, operation, options) {
    await this.openRecord(record)
    const view = this.file?.opened.get(record)
    const index = this.file?.records?.find('offset', record) ?? -1
    if (view === undefined || this.file?.records === undefined || operation >= view.operations.length) return
    const inside = /** @type {[number, number]} */ ([view.operations.offset[operation], view.operations.end[operation]])
    this.select({ from: record, to: this.file.records.columns.end[index], record, entry: operation, inside }, options)
  }

  /** @param {number} block its offset @param {number} entry @param {{ view?: View }} [options] */
  selectEntry(block, entry, options) {
    const region = this.file?.regions?.having(block)
    const view = this.file?.blocks.get(block)
    if (region === undefined || view === undefined) return
    const inside = /** @type {[number, number]} */ ([view.entries.offset[entry], view.entries.end[entry]])
    const plain = view.plain
    // Its bytes are to be seen, which are not in the file.
    this.space = plain ? 'stored' : 'raw'
    this.select({ from: plain ? block + inside[0] : block, to: plain ? block + inside[1] : region.end, block, entry, inside }, options)
  }

  /** Selects bytes of a decompressed block. @param {number} block its offset @param {[number, number]} inside @param {{ view?: View }} [options] */
  async selectInside(block, inside, options) {
    await this.decode(block)
    const region = this.file?.regions?.having(block)
    const view = this.file?.blocks.get(block)
    if (region === undefined || view === undefined) return
    if (view.plain) return this.select({ from: block + inside[0], to: block + inside[1], block }, options)
    this.space = 'raw'
    this.select({ from: block, to: region.end, block, inside }, options)
  }

  /** @param {number} by -1 back, 1 forward */
  step(by) {
    const to = this.#place + by
    if (this.#history[to] === undefined) return
    this.#place = to
    this.select(this.#history[to], { keep: true })
  }

  /** Selects the next region, of any kind or one that is damaged. @param {number} by @param {(region: Region) => boolean} [wanted] */
  nextRegion(by, wanted = () => true) {
    const { regions } = this.file ?? {}
    if (regions === undefined) return
    let index = this.selection === undefined ? (by > 0 ? -1 : regions.length) : regions.find(this.selection.from)
    for (index += by; index >= 0 && index < regions.length; index += by) {
      const region = regions.at(index)
      if (wanted(region)) return this.selectRegion(region)
    }
  }

  /** @param {{ from: number, to: number } | undefined} hover */
  hoverOver(hover) {
    if (hover?.from === this.hover?.from && hover?.to === this.hover?.to) return
    this.hover = hover
    this.changed()
  }

  /** Decodes a block, unless it is. @param {number} offset of the region */
  decode(offset) {
    return this.decoding.block(offset)
  }

  /** The edit that is looked at: the selected one, or the last. */
  get edit() {
    const { records } = this.file ?? {}
    if (records === undefined) return 0
    return this.selection?.record === undefined ? Math.max(0, records.length - 1) : Math.max(0, records.find('offset', this.selection.record))
  }

  /** Finds the tables after an edit. @param {number} edit */
  async replay(edit) {
    const { file } = this
    if (file === undefined || this.#replaying) return
    this.#replaying = true
    try {
      const state = await this.now.call('levels', [file.id, file.checkpoints, edit])
      if (file === this.file) this.version = { edit, state }
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (file === this.file) this.version = { edit, failure: String(error?.message ?? error) }
    }
    this.table = -1
    this.#replaying = false
    this.changed()
  }

  /** The database of the file that is looked at. */
  get folder() {
    return this.folders.find(({ files }) => this.file !== undefined && files.includes(this.file))
  }

  /** The open tables: those of the database of the one that is looked at, if it has a manifest. */
  get tables() {
    const { folder } = this
    const tables = (folder?.files ?? this.files).filter(({ detected }) => detected?.kind === 'table')
    return folder?.map === undefined ? tables : tables.filter(({ place }) => place?.role === 'live')
  }

  /** @param {number} index */
  selectGroup(index) {
    if (this.groups !== undefined) this.groups.selected = index
    this.changed()
  }

  /** @param {number} table */
  selectTable(table) {
    this.table = table
    this.changed()
  }

  /** Decodes a record of a log or manifest, unless it is. @param {number} offset */
  openRecord(offset) {
    return this.decoding.record(offset)
  }

  // ---- What is said ----

  /** Tells the browser where one is. */
  publish() {
    this.navigation.publish()
  }

  /** Shows what could not be done. @param {string | undefined} text */
  warn(text) {
    this.notice = text
    this.changed()
  }

  /** @param {string} text */
  say(text) {
    this.said = text
    this.changed()
  }
}
