// Streams a database out of the engine as a zip, and a zip into a storage.
import { InvalidArgumentError, OutOfRangeError, VarveError, fromEngine } from '../errors.js'
import { pause } from '../engine/event-loop.js'

/** Bytes returned by one call of the engine. */
const PIECE_BYTES = 64 << 10
/** Bytes passed to one call of the engine; inflated, they may be a thousand times as many. */
const FEED_BYTES = 64 << 10

const GIB = 2 ** 30

/**
 * A running export: a stream whose source is a resource of the database, so that closing the
 * database ends it.
 */
export class Export {
  #db
  #turns
  #engine
  /**
   * @type {import('../engine/engine.js').Id | Promise<number> | undefined} undefined after the end
   */
  #id
  /** @type {ReadableStreamDefaultController<Uint8Array> | undefined} */
  #controller

  /**
   * Takes a snapshot of the database; files are read only as the stream is read.
   * @param {import('./varve.js').Varve} db
   * @param {import('../engine/engine.js').Engine} engine
   * @param {import('../engine/scheduler.js').Turns} turns
   */
  constructor(db, engine, turns) {
    this.#id = engine.exportStart()
    // The stream's reader gets the error; before there is one, it must not be an unhandled
    // rejection.
    if (this.#id instanceof Promise) this.#id.catch(() => {})
    this.#db = db
    this.#engine = engine
    this.#turns = turns
    db.attachResource(/** @type {any} any: abstract-level types attach and detach too narrowly */ (this))
  }

  /** High water mark of the ReadableStream: it buffers one chunk. */
  source() {
    return {
      /** @param {ReadableStreamDefaultController<Uint8Array>} controller */
      start: (controller) => { this.#controller = controller },
      /** @param {ReadableStreamDefaultController<Uint8Array>} controller */
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#end()
    }
  }

  /** @param {ReadableStreamDefaultController<Uint8Array>} controller */
  async #pull(controller) {
    try {
      for (let piece; (piece = await this.#next()) !== undefined;) {
        if (this.#id === undefined) return
        if (piece.length === 0) continue
        controller.enqueue(new Uint8Array(piece.buffer, piece.byteOffset, piece.length))
        return
      }
      if (this.#id === undefined) return
      await this.#end()
      controller.close()
    } catch (error) {
      await this.#end()
      throw fromEngine(error)
    }
  }

  async #next() {
    const id = await this.#id
    if (id === undefined) return undefined
    const piece = await this.#engine.exportNext(id, PIECE_BYTES)
    await this.#turns.due()
    return piece
  }

  /** Releases the files that the export kept. */
  async #end() {
    const id = this.#id
    this.#id = undefined
    if (id === undefined) return
    this.#db.detachResource(/** @type {any} any: abstract-level types attach and detach too narrowly */ (this))
    try {
      this.#engine.exportEnd(await id)
    } catch {
      // It was not started, or has ended with the engine.
    }
  }

  /** Called when the database closes. */
  async close() {
    if (this.#id === undefined) return
    await this.#end()
    this.#controller?.error(new VarveError('The database was closed before the export ended', { code: 'LEVEL_DATABASE_NOT_OPEN' }))
  }
}

/**
 * A source that reads from the export that `begin` resolves to.
 * @param {Promise<Export>} begun
 */
export function sourceOf(begun) {
  /** @type {ReturnType<Export["source"]> | undefined} */
  let source
  return {
    /** @param {ReadableStreamDefaultController<Uint8Array>} controller */
    async start(controller) {
      source = (await begun).source()
      source.start(controller)
    },
    /** @param {ReadableStreamDefaultController<Uint8Array>} controller */
    pull: (controller) => source?.pull(controller),
    cancel: () => source?.cancel()
  }
}

// ---- Import ----

/** @param {Record<string, unknown>} options @param {string} name @param {number} otherwise */
const bound = (options, name, otherwise) => {
  const value = Object.hasOwn(options, name) ? options[name] : undefined
  if (value === undefined || value === null) return otherwise
  if (typeof value === 'number' && value >= 1) return value
  const Class = typeof value === 'number' ? OutOfRangeError : InvalidArgumentError
  throw new Class(`The option '${name}' must be a number of at least 1`)
}

/**
 * Returns the limits of an import. The defaults protect the disk and are never reached by a real
 * database.
 * @param {Record<string, unknown>} options
 */
export function limitsOf(options) {
  return { maxBytes: bound(options, 'maxBytes', 16 * GIB), maxRatio: bound(options, 'maxRatio', 200) }
}

/**
 * Returns the chunks of any kind of source.
 * @param {any} source any: user input, checked here
 * @returns {AsyncIterable<unknown> | Iterable<unknown>}
 */
export function piecesOf(source) {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return [source]
  if (typeof Response !== 'undefined' && source instanceof Response) return bodyOf(source)
  if (typeof Blob !== 'undefined' && source instanceof Blob) return readAll(source.stream())
  if (typeof source?.getReader === 'function') return readAll(source)
  if (typeof source?.[Symbol.asyncIterator] === 'function') return source
  if (typeof source !== 'string' && typeof source?.[Symbol.iterator] === 'function') return source
  throw new InvalidArgumentError("The argument 'source' must be a stream, an iterable of bytes, a Blob, a Response, or bytes")
}

/** @param {Response} response */
function bodyOf(response) {
  if (!response.ok) throw new InvalidArgumentError(`The argument 'source' is a response with status ${response.status}`)
  if (response.body === null) throw new InvalidArgumentError("The argument 'source' is a response without a body")
  return readAll(response.body)
}

/** Iterates a stream; not every browser can. @param {ReadableStream<unknown>} stream */
async function * readAll(stream) {
  const reader = stream.getReader()
  let ended = false
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) {
        ended = true
        return
      }
      yield value
    }
  } finally {
    if (!ended) await reader.cancel().catch(() => {})
    reader.releaseLock()
  }
}

/** @param {unknown} piece @returns {Uint8Array} */
function bytesOf(piece) {
  try {
    if (ArrayBuffer.isView(piece)) return new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength)
    if (piece instanceof ArrayBuffer) return new Uint8Array(piece)
  } catch (cause) {
    throw new InvalidArgumentError("The argument 'source' produced a view of a detached buffer", { cause })
  }
  throw new InvalidArgumentError("The argument 'source' produced a chunk that is not bytes")
}

/**
 * Feeds all of `pieces` to an import and opens the database; after a failure it removes the partial
 * database.
 * @param {Pick<import('../engine/zip-import.js').ZipImport, 'feed' | 'open' | 'abort'>} zip
 * @param {AsyncIterable<unknown> | Iterable<unknown>} pieces
 * @param {object} options the engine's
 */
export async function importAll(zip, pieces, options) {
  /** @param {Uint8Array} bytes @param {boolean} last */
  const feed = async (bytes, last) => {
    for (let taken = await zip.feed(bytes, last); !taken; taken = await zip.feed(new Uint8Array(0), last)) await pause()
    await pause()
  }
  try {
    for await (const piece of pieces) {
      const bytes = bytesOf(piece)
      for (let at = 0; at < bytes.length; at += FEED_BYTES) await feed(bytes.subarray(at, at + FEED_BYTES), false)
    }
    await feed(new Uint8Array(0), true)
  } catch (error) {
    await zip.abort()
    throw error
  }
  return zip.open(options)
}
