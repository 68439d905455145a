// The filters of the table that is looked at: what is known of them, and what was asked.
import { again } from './lookup.js'
import { bytesOfText } from './query.js'

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('./file.js').OpenFile} OpenFile */
/** @typedef {import('../client.js').Client} Client */

export class Filters {
  /** The file that they are of. @type {OpenFile | undefined} */
  file
  /** `null`: the table has none. @type {import('varve/inspect').FilterView | null | undefined} */
  view
  /** @type {string | undefined} */
  failure
  /** A filter, by its number. */
  chosen = 0
  /** The key that was typed. */
  text = ''
  isHex = false
  /** @type {import('varve/inspect').FilterProbe | undefined} */
  probe
  /** @type {{ asked: number, passed: number } | undefined} */
  measured
  /** How far a test of all keys is, or what it found. @type {{ done: number, keys?: number, denied?: number, findings: import('varve/inspect').Finding[], isStopped?: boolean } | undefined} */
  test
  /** Blocks and keys of each filter, and the version of the regions that they were counted of. @type {{ version: number, blocks: Uint32Array, keys: Float64Array } | undefined} */
  #counts
  #model
  #now
  #sweeper
  #control = new AbortController()
  #seed = 0

  /** @param {Model} model @param {Client} now @param {Client} sweeper */
  constructor(model, now, sweeper) {
    this.#model = model
    this.#now = now
    this.#sweeper = sweeper
  }

  /** Another file is looked at. */
  end() {
    this.#control.abort()
    Object.assign(this, { file: undefined, view: undefined, failure: undefined, probe: undefined, measured: undefined, test: undefined, chosen: 0 })
    this.#counts = undefined
  }

  /** Opens the filters of a file, unless they are. @param {OpenFile} file */
  async open(file) {
    if (this.file === file) return
    this.end()
    this.file = file
    await this.#ask(async () => {
      const view = await this.#now.call('filter', [file.id, this.#parts()])
      if (this.file === file) this.view = view ?? null
    })
  }

  /** The parts that the engine needs. */
  #parts() {
    return this.file?.parts.filter(({ kind }) => kind === 'filter' || kind === 'index').map(({ kind, offset, length, facts: { name } }) => ({ kind, offset, length, facts: { name } }))
  }

  /** @param {() => Promise<void>} act */
  async #ask(act) {
    const { file } = this
    try {
      await act()
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (this.file === file) this.failure = error.message
    }
    this.#model.changed()
  }

  /** @param {number} slot */
  choose(slot) {
    this.chosen = slot
    this.#model.changed()
  }

  /** The key that was typed; `undefined`: it is not hexadecimal. */
  get typed() {
    return bytesOfText(this.text, this.isHex)
  }

  /** Asks for the key that was typed. */
  async ask() {
    const { file, typed: key } = this
    if (file === undefined || key === undefined) return
    await this.#ask(async () => {
      const probe = await this.#now.call('probe', [file.id, this.#parts(), key, file.keys.comparator])
      if (this.file !== file) return
      this.probe = probe
      if (probe?.slot !== undefined && probe.slot < (this.view?.slots.length ?? 0)) this.chosen = probe.slot
      this.#model.say(probe === undefined ? `the filter cannot be asked${file.keys.isUnknown ? ': the order of the keys is not known' : ''}` : `the filter says ${probe.verdict}`)
    })
  }

  /** Asks for keys that are not there; other ones each time. */
  async measure() {
    const { file } = this
    if (file === undefined) return
    await this.#ask(async () => {
      const measured = await this.#now.call('measure', [file.id, this.#parts(), ++this.#seed, file.keys.comparator])
      if (this.file === file) this.measured = measured
    })
  }

  /** Tests every key against its filter. */
  async testAll() {
    const { file } = this
    if (file === undefined) return
    const { signal } = this.#control = new AbortController()
    const test = this.test = { done: 0, findings: /** @type {import('varve/inspect').Finding[]} */ ([]) }
    await this.#ask(async () => {
      try {
        await again(signal, () => {
          test.findings = []
          return this.#sweeper.call('test', [file.id], {
            signal,
            onPart: ({ findings, ...part }) => {
              Object.assign(test, part)
              test.findings.push(...findings)
              this.#model.changed()
            }
          })
        })
      } catch (error) {
        Object.assign(test, { isStopped: true })
        if (!signal.aborted) throw error
      }
    })
    this.#model.say('the test of the filters is done')
  }

  stop() {
    this.#control.abort()
  }

  /** Blocks that begin where a filter covers, and their keys as far as they were read. @param {number} slot */
  countOf(slot) {
    const { file, view } = this
    if (file?.regions === undefined || !view) return { blocks: 0, keys: 0 }
    const { regions } = file
    if (this.#counts?.version !== regions.version) {
      const counts = { version: regions.version, blocks: new Uint32Array(view.slots.length), keys: new Float64Array(view.slots.length) }
      for (const index of regions.data) {
        const of = Math.floor(regions.columns.offset[index] / view.base)
        if (of >= view.slots.length) continue
        counts.blocks[of]++
        counts.keys[of] += regions.columns.entries[index]
      }
      this.#counts = counts
    }
    return { blocks: this.#counts.blocks[slot], keys: this.#counts.keys[slot] }
  }
}
