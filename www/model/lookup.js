// One key that is looked up in the files of a database: the steps of the search, and its history.
import { bytesOfHex, hexOf } from '../ui/bytes.js'
import { counted } from '../ui/numbers.js'
import { goTo } from './place.js'
import { bytesOfText } from './query.js'

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('varve/inspect').Trace} Trace */
/** @typedef {import('varve/inspect').TraceStep} TraceStep */
/** @typedef {import('varve/inspect').Mention & { file: string, role: string, level?: number, events: import('varve/inspect').FileEvent[] }} Entry a mention, and its file */

/** Entries of a history that are listed; more are only counted. */
const LISTED_MAX = 100_000

/** Bytes of a key that the address has. */
const ADDRESSED_MAX = 1024

/** How often a call is made again that ended because the worker was restarted for another. */
const TRIES = 5

/** @param {AbortSignal} signal @param {() => Promise<void>} act */
export async function again(signal, act) {
  for (let left = TRIES; ; left--) {
    try {
      return await act()
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (error.name !== 'AbortError' || signal.aborted || left === 1) throw error
    }
  }
}

export class Lookup {
  /** As it was typed. */
  text = ''
  /** Whether that is hexadecimal. */
  isHex = false
  /** The sequence number, as it was typed. */
  at = ''
  /** @type {'trace' | 'history'} */
  tab = 'trace'
  /** The key that was looked up. @type {Uint8Array | undefined} */
  key
  /** @type {Trace | undefined} */
  result
  /** A step, or an entry of the history, by its number. */
  chosen = -1
  /** Bytes that were read, while it runs. @type {number | undefined} */
  reading
  /** Why it failed. @type {string | undefined} */
  failure
  /** @type {{ entries: Entry[], count: number, damaged: string[], isDone: boolean } | undefined} */
  history
  #model
  #worker
  #control = new AbortController()

  /** @param {Model} model @param {import('../client.js').Client} worker */
  constructor(model, worker) {
    this.#model = model
    this.#worker = worker
  }

  /** The database of the file that is looked at, or else the first. */
  get folder() {
    const { folders, file } = this.#model
    return folders.find(({ files }) => file !== undefined && files.includes(file)) ?? (file === undefined ? folders[0] : undefined)
  }

  /** The table or log that is looked at, if no database is around it. */
  get alone() {
    const { file } = this.#model
    return this.folder === undefined && (file?.detected?.kind === 'table' || file?.detected?.kind === 'log') ? file : undefined
  }

  /** Where a key is looked for, and the name of the folder that names of files begin with. */
  get scope() {
    const { folder, alone } = this
    return folder ?? (alone && { name: alone.name.slice(0, alone.name.lastIndexOf('/') + 1), files: [alone] })
  }

  /** Of a log alone there are no steps. */
  get shownTab() {
    return this.alone?.isLog ? 'history' : this.tab
  }

  /** Another file is looked at; of one alone nothing is known yet. @param {() => void} turn */
  around(turn) {
    const { alone } = this
    turn()
    if (alone !== this.alone) this.end()
  }

  /** Other files are opened. */
  end() {
    this.stop()
    Object.assign(this, { key: undefined, result: undefined, history: undefined, failure: undefined, chosen: -1 })
  }

  stop() {
    this.#control.abort()
    this.reading = undefined
    this.#model.changed()
  }

  /** Looks up a key that was picked. @param {Uint8Array} key */
  pick(key) {
    this.#type(key)
    this.at = ''
    this.tab = 'trace'
    // With the key, as one step of the history.
    this.#model.view = 'trace'
    return this.run()
  }

  /** As if it were typed. @param {Uint8Array} key */
  #type(key) {
    const text = new TextDecoder().decode(key)
    const same = new TextEncoder().encode(text)
    this.isHex = same.length !== key.length || same.some((byte, index) => byte !== key[index]) || /\p{C}/u.test(text)
    this.text = this.isHex ? hexOf(key) : text
  }

  /** What the address says of the key. @returns {import('./address.js').Traced | undefined} */
  get traced() {
    const { key, tab } = this
    const sequence = this.at.trim()
    if (key === undefined || key.length > ADDRESSED_MAX) return undefined
    return { key: hexOf(key), ...sequence !== '' && { sequence }, ...tab === 'history' && { tab } }
  }

  /** Looks up the key of an address, unless that is done; none: begins anew. @param {import('./address.js').Traced} [traced] */
  restore(traced) {
    const now = this.traced
    if (traced === undefined) {
      this.end()
      return
    }
    const isSame = now?.key === traced.key && now.sequence === traced.sequence
    const { key, sequence = '', tab = 'trace' } = traced
    if (isSame) return this.show(tab)
    // Without it no database is known yet.
    this.#model.work.compare()
    this.#type(bytesOfHex(key))
    this.at = sequence
    this.tab = tab
    return this.run()
  }

  /** The key that was typed; `undefined`: it is not hexadecimal. @returns {Uint8Array | undefined} */
  get typed() {
    return bytesOfText(this.text, this.isHex)
  }

  /** Shows a tab. @param {'trace' | 'history'} tab */
  show(tab) {
    if (this.tab !== tab) this.chosen = -1
    this.tab = tab
    this.#model.changed()
    this.#model.publish()
    if (this.key !== undefined && (this.shownTab === 'trace' ? this.result : this.history) === undefined) return this.#read()
  }

  /** Looks up what was typed. */
  run() {
    this.end()
    this.key = this.typed
    this.#model.publish()
    return this.#read()
  }

  async #read() {
    const { key, scope } = this
    if (key === undefined || scope === undefined) return
    this.stop()
    const { signal } = this.#control = new AbortController()
    this.failure = undefined
    this.reading = 0
    this.#model.changed()
    const ids = scope.files.map(({ id }) => id)
    try {
      await again(signal, () => this.shownTab === 'trace' ? this.#trace(ids, scope.name, key, signal) : this.#follow(ids, scope.name, key, signal))
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (signal.aborted) return
      this.failure = error.message
    }
    if (signal.aborted) return
    this.reading = undefined
    this.#model.changed()
  }

  /** @param {number[]} ids @param {string} name @param {Uint8Array} key @param {AbortSignal} signal */
  async #trace(ids, name, key, signal) {
    const sequence = /^\d+$/.test(this.at.trim()) ? Number(this.at) : undefined
    const { alone } = this
    const options = { signal, onPart: (/** @type {number} */ done) => this.#progress(done, signal) }
    const comparator = alone && await this.#model.reading.comparatorOf(alone)
    const result = await (alone === undefined ? this.#worker.call('trace', [ids, name, key, sequence], options) : this.#worker.call('traceTable', [alone.id, key, sequence, comparator], options))
    if (signal.aborted) return
    this.result = /** @type {Trace} */ (result)
    this.#model.say(`the key: ${this.result.answer}`)
  }

  /** @param {number[]} ids @param {string} name @param {Uint8Array} key @param {AbortSignal} signal */
  async #follow(ids, name, key, signal) {
    const history = this.history = { entries: /** @type {Entry[]} */ ([]), count: 0, damaged: /** @type {string[]} */ ([]), isDone: /** @type {boolean} */ (false) }
    await this.#worker.call('history', [ids, name, key], {
      signal,
      onPart: (/** @type {import('varve/inspect').HistoryPart} */ { mentions, done, isEnd, damage = 0, failure, ...file }) => {
        if (signal.aborted) return
        history.count += mentions.length
        for (const mention of mentions) if (history.entries.length < LISTED_MAX) history.entries.push({ ...file, ...mention })
        if (isEnd && (damage > 0 || failure !== undefined)) history.damaged.push(failure === undefined ? file.file : `${file.file} (${failure})`)
        this.#progress(done, signal)
      }
    })
    if (signal.aborted) return
    history.entries.sort((a, b) => Number(b.sequence ?? -1) - Number(a.sequence ?? -1))
    history.isDone = true
    this.#model.say(`${counted(history.count, 'entry', 'entries')} of the key`)
  }

  /** @param {number} done @param {AbortSignal} signal */
  #progress(done, signal) {
    if (signal.aborted) return
    this.reading = done
    this.#model.changed()
  }

  /**
   * Selects the structure of a step or an entry in all views; `goes`: and goes there.
   * @param {number} index
   * @param {{ name?: string } & import('./place.js').Place} of
   * @param {boolean} [goes]
   */
  async choose(index, { name, ...place }, goes = false) {
    this.chosen = index
    const model = this.#model
    const { scope } = this
    const file = scope?.files.find((each) => each.name === `${scope.name}${name}`)
    model.changed()
    if (file !== undefined) await goTo(model, file, place, { from: 'trace', goes, isLate: () => this.chosen !== index })
  }
}
