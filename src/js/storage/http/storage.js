// The files of a database on a web server or in an object store, read by ranges.
//
//   Place      the files as they were first seen, since CURRENT was last read anew after a change
//   Source     one of them: its version; every later answer must be of the same
//   RangeCache the few parts that came with what was asked for: ends of tables, beginnings, what a backward scan comes to
//
//   table      first request: its last 64 KiB, where footer, index and filter of most lie; then the manifest is asked whether it
//              is still the one of the tables; after that one request a block
//   others     first request: the first 64 KiB
//
// A change that is seen once ends the place: from then on every read fails, until CURRENT is opened again.
import { RangeClient } from './client.js'
import { RangeCache } from './range-cache.js'
import { baseOf, cloneableOf, httpOptionsOf } from './options.js'
import { ReadOnlyFile, ReadOnlyStorage, changed, failure } from '../read-only.js'

/** @typedef {import('./version.js').Version} Version @typedef {import('./client.js').Answer} Answer */

/** Fetched of a file to begin with; the engine reads as much of a table's end at once. */
const FIRST_SIZE = 64 << 10
/** Fetched beyond what is wanted when a scan goes backward, for which the engine does not read ahead. */
const BEHIND_SIZE = 64 << 10
/** Reads that each ended where the one before began, before that is done. */
const BACKWARD_READS_MIN = 2

/** Made anew each time a database is opened, and read again when that is done. @param {string} name */
const isHead = (name) => name === 'CURRENT' || name.startsWith('MANIFEST-')

/** Files by name under one URL. See types/http.d.ts. */
export class HttpStorage extends ReadOnlyStorage {
  #base
  #options
  #client
  #cache
  #place = new Place()
  #warned = false
  /** The options as they were given, for a worker; none where there is a function among them. */
  #cloneable

  /**
   * @param {string | URL} url
   * @param {object} [options]
   */
  constructor(url, options) {
    super()
    this.#base = baseOf(url)
    this.#options = httpOptionsOf(options)
    this.#cloneable = cloneableOf(options)
    this.#client = new RangeClient(this.#base, this.#options)
    this.#cache = new RangeCache(this.#options.cacheSize)
  }

  /** The address of the directory. */
  get url() {
    return this.#base.href
  }

  /** How a worker makes the same storage; functions cannot go there. */
  get inWorker() {
    if (this.#cloneable === undefined) return undefined
    return { module: import.meta.url, export: 'HttpStorage', args: [this.url, this.#cloneable] }
  }

  // ---- Opening ------------------------------------------------------------------------------------------------------

  /** @param {string} name @param {'read' | 'append'} access */
  async open(name, access, sizeHint = 0) {
    this.toRead(name, access)
    if (name === 'CURRENT' && this.#place.change !== undefined) this.#place = new Place()
    const place = this.#place
    place.assertSame()
    return new HttpFile(await (isHead(name) ? this.#look(place, name) : this.#source(place, name, sizeHint)), this)
  }

  /** A source that is remembered, or looked up once however many ask for it. @param {Place} place @param {string} name @param {number} sizeHint */
  #source(place, name, sizeHint) {
    const known = place.sources.get(name)
    if (known !== undefined) return known
    const source = this.#learn(place, name, sizeHint)
    place.sources.set(name, source)
    source.catch(() => place.sources.delete(name))
    return source
  }

  /** CURRENT or a manifest, as they are now; they must be what they were. @param {Place} place @param {string} name */
  async #look(place, name) {
    const known = await place.sources.get(name)
    const source = await this.#learn(place, name, 0, known)
    if (known === undefined) place.sources.set(name, Promise.resolve(source))
    return known ?? source
  }

  /** @param {Place} place @param {string} name @param {number} sizeHint @param {Source} [known] */
  async #learn(place, name, sizeHint, known) {
    const start = Math.max(0, sizeHint - FIRST_SIZE)
    const answer = await this.#ask(place, () => this.#client.get(name, start, sizeHint || FIRST_SIZE))
      .catch((error) => this.#missing(place, sizeHint, error))
    const { version, bytes } = answer
    if (version.total === undefined) version.total = await this.#totalOf(place, name, answer)
    const source = new Source(place, name, version)
    this.#judge(place, source, answer, sizeHint, known)
    source.ignoresRanges = answer.isWhole
    if (isHead(name)) source.head = bytes
    if (name.startsWith('MANIFEST-')) {
      place.manifest = source
      if (known === undefined) place.openedAt = answer.date
    }
    if (sizeHint > 0) await this.#checkManifest(place)
    if (version.strong === undefined) this.#warn(source)
    this.#cache.add(known ?? source, answer.start, bytes)
    return source
  }

  /** Where the table is not there because all has changed, that is what is said. @param {Place} place @param {number} sizeHint @param {any} error any: whatever was thrown */
  async #missing(place, sizeHint, error) {
    if (error.code === 'ENOENT' && sizeHint > 0) await this.#checkManifest(place)
    throw error
  }

  /** For servers that do not show Content-Range. @param {Place} place @param {string} name @param {Answer} answer */
  async #totalOf(place, name, { start, bytes }) {
    const { total } = await this.#ask(place, () => this.#client.head(name))
    if (total === undefined) {
      throw failure('LEVEL_NOT_SUPPORTED', `${name}: the server does not tell how long it is; it must show Content-Range ` +
        '(to pages of other origins: Access-Control-Expose-Headers: Content-Range, ETag)')
    }
    if (total > 0 && start + bytes.length > total) this.#changed(place, changed(name, `it has ${total} bytes, and more came`))
    return total
  }

  /** Whether what came first is of the same database as what came before. @param {Place} place @param {Source} source @param {Answer} answer @param {number} sizeHint @param {Source | undefined} known */
  #judge(place, { name, version }, { bytes }, sizeHint, known) {
    const difference = known?.version.differenceTo(version) ?? (known && !sameBytes(known.head, bytes) ? 'its content differs' : undefined)
    if (difference !== undefined) this.#changed(place, changed(name, difference))
    if (sizeHint === 0) return
    // Tables are never changed: one that is newer than the answer with the manifest has been replaced.
    const { modifiedAt, total } = version
    if (modifiedAt > place.openedAt) this.#changed(place, changed(name, 'it was modified after the database was opened'))
    // The engine knows a table that was wrong from the start, and says so.
    const isOld = modifiedAt < place.openedAt
    if (total !== sizeHint && !isOld) this.#changed(place, changed(name, `it has ${total} bytes, the manifest says ${sizeHint}`))
  }

  /** Tables of a database that was built anew may have the same names, and sizes; its manifest is another. @param {Place} place */
  async #checkManifest(place) {
    const { manifest } = place
    if (manifest === undefined || manifest.total === 0) return
    await this.#ask(place, () => this.#client.get(manifest.name, 0, 1, manifest.version))
  }

  // ---- Reading ------------------------------------------------------------------------------------------------------

  /** Bytes that are at hand, or a promise of them. `end` is not behind the file's end. @param {Source} source @param {number} start @param {number} end */
  read(source, start, end) {
    source.place.assertSame()
    const backward = source.isReadBackward(start, end)
    const known = this.#cache.get(source, start, end)
    if (known?.bytes.length === end - start) return known.bytes
    const key = `${start}-${end}`
    const running = source.running.get(key)
    if (running !== undefined) return running
    const reading = this.#fetch(source, start, end, known, backward).finally(() => source.running.delete(key))
    source.running.set(key, reading)
    return reading
  }

  /** `known` is where the wanted bytes begin or end: only the others are fetched, from a server that can. @param {Source} source @param {number} start @param {number} end @param {{ bytes: Uint8Array, start: number, end: number } | undefined} known @param {boolean} backward */
  async #fetch(source, start, end, known, backward) {
    if (known === undefined || source.ignoresRanges) return this.#fetchAll(source, start, end, backward ? BEHIND_SIZE : 0)
    const bytes = new Uint8Array(end - start)
    bytes.set(known.bytes, known.start - start)
    const [from, to] = known.start === start ? [known.end, end] : [start, known.start]
    bytes.set(await this.#fetchAll(source, from, to, 0), from - start)
    return bytes
  }

  /** `behind` is how much in front of `start` is fetched too, since it is wanted next. @param {Source} source @param {number} start @param {number} end @param {number} behind */
  async #fetchAll(source, start, end, behind) {
    const from = Math.max(0, start - behind)
    const { name, place, version } = source
    const answer = await this.#ask(place, () => this.#client.get(name, from, end, version))
    if (answer.bytes.length > end - start) this.#cache.add(source, answer.start, answer.bytes)
    return answer.bytes.subarray(start - answer.start, end - answer.start)
  }

  // ---- Changes ------------------------------------------------------------------------------------------------------

  /** An answer for a place that nothing is known against, also after it. @param {Place} place @param {() => Promise<any>} act any: see the callers: parts of responses */
  async #ask(place, act) {
    place.assertSame()
    let answer
    try {
      answer = await act()
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (error.code === 'LEVEL_SOURCE_CHANGED') this.#changed(place, error)
      throw error
    }
    place.assertSame()
    return answer
  }

  /** @returns {never} @param {Place} place @param {any} error any: whatever was thrown */
  #changed(place, error) {
    place.change ??= error
    this.#cache.drop(place)
    throw error
  }

  /** @param {Source} source */
  #warn({ name, version }) {
    if (this.#warned) return
    this.#warned = true
    const rest = version.modified !== undefined
      ? 'by Last-Modified, to the second'
      : 'only by the lengths of files and the checksums of blocks'
    this.#options.onWarning(`${this.#base.origin}${this.#base.pathname}${name}: the server shows no strong ETag, so changes of files ` +
      `are noticed ${rest}. To pages of other origins: Access-Control-Expose-Headers: Content-Range, ETag`)
  }
}

/** Files that belong together, as far as is known. */
class Place {
  /** @type {Map<string, Promise<Source>>} */
  sources = new Map()
  /** Its version is the database's. @type {Source | undefined} */
  manifest
  /** When the manifest was answered, in ms by the server's clock. */
  openedAt = NaN
  /** What has been seen to change. @type {Error | undefined} */
  change

  assertSame() {
    // A fresh error: each has the stack of the read that it fails.
    if (this.change !== undefined) throw failure('LEVEL_SOURCE_CHANGED', this.change.message)
  }
}

/** One file of one version. */
class Source {
  /** Reads under way, by range. @type {Map<string, Promise<Uint8Array>>} */
  running = new Map()
  /** The server sends all of it, or what comes first. */
  ignoresRanges = false
  /** Its beginning, where it is short and looked at again. @type {Uint8Array | undefined} */
  head
  #lastStart = -1
  #backward = 0

  /** @param {Place} place @param {string} name @param {Version} version */
  constructor(place, name, version) {
    this.place = place
    this.name = name
    this.version = version
  }

  get total() {
    return /** @type {number} */ (this.version.total)
  }

  /** @param {number} start @param {number} end */
  isReadBackward(start, end) {
    this.#backward = end === this.#lastStart ? this.#backward + 1 : 0
    this.#lastStart = start
    return this.#backward >= BACKWARD_READS_MIN
  }
}

class HttpFile extends ReadOnlyFile {
  #source
  #storage

  /** @param {Source} source @param {HttpStorage} storage */
  constructor(source, storage) {
    super()
    this.#source = source
    this.#storage = storage
  }

  size() {
    return this.#source.total
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    const end = Math.min(this.#source.total, offset + into.length)
    if (!(end > offset)) return 0
    const bytes = this.#storage.read(this.#source, offset, end)
    if (bytes instanceof Promise) return bytes
    into.set(bytes)
    return bytes.length
  }
}

/** @param {Uint8Array | undefined} one @param {Uint8Array} other */
const sameBytes = (one, other) => one?.length === other.length && one.every((byte, index) => byte === other[index])
