// What is read of a file by itself when it is opened or first looked at: its kind, the order of its keys,
// and its map.
import { bytesOfHex } from '../ui/bytes.js'
import { counted } from '../ui/numbers.js'
import { markOf } from './address.js'
import { SWEPT_BY_ITSELF_MAX } from './file.js'

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('./file.js').OpenFile} OpenFile */

/** Kinds of files that are text, without any structure but its lines. */
const TEXTS = new Set(['current', 'info log'])

/** @param {OpenFile} file */
export const isText = ({ detected }) => TEXTS.has(detected?.kind ?? '')

export class Reading {
  #model
  #worker
  /** @type {WeakMap<OpenFile, Promise<void>>} */
  #reading = new WeakMap()

  /** @param {Model} model @param {import('../client.js').Client} worker */
  constructor(model, worker) {
    this.#model = model
    this.#worker = worker
  }

  /** Finds out the kind of a file, unless it is known. @param {OpenFile} file */
  async detect(file) {
    if (file.detected !== undefined) return
    try {
      file.detected = await this.#worker.call('detect', [file.id])
      file.mark = await markOf(file.given)
    } catch (error) {
      file.fail(error)
    }
    this.#model.changed()
  }

  /** Reads what is needed for a first look, unless it was. @param {OpenFile} file */
  async read(file) {
    if (file.status === 'new' && file.size > 0 && !this.#reading.has(file)) this.#reading.set(file, this.#read(file))
    await this.#reading.get(file)
  }

  /** @param {OpenFile} file */
  async #read(file) {
    const model = this.#model
    if (file.isLog) {
      // A large one is read when asked: the whole of it is what there is to see.
      if (file.size <= SWEPT_BY_ITSELF_MAX) return model.sweep(file)
      file.forgetLog()
      file.status = 'ready'
      return
    }
    // What lies in a database and is no file of one is not looked through for a table.
    if (file.detected?.kind === 'unknown' && model.folders.some(({ files }) => files.includes(file))) await model.work.compare()
    if (isText(file) || file.isOther || file.place?.role === 'other') file.status = 'ready'
    else await this.#map(file)
  }

  /** @param {OpenFile} file */
  async #map(file) {
    const model = this.#model
    file.status = 'reading'
    try {
      await this.comparatorOf(file)
      file.take(await this.#worker.call('map', [file.id, file.keys.scheme?.name]))
      model.say(`${file.name}: ${counted(file.regions?.length ?? 0, 'region')}`)
    } catch (error) {
      file.fail(error)
    }
    model.changed()
    if (file.regions !== undefined && file.size <= SWEPT_BY_ITSELF_MAX) model.sweep(file)
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
    const manifest = this.#model.files.findLast((each) => each.keys === keys && /(^|\/)MANIFEST-\d+$/.test(each.name) && each.size > 0)
    if (manifest === undefined) return
    try {
      const { comparator } = await this.#worker.call('levels', [manifest.id, [], 0])
      keys.order(comparator === undefined ? undefined : new TextDecoder().decode(bytesOfHex(comparator)))
    } catch {
      // What is wrong with the manifest is told where it is compared with the files.
    }
  }
}
