// Salvage of a database among the open files: a dry run, and saving what it counted. Has a worker of its
// own, which keeps what was read until other files are opened. Loaded with its view.
import { save } from '../ui/save.js'

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('../client.js').Client} Client */
/** @typedef {import('varve/inspect').SalvageReport} SalvageReport */
/** @typedef {import('varve/inspect').Strictness} Strictness */

/** @typedef {'zip' | 'table' | 'ndjson' | 'opfs' | 'indexeddb'} Target the last two: a database of this site */

/** @type {Record<string, string>} */
const SUFFIXES = { zip: 'zip', table: 'ldb', ndjson: 'ndjson' }

/** How long a copy to a database may take to clean up after Stop, in ms. */
const PATIENCE_MS = 10_000

export class Salvage {
  #model
  /** @type {Client | undefined} */
  #worker
  #control = new AbortController()
  /** @type {Strictness} */
  strictness = 'carved'
  /** @type {Target} */
  target = 'zip'
  /** Of the new database of this site. */
  name = ''
  /** The database of this site that was made last. @type {{ name: string, storage: 'opfs' | 'indexeddb' } | undefined} */
  made
  /** The file that was saved last. @type {{ name: string, size: number, target: Target } | undefined} */
  file
  /** Whether entries of another comparator are sorted anew. */
  isSortedAnew = false
  /** The folder of the database, with its slash. @type {string | undefined} */
  folder
  /** @type {'none' | 'running' | 'counted' | 'saving' | 'failed'} */
  status = /** @type {'none' | 'running' | 'counted' | 'saving' | 'failed'} */ ('none')
  done = 0
  saved = 0
  failure = ''
  /** @type {SalvageReport | undefined} */
  report

  /** @param {Model} model */
  constructor(model) {
    this.#model = model
  }

  /** That of the page. @param {Model} model */
  static of(model) {
    return model.salvage ??= new Salvage(model)
  }

  /** The files of a folder. @param {string} folder */
  filesOf(folder) {
    return this.#model.files.filter(({ name }) => name.slice(0, name.lastIndexOf('/') + 1) === folder)
  }

  /** Counts what could be saved. @param {string} folder */
  async count(folder) {
    this.end()
    const model = this.#model
    const control = this.#control
    const worker = this.#worker = model.newWorker()
    const files = this.filesOf(folder)
    for (const { id, given } of files) worker.register(id, given)
    Object.assign(this, { folder, status: 'running', done: 0, report: undefined, failure: '' })
    model.changed()
    try {
      const report = await worker.call('salvage', [files.map(({ id }) => id), folder, { strictness: this.strictness, ...this.isSortedAnew && { comparator: 'leveldb.BytewiseComparator' } }], {
        signal: control.signal,
        onPart: (done) => {
          this.done = done
          model.changed()
        }
      })
      if (control.signal.aborted) return
      Object.assign(this, { status: 'counted', report })
      model.say(`${report.live} live keys can be saved`)
    } catch (error) {
      if (!control.signal.aborted) this.#fail(error)
    }
    model.changed()
  }

  /** Saves what was counted. */
  async write() {
    const model = this.#model
    const control = this.#control
    const { target } = this
    if (this.status !== 'counted' || this.#worker === undefined) return
    if (target === 'opfs' || target === 'indexeddb') return this.#copy(target, control, this.#worker)
    Object.assign(this, { status: 'saving', saved: 0, failure: '', made: undefined, file: undefined })
    model.changed()
    /** @type {BlobPart[]} */
    const parts = []
    try {
      await this.#worker.call('salvaged', [target], {
        signal: control.signal,
        onPart: (piece) => {
          // A Blob of many parts may be kept on disk; an array of them would not be.
          parts.push(new Blob([piece]))
          this.saved += piece.length
          model.changed()
        }
      })
      if (control.signal.aborted) return
      const name = `${model.source.replace(/[^\w.-]+/g, '-').replace(/\.zip$/, '') || 'database'}.salvaged.${SUFFIXES[target]}`
      save(name, new Blob(parts))
      Object.assign(this, { status: 'counted', file: { name, size: this.saved, target } })
      model.say(`${name} was saved, ${this.saved} bytes`)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (!control.signal.aborted) this.#refused(error)
    }
    model.changed()
  }

  /** Copies what was counted to a new database of this site. @param {'opfs' | 'indexeddb'} storage @param {AbortController} control @param {Client} worker */
  async #copy(storage, { signal }, worker) {
    const model = this.#model
    const name = this.name || this.nameOffered
    Object.assign(this, { status: 'saving', saved: 0, failure: '', made: undefined, file: undefined })
    model.changed()
    try {
      await worker.call('salvaged', [storage, name], {
        signal,
        patience: PATIENCE_MS,
        onPart: (done) => {
          this.saved = done
          model.changed()
        }
      })
      Object.assign(this, { status: 'counted', made: { name, storage } })
      model.say('the new database of this site is complete')
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (signal.aborted) return this.end()
      this.#refused(error)
    }
    model.changed()
  }

  /** Opens the database that was made. */
  open() {
    this.#model.dispatchEvent(new Event('made'))
  }

  /** Ends what runs; a copy that was begun removes itself. */
  stop() {
    if (this.status === 'saving' && this.isCopy) this.#control.abort()
    else this.end()
  }

  /** Whether it becomes a database of this site. */
  get isCopy() {
    return this.target === 'opfs' || this.target === 'indexeddb'
  }

  /** The name that a new database gets if nobody chooses one. */
  get nameOffered() {
    return `${this.#model.source.replace(/\.zip$/, '') || 'database'} (salvaged)`
  }

  /** Another name or target may do. @param {any} error any: whatever was thrown */
  #refused(error) {
    if (error.code === 'LEVEL_INVALID_ARGUMENT') Object.assign(this, { status: 'counted', failure: error.message })
    else this.#fail(error)
  }

  /** @param {any} error any: whatever was thrown */
  #fail(error) {
    Object.assign(this, { status: 'failed', failure: error?.message ?? String(error) })
  }

  /** @param {Partial<{ strictness: Strictness, target: Target, name: string, isSortedAnew: boolean }>} choice */
  choose(choice) {
    const isOther = choice.strictness !== undefined || choice.isSortedAnew !== undefined
    if (isOther) this.end()
    Object.assign(this, choice)
    this.#model.changed()
  }

  /** Other files are opened. */
  close() {
    this.end()
    this.folder = undefined
  }

  /** Ends what runs, and forgets what was counted. */
  end() {
    this.#control.abort()
    this.#control = new AbortController()
    // The worker and what it kept go together.
    this.#worker?.end()
    this.#worker = undefined
    Object.assign(this, { status: 'none', report: undefined, failure: '', made: undefined, file: undefined })
    this.#model.changed()
  }
}
