// One opened file: what is known of it so far.
import { isOther, REGION_STATES } from 'varve/inspect'
import { EDIT_COLUMNS, Growing, RECORD_COLUMNS } from './columns.js'
import { KeysOf } from './keys-of.js'
import { Pages } from './pages.js'
import { noRegions, Regions } from './regions.js'

/** @typedef {import('varve/inspect').Finding} Finding */
/** @typedef {import('varve/inspect').Span} Span */

/** Larger files are swept only when asked: reading them takes many seconds. */
export const SWEPT_BY_ITSELF_MAX = 256 << 20

let files = 0

export class OpenFile {
  /** For the workers. @readonly */
  id = ++files
  /** @type {import('varve/inspect').Detected | undefined} */
  detected
  /** `new`, `reading`, `ready`, or `failed` with a `failure`. @type {'new' | 'reading' | 'ready' | 'failed'} */
  status = 'new'
  /** Its part in the database, once its files were compared. @type {import('varve/inspect').DirectoryFile | undefined} */
  place
  /** Its SHA-256, when it was first read as a whole. @type {string | undefined} */
  sha256
  /** Of the last digest: whether it runs, equals the first, or could not be computed. @type {'none' | 'running' | 'same' | 'changed' | 'failed'} */
  digest = /** @type {'none' | 'running' | 'same' | 'changed' | 'failed'} */ ('none')
  /** A checksum of its ends, for the address. */
  mark = ''
  /** @type {{ code: string, message: string } | undefined} */
  failure
  /** @type {Regions | undefined} */
  regions
  /** @type {Span[]} */
  parts = []
  /** @type {Span | undefined} */
  summary
  /** @type {(import('varve/inspect').BlockView & import('../explain.js').Explained) | undefined} */
  index
  /** @type {import('varve/inspect').TableMap['handles']} */
  handles
  /** Records of a log, or edits of a manifest. @type {Growing<keyof typeof RECORD_COLUMNS | keyof typeof EDIT_COLUMNS> | undefined} */
  records
  /** Versions of a manifest, to begin the replay of another at. @type {import('varve/inspect').Checkpoint[]} */
  checkpoints = []
  /** Records that were decoded, by their offset. @type {Map<number, import('varve/inspect').RecordView & import('../explain.js').Explained>} */
  opened = new Map()
  /** Found while the map was read. @type {Finding[]} */
  mapFindings = []
  /** Found by the sweep. @type {Finding[]} */
  sweptFindings = []
  /** @type {{ status: 'none' | 'running' | 'paused' | 'done', done: number, since: number, cancel?: () => void }} */
  sweep = { status: 'none', done: 0, since: 0 }
  /** Of its database, if it is one. */
  keys = new KeysOf()
  /** Blocks that were decoded, by their offset. @type {Map<number, import('varve/inspect').BlockView & import('../explain.js').Explained>} */
  blocks = new Map()
  /** @type {{ key: string, all: Finding[], worst: import('varve/inspect').Severity | undefined } | undefined} */
  #findings
  /** @type {Float64Array | undefined} */
  #operationsBefore
  #unsure = 0
  /** Of a zip: what is inside. @type {import('./archive.js').Listed | undefined} */
  zip
  /** Counts blocks that were decoded. */
  decoded = 0

  /** @param {import('./bytes.js').Given} given @param {() => void} onRead called when bytes for the screen were read */
  constructor(given, onRead) {
    this.pages = new Pages(given, () => {
      if (this.pages.failure !== undefined) this.fail(this.pages.failure)
      onRead()
    })
    this.given = given
    this.name = given.name
    this.size = given.size
    /** What is wrong with it as an entry of a zip. @type {Finding[]} */
    this.outerFindings = given.problem === undefined ? [] : [{ code: 'Z01', severity: 'bad', offset: 0, length: given.size, reason: given.problem }]
  }

  /** What both passes found, each once, by offset. Asked for in every frame, so kept until more is found. */
  get findings() {
    const key = [this.mapFindings.length, this.sweptFindings.length, this.sweep.status, this.isOurs, this.place?.findings.length].join()
    if (this.#findings?.key !== key) this.#findings = { key, ...this.#allFindings() }
    return this.#findings.all
  }

  /** Whether it is of another program, or zeros under another name: nothing in it is explained. */
  get isOther() {
    // A log of RocksDB's may begin as one of LevelDB's: its database tells.
    return this.detected !== undefined && (isOther(this.detected) || (this.detected.kind === 'log' && this.place?.role === 'other'))
  }

  /** Whether it is LevelDB's, as far as is known: what has no known structure is, if a block was found in it. */
  get isOurs() {
    return !this.isOther && (this.detected?.kind !== 'unknown' || (this.regions?.data.length ?? 0) > 0)
  }

  /** The worst severity among them. */
  get worst() {
    return this.findings.length === 0 ? undefined : this.#findings?.worst
  }

  /** @returns {{ all: Finding[], worst: import('varve/inspect').Severity | undefined }} */
  #allFindings() {
    const own = !this.isOurs ? [] : this.sweep.status === 'none' ? this.mapFindings : [...this.sweptFindings, ...this.mapFindings]
    // A table that was not finished is not damaged: an interrupted writer leaves such.
    const both = [...this.outerFindings, ...this.place?.unfinished ? [] : own, ...this.place?.findings ?? []]
    const seen = new Set()
    const all = both.filter(({ code, offset, reason }) => {
      const key = `${code} ${offset} ${reason}`
      return !seen.has(key) && seen.add(key)
    }).sort((a, b) => a.offset - b.offset)
    return { all, worst: (/** @type {const} */ (['bad', 'warn', 'info'])).find((severity) => all.some((each) => each.severity === severity)) }
  }

  /** @param {any} error any: whatever was thrown */
  fail(error) {
    if (this.status !== 'ready') this.status = 'failed'
    // The code of a DOMException is a number of old; its name says what happened.
    this.failure = { code: typeof error?.code === 'string' ? error.code : error?.name ?? 'ERROR', message: error?.message ?? String(error) }
  }

  /** @param {import('varve/inspect').TableMap} map */
  take({ regions, parts, summary, index, handles, findings }) {
    this.regions = new Regions(regions)
    this.parts = parts
    this.summary = summary
    this.index = index
    this.handles = handles
    this.mapFindings = findings
    this.status = 'ready'
  }

  /**
   * Of a log or manifest, which is read from its beginning.
   * @param {any} part any: a `LogPart` or `ManifestPart`
   */
  takeLog({ done, regions, records, edits, findings, checkpoint, summary, names }) {
    if (names !== undefined) this.keys.takeNames(names)
    this.regions ??= new Regions(noRegions())
    const rows = this.records ??= this.#noRecords()
    this.regions.append(regions)
    rows.append(records ?? edits)
    this.sweptFindings.push(...findings)
    if (checkpoint !== undefined) this.checkpoints.push(checkpoint)
    if (summary !== undefined) this.summary = summary
    this.sweep.done = done
    this.#operationsBefore = undefined
    this.status = 'ready'
  }

  /** Begins again: what an earlier pass over a log told is told anew. */
  forgetLog() {
    this.regions = new Regions(noRegions())
    this.records = this.#noRecords()
    this.checkpoints = []
  }

  get isZip() {
    return this.detected?.kind === 'foreign' && this.detected.format === 'zip'
  }

  /** @returns {any} any: a table of one kind or the other */
  #noRecords() {
    return this.detected?.kind === 'manifest' ? new Growing(EDIT_COLUMNS) : new Growing(RECORD_COLUMNS)
  }

  get isLog() {
    return this.detected?.kind === 'log' || this.detected?.kind === 'manifest'
  }

  /** Operations before each record, then their sum. A damaged record's count cannot be trusted: it counts as none. */
  get operationsBefore() {
    if (this.#operationsBefore === undefined) {
      const count = this.records?.length ?? 0
      const before = new Float64Array(count + 1)
      this.#unsure = 0
      for (let record = 0; record < count; record++) {
        const state = REGION_STATES[this.records?.columns.state[record]]
        const operations = state === 'bad' ? 0 : this.records?.columns.operations[record]
        before[record + 1] = before[record] + operations
        if (state === 'doubtful') this.#unsure += operations
      }
      this.#operationsBefore = before
    }
    return this.#operationsBefore
  }

  /** Operations of doubtful records among them. */
  get unsureOperations() {
    return this.operationsBefore && this.#unsure
  }

  /** @param {import('varve/inspect').Swept} swept */
  takeSwept({ done, regions, findings, summary, names }) {
    if (names !== undefined) this.keys.takeNames(names)
    this.regions?.apply(regions)
    if (summary !== undefined) this.regions?.flush()
    this.sweptFindings.push(...findings)
    if (summary !== undefined) this.summary = summary
    this.sweep.done = done
  }
}
