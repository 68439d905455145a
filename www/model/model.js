// What the page knows and what is selected. Views read it; every change goes through a method here,
// and is told by one event, `change`.
import { addressOf, markOf, parseAddress, tagOf } from './address.js'
import { BLOCK_KINDS, TRAILER } from './blocks.js'
import { bytesOfHex } from '../ui/bytes.js'
import { isZip, listZip } from './archive.js'
import { OpenFile, SWEPT_BY_ITSELF_MAX } from './file.js'
import { shareKeys } from './keys-of.js'
import { Lookup } from './lookup.js'
import { Salvage } from './salvage.js'
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

/** Kinds of files that are text. */
const TEXTS = new Set(['current', 'info log'])
/** Selections that `[` and `]` go through. */
const HISTORY_MAX = 200
/** How the address names a live database. */
const LIVE = 'demo:live'
/** Decoded blocks of a file that are kept. */
const BLOCKS_KEPT = 512
/** Fewer are kept if they are large: bytes of all together, and how many are kept in any case. */
const BYTES_KEPT = 128 << 20
const KEPT_MIN = 48
/** Blocks and records that are asked for at once. */
const ASKED_MAX = 96

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
  /** What was searched for, and found so far. @type {import('./found.js').Found | undefined} */
  found
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
  /** What the address asks for, until it is opened. @type {import('./address.js').Address | undefined} */
  awaited
  /** @type {Selection[]} */
  #history = []
  #place = -1
  #queued = false
  #replaying = false
  /** What is being decoded. @type {Set<string>} */
  #asked = new Set()
  /** What cannot be decoded; it is not asked for again. @type {Set<string>} */
  #failed = new Set()
  #openings = 0
  /** Those of the table that is looked at, once its view was shown. @type {import('./filters.js').Filters | undefined} */
  filters
  #newWorker

  /** @param {() => Client} newWorker */
  constructor(newWorker) {
    super()
    this.#newWorker = newWorker
    /** For what is looked at. */
    this.now = newWorker()
    /** For whole files. */
    this.sweeper = newWorker()
    this.work = new Work(this, this.sweeper)
    this.lookup = new Lookup(this, this.sweeper)
    this.salvage = new Salvage(this, newWorker)
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

  // ---- Opening ----

  /**
   * Opens files in place of those that are open.
   *
   * @param {import('./bytes.js').Given[]} given
   * @param {{ source: string, tag?: string, takenAt?: number }} of
   */
  async open(given, { source, tag, takenAt }) {
    const { live } = this
    if (tag === LIVE) this.live = undefined
    this.close()
    // Its files are looked into while it lives.
    if (tag === LIVE) this.live = live
    this.takenAt = takenAt
    const opening = ++this.#openings
    this.source = source
    this.sourceTag = tag
    this.files = given.map((each) => new OpenFile(each, () => this.changed()))
    shareKeys(this.files)
    for (const file of this.files) {
      this.now.register(file.id, file.given)
      this.sweeper.register(file.id, file.given)
    }
    this.view = 'files'
    this.changed()
    const { awaited } = this
    for (const file of this.files) {
      if (file.detected === undefined) await this.#detect(file)
      if (opening !== this.#openings) return
    }
    const wanted = awaited && this.files.find(({ name }) => name === awaited.file)
    const first = wanted ?? (this.files.length === 1 ? this.files[0] : undefined)
    // The name alone does not make it the file of the link.
    const isOther = wanted !== undefined && awaited?.source.startsWith('file:') && awaited.source !== tagOf(wanted)
    if (isOther) this.warn(`This is another ${wanted.name} than that of the link: its size or its ends differ. What the link shows cannot be shown of it.`)
    if (first !== undefined) await this.look(first, wanted === undefined ? undefined : awaited?.view)
    if (opening !== this.#openings) return
    if (wanted !== undefined && awaited !== undefined && !isOther) await this.#restore(wanted, awaited)
    if (opening !== this.#openings) return
    this.awaited = undefined
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
    this.awaited = undefined
    const { openings } = this
    const { Live } = await import('./live.js')
    if (openings !== this.openings) return
    this.live = new Live(this, this.#newWorker())
    history.replaceState(null, '', addressOf({ source: LIVE, file: '', view: 'live' }))
    this.changed()
    await this.live.reset()
  }

  close() {
    this.#openings++
    this.live?.end()
    this.live = undefined
    this.work.end()
    this.lookup.end()
    this.filters?.end()
    this.salvage.end()
    for (const file of this.files) {
      this.now.forget(file.id)
      this.sweeper.forget(file.id)
    }
    this.files = []
    this.folders = []
    this.file = undefined
    this.found = undefined
    this.groups = undefined
    this.exported = undefined
    this.#asked.clear()
    this.#failed.clear()
    this.selection = undefined
    this.hover = undefined
    this.notice = undefined
    this.#history = []
    this.#place = -1
    this.changed()
  }

  /** @param {OpenFile} file */
  async #detect(file) {
    try {
      file.detected = await this.now.call('detect', [file.id])
      file.mark = await markOf(file.given)
    } catch (error) {
      file.fail(error)
    }
    this.changed()
  }

  /** Looks at one of the open files. @param {OpenFile} file @param {View} [view] */
  async look(file, view) {
    if (file.detected === undefined && file.status === 'new') await this.#detect(file)
    if (this.file !== file) {
      this.found?.cancel()
      this.found = undefined
      this.groups?.cancel()
      this.groups = undefined
      this.exporting?.cancel()
      this.exported = undefined
      this.file = file
      // A record of a log often has one operation only.
      this.scope = file.isLog ? 'all' : 'block'
      this.version = undefined
      this.table = -1
      this.selection = undefined
      this.#history = []
      this.#place = -1
      this.zoom = [0, Math.max(1, file.size)]
    }
    const { kind } = file.detected ?? { kind: 'unknown' }
    this.view = view ?? (kind === 'current' || kind === 'info log' ? 'hex' : 'map')
    this.changed()
    if (isZip(file)) listZip(this, file)
    await this.read(file)
    if (file === this.file) this.#publish()
  }

  /** Reads what is needed for a first look, unless it was. @param {OpenFile} file */
  async read(file) {
    if (file.status !== 'new' || file.size === 0) return
    if (file.isLog) {
      // A large one is read when asked: the whole of it is what there is to see.
      if (file.size <= SWEPT_BY_ITSELF_MAX) return this.sweep(file)
      file.forgetLog()
      file.status = 'ready'
      return
    }
    // What lies in a database and is no file of one is not looked through for a table.
    if (file.detected?.kind === 'unknown' && this.folders.some(({ files }) => files.includes(file))) await this.work.compare()
    // A text has no structure but its lines.
    if (TEXTS.has(file.detected?.kind ?? '') || file.place?.role === 'other') file.status = 'ready'
    else await this.#map(file)
  }

  /** @param {OpenFile} file */
  async #map(file) {
    file.status = 'reading'
    try {
      await this.comparatorOf(file)
      file.take(await this.now.call('map', [file.id, file.keys.scheme?.name]))
      this.say(`${file.name}: ${file.regions?.length} regions`)
    } catch (error) {
      file.fail(error)
    }
    this.changed()
    if (file.regions !== undefined && file.size <= SWEPT_BY_ITSELF_MAX) this.sweep(file)
  }

  /** Reads and checks all of a file. @param {OpenFile} file */
  sweep(file) {
    return this.work.sweep(file)
  }

  /** The comparator of the file's database, if it has a manifest that names one. @param {OpenFile} file */
  async comparatorOf(file) {
    const { keys } = file
    keys.asked ??= this.#askComparator(file)
    await keys.asked
    return keys.comparator
  }

  /** @param {OpenFile} file */
  async #askComparator({ keys }) {
    const manifest = this.files.findLast((each) => each.keys === keys && /(^|\/)MANIFEST-\d+$/.test(each.name) && each.size > 0)
    if (manifest === undefined) return
    try {
      const { comparator } = await this.now.call('levels', [manifest.id, [], 0])
      keys.order(comparator === undefined ? undefined : new TextDecoder().decode(bytesOfHex(comparator)))
    } catch {
      // What is wrong with the manifest is told where it is compared with the files.
    }
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
    this.#publish()
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
    this.#publish()
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
    this.#publish()
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
  async decode(offset) {
    const { file } = this
    const region = file?.regions?.having(offset)
    if (file === undefined || region === undefined || region.offset !== offset || file.blocks.has(offset) || !BLOCK_KINDS.has(region.kind)) return
    await this.#once(file, `block ${offset}`, async () => {
      const block = { kind: region.kind, offset: region.offset, size: Math.max(0, region.size - TRAILER) }
      const view = await this.now.call('block', [file.id, block, file.keys.scheme?.name])
      file.keys.guessed(view.guess, view.entries.length)
      keep(file.blocks, offset, view)
      file.decoded++
    })
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
  async openRecord(offset) {
    const { file } = this
    const index = file?.records?.find('offset', offset) ?? -1
    if (file?.records === undefined || index < 0 || file.opened.has(offset)) return
    const end = file.records.columns.end[index]
    await this.#once(file, `record ${offset}`, async () => {
      const view = await this.now.call(file.detected?.kind === 'manifest' ? 'edit' : 'record', [file.id, { offset, end }, file.keys.scheme?.name])
      file.keys.guessed(view.guess, view.operations.length)
      keep(file.opened, offset, view)
      file.decoded++
    })
  }

  /**
   * Does something that is not done already, and has not failed. Not more at once than rows can be in
   * view: what is still in view when some are done is asked for again.
   * @param {OpenFile} file
   * @param {string} what
   * @param {() => Promise<void>} act
   */
  async #once(file, what, act) {
    const key = `${file.id} ${what}`
    if (this.#asked.has(key) || this.#failed.has(key) || this.#asked.size >= ASKED_MAX) return
    this.#asked.add(key)
    try {
      await act()
    } catch (/** @type {any} any: whatever was thrown */ error) {
      // The worker ended with others' bytes: these may be asked for again.
      if (error.code !== 'CRASHED' && error.name !== 'AbortError') this.#failed.add(key)
      file.fail(error)
    }
    this.#asked.delete(key)
    this.changed()
  }

  // ---- The address, and what is said ----

  #publish() {
    const { file } = this
    if (file === undefined || this.awaited !== undefined) return
    history.replaceState(null, '', addressOf({
      source: this.sourceTag ?? tagOf(file),
      file: file.name,
      view: this.view,
      selection: this.selection,
      zoom: this.zoom[0] === 0 && this.zoom[1] >= file.size ? undefined : this.zoom
    }))
  }

  /** What an address asks for. @param {string} fragment */
  await(fragment) {
    this.awaited = parseAddress(fragment)
    this.changed()
    return this.awaited
  }

  /** @param {OpenFile} file @param {import('./address.js').Address} address */
  async #restore(file, { view, selection, zoom }) {
    if (this.file !== file) return
    this.awaited = undefined
    if (zoom !== undefined) this.setZoom(zoom)
    if (selection === undefined) return
    // What has no index is known after it was read.
    if (file.regions?.having(selection.from)?.kind === 'gap') await this.sweep(file)
    if (this.file !== file) return
    const record = this.recordHaving(selection.from)
    if (record !== undefined && selection.entry !== undefined) return this.selectOperation(record, selection.entry, { view })
    const block = file.regions?.having(selection.from)
    if (block !== undefined) await this.decode(block.offset)
    if (this.file !== file) return
    if (block !== undefined && selection.entry !== undefined) this.selectEntry(block.offset, selection.entry, { view })
    else this.select({ ...selection, block: block?.offset, record }, { view })
  }

  /** Looks at the file of a link, if it is open. @param {import('./address.js').Address} address */
  async follow(address) {
    const file = this.files.find((each) => each.name === address.file && tagOf(each) === address.source)
    if (file === undefined) return false
    this.awaited = undefined
    await this.look(file, address.view)
    await this.#restore(file, address)
    return true
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

/**
 * Adds to what was decoded; the oldest goes.
 * @template {{ raw?: Uint8Array }} T
 * @param {Map<number, T>} map
 * @param {number} key
 * @param {T} value
 */
function keep(map, key, value) {
  map.set(key, value)
  let bytes = 0
  for (const { raw } of map.values()) bytes += raw?.length ?? 0
  for (const [oldest, { raw }] of map) {
    if (map.size <= KEPT_MIN || (map.size <= BLOCKS_KEPT && bytes <= BYTES_KEPT)) break
    bytes -= raw?.length ?? 0
    map.delete(oldest)
  }
}
