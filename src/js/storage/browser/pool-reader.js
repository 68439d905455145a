// The files of a database in the origin private file system (OPFS), read while its owner writes.
//
//   superblocks, manifests, superblocks   the manifest names files of the one reading or of the other, unless
//                                         many names changed meanwhile (src/env/pool/view.rs)
//   logs, superblocks                     logs have grown meanwhile: more of what was written
//   tables, superblocks                   what was removed meanwhile is whole while its header is there
//
// Where space was used again meanwhile, all is read once more. So the files are a state of the database:
// all that was acknowledged before the first reading, and what was written until the last log was read, up
// to a whole record.
import { InvalidArgumentError, VarveError } from '../../errors.js'
import { RawReader, changing, filesAreSnapshots } from './raw-reader.js'

/**
 * The engine's functions, of src/wasm/origin.rs.
 * @typedef {object} PoolDecoder
 * @property {(a: Uint8Array, b: Uint8Array, c: Uint8Array, headers?: Uint8Array) => Names | undefined} poolNames
 * @property {(bytes: Uint8Array) => string | undefined} rawGeneration
 * @property {(bytes: Uint8Array) => number} endOfRecords
 */

/**
 * @typedef {{ name: string, content?: Uint8Array<ArrayBuffer>, raw: string, generation: string, isTentative: boolean }} Name
 * @typedef {{ sequence?: string, newerMax: number, headerSize: number, files: Name[] }} Names
 */

/**
 * `isCopy`: whether `blob` is a copy in memory. `problem`: what is wrong with the file, if it has no
 * content that belongs to its name.
 * @typedef {{ name: string, size: number, blob: Blob, isCopy: boolean, problem?: string }} SeenFile
 * @typedef {{ files: SeenFile[], sequence: number, takenAt: number, repeated: number }} Seen
 */

const SUPERBLOCKS = ['super-a', 'super-b', 'super-c']

/** Headers are shorter; the rest up to the content is zeros. */
const HEADER_BYTES = 1024

/** Tables are copied up to so many bytes together, the newest first: they are removed first. */
export const TABLE_COPIES_MAX = 128 << 20

/** Logs and manifests are always copied: they grow. */
const LOG_COPIES_MAX = 1 << 30

/** Files that are read at the same time. */
const PARALLEL = 4

/** Copies of large databases take longer than the caller's patience. */
const ATTEMPTS_MIN = 3

/** Of a log. */
const BLOCK_BYTES = 32 << 10

const isLog = (/** @type {string} */ name) => /^\d+\.log$/.test(name)
const isManifest = (/** @type {string} */ name) => /^MANIFEST-\d+$/.test(name)
const isTable = (/** @type {string} */ name) => /^\d+\.(ldb|sst)$/.test(name)

/**
 * `isLive`: whether somebody may be writing; `patience`: how long to repeat a read that fails, and all of
 * them, in ms;
 * `copiesMax`: how many bytes of tables may be copied.
 * @typedef {{ isLive: boolean, patience: number, copiesMax: number }} How
 */

/**
 * @param {string[]} path names of directories, from the root
 * @param {string} location for messages
 * @param {PoolDecoder} decoder
 * @param {How} how
 * @returns {Promise<Seen>}
 */
export async function filesOfPool(path, location, decoder, how) {
  const until = performance.now() + how.patience
  const raw = new RawReader(path, how.patience)
  try {
    await raw.open()
  } catch (/** @type {any} any: whatever was thrown */ error) {
    throw error?.name === 'NotFoundError' ? missing(location) : error
  }
  const reader = new PoolReader(raw, location, decoder, how)
  for (let attempt = 1; ; attempt++) {
    const seen = await reader.read()
    if (seen !== undefined) return seen
    if (performance.now() >= until && attempt >= ATTEMPTS_MIN) throw changing()
    raw.repeated++
  }
}

/** @param {string} location */
export const missing = (location) => new InvalidArgumentError(`The database '${location}' does not exist`)

class PoolReader {
  #raw
  #location
  #decoder
  #how
  /** Bytes of logs and of tables that were copied. */
  #copied = { logs: 0, tables: 0 }
  /** Tables of an attempt that failed, by raw file and generation. @type {Map<string, SeenFile | undefined>} */
  #tables = new Map()

  /** @param {RawReader} raw @param {string} location @param {PoolDecoder} decoder @param {How} how */
  constructor(raw, location, decoder, how) {
    this.#raw = raw
    this.#location = location
    this.#decoder = decoder
    this.#how = how
  }

  /** One attempt. @returns {Promise<Seen | undefined>} */
  async read() {
    this.#copied = { logs: 0, tables: sizeOf(this.#tables.values()) }
    const first = await this.#names()
    /** @type {Map<string, SeenFile | undefined>} */
    const seen = new Map()
    await this.#takeAll(first, isManifest, seen)
    const names = joined(first, await this.#names())
    if (names === undefined) return undefined
    await this.#takeAll(names, isLog, seen)
    const takenAt = Date.now()
    if ((await this.#lost(names, seen)).length > 0) return undefined
    const checked = new Set(seen.keys())
    await this.#takeAll(names, () => true, seen)
    const lost = (await this.#lost(names, seen)).filter(({ name }) => !checked.has(name))
    if (lost.length > 0) {
      // Not those that are being written.
      const tables = names.files.filter((file) => isTable(file.name) && !file.isTentative && !lost.includes(file))
      this.#tables = new Map(tables.map((file) => [keyOf(file), seen.get(file.name)]))
      return undefined
    }
    const files = names.files.map(({ name }) => seen.get(name)).filter((file) => file !== undefined)
    return { files, sequence: Number(names.sequence ?? 0), takenAt, repeated: this.#raw.repeated }
  }

  /**
   * The files that were taken although they had been removed, and their space was used again.
   * @param {Names} names @param {Map<string, SeenFile | undefined>} seen
   */
  async #lost(names, seen) {
    const removed = replacedSince(names, await this.#names()).filter(({ name }) => seen.has(name))
    const isLost = await Promise.all(removed.map(async (file) => {
      if (seen.get(file.name)?.problem !== undefined) return true
      const header = await this.#raw.read(file.raw, HEADER_BYTES)
      return header === undefined || !this.#isOf(file, header)
    }))
    return removed.filter((_, at) => isLost[at])
  }

  /** What the superblocks tell, or, where they are damaged, the headers of raw files. @returns {Promise<Names>} */
  async #names() {
    const superblocks = await Promise.all(SUPERBLOCKS.map((name) => this.#raw.read(name)))
    const [a, b, c] = superblocks.map((bytes) => bytes ?? new Uint8Array(0))
    const names = this.#decoder.poolNames(a, b, c)
    if (names !== undefined && (this.#how.isLive || await this.#areThere(names))) return names
    const found = this.#decoder.poolNames(a, b, c, await this.#headers())
    if (found !== undefined) return found
    // A database without names is new.
    if (superblocks.some((bytes) => bytes !== undefined)) return { newerMax: 1, headerSize: 0, files: [] }
    throw missing(this.#location)
  }

  /** Whether no raw file was lost, and no new one is without its header. @param {Names} names */
  async #areThere({ files }) {
    const listed = await this.#raw.list()
    return files.every(({ raw, isTentative }) => raw === undefined || (listed.includes(raw) && !isTentative))
  }

  /** The names and headers of all raw files, packed as src/wasm/packed.rs says. */
  async #headers() {
    const names = (await this.#raw.list()).filter((name) => /^p\d+$/.test(name))
    const begins = await Promise.all(names.map((name) => this.#raw.read(name, HEADER_BYTES)))
    const parts = names.flatMap((name, at) => [new TextEncoder().encode(name), begins[at] ?? new Uint8Array(0)])
    const packed = new Uint8Array(parts.reduce((sum, { length }) => sum + 4 + length, 0))
    let at = 0
    for (const part of parts) {
      new DataView(packed.buffer).setUint32(at, part.length, true)
      packed.set(part, at + 4)
      at += 4 + part.length
    }
    return packed
  }

  /**
   * Takes the files with these names that are not there yet.
   * @param {Names} names @param {(name: string) => boolean} suits @param {Map<string, SeenFile | undefined>} seen
   */
  async #takeAll({ headerSize, files }, suits, seen) {
    const wanted = files.filter(({ name }) => suits(name) && !seen.has(name)).reverse()
    const work = async () => {
      for (let file = wanted.shift(); file !== undefined; file = wanted.shift()) seen.set(file.name, await this.#take(file, headerSize))
    }
    await Promise.all(Array.from({ length: PARALLEL }, work))
  }

  /** @param {Name} file @param {number} headerSize @returns {Promise<SeenFile | undefined>} */
  async #take(file, headerSize) {
    const { name, content, raw, isTentative } = file
    if (content !== undefined) return copy(name, content)
    const known = this.#tables.get(keyOf(file))
    if (known !== undefined) return known
    if (isTable(name) && !isTentative && ((filesAreSnapshots() && !this.#how.isLive) || !await this.#mayCopy(raw))) {
      const found = await this.#raw.begin(raw, HEADER_BYTES)
      if (found === undefined || !this.#isOf(file, found.bytes)) return this.#problem(file, found?.bytes)
      const blob = found.file.slice(headerSize)
      return { name, size: blob.size, blob, isCopy: false }
    }
    if (!isTable(name)) await this.#countLog(name, raw)
    const bytes = await this.#raw.read(raw)
    if (bytes === undefined || !this.#isOf(file, bytes)) return this.#problem(file, bytes)
    const all = bytes.subarray(headerSize)
    const isGrowing = this.#how.isLive && (isLog(name) || isManifest(name))
    return copy(name, isGrowing ? this.#whole(all) : all)
  }

  /** Whether the table in this raw file fits into the memory for copies. @param {string} raw */
  async #mayCopy(raw) {
    const size = await this.#raw.size(raw) ?? 0
    if (this.#copied.tables + size > this.#how.copiesMax) return false
    this.#copied.tables += size
    return true
  }

  /** @param {string} name @param {string} raw */
  async #countLog(name, raw) {
    this.#copied.logs += await this.#raw.size(raw) ?? 0
    if (this.#copied.logs <= LOG_COPIES_MAX) return
    throw new VarveError(`The logs of the database '${this.#location}' have more than ${LOG_COPIES_MAX} bytes together: close it, so that they become tables`, { code: 'LEVEL_LIMIT_EXCEEDED', file: name })
  }

  /** @param {Name} file @param {Uint8Array} bytes */
  #isOf({ generation }, bytes) {
    return this.#decoder.rawGeneration(bytes.subarray(0, HEADER_BYTES)) === generation
  }

  /**
   * A file whose raw file holds something else: damage, if the superblocks say the same afterwards.
   * @param {Name} file @param {Uint8Array} [bytes]
   * @returns {SeenFile}
   */
  #problem({ name, raw, generation }, bytes) {
    const found = bytes && (this.#decoder.rawGeneration(bytes.subarray(0, HEADER_BYTES)) ?? 'no header')
    const problem = bytes === undefined ? `its raw file ${raw} is gone` : `its raw file ${raw} holds generation ${found}, expected ${generation}`
    return { ...copy(name, new Uint8Array(0)), problem }
  }

  /** Without the record that is being appended. @param {Uint8Array<ArrayBuffer>} log */
  #whole(log) {
    for (let blocks = 1; ; blocks *= 8) {
      const start = Math.max(0, Math.ceil(log.length / BLOCK_BYTES) - blocks) * BLOCK_BYTES
      const end = this.#decoder.endOfRecords(log.subarray(start))
      if (end >= 0 || start === 0) return log.subarray(0, start + Math.max(end, 0))
    }
  }
}

/** @param {string} name @param {Uint8Array<ArrayBuffer>} bytes @returns {SeenFile} */
const copy = (name, bytes) => ({ name, size: bytes.length, blob: new Blob([bytes]), isCopy: true })

/** @param {Iterable<SeenFile | undefined>} files */
const sizeOf = (files) => [...files].reduce((sum, file) => sum + (file?.isCopy ? file.size : 0), 0)

/** @param {Name} file */
const keyOf = ({ raw, generation }) => `${raw} ${generation}`

/**
 * The files of both readings; undefined if a manifest that was read between them may name others: then a file
 * was created, named durably, and removed.
 * @param {Names} before @param {Names} after
 * @returns {Names | undefined}
 */
function joined(before, after) {
  if (before.sequence === after.sequence) return before
  if (grown(before, after) >= before.newerMax || manifestsOf(before) !== manifestsOf(after)) return undefined
  const files = new Map([...before.files, ...after.files].map((file) => [file.name, file]))
  return { ...before, files: [...files.values()].sort((a, b) => a.name < b.name ? -1 : 1) }
}

/** @param {Names} names */
const manifestsOf = ({ files }) => files.filter(({ name }) => name === 'CURRENT' || isManifest(name)).map((file) => `${file.name} ${keyOf(file)} ${file.content}`).join()

/** How many superblocks were written between two readings. @param {Names} before @param {Names} after */
function grown({ sequence: before }, { sequence: after }) {
  if (before === after) return 0
  const count = before === undefined || after === undefined ? -1 : Number(BigInt(after) - BigInt(before))
  // Where they were damaged, or the database is another one.
  return count < 0 ? Infinity : count
}

/**
 * The files whose raw files may have another content by now.
 * @param {Names} before @param {Names} after
 */
function replacedSince(before, after) {
  if (grown(before, after) < before.newerMax) return []
  const kept = new Set(after.files.map(keyOf))
  return before.files.filter((file) => file.content === undefined && !kept.has(keyOf(file)))
}
