// A read-only storage over a web server or an object store, read by ranges.
//
//   Place      the files of one state of the database, until a change is detected
//   Source     one of these files and its version, which every later response must have
//   RangeCache the parts fetched in advance: ends of tables, beginnings of files, and the blocks
//              before those of a backward scan
//
//   table      first request: its last 64 KiB, which usually contain footer, index and filter; then
//              the manifest is checked for a change; after that, one request per block
//   others     first request: the first 64 KiB
//
// After a detected change every read fails until CURRENT is opened again.
import { RangeClient } from './client.js'
import { RangeCache } from './range-cache.js'
import { baseOf, cloneableOf, httpOptionsOf } from './options.js'
import { ReadOnlyFile, ReadOnlyStorage, changed, failure } from '../read-only.js'

/** @typedef {import('./version.js').Version} Version */
/** @typedef {import('./client.js').Answer} Answer */

/** Bytes of the first request for a file; the engine reads as much of a table's end at once. */
const FIRST_SIZE = 64 << 10
/** Extra bytes fetched in a backward scan, for which the engine does not read ahead. */
const BEHIND_SIZE = 64 << 10
/** Consecutive backward reads after which this is done. */
const BACKWARD_READS_MIN = 2

/** The files that are read again when a database is opened. @param {string} name */
const isHead = (name) => name === 'CURRENT' || name.startsWith('MANIFEST-')

/** Files by name under one URL. See types/http.d.ts. */
export class HttpStorage extends ReadOnlyStorage {
  #base
  #options
  #client
  #cache
  #place = new Place()
  #warned = false
  /** The options for a worker; undefined if one is a function. */
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

  /** How a worker creates the same storage; functions cannot be cloned. */
  get inWorker() {
    if (this.#cloneable === undefined) return undefined
    return { module: import.meta.url, export: 'HttpStorage', args: [this.url, this.#cloneable] }
  }

  // ---- Opening ----

  /** @param {string} name @param {'read' | 'append'} access */
  async open(name, access, sizeHint = 0) {
    this.toRead(name, access)
    if (name === 'CURRENT' && this.#place.change !== undefined) this.#place = new Place()
    const place = this.#place
    place.assertSame()
    return new HttpFile(await (isHead(name) ? this.#look(place, name) : this.#source(place, name, sizeHint)), this)
  }

  /**
   * Returns a source, looked up once for all callers.
   * @param {Place} place
   * @param {string} name
   * @param {number} sizeHint
   */
  #source(place, name, sizeHint) {
    const known = place.sources.get(name)
    if (known !== undefined) return known
    const source = this.#learn(place, name, sizeHint)
    place.sources.set(name, source)
    source.catch(() => place.sources.delete(name))
    return source
  }

  /**
   * Reads CURRENT or a manifest again; it must be unchanged.
   * @param {Place} place
   * @param {string} name
   */
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

  /**
   * Reports a change of the database instead of a missing table.
   * @param {Place} place
   * @param {number} sizeHint
   * @param {any} error any: whatever was thrown
   */
  async #missing(place, sizeHint, error) {
    if (error.code === 'ENOENT' && sizeHint > 0) await this.#checkManifest(place)
    throw error
  }

  /**
   * Used for servers that do not expose Content-Range.
   * @param {Place} place
   * @param {string} name
   * @param {Answer} answer
   */
  async #totalOf(place, name, { start, bytes }) {
    const { total } = await this.#ask(place, () => this.#client.head(name))
    if (total === undefined) {
      throw failure('LEVEL_NOT_SUPPORTED', `${name}: the server does not report its size; it must send Content-Range ` +
        '(to pages of other origins: Access-Control-Expose-Headers: Content-Range, ETag)')
    }
    if (total > 0 && start + bytes.length > total) this.#changed(place, changed(name, `it has ${total} bytes, but more were received`))
    return total
  }

  /**
   * Checks that a new file belongs to the same database as earlier ones.
   * @param {Place} place
   * @param {Source} source
   * @param {Answer} answer
   * @param {number} sizeHint
   * @param {Source | undefined} known
   */
  #judge(place, { name, version }, { bytes }, sizeHint, known) {
    const difference = known?.version.differenceTo(version) ?? (known && !sameBytes(known.head, bytes) ? 'its content differs' : undefined)
    if (difference !== undefined) this.#changed(place, changed(name, difference))
    if (sizeHint === 0) return
    // Tables never change: one newer than the manifest's response has been replaced.
    const { modifiedAt, total } = version
    if (modifiedAt > place.openedAt) this.#changed(place, changed(name, 'it was modified after the database was opened'))
    // The engine reports a table that was wrong from the start.
    const isOld = modifiedAt < place.openedAt
    if (total !== sizeHint && !isOld) this.#changed(place, changed(name, `it has ${total} bytes, the manifest says ${sizeHint}`))
  }

  /**
   * Tables of a rebuilt database may have the same names and sizes; its manifest differs.
   * @param {Place} place
   */
  async #checkManifest(place) {
    const { manifest } = place
    if (manifest === undefined || manifest.total === 0) return
    await this.#ask(place, () => this.#client.get(manifest.name, 0, 1, manifest.version))
  }

  // ---- Reading ----

  /**
   * Returns cached bytes, or a promise of bytes. `end` is at most the file's end.
   * @param {Source} source
   * @param {number} start
   * @param {number} end
   */
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

  /**
   * `known` is a cached part at the begin or end of the wanted bytes: only the other bytes are
   * fetched, if the server supports ranges.
   * @param {Source} source
   * @param {number} start
   * @param {number} end
   * @param {{ bytes: Uint8Array, start: number, end: number } | undefined} known
   * @param {boolean} backward
   */
  async #fetch(source, start, end, known, backward) {
    if (known === undefined || source.ignoresRanges) return this.#fetchAll(source, start, end, backward ? BEHIND_SIZE : 0)
    const bytes = new Uint8Array(end - start)
    bytes.set(known.bytes, known.start - start)
    const [from, to] = known.start === start ? [known.end, end] : [start, known.start]
    bytes.set(await this.#fetchAll(source, from, to, 0), from - start)
    return bytes
  }

  /**
   * `behind` is how many bytes before `start` are fetched in advance.
   * @param {Source} source
   * @param {number} start
   * @param {number} end
   * @param {number} behind
   */
  async #fetchAll(source, start, end, behind) {
    const from = Math.max(0, start - behind)
    const { name, place, version } = source
    const answer = await this.#ask(place, () => this.#client.get(name, from, end, version))
    if (answer.bytes.length > end - start) this.#cache.add(source, answer.start, answer.bytes)
    return answer.bytes.subarray(start - answer.start, end - answer.start)
  }

  // ---- Changes ----

  /**
   * Runs `act`; fails if a change of the place is known before or after it.
   * @param {Place} place
   * @param {() => Promise<any>} act any: see the callers: parts of responses
   */
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
    this.#options.onWarning(`${this.#base.origin}${this.#base.pathname}${name}: the server sends no strong ETag, so changes of files ` +
      `are detected ${rest}. To pages of other origins: Access-Control-Expose-Headers: Content-Range, ETag`)
  }
}

/** Files of one version of the database. */
class Place {
  /** @type {Map<string, Promise<Source>>} */
  sources = new Map()
  /** Its version is the database's. @type {Source | undefined} */
  manifest
  /** Time of the manifest's response, in ms by the server's clock. */
  openedAt = NaN
  /** The detected change. @type {Error | undefined} */
  change

  assertSame() {
    // Create a new error with the stack of this read.
    if (this.change !== undefined) throw failure('LEVEL_SOURCE_CHANGED', this.change.message)
  }
}

/** One file of one version. */
class Source {
  /** Pending reads by range. @type {Map<string, Promise<Uint8Array>>} */
  running = new Map()
  /** Whether the server ignores ranges. */
  ignoresRanges = false
  /** The begin of a short file that is read again. @type {Uint8Array | undefined} */
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
