// A search in all tables and logs beside the file that is looked at, or in one log.
import { counted } from '../ui/numbers.js'
import { again } from './lookup.js'
import { goTo } from './place.js'

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('./file.js').OpenFile} OpenFile */
/** @typedef {import('varve/inspect').Mention & { file: string, role: string, level?: number }} Match a mention, and its file */

/**
 * What was searched for, and found so far.
 *
 * @typedef {object} Matches
 * @property {string} text as it was typed
 * @property {Everywhere['where']} where
 * @property {string} folder
 * @property {OpenFile[]} files that are searched
 * @property {Match[]} entries that are listed
 * @property {number} count of all
 * @property {string[]} damaged files that may have had more
 * @property {'running' | 'stopped' | 'done'} status
 * @property {number} done bytes
 * @property {number} chosen
 * @property {string} [failure]
 */

/** Matches that are listed; more are only counted. */
const LISTED_MAX = 100_000

export class Everywhere {
  /** What a search is of. @type {'file' | 'files'} */
  where = 'file'
  /** @type {Matches | undefined} */
  found
  #model
  #control = new AbortController()

  /** @param {Model} model */
  static of(model) {
    return model.everywhere ??= new Everywhere(model)
  }

  /** @param {Model} model */
  constructor(model) {
    this.#model = model
  }

  /** The tables and logs of the folder of the file that is looked at. */
  get files() {
    return this.#beside.filter(({ name, detected }) => (['table', 'log'].includes(detected?.kind ?? '') || /\d\.(ldb|sst|log)$/.test(name)))
  }

  /** All files of that folder: the manifest tells which are live. */
  get #beside() {
    const folder = folderOf(this.#model.file)
    return this.#model.files.filter((each) => folderOf(each) === folder && !each.isZip)
  }

  /** What was found around the file that is looked at. */
  get shown() {
    const { found } = this
    return found !== undefined && this.#model.file !== undefined && found.files.includes(this.#model.file) ? found : undefined
  }

  /** Another file is looked at: what is not shown any more ends. */
  turned() {
    if (this.shown === undefined) this.stop()
  }

  /** @param {Everywhere['where']} where */
  choose(where) {
    this.where = where
    this.#model.changed()
  }

  /** Other files are opened, or one table is searched alone. */
  end() {
    this.stop()
    this.found = undefined
  }

  stop() {
    this.#control.abort()
    if (this.found?.status === 'running') this.found.status = 'stopped'
    this.#model.changed()
  }

  /** @param {string} text as it was typed @param {import('./query.js').Query} query */
  async run(text, query) {
    const model = this.#model
    const { file, sweeper } = model
    if (file === undefined) return
    model.found?.cancel()
    model.found = undefined
    model.refused = undefined
    this.stop()
    const { signal } = this.#control = new AbortController()
    const files = this.where === 'files' ? this.files : [file]
    const read = this.where === 'files' ? this.#beside : [file]
    const folder = folderOf(file)
    const begun = () => this.found = /** @type {Matches} */ ({ text, where: this.where, folder, files, entries: [], count: 0, damaged: [], status: 'running', done: 0, chosen: -1 })
    let found = begun()
    const wanted = { bytes: query.bytes, mask: query.mask, where: query.kind === 'prefix' ? 'key starts' : query.where }
    model.changed()
    try {
      await again(signal, () => {
        found = begun()
        return sweeper.call('searchFiles', [read.map(({ id }) => id), folder, wanted], {
          signal,
          onPart: (/** @type {import('varve/inspect').MentionsPart} */ { mentions, more = 0, done, isEnd, damage = 0, failure, ...of }) => {
            if (signal.aborted) return
            found.count += mentions.length + more
            for (const mention of mentions) if (found.entries.length < LISTED_MAX) found.entries.push({ ...of, ...mention })
            if (isEnd && (damage > 0 || failure !== undefined)) found.damaged.push(failure === undefined ? of.file : `${of.file} (${failure})`)
            found.done = done
            model.progressed()
          }
        })
      })
      if (!signal.aborted) found.status = 'done'
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (found.status === 'running') found.status = 'stopped'
      if (!signal.aborted) found.failure = String(error?.message ?? error)
    }
    if (this.#control.signal !== signal || this.found !== found) return
    model.say(counted(found.count, 'match', 'matches'))
    model.changed()
  }

  /** Selects a match in all views; `goes`: and goes there. @param {number} index @param {boolean} goes */
  async select(index, goes) {
    const { found } = this
    const match = found?.entries[index]
    if (found === undefined || match === undefined) return
    found.chosen = index
    const file = found.files.find(({ name }) => name === `${found.folder}${match.file}`)
    this.#model.changed()
    if (file !== undefined) await goTo(this.#model, file, { ...match, isLog: /log/.test(match.role) || file.isLog }, { from: 'search', goes, isLate: () => this.found !== found || found.chosen !== index })
  }
}

/** @param {{ name: string }} [file] */
const folderOf = (file) => file === undefined ? '' : file.name.slice(0, file.name.lastIndexOf('/') + 1)
