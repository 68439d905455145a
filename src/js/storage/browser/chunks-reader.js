// The files of a database in IndexedDB, read while its owner writes.
//
// Names and sizes are read in one transaction, so they are one state; as many chunks as suit one
// transaction are read in it too. Later transactions read the others: content is only appended to
// (src/env/chunks/view.rs), so it is enough that each file is still there and no shorter. The transactions
// are small, since the owner's wait for them.
import { VarveError } from '../../errors.js'
import { STORES, listDatabases, opened } from './idb-open.js'
import { missing } from './pool-reader.js'
import { changing } from './raw-reader.js'

/**
 * The engine's functions, of src/wasm/origin.rs. any: values are whatever the database has.
 * @typedef {object} ChunksDecoder
 * @property {(loaded: [any, any[], any[]]) => { commits: number, chunkBytes: number, files: Name[] }} chunkNames
 * @property {(row: any, file: number) => number} chunkFileSize
 * @typedef {{ name: string, file: number, size: number }} Name
 */

/** The chunks from `first` up to but without `end` of a file. @typedef {{ file: Name, first: number, end: number }} Part */

/** @typedef {import('./pool-reader.js').Seen} Seen */

/** Chunks that one transaction reads: 2 MiB. */
const CHUNKS_MAX = 64

/** All files are copied. */
const COPIES_MAX = 2 ** 31

const ATTEMPTS_MIN = 3

/** Errors of a connection that was closed, by the browser or for whoever removes the database. */
const CLOSED = ['InvalidStateError', 'AbortError', 'UnknownError']

/**
 * @param {string} name of the database in IndexedDB
 * @param {string} location for messages
 * @param {ChunksDecoder} decoder
 * @param {{ patience: number }} how how long to repeat what fails meanwhile, in ms
 * @returns {Promise<Seen>}
 */
export async function filesOfChunks(name, location, decoder, { patience }) {
  const until = performance.now() + patience
  for (let attempt = 1; ; attempt++) {
    if ((await listDatabases())?.includes(name) === false) throw missing(location)
    const connection = await opened(name).catch((error) => { throw error?.name === 'NotFoundError' ? missing(location) : error })
    // Whoever removes the database does not wait.
    connection.onversionchange = () => connection.close()
    try {
      const seen = await new ChunksReader(connection, location, decoder).read()
      if (seen !== undefined) return { ...seen, repeated: attempt - 1 }
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (!CLOSED.includes(error?.name)) throw error
    } finally {
      connection.close()
    }
    if (performance.now() >= until && attempt >= ATTEMPTS_MIN) throw changing()
  }
}

class ChunksReader {
  #connection
  #location
  #decoder
  #chunkBytes = 0
  /** Not read yet. @type {Part[]} */
  #parts = []
  /** What was read, by the number of the file. @type {Map<number, Blob[]>} */
  #content = new Map()

  /** @param {IDBDatabase} connection @param {string} location @param {ChunksDecoder} decoder */
  constructor(connection, location, decoder) {
    this.#connection = connection
    this.#location = location
    this.#decoder = decoder
  }

  /** One attempt. @returns {Promise<Seen | undefined>} */
  async read() {
    const { files, commits } = await this.#begin()
    const takenAt = Date.now()
    while (this.#parts.length > 0) {
      if (!await this.#goOn()) return undefined
    }
    return {
      files: files.map((file) => {
        const { name, size } = file
        const blob = new Blob(this.#content.get(file.file))
        const problem = blob.size === size ? undefined : `its chunks have ${blob.size} bytes, expected ${size}`
        return { name, size: blob.size, blob, isCopy: true, ...problem && { problem } }
      }),
      sequence: commits,
      takenAt,
      repeated: 0
    }
  }

  /** The names, and the first chunks. */
  #begin() {
    return this.#transact((transaction, within) => {
      const files = transaction.objectStore('files')
      const requests = [transaction.objectStore('head').get(0), files.getAllKeys(), files.getAll()]
      /** @type {ReturnType<ChunksDecoder['chunkNames']>} */
      let names
      requests[2].onsuccess = within(() => {
        names = this.#decoder.chunkNames(/** @type {any} any: as the requests are */ (requests.map(({ result }) => result)))
        this.#plan(names)
        for (const part of this.#next()) this.#ask(transaction, part, within)
      })
      return () => names
    })
  }

  /** The next chunks; false if a file is not what it was. */
  #goOn() {
    return this.#transact((transaction, within) => {
      let isThere = true
      for (const part of this.#next()) {
        const { file, size } = part.file
        const row = transaction.objectStore('files').get(file)
        row.onsuccess = within(() => { isThere &&= row.result !== undefined && this.#decoder.chunkFileSize(row.result, file) >= size })
        this.#ask(transaction, part, within)
      }
      return () => isThere
    })
  }

  /** @param {ReturnType<ChunksDecoder['chunkNames']>} names */
  #plan({ files, chunkBytes }) {
    const bytes = files.reduce((sum, { size }) => sum + size, 0)
    if (bytes > COPIES_MAX) {
      throw new VarveError(`The database '${this.#location}' has ${bytes} bytes, of which at most ${COPIES_MAX} can be copied: open it, and export it`, { code: 'LEVEL_LIMIT_EXCEEDED' })
    }
    this.#chunkBytes = chunkBytes
    this.#content = new Map(files.map(({ file }) => [file, []]))
    for (const file of files) {
      const count = Math.ceil(file.size / chunkBytes)
      for (let first = 0; first < count; first += CHUNKS_MAX) this.#parts.push({ file, first, end: Math.min(count, first + CHUNKS_MAX) })
    }
  }

  /** Takes the parts that the next transaction reads. */
  #next() {
    const parts = this.#parts.splice(0, 1)
    let count = parts.length > 0 ? parts[0].end - parts[0].first : 0
    while (this.#parts.length > 0 && (count += this.#parts[0].end - this.#parts[0].first) <= CHUNKS_MAX) parts.push(this.#parts.splice(0, 1)[0])
    return parts
  }

  /** @param {IDBTransaction} transaction @param {Part} part @param {(act: () => void) => () => void} within */
  #ask(transaction, { file, first, end }, within) {
    const request = transaction.objectStore('chunks').getAll(IDBKeyRange.bound([file.file, first], [file.file, end], false, true))
    request.onsuccess = within(() => {
      // The file may have grown since its size was read.
      const expected = Math.min(file.size, end * this.#chunkBytes) - first * this.#chunkBytes
      const values = /** @type {Uint8Array<ArrayBuffer>[]} */ (request.result.filter((value) => value instanceof Uint8Array))
      this.#content.get(file.file)?.push(new Blob(values).slice(0, expected))
    })
  }

  /**
   * Resolves when the transaction is complete. `ask` makes its first requests, and returns what reads
   * their results; `within` wraps what happens later.
   * @template T
   * @param {(transaction: IDBTransaction, within: (act: () => void) => () => void) => () => T} ask
   * @returns {Promise<T>}
   */
  #transact(ask) {
    return new Promise((resolve, reject) => {
      const transaction = this.#connection.transaction(STORES, 'readonly')
      const answer = ask(transaction, (act) => () => {
        try {
          act()
        } catch (error) {
          reject(error)
          transaction.abort()
        }
      })
      transaction.oncomplete = () => resolve(answer())
      transaction.onabort = () => reject(transaction.error ?? new DOMException('the transaction was aborted', 'AbortError'))
    })
  }
}
