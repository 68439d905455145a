// Blocks and records of the file that is looked at, decoded as they come into view.
import { BLOCK_KINDS, TRAILER } from './blocks.js'

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('./file.js').OpenFile} OpenFile */

/** Decoded blocks of a file that are kept. */
const BLOCKS_KEPT = 512
/** Fewer are kept if they are large: bytes of all together, and how many are kept in any case. */
const BYTES_KEPT = 128 << 20
const KEPT_MIN = 48
/** Blocks and records that are asked for at once. */
const ASKED_MAX = 96

export class Decoding {
  /** What is being decoded. @type {Map<string, Promise<void>>} */
  #asked = new Map()
  /** What cannot be decoded; it is not asked for again. @type {Set<string>} */
  #failed = new Set()
  #model
  #worker

  /** @param {Model} model @param {import('../client.js').Client} worker */
  constructor(model, worker) {
    this.#model = model
    this.#worker = worker
  }

  /** Other files are opened. */
  end() {
    this.#asked.clear()
    this.#failed.clear()
  }

  /** Decodes a block, unless it is. @param {number} offset of the region */
  async block(offset) {
    const { file } = this.#model
    const region = file?.regions?.having(offset)
    if (file === undefined || region === undefined || region.offset !== offset || file.blocks.has(offset) || !BLOCK_KINDS.has(region.kind)) return
    await this.#once(file, `block ${offset}`, async () => {
      const block = { kind: region.kind, offset: region.offset, size: Math.max(0, region.size - TRAILER) }
      const view = await this.#worker.call('block', [file.id, block, file.keys.scheme?.name])
      file.keys.guessed(view.guess, view.entries.length)
      keep(file.blocks, offset, view)
      file.decoded++
    })
  }

  /** Decodes a record of a log or manifest, unless it is. @param {number} offset */
  async record(offset) {
    const { file } = this.#model
    const index = file?.records?.find('offset', offset) ?? -1
    if (file?.records === undefined || index < 0 || file.opened.has(offset)) return
    const end = file.records.columns.end[index]
    await this.#once(file, `record ${offset}`, async () => {
      const view = await this.#worker.call(file.detected?.kind === 'manifest' ? 'edit' : 'record', [file.id, { offset, end }, file.keys.scheme?.name])
      file.keys.guessed(view.guess, view.operations.length)
      keep(file.opened, offset, view)
      file.decoded++
    })
  }

  /**
   * Does something that is not done already, and has not failed; waits for what runs. Not more at once than
   * rows can be in view: what is still in view when some are done is asked for again.
   * @param {OpenFile} file
   * @param {string} what
   * @param {() => Promise<void>} act
   */
  async #once(file, what, act) {
    const key = `${file.id} ${what}`
    const running = this.#asked.get(key)
    if (running !== undefined) return running
    if (this.#failed.has(key) || this.#asked.size >= ASKED_MAX) return
    const asked = this.#attempt(file, key, act)
    this.#asked.set(key, asked)
    await asked
    this.#asked.delete(key)
    this.#model.changed()
  }

  /** @param {OpenFile} file @param {string} key @param {() => Promise<void>} act */
  async #attempt(file, key, act) {
    try {
      await act()
    } catch (/** @type {any} any: whatever was thrown */ error) {
      // The worker ended with others' bytes: these may be asked for again.
      if (error.code !== 'CRASHED' && error.name !== 'AbortError') this.#failed.add(key)
      file.fail(error)
    }
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
