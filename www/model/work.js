// What takes long: reading whole files, for the sweep, a digest, a search, an export, the comparison of a
// database's files. All of it runs in the second worker, and ends when other files are opened.
import { counted } from '../ui/numbers.js'
import { foldersOf } from './folders.js'

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('./file.js').OpenFile} OpenFile */

/** How often a call is made again that ended because the worker was restarted for another. */
const TRIES = 5

export class Work {
  #model
  #worker
  /** Ends with the files that are open. */
  #opened = new AbortController()
  /** @type {WeakMap<OpenFile, Promise<void>>} */
  #sweeping = new WeakMap()
  /** Of the open files, once it was asked for. @type {Promise<void> | undefined} */
  #compared

  /** @param {Model} model @param {import('../client.js').Client} worker */
  constructor(model, worker) {
    this.#model = model
    this.#worker = worker
  }

  /** Ends all that runs: other files are opened. */
  end() {
    this.#opened.abort()
    this.#opened = new AbortController()
    this.#compared = undefined
    const { found, exporting, groups } = this.#model
    found?.cancel()
    groups?.cancel()
    exporting?.cancel()
    this.#model.examined = undefined
  }

  /**
   * A call that is made again if the worker was restarted because another call did not stop.
   * @param {string} call
   * @param {unknown[]} args
   * @param {{ signal: AbortSignal, onPart?: (part: any) => void, begin?: () => void }} options `begin` is called before each try; any: as of the call
   */
  async call(call, args, { begin = () => {}, ...options }) {
    for (let left = TRIES; ; left--) {
      begin()
      try {
        return await this.#worker.call(call, args, options)
      } catch (/** @type {any} any: whatever was thrown */ error) {
        if (error.name !== 'AbortError' || options.signal.aborted || left === 1) throw error
      }
    }
  }

  /** Reads and checks all of a file. @param {OpenFile} file */
  async sweep(file) {
    // What runs is waited for, and what is done is not done again.
    if (file.sweep.status === 'running' || file.sweep.status === 'done') return this.#sweeping.get(file)
    const sweeping = this.#sweep(file)
    this.#sweeping.set(file, sweeping)
    return sweeping
  }

  /** @param {OpenFile} file */
  async #sweep(file) {
    const own = new AbortController()
    const signal = AbortSignal.any([own.signal, this.#opened.signal])
    file.failure = undefined
    const begin = () => {
      file.sweptFindings = []
      if (file.isLog) file.forgetLog()
      file.sweep = { status: 'running', done: 0, since: performance.now(), cancel: () => own.abort() }
      this.#model.changed()
    }
    try {
      // It runs from now on, so that no other begins meanwhile.
      begin()
      const comparator = await this.#model.reading.comparatorOf(file)
      await this.call('sweep', [file.id, file.detected?.kind, comparator], {
        signal,
        begin,
        onPart: (swept) => {
          if (file.isLog) file.takeLog(swept)
          else file.takeSwept(swept)
          this.#model.progressed()
        }
      })
      file.sweep.status = signal.aborted ? 'paused' : 'done'
    } catch (error) {
      file.sweep.status = 'paused'
      if (!signal.aborted) file.fail(error)
    }
    file.regions?.flush()
    const folder = this.#model.folders.find(({ files, map }) => map !== undefined && files.includes(file))
    // Only now is it known that a table is newer than its manifest.
    if (folder !== undefined && isNewer(folder)) await this.#compareFolder(folder, this.#opened.signal).catch(() => {})
    if (file.sweep.status === 'done') this.#model.say(`${file.name}: all read, ${file.findings.length === 0 ? 'sound' : counted(file.findings.length, 'finding')}`)
    this.#model.changed()
  }

  /** Compares the files of each database with its manifest, once. */
  compare() {
    return this.#compared ??= this.#compare()
  }

  async #compare() {
    const { signal } = this.#opened
    const folders = this.#model.folders = foldersOf(this.#model.files)
    for (const folder of folders) {
      try {
        // Notes that cannot be read tell nothing.
        folder.times = await import('./times.js').then(({ timesOf }) => timesOf(folder)).catch(() => folder.times)
        await this.#compareFolder(folder, signal)
        // A table that was read meanwhile.
        if (!signal.aborted && isNewer(folder)) await this.#compareFolder(folder, signal)
      } catch (/** @type {any} any: whatever was thrown */ error) {
        if (signal.aborted) return
        this.#model.warn(`The files could not be compared with the manifest: ${error.message}`)
      }
      this.#model.changed()
    }
  }

  /** @param {import('./folders.js').Folder} folder @param {AbortSignal} signal */
  async #compareFolder(folder, signal) {
    const { files, name } = folder
    const map = await this.call('directory', [files.map(({ id }) => id), name, sequencesOf(folder)], { signal, onPart: ({ done, of }) => this.#model.say(`compared ${done} of ${counted(of, 'file')}`) })
    if (signal.aborted) return
    folder.map = map
    for (const [index, file] of files.entries()) file.place = map.files[index]
  }

  /**
   * Computes the digest of a file; a second time, tells whether it is the same.
   * @param {OpenFile} file
   */
  async digest(file) {
    const { signal } = this.#opened
    if (file.digest === 'running') return
    file.digest = 'running'
    this.#model.changed()
    try {
      const digest = await this.call('digest', [file.id], { signal })
      file.digest = file.sha256 === undefined ? 'none' : file.sha256 === digest ? 'same' : 'changed'
      file.sha256 ??= digest
    } catch (error) {
      file.digest = 'failed'
      if (!signal.aborted) file.fail(error)
    }
    this.#model.changed()
  }

  /** Reads, explains and digests all files, for a report. Those that are done are not read again. */
  async examine() {
    const { signal } = this.#opened
    const model = this.#model
    try {
      await this.compare()
      for (const [index, file] of model.files.entries()) {
        if (signal.aborted) return false
        model.examined = index
        model.changed()
        if (file.sha256 === undefined) await this.digest(file)
        await model.read(file)
        if (file.regions !== undefined) await this.sweep(file)
      }
      model.say('all files were read')
      return !signal.aborted
    } finally {
      if (!signal.aborted) model.examined = undefined
      model.changed()
    }
  }

  /**
   * Entries of a table as text; `undefined` if it was stopped.
   * @param {import('../export.js').Wanted} wanted
   * @returns {Promise<Blob | undefined>}
   */
  async export(wanted) {
    const model = this.#model
    const { file } = model
    if (file?.regions === undefined || model.exporting !== undefined) return undefined
    const control = new AbortController()
    const exporting = model.exporting = { rows: 0, bytes: 0, skipped: 0, cancel: () => control.abort() }
    model.exported = undefined
    model.changed()
    /** @type {BlobPart[]} */
    let parts = []
    try {
      const { contentsOf } = await import('./found.js')
      await this.call('export', [file.id, { ...contentsOf(file.regions), before: file.regions.entriesBefore }, wanted], {
        signal: control.signal,
        begin: () => { parts = [] },
        onPart: ({ rows, skipped, text }) => {
          // A Blob of many parts may be kept on disk; an array of them would not be.
          parts.push(new Blob([text]))
          Object.assign(exporting, { rows, skipped, bytes: exporting.bytes + text.length })
          model.changed()
        }
      })
      if (control.signal.aborted) return undefined
      model.exported = { rows: exporting.rows, skipped: exporting.skipped }
      return new Blob(parts)
    } catch (error) {
      if (!control.signal.aborted) file.fail(error)
      return undefined
    } finally {
      model.exporting = undefined
      model.changed()
    }
  }

  /**
   * Counts entries by the beginnings of their keys.
   * @param {{ prefix?: Uint8Array, rule?: import('./grouping.js').Rule, isWhole?: boolean, order?: keyof typeof import('./groups.js').ORDERS }} wanted
   */
  async group({ prefix = new Uint8Array(), rule, isWhole = false, order = 'stored' }) {
    const model = this.#model
    const { file } = model
    if (file === undefined) return
    const { Groups } = await import('./groups.js')
    if (file !== model.file) return
    model.groups?.cancel()
    const control = new AbortController()
    const groups = model.groups = new Groups(prefix, rule, isWhole, order, () => control.abort())
    model.changed()
    try {
      await this.call('group', [(isWhole ? model.tables : [file]).map(({ id }) => id), { prefix, rule }], {
        signal: control.signal,
        onPart: (part) => {
          groups.take(part)
          model.changed()
        }
      })
      groups.status = control.signal.aborted ? 'stopped' : 'done'
    } catch (error) {
      groups.status = 'stopped'
      if (!control.signal.aborted) file.fail(error)
    }
    model.changed()
  }
}

/** The highest sequence numbers of tables that were read. @param {import('./folders.js').Folder} folder */
function sequencesOf({ name, files }) {
  /** @type {Record<string, number>} */
  const found = {}
  for (const file of files) if (file.detected?.kind === 'table' && file.summary?.facts.maxSequence !== undefined) found[file.name.slice(name.length)] = Number(file.summary.facts.maxSequence)
  return found
}

/** Whether a live table that was read is newer than the manifest says, and this was not found yet. @param {import('./folders.js').Folder} folder */
function isNewer({ files, map }) {
  const last = map?.summary.facts.lastSequence
  return last !== undefined && files.some(({ place, summary }) => place?.role === 'live' && Number(summary?.facts.maxSequence ?? 0) > Number(last) && !place.findings.some(({ code }) => code === 'T24'))
}
