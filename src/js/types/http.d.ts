import { NameEdit, Storage, StorageFile } from './index.js'

/**
 * A database on a web server or in an object store, read-only: a plain LevelDB directory, of which only the blocks that are
 * needed are fetched. Works in Node and in pages.
 *
 * Opening takes a few requests (`CURRENT`, the manifest, the logs); each table then takes two once (its end of 64 KiB, and a
 * look at the manifest), and each block one. Blocks are kept by the database ({@link OpenOptions.cacheSize}). Nothing is ever
 * written; writes, `destroy` and `repair` fail with `LEVEL_NOT_SUPPORTED`, and so does opening without `readOnly`.
 *
 * Two versions of a file are never mixed. Each answer must have the strong `ETag` of the first (or, without one, the same
 * `Last-Modified` and weak `ETag`) and the same length; else the read fails with `LEVEL_SOURCE_CHANGED`
 * ({@link SourceChangedError}), and so does every later one until the database is closed and opened again. Publish a new
 * version of a database at a new address and let old readers finish: replaced under the same address, they can only fail.
 *
 * The server must answer ranges (status 206), must not compress the files, and must show pages of other origins
 * `Content-Range` and `ETag`:
 *
 * ```text
 * Access-Control-Allow-Origin: https://your.page
 * Access-Control-Expose-Headers: Content-Range, ETag
 * ```
 *
 * What goes wrong is `LEVEL_IO_ERROR` (not there, not allowed, no connection, no answer in time), `LEVEL_NOT_SUPPORTED` (a
 * server without ranges, or one that compresses) or `LEVEL_SOURCE_CHANGED`; damaged bytes are `LEVEL_CORRUPTION`.
 *
 * One storage object serves one database at a time.
 *
 * @example
 * ```js
 * import { Varve } from 'varve'
 * import { HttpStorage } from 'varve/http'
 *
 * const storage = new HttpStorage('https://example.org/cities/')
 * const db = new Varve(null, { storage, readOnly: true })
 * console.log(await db.get('FR/Lyon'))
 * ```
 */
export class HttpStorage implements Storage {
  /**
   * @param url Address of the directory, `http:` or `https:`; in a page it may be relative. A query (the signature of an object
   * store, say) is sent with each file's address.
   * @throws {@link InvalidArgumentError} for an address or an option that cannot be, {@link OutOfRangeError} for a number.
   */
  constructor (url: string | URL, options?: HttpStorageOptions | undefined)

  /** Address of the directory, ending with a slash before its query. */
  get url (): string

  readonly durability: 'durable'
  readonly appendsAreExact: true
  /** For the option `worker` of a database; none where `fetch`, `headers` or `onWarning` is a function, which cannot go there. */
  readonly inWorker: { module: string, export: string, args: unknown[] } | undefined
  open (name: string, access: 'read' | 'append', sizeHint?: number): Promise<StorageFile>
  /** Fails with `LEVEL_NOT_SUPPORTED`: a web server cannot tell its files. */
  list (): never
  /** Fails with `LEVEL_NOT_SUPPORTED`; a read-only opening takes no lock. */
  lock (create: boolean): never
  unlock (): void
  create (name: string, kind: string, sizeHint: number): never
  editNames (edits: NameEdit[]): never
  removePlace (): never
}

/** What `Headers` can be made of: an object, pairs, other `Headers`. */
export type HttpHeaders = ConstructorParameters<typeof Headers>[0]

/** Options of {@link HttpStorage}. */
export interface HttpStorageOptions {
  /**
   * What requests are made with: to go through a proxy, to sign them, to count them.
   *
   * @defaultValue the global `fetch`
   */
  fetch?: ((url: string, init: NonNullable<Parameters<typeof globalThis.fetch>[1]>) => Promise<Response>) | undefined

  /**
   * Headers of each request, `Authorization` say, or a function that answers them (or a promise of them) for each request:
   * tokens expire. A page's request with headers of its own is preceded by a preflight where it goes to another origin.
   *
   * @defaultValue none
   */
  headers?: HttpHeaders | (() => HttpHeaders | Promise<HttpHeaders>) | undefined

  /**
   * Whether a page's cookies are sent, as for `fetch`.
   *
   * @defaultValue `'omit'`
   */
  credentials?: 'omit' | 'same-origin' | 'include' | undefined

  /**
   * What is done when the server sends elsewhere: `'follow'`, `'same-origin'` (an answer of another origin is refused) or
   * `'error'`.
   *
   * @defaultValue `'same-origin'`; with {@link headers} `'error'`, since they are meant for one server
   */
  redirect?: 'same-origin' | 'follow' | 'error' | undefined

  /**
   * How a browser's own cache is used, as for `fetch`. Anything but the default may mix versions where a server's caching
   * headers are wrong; choose `'default'` for files that never change under their address.
   *
   * @defaultValue `'no-store'`
   */
  cache?: 'default' | 'no-store' | 'reload' | 'no-cache' | 'force-cache' | undefined

  /**
   * Milliseconds that one attempt may take, to the last byte, 1 to 3,600,000.
   *
   * @defaultValue `30_000`
   */
  timeout?: number | undefined

  /**
   * How often a request is made again that failed in a way that may pass, 0 to 100: no connection, an answer that was cut or
   * too slow, status 408, 425, 429 and 5xx.
   *
   * @defaultValue `3`
   */
  retries?: number | undefined

  /**
   * Milliseconds before the first repetition, twice as long before each further one up to 10 seconds, less some chance;
   * `Retry-After` is heeded up to 30 seconds.
   *
   * @defaultValue `200`
   */
  retryDelay?: number | undefined

  /**
   * Requests at once, 1 to 1000; others wait.
   *
   * @defaultValue `16`
   */
  concurrency?: number | undefined

  /**
   * Bytes up to which a file is fetched whole where the server ignores ranges (status 200), 0 to 2 GiB. Larger files can be
   * read there only from their beginning. Raise it, and {@link cacheSize} with it, for small databases on simple servers.
   *
   * @defaultValue `64 * 1024`
   */
  wholeFileSizeMax?: number | undefined

  /**
   * Bytes kept of what was fetched with something else: ends of tables, files that are fetched whole. 0 keeps nothing.
   *
   * @defaultValue `1024 * 1024`
   */
  cacheSize?: number | undefined

  /**
   * Whether status 403 means that a file is not there. Object stores answer so to who may not list the files (S3 without
   * `s3:ListBucket`); elsewhere it may be a log that must not be left out. Without it, 403 is an error.
   *
   * @defaultValue `false`
   */
  forbiddenIsMissing?: boolean | undefined

  /**
   * Called once when the server shows no strong `ETag`: changes are then noticed by `Last-Modified`, which has seconds, or
   * only by lengths and the checksums of blocks.
   *
   * @defaultValue a process warning in Node, `console.warn` in a page
   */
  onWarning?: ((message: string) => void) | undefined
}
