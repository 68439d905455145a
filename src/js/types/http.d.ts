import { NameEdit, Storage, StorageFile } from './index.js'

/**
 * A read-only database on a web server or in an object store: a plain LevelDB directory, of which
 * only the needed blocks are fetched. It works in Node and in pages.
 *
 * Opening takes a few requests (`CURRENT`, the manifest, the logs). Each table then takes two
 * requests once (its last 64 KiB, and a check of the manifest), and each block one. The database
 * caches blocks ({@link OpenOptions.cacheSize}). Writes, `destroy` and `repair` fail with
 * `LEVEL_NOT_SUPPORTED`, and so does opening without `readOnly`.
 *
 * Two versions of a file are never mixed. Each response must have the strong `ETag` of the first
 * (or, without one, the same `Last-Modified` and weak `ETag`) and the same length. Otherwise the
 * read, and every later one until the database is reopened, fails with `LEVEL_SOURCE_CHANGED`
 * ({@link SourceChangedError}). Publish a new version of a database at a new address, so that open
 * readers can continue.
 *
 * The server must support range requests (status 206), must not compress the files, and must expose
 * `Content-Range` and `ETag` to pages of other origins:
 *
 * ```text
 * Access-Control-Allow-Origin: https://your.page
 * Access-Control-Expose-Headers: Content-Range, ETag
 * ```
 *
 * Errors are `LEVEL_IO_ERROR` (not found, not allowed, no connection, timeout),
 * `LEVEL_NOT_SUPPORTED` (a server that ignores ranges or compresses), `LEVEL_SOURCE_CHANGED`, and
 * `LEVEL_CORRUPTION` for damaged bytes.
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
   * @param url Address of the directory, `http:` or `https:`; in a page it may be relative. Its
   * query (such as the signature of an object store) is sent with each file's address.
   * @throws {@link InvalidArgumentError} if the address or an option is invalid, {@link
   * OutOfRangeError} if a number is too small or too large.
   */
  constructor (url: string | URL, options?: HttpStorageOptions | undefined)

  /** Address of the directory, with a slash before its query. */
  get url (): string

  readonly durability: 'durable'
  readonly appendsAreExact: true
  /**
   * Used by the option `worker` of a database; undefined if `fetch`, `headers` or `onWarning` is a
   * function, which cannot be cloned.
   */
  readonly inWorker: { module: string, export: string, args: unknown[] } | undefined
  open (name: string, access: 'read' | 'append', sizeHint?: number): Promise<StorageFile>
  /** Fails with `LEVEL_NOT_SUPPORTED`: a web server cannot list files. */
  list (): never
  /** Fails with `LEVEL_NOT_SUPPORTED`; opening read-only takes no lock. */
  lock (create: boolean): never
  unlock (): void
  create (name: string, kind: string, sizeHint: number): never
  editNames (edits: NameEdit[]): never
  removePlace (): never
}

/** The arguments of `new Headers()`: an object, pairs, or other `Headers`. */
export type HttpHeaders = ConstructorParameters<typeof Headers>[0]

/** Options of {@link HttpStorage}. */
export interface HttpStorageOptions {
  /**
   * The function that sends requests: replace it to use a proxy, to sign or to count requests.
   *
   * @defaultValue the global `fetch`
   */
  fetch?: ((url: string, init: NonNullable<Parameters<typeof globalThis.fetch>[1]>) => Promise<Response>) | undefined

  /**
   * Headers of each request, such as `Authorization`, or a function that returns them (or a
   * promise) for each request, for tokens that expire. In a page, a request with headers to another
   * origin needs a preflight.
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
   * How redirects are handled: `'follow'`, `'same-origin'` (a response from another origin is an
   * error) or `'error'`.
   *
   * @defaultValue `'same-origin'`; with {@link headers} `'error'`, since they are meant for one
   * server
   */
  redirect?: 'same-origin' | 'follow' | 'error' | undefined

  /**
   * How the browser's cache is used, as for `fetch`. Any other value may mix versions if a server's
   * caching headers are wrong; choose `'default'` for files that never change at their address.
   *
   * @defaultValue `'no-store'`
   */
  cache?: 'default' | 'no-store' | 'reload' | 'no-cache' | 'force-cache' | undefined

  /**
   * Timeout of one attempt in milliseconds, up to the last byte, 1 to 3,600,000.
   *
   * @defaultValue `30_000`
   */
  timeout?: number | undefined

  /**
   * Number of retries after a temporary failure, 0 to 100: no connection, a response that is
   * truncated or too slow, status 408, 425, 429 and 5xx.
   *
   * @defaultValue `3`
   */
  retries?: number | undefined

  /**
   * Delay before the first retry in milliseconds. It doubles for each further retry up to 10
   * seconds, minus a random part; `Retry-After` is respected up to 30 seconds.
   *
   * @defaultValue `200`
   */
  retryDelay?: number | undefined

  /**
   * Number of concurrent requests, 1 to 1000; others are queued.
   *
   * @defaultValue `16`
   */
  concurrency?: number | undefined

  /**
   * Largest file in bytes that is fetched whole if the server ignores ranges (status 200), 0 to 2
   * GiB. Larger files can then only be read from their beginning. Raise it, and {@link cacheSize}
   * with it, for small databases on simple servers.
   *
   * @defaultValue `64 * 1024`
   */
  wholeFileSizeMax?: number | undefined

  /**
   * Bytes cached of data fetched along with other data: the ends of tables, and whole files. 0
   * turns the cache off.
   *
   * @defaultValue `1024 * 1024`
   */
  cacheSize?: number | undefined

  /**
   * Whether status 403 means that a file does not exist. Object stores reply so if listing is not
   * allowed (S3 without `s3:ListBucket`); on other servers it may hide a log that must not be
   * skipped. If false, 403 is an error.
   *
   * @defaultValue `false`
   */
  forbiddenIsMissing?: boolean | undefined

  /**
   * Called once if the server sends no strong `ETag`: changes are then detected only by
   * `Last-Modified`, with a resolution of seconds, or by lengths and block checksums.
   *
   * @defaultValue a process warning in Node, `console.warn` in a page
   */
  onWarning?: ((message: string) => void) | undefined
}
