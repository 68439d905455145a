/**
 * Varve is one class in Node, Deno, Bun, pages and workers. Vite, webpack 5 and pages without a
 * bundler find the engine (`engine.wasm`) automatically. If a bundler leaves `new
 * URL('./engine.wasm', import.meta.url)` unchanged (esbuild, Rollup), do one of these:
 *
 * ```js
 * import { Varve } from 'varve/inline'                // the same class, with the engine in the script
 * ```
 * ```sh
 * cp node_modules/varve/pkg/engine.wasm dist/         # or copy the engine next to the script (for Node: full.wasm)
 * ```
 *
 * `varve/full` has the same exports. In a page it loads `full.wasm`, which also reads zlib and zstd
 * blocks, and repairs, imports and verifies closed databases without a worker of its own. Node always
 * has the full module.
 *
 * A page without a bundler imports `node_modules/varve/pkg/browser.js`, by that name or through an
 * import map. In a page, esbuild and Rollup also need a copy of `entry-web.js` from `pkg/`,
 * and for `Varve.repair`, `import` and `verify` copies of `entry-full.js` and `full.wasm`;
 * `varve/inline` contains no worker. A bundle for Node has no worker either: mark the package as
 * external to use one.
 *
 * A content security policy needs `'wasm-unsafe-eval'` in `script-src`, and `'self'` in
 * `worker-src` for a worker and in `connect-src` for the engine. In a page without `globalThis.Buffer`, the encoding `buffer`
 * returns `Uint8Array`s. Deno needs `--allow-read --allow-write --allow-sys=uid,hostname` for a
 * directory.
 *
 * @packageDocumentation
 */
import {
  AbstractBatchOperation,
  AbstractBatchOptions,
  AbstractChainedBatch,
  AbstractChainedBatchWriteOptions,
  AbstractClearOptions,
  AbstractDatabaseOptions,
  AbstractDelOptions,
  AbstractGetManyOptions,
  AbstractGetOptions,
  AbstractHasManyOptions,
  AbstractHasOptions,
  AbstractIterator,
  AbstractIteratorOptions,
  AbstractKeyIterator,
  AbstractKeyIteratorOptions,
  AbstractLevel,
  AbstractOpenOptions,
  AbstractPutOptions,
  AbstractSnapshot,
  AbstractSublevel,
  AbstractSublevelOptions,
  AbstractValueIterator,
  AbstractValueIteratorOptions,
  Transcoder
} from 'abstract-level'

/**
 * An {@link AbstractLevel} database in LevelDB's format, without native code.
 *
 * It supports all of abstract-level: encodings, batches, iterators with seek, ranges and limits,
 * snapshots, sublevels, hooks and events. Only additions and narrower types are declared below.
 *
 * Over a directory or memory, also with `worker: true`, reads are monotonic: once a call has
 * returned a newer state, no call made later returns an older one. Long calls (`compactRange()`,
 * `clear()`, `verify()`, later pages of an iterator) and the synchronous calls are exempt.
 *
 * @template KDefault The default type of keys if not overridden on operations.
 * @template VDefault The default type of values if not overridden on operations.
 *
 * @example
 * ```js
 * import { Varve } from 'varve'
 *
 * const db = new Varve('./cities', { valueEncoding: 'json' })
 * await db.put('FR/Lyon', { inhabitants: 522_000 })
 *
 * for await (const [key, value] of db.iterator({ gte: 'FR/', lt: 'FR0' })) {
 *   console.log(key, value.inhabitants)
 * }
 * await db.close()
 * ```
 */
export class Varve<KDefault = string, VDefault = string>
  extends AbstractLevel<string | Buffer | Uint8Array, KDefault, VDefault> {
  /**
   * Creates the database object. The database opens automatically; calls made before it is open are
   * queued.
   *
   * @param location Directory of the database, as a path or a `file:` URL; `null` with the option
   * `storage`. A relative path is resolved against the working directory at the time of this call.
   * @param options Options; most are forwarded to {@link open}.
   * @throws {@link InvalidArgumentError}, a TypeError, if the location or an option is invalid;
   * {@link OutOfRangeError}, a RangeError, if a number is too small or too large.
   *
   * @example
   * ```js
   * const onDisk = new Varve('./db')
   * const inMemory = new Varve(null, { storage: 'memory' })
   * ```
   */
  constructor (location: string | URL, options?: DatabaseOptions<KDefault, VDefault> | undefined)
  constructor (location: null | undefined, options: DatabaseOptions<KDefault, VDefault> & { storage: 'memory' | Storage })

  /**
   * The directory as it was passed to the constructor (the path of a URL), or `null` if there is
   * none.
   */
  get location (): string | null

  open (): Promise<void>
  open (options: OpenOptions): Promise<void>

  /**
   * Emitted after the engine failed (out of memory, or a bug) and the database was reopened in a
   * new engine, with all acknowledged writes. Operations in progress were rejected with
   * `LEVEL_POISONED`; older iterators and snapshots fail with the same code. A database in memory
   * cannot recover.
   *
   * @example
   * ```js
   * db.on('recovered', ({ cause, duration }) => console.warn(`recovered in ${duration} ms`, cause))
   * ```
   */
  on (event: 'recovered', listener: (info: RecoveredInfo) => void): this
  /**
   * Emitted when the database has opened although a log or the manifest is damaged, and some data
   * was not read. {@link info} returns the same report later. Add the listener in the same turn as
   * the constructor, before the database opens.
   *
   * @example
   * ```js
   * const db = new Varve('./db')
   * db.on('damage', ({ findings, left }) => console.warn(findings[0].message, left))
   * ```
   */
  on (event: 'damage', listener: (recovery: Recovery) => void): this
  on (event: string | symbol, listener: (...args: any[]) => void): this

  get (key: KDefault): Promise<VDefault | undefined>
  get<K = KDefault, V = VDefault> (key: K, options: GetOptions<K, V>): Promise<V | undefined>

  /**
   * Returns the value of `key` synchronously.
   *
   * @throws `LEVEL_NOT_SUPPORTED` if the {@link Storage} must wait to read the value, or with
   * {@link DatabaseOptions.worker}.
   */
  getSync (key: KDefault): VDefault | undefined
  getSync<K = KDefault, V = VDefault> (key: K, options: GetOptions<K, V>): V | undefined

  /**
   * Returns the values of `keys` synchronously.
   *
   * @throws as {@link getSync}
   */
  getManySync (keys: KDefault[]): (VDefault | undefined)[]
  getManySync<K = KDefault, V = VDefault> (keys: K[], options: GetManyOptions<K, V>): (V | undefined)[]

  /**
   * Returns whether `key` has a value, synchronously.
   *
   * @throws as {@link getSync}
   */
  hasSync (key: KDefault): boolean
  hasSync<K = KDefault> (key: K, options: HasOptions<K>): boolean

  /**
   * Returns the entries of a range in key order, as a synchronous lazy iterable that reads pages as
   * needed. It sees the database as of this call, or the option `snapshot`. Iterator helpers work
   * where the runtime has them. Leaving a loop early, or `return()`, closes it.
   *
   * @throws as {@link getSync}; `LEVEL_DATABASE_NOT_OPEN` after {@link close}
   *
   * @example
   * ```js
   * for (const [key, value] of db.rangeSync({ gte: 'a', lt: 'b' })) {
   *   if (value === 'wanted') break
   * }
   * ```
   */
  rangeSync (): IterableIterator<[KDefault, VDefault]>
  rangeSync<K = KDefault, V = VDefault> (options: IteratorOptions<K, V>): IterableIterator<[K, V]>

  /**
   * Sets `key` to `value` before it returns. With `sync: true` it also flushes the disk, which
   * blocks the event loop.
   *
   * Hooks run as in {@link put}; the event `write` is emitted in a microtask.
   *
   * In each case below, nothing has been written.
   *
   * @throws `LEVEL_NOT_SUPPORTED` with {@link DatabaseOptions.worker}, over a {@link Storage} that
   * returns promises, and with `sync` if the storage cannot flush synchronously. `LEVEL_BUSY` while
   * an earlier write is unfinished, while a failed engine is being replaced, or while 16 write
   * buffers wait for a flush: await something, then retry.
   */
  putSync (key: KDefault, value: VDefault): void
  putSync<K = KDefault, V = VDefault> (key: K, value: V, options: PutOptions<K, V>): void

  /**
   * Deletes `key` before it returns.
   *
   * @throws as {@link putSync}
   */
  delSync (key: KDefault): void
  delSync<K = KDefault> (key: K, options: DelOptions<K>): void

  /**
   * Writes all operations or none before it returns. Operations may have the option `sublevel`.
   *
   * @throws as {@link putSync}
   */
  batchSync (operations: Array<BatchOperation<typeof this, KDefault, VDefault>>): void
  batchSync<K = KDefault, V = VDefault> (operations: Array<BatchOperation<typeof this, K, V>>, options: BatchOptions<K, V>): void

  getMany (keys: KDefault[]): Promise<(VDefault | undefined)[]>
  getMany<K = KDefault, V = VDefault> (keys: K[], options: GetManyOptions<K, V>): Promise<(V | undefined)[]>

  has (key: KDefault): Promise<boolean>
  has<K = KDefault> (key: K, options: HasOptions<K>): Promise<boolean>

  hasMany (keys: KDefault[]): Promise<boolean[]>
  hasMany<K = KDefault> (keys: K[], options: HasManyOptions<K>): Promise<boolean[]>

  put (key: KDefault, value: VDefault): Promise<void>
  put<K = KDefault, V = VDefault> (key: K, value: V, options: PutOptions<K, V>): Promise<void>

  del (key: KDefault): Promise<void>
  del<K = KDefault> (key: K, options: DelOptions<K>): Promise<void>

  /**
   * Writes all operations or none. A batch is passed to the engine in one call: many entries in one
   * batch are several times faster than as many calls of {@link put}.
   */
  batch (operations: Array<BatchOperation<typeof this, KDefault, VDefault>>): Promise<void>
  batch<K = KDefault, V = VDefault> (operations: Array<BatchOperation<typeof this, K, V>>, options: BatchOptions<K, V>): Promise<void>
  batch (): ChainedBatch<typeof this, KDefault, VDefault>

  iterator (): Iterator<typeof this, KDefault, VDefault>
  iterator<K = KDefault, V = VDefault> (options: IteratorOptions<K, V>): Iterator<typeof this, K, V>

  keys (): KeyIterator<typeof this, KDefault>
  keys<K = KDefault> (options: KeyIteratorOptions<K>): KeyIterator<typeof this, K>

  values (): ValueIterator<typeof this, KDefault, VDefault>
  values<K = KDefault, V = VDefault> (options: ValueIteratorOptions<K, V>): ValueIterator<typeof this, K, V>

  /**
   * Deletes all entries, or those of a range. Without `limit` and `snapshot` the engine deletes the
   * range at once and drops whole table files where it can. Otherwise entries are deleted in
   * batches; batches written before a failure stay deleted.
   */
  clear (): Promise<void>
  clear<K = KDefault> (options: AbstractClearOptions<K>): Promise<void>

  /**
   * Returns a snapshot of the current state, valid until it is closed. It costs almost nothing, but
   * entries overwritten or deleted later are kept on disk while it is open.
   */
  snapshot (options?: any | undefined): Snapshot

  /** Returns a section of the database, with its own key prefix, encodings, hooks and events. */
  sublevel (name: string | string[]): Sublevel<typeof this, string, string>
  sublevel<K = string, V = string> (name: string | string[], options: AbstractSublevelOptions<K, V>): Sublevel<typeof this, K, V>

  /**
   * Tells the changes of a range as they are committed, by this object or another one that shares
   * its engine. It begins with the first commit after this call, or after {@link
   * WatchOptions.since}. Each item is what was committed together, in commit order: a batch is
   * never split, and single writes that are made at the same time may share an item. Only writes
   * that succeeded are told. Nothing is told of a database that is open with `readOnly`, after what
   * `since` asks for.
   *
   * A reader that falls behind costs no memory: the engine keeps the newest changes, up to 1 MiB
   * for all watches together (a larger batch is kept until the next one), and then reads the log
   * files. If these do not reach back either, the item is a {@link WatchGap}: read the range
   * again, and apply the items after it. The same happens after a failure of the engine, see the
   * event `recovered`.
   *
   * The iterable ends, as done, when the database (or the sublevel) is closed, and fails with {@link
   * AbortError} when `signal` is aborted. Leaving the loop ends the watch. Waiting for a change
   * does not keep a process alive. While nobody watches, writes cost nothing more.
   *
   * @throws `LEVEL_DATABASE_NOT_OPEN` if the database is closed; {@link InvalidArgumentError}.
   * While it is opening, the watch begins before any write that is made after this call.
   *
   * @example
   * ```js
   * const watch = db.watch({ gte: 'FR/', lt: 'FR0' })
   * for await (const item of watch) {
   *   if (item.type === 'gap') await readAgain()
   *   else for (const change of item.changes) console.log(change.type, change.key)
   * }
   * ```
   */
  watch (): Watch<KDefault, VDefault>
  watch<K = KDefault, V = VDefault> (options: WatchOptions<K, V>): Watch<K, V>

  /**
   * Makes all acknowledged writes durable with one flush of the log. This is cheaper than {@link
   * PutOptions.sync | sync} on each of many writes.
   */
  sync (): Promise<void>

  /**
   * Writes the entries held in memory to a table file, durably. The engine does so automatically;
   * call it before copying the directory or measuring.
   */
  flush (): Promise<void>

  /**
   * Merges the tables of the range `[start..end)` to free the space of deleted and overwritten
   * entries. The engine compacts automatically; call this after a large {@link clear} or load. An
   * omitted bound is open.
   *
   * @example
   * ```js
   * await db.compactRange()            // everything
   * await db.compactRange('a', 'b')
   * ```
   */
  compactRange (start?: KDefault | null | undefined, end?: KDefault | null | undefined): Promise<void>
  compactRange<K = KDefault> (start: K | null | undefined, end: K | null | undefined, options: StartEndOptions<K>): Promise<void>

  /**
   * Returns roughly how many bytes the range `[start..end)` uses: its share of the table files,
   * plus its entries that are only in the log (uncompressed, including overwritten and deleted
   * ones).
   */
  approximateSize (start: KDefault, end: KDefault): Promise<number>
  approximateSize<K = KDefault> (start: K, end: K, options: StartEndOptions<K>): Promise<number>

  /**
   * Returns one of LevelDB's properties, or `''` if it is unknown: `leveldb.stats`,
   * `leveldb.sstables`, `leveldb.approximate-memory-usage`, `leveldb.num-files-at-level<N>`.
   *
   * With {@link DatabaseOptions.worker} it blocks the calling thread until the worker replies: 0.1
   * ms if the worker is idle. After ten seconds it throws `LEVEL_BUSY`; in a page it throws
   * `LEVEL_NOT_SUPPORTED` at once. {@link info} returns the same without blocking.
   *
   * @throws `LEVEL_DATABASE_NOT_OPEN` if the database is not open: a synchronous call cannot wait.
   */
  getProperty (property: string): string

  /** Returns the state of the database: files, caches, counters, and damage found on opening. */
  info (): Promise<Info>

  /**
   * Reads and checks everything: checksums, the order of keys, required files, the logs. Damage is
   * returned in the report, not thrown. Writes nothing. Damage that was skipped on opening is in
   * {@link Info.recovery}.
   */
  verify (): Promise<VerifyReport>

  /**
   * Allows writes again after a failure whose cause is gone, without reopening. After `LEVEL_FULL` that
   * is tried when the database is idle, at growing intervals up to 30 s; this call does it at once. A flush or compaction that runs is finished first.
   */
  resume (): Promise<void>

  /**
   * Copies the database to another directory, as a database that LevelDB opens. The copy is a
   * consistent state between the call and its completion; writes continue meanwhile. On the same
   * disk, table files are hard-linked instead of copied, which is fast and needs little space.
   *
   * @param location A directory that does not exist or is empty, or a {@link Storage} without
   * files.
   * @throws `LEVEL_INVALID_ARGUMENT` if the target has files. After any failure the partial copy is
   * removed.
   */
  checkpoint (location: string | URL | Storage): Promise<void>

  /**
   * Returns the database, as of this call, as a zip of LevelDB's files in one folder level, stored
   * without compression: tables are compressed already. Any unzip tool turns it into a directory
   * that LevelDB opens. Writes continue; the files are kept until the stream ends or is cancelled,
   * and at most about 4 MiB are read ahead. Closing the database ends the stream with
   * `LEVEL_DATABASE_NOT_OPEN`.
   *
   * The same state gives the same bytes. `CompressionStream('gzip')` makes it about a quarter
   * smaller.
   *
   * @example
   * ```js
   * import { createWriteStream } from 'node:fs'
   * import { pipeline } from 'node:stream/promises'
   *
   * await pipeline(db.export(), createWriteStream('./backup.zip'))
   * const answer = new Response(db.export(), { headers: { 'content-type': 'application/zip' } })
   * ```
   */
  export (): ReadableStream<Uint8Array>

  /**
   * Creates a database from a zip of LevelDB's files and returns it, open. The zip may come from
   * {@link export} or any other tool: stored or deflated, with zip64, its files at the top or
   * together in one folder. It is read once, front to back, and written file by file, CURRENT last.
   * The database is durable when the promise resolves.
   *
   * Files the database does not need are skipped: `LOCK`, `LOG`, temporary files, a folder `lost`,
   * and system files (`__MACOSX`, `.DS_Store`, `Thumbs.db`, `desktop.ini`). Any other name that is
   * not one of LevelDB's, and any path outside the folder, makes the import fail.
   *
   * @param location A directory without a database.
   * @param source The zip. A stream that is not read to its end is cancelled.
   * @param options Those of the constructor, and limits for untrusted zips.
   * @throws `LEVEL_CORRUPTION`, with `file` (the entry, or `archive`) and `offset` (in the zip), if
   * the zip is damaged, truncated, inconsistent or contains other files; `LEVEL_NOT_SUPPORTED` if
   * it is encrypted or uses another compression; `LEVEL_LIMIT_EXCEEDED`; `LEVEL_INVALID_ARGUMENT`
   * if the target has a database, or the zip's database has another comparator than
   * `options.comparator`: the message names it. With `comparator: 'as-stored'` a database of any comparator
   * is imported, and opened with `readOnly`. After any failure the partial database is removed.
   *
   * @example
   * ```js
   * const db = await Varve.import('./cities', await fetch('https://example.com/cities.zip'))
   * const copy = await Varve.import(null, db.export(), { storage: 'memory' })
   * ```
   */
  static import<K = string, V = string> (
    location: string | URL, source: ImportSource, options?: (ImportOptions<K, V> & { storage?: 'auto' | 'opfs' | 'indexeddb' | undefined }) | undefined
  ): Promise<Varve<K, V>>
  static import<K = string, V = string> (
    location: null | undefined, source: ImportSource, options: ImportOptions<K, V> & { storage: 'memory' | Storage }
  ): Promise<Varve<K, V>>

  /**
   * Emitted when a tab with another version of Varve waits for this database ({@link
   * DatabaseOptions.multiTab}): tabs whose versions have different protocols cannot work together.
   * Close the database, or load the page again.
   *
   * @example
   * ```js
   * db.on('versionchange', () => db.close().then(() => location.reload()))
   * ```
   */
  on (event: 'versionchange', listener: (info: { protocol: number }) => void): this
  /**
   * Emitted while the database opens, if tabs with another version of Varve have it open; it opens
   * when they have closed it. Add the listener in the same turn as the constructor.
   */
  on (event: 'blocked', listener: (info: { protocol: number }) => void): this

  /**
   * Emitted when background work begins and ends. Events are only created while there is a
   * listener. Listeners run outside the engine, so they may use the database; an exception in one
   * becomes a process warning.
   *
   * Work that fails emits `begin` without `end`.
   *
   * @example
   * ```js
   * db.on('compaction', ({ phase, level, bytesWritten }) => {
   *   if (phase === 'end') console.log(`level ${level} into the next: ${bytesWritten} bytes`)
   * })
   * db.on('stall', ({ phase, cause }) => console.log(phase, cause))
   * ```
   */
  on (event: 'flush', listener: (info: FlushInfo) => void): this
  on (event: 'compaction', listener: (info: CompactionInfo) => void): this
  on (event: 'stall', listener: (info: StallInfo) => void): this
  on (event: string | symbol, listener: (...args: any[]) => void): this

  /**
   * Removes a database that is not open: its files, then the directory if nothing else is in it
   * (such as the directory `lost` of {@link repair}).
   */
  static destroy (location: string | URL, options?: { storage?: 'auto' | 'opfs' | 'indexeddb' | undefined } | undefined): Promise<void>
  static destroy (location: null | undefined, options: { storage: Storage }): Promise<void>

  /**
   * Returns the names of all databases of this origin, in any order. Fails with
   * `LEVEL_NOT_SUPPORTED` in Node, where a database can be in any directory.
   */
  static databases (): Promise<string[]>

  /**
   * Checks the files of a database without opening it, as {@link verify} does for an open one. It
   * continues when files are missing, or when CURRENT, the manifest or a log is damaged. Writes
   * nothing and takes no lock.
   *
   * Keys are checked in the order that the manifest names; {@link VerifyReport.unknownComparator}
   * tells if it is not known.
   *
   * @throws `LEVEL_INVALID_ARGUMENT` if there is no database. `LEVEL_SOURCE_CHANGED` if another
   * process keeps changing it meanwhile.
   */
  static verify (location: string | URL, options?: (VerifyOptions & { storage?: 'auto' | 'opfs' | 'indexeddb' | undefined }) | undefined): Promise<VerifyReport>
  static verify (location: null | undefined, options: VerifyOptions & { storage: Storage }): Promise<VerifyReport>

  /**
   * Rebuilds a damaged database that is not open, from every entry whose checksum is correct, also
   * those of tables without a readable index and of logs that opening set aside
   * (`000003.log.damaged`). All unused files are reported and moved to the directory `lost`, and so
   * are the logs, whose entries are written to tables. A sound database with empty logs is left
   * unchanged. Make a copy first.
   *
   * If a table, a log or the manifest is damaged or missing, overwritten values and deleted keys can
   * reappear; {@link RepairReport.oldDataMayReappear} then says so.
   *
   * @param options Those the database is opened with, and `comparator`.
   * @throws `LEVEL_INVALID_ARGUMENT` if there is nothing to repair, or the database has another
   * comparator. `LEVEL_LOCKED` if it is open. `LEVEL_IO_ERROR` if the directory does not exist or
   * the storage failed.
   */
  static repair (location: string | URL, options?: (RepairOptions & { storage?: 'auto' | 'opfs' | 'indexeddb' | undefined }) | undefined): Promise<RepairReport>
  static repair (location: null | undefined, options: RepairOptions & { storage: Storage }): Promise<RepairReport>
}

/**
 * Makes a worker of a page for Varve, which runs the module `varve/worker` or, if `full` is set,
 * `varve/worker-full`. Needed where `new Worker(new URL(...))` is refused. Node ignores it.
 *
 * @example
 * ```js
 * // Trusted Types
 * const worker = ({ full }) => new Worker(policy.createScriptURL(full ? '/varve/entry-full.js' : '/varve/entry-web.js'), { type: 'module' })
 * // From another origin, such as a CDN
 * const worker = ({ full }) => new Worker(URL.createObjectURL(new Blob([`import '${cdn}/pkg/entry-${full ? 'full' : 'web'}.js'`], { type: 'text/javascript' })), { type: 'module' })
 * ```
 */
export type WorkerFactory = (needs: { full: boolean }) => {
  postMessage (message: any, transfer: any[]): void
  terminate (): void
}

/** Options for {@link Varve.verify} of a closed database. */
export interface VerifyOptions extends OpenOptions {
  /** Makes the worker of a page. */
  worker?: WorkerFactory | undefined
}

/** Options for {@link Varve.repair}. */
export interface RepairOptions extends OpenOptions {
  /** Makes the worker of a page. */
  worker?: WorkerFactory | undefined

  /**
   * Name of the key order of the repaired database. A database with another comparator than
   * `'leveldb.BytewiseComparator'` is only repaired if this is set. If it is not the comparator of the
   * database, the entries are sorted again, and the program that created it can no longer open it.
   * `'as-stored'` is refused.
   */
  comparator?: OpenOptions['comparator']
}

/** The sources {@link Varve.import} can read a zip from. */
export type ImportSource = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Iterable<Uint8Array> | Blob | Response | ArrayBuffer | ArrayBufferView

/** Options for {@link Varve.import}. */
export interface ImportOptions<K, V> extends DatabaseOptions<K, V> {
  /**
   * Largest total size of the zip's files, in bytes. It protects the disk from a zip that declares
   * false sizes.
   *
   * @defaultValue `16 * 1024 ** 3`
   */
  maxBytes?: number | undefined

  /**
   * Largest ratio of the size of the files to the size of the zip, beyond the first MiB. Deflate
   * reaches 1,032; a database, whose tables are compressed already, rarely exceeds 20.
   *
   * @defaultValue `200`
   */
  maxRatio?: number | undefined
}

/** A flush: entries in memory are written to a table file. */
export interface FlushInfo {
  phase: 'begin' | 'end'
  /** Number of write buffers that become one table. */
  memtables: number
  /** Number of entries, including overwritten ones. */
  entries: number
  /**
   * At the begin, the approximate size of the entries in memory; at the end, the size of the table
   * file.
   */
  bytes: number
  /** At the end: the table, `null` if there was nothing to write. */
  file?: string | null | undefined
  /** At the end: the level of the table. */
  level?: number | undefined
}

/** A compaction: tables of one level and the next are merged into the next. */
export interface CompactionInfo {
  phase: 'begin' | 'end'
  level: number
  /** The next level, or the same when `compactRange()` rewrites the tables of the deepest one. */
  outputLevel: number
  /** Table files read. */
  inputs: string[]
  /** Total size of the inputs, 0 in a trivial move. */
  bytesRead: number
  /** One table is moved down unchanged. */
  trivialMove: boolean
  /** At the end: the new table files. */
  outputs?: string[] | undefined
  /** At the end: total size of the outputs, 0 in a trivial move. */
  bytesWritten?: number | undefined
}

/** Writes are slow because flushes or compactions cannot keep up. */
export interface StallInfo {
  phase: 'begin' | 'end'
  /**
   * `level0-slowdown`: level 0 has so many tables that each write does extra background work.
   * `level0-stop`, `memtable-full`: a write waits.
   */
  cause: 'level0-slowdown' | 'level0-stop' | 'memtable-full'
}

/** Options for the database constructor. */
export interface DatabaseOptions<K, V> extends AbstractDatabaseOptions<K, V>, Omit<OpenOptions, 'passive'> {
  /**
   * Where files are stored:
   *
   * - `'auto'`: in a directory, the `location`. In a browser, where the database of that name already is;
   *   a new one in the origin private file system (OPFS), and only where that is missing or refused (plain
   *   `http:`, private windows of some browsers) in IndexedDB. A dedicated worker decides it by opening a
   *   file. {@link Info.storage} and {@link Info.storageReason} tell where it is. A passing failure is an
   *   error: a database is never begun anew elsewhere, and never in memory.
   * - `'opfs'` or `'indexeddb'`: in a browser, there and nowhere else. IndexedDB has no synchronous calls,
   *   and loads `full.wasm`: in a shared worker import `varve/full`. Synced writes use strict transactions,
   *   which in Safari are not flushed to the disk (`os-buffered`). `LEVEL_NOT_SUPPORTED` in Node.
   * - `'memory'`: entries live as long as the object, and the engine options are those of the first
   *   opening. The location must be `null`.
   * - An object that implements {@link Storage}. The location must be `null`.
   *
   * @defaultValue `'auto'`
   */
  storage?: 'auto' | 'opfs' | 'indexeddb' | 'memory' | Storage | undefined

  /**
   * Runs the engine in its own worker thread, which ends with `close()`. The differences are:
   *
   * - The synchronous calls throw `LEVEL_NOT_SUPPORTED`, and `db.supports.getSync` is false.
   * - {@link Varve.getProperty} blocks the calling thread until the worker replies; {@link
   *   Varve.info} does not.
   * - A {@link Storage} of your own needs {@link Storage.inWorker}.
   *
   * Use it where the calling thread must stay responsive, as in a server with many writes:
   * compression, sorting and compaction then run elsewhere. It is not faster by itself: an awaited
   * operation takes 70 to 100 microseconds for the round trip, instead of 2 to 6. Operations
   * started in the same turn share one message each way, so with `batch()`, `getMany()`, iterators
   * and concurrent operations the difference is small.
   *
   * If the worker dies (out of memory, say), pending operations fail with `LEVEL_POISONED`, writes
   * with `maybeApplied`; close the database and open it again. Acknowledged writes are kept, except
   * with `storage: 'memory'`.
   *
   * In a page, a database by name always has a worker. A function makes it, where the page cannot
   * start the package's script by itself; see {@link WorkerFactory}.
   *
   * @defaultValue `false`
   */
  worker?: boolean | WorkerFactory | undefined

  /**
   * Whether other tabs, and other objects of this page, may use a database of a browser at the same
   * time. One of them has the files open, and the others reach the database through it; when it is
   * closed, frozen or killed, another opens the files and calls go on. A write whose fate is then
   * unknown fails with `LEVEL_FENCED` and `maybeApplied`: read the key to learn it. Iterators and
   * snapshots fail with `LEVEL_FENCED`: make new ones.
   *
   * With `false`, a second opening fails with `LEVEL_LOCKED` after two seconds, here and there.
   * Browsers without Web Locks behave so too. Has no effect on a directory of Node, which one object
   * can have open.
   *
   * @defaultValue `true`
   */
  multiTab?: boolean | undefined
}

/**
 * Options for the {@link Varve.open} method. Names are those of LevelDB and `classic-level`; sizes
 * are in bytes. The defaults suit most programs: change one only if a measurement says so.
 */
export interface OpenOptions extends AbstractOpenOptions {
  /**
   * Compression of blocks in new table files: `true` means `'snappy'`, `false` means `'none'`. Both
   * are always readable. Turn it off if values are compressed already.
   *
   * @defaultValue `'snappy'`
   */
  compression?: boolean | 'snappy' | 'none' | undefined

  /**
   * Bytes of decoded blocks kept in memory, 0 to 4,294,967,295. Raise it if reads are random and
   * the hot data is larger. Up to an eighth as many bytes are used in addition for rows that
   * `get()` reads repeatedly.
   *
   * @defaultValue `32 * 1024 * 1024`: four times LevelDB's, because reading a block again costs a
   * read, a checksum and a decompression on the calling thread.
   */
  cacheSize?: number | undefined

  /**
   * Bytes of entries held in memory before they are written to a table file, 4 KiB to 1 GiB. Up to
   * two such buffers are held. A larger buffer makes bulk loads faster, uses more memory, and makes
   * opening after a crash slower.
   *
   * @defaultValue `4 * 1024 * 1024`
   */
  writeBufferSize?: number | undefined

  /**
   * Bytes of entries in a block before compression, 64 bytes to 4 MiB: the amount one cache miss
   * reads. Larger suits scans, smaller suits single reads.
   *
   * @defaultValue `4096`
   */
  blockSize?: number | undefined

  /**
   * Number of tables held open, with their indexes and filters in memory, 10 to 50,000. It does not
   * bound file descriptors: all directory databases of a thread share a fifth of the process limit
   * (half if the limit is 1,024 or more; a worker a quarter of either), and tables not read
   * recently release theirs. Leave it at its default.
   *
   * @defaultValue `1000`
   */
  maxOpenFiles?: number | undefined

  /**
   * Number of entries between keys stored in full, 1 to 65,536; keys between them are stored
   * without their shared prefix. Leave it at its default.
   *
   * @defaultValue `16`
   */
  blockRestartInterval?: number | undefined

  /**
   * Size in bytes at which compaction starts a new table file, 16 KiB to 1 GiB. A larger size means
   * fewer files and longer compactions.
   *
   * @defaultValue `2 * 1024 * 1024`
   */
  maxFileSize?: number | undefined

  /**
   * Writes nothing and takes no lock; writes fail with `LEVEL_NOT_SUPPORTED`. The database must
   * exist. If another process changes it during opening, opening is retried up to five times, then
   * fails with `LEVEL_SOURCE_CHANGED`.
   *
   * @defaultValue `false`
   */
  readOnly?: boolean | undefined

  /**
   * Fails on any damage found, even if the rest could be read.
   *
   * @defaultValue `false`
   */
  paranoidChecks?: boolean | undefined

  /**
   * Bits per key of the Bloom filters that avoid reads of missing keys, 0 (no filter) to 43.
   * LevelDB and `classic-level` read files with any value.
   *
   * @defaultValue `10`
   */
  filterBits?: number | undefined

  /**
   * How opening treats a damaged log or manifest: `'point-in-time'` keeps the longest undamaged
   * prefix of the history; `'strict'` fails; `'compat'` skips damaged records as LevelDB does,
   * which can result in a state that never existed.
   *
   * @defaultValue `'point-in-time'`
   */
  recovery?: 'point-in-time' | 'strict' | 'compat' | undefined

  /**
   * Appends to the last log after opening instead of starting a new one, which often makes opening
   * faster.
   *
   * @defaultValue `false`
   */
  reuseLogs?: boolean | undefined

  /**
   * The order of keys, by the name that the manifest has. `'idb_cmp1'` is that of the databases in which
   * Chromium keeps IndexedDB. A database cannot be opened with another comparator than its own, and
   * what was created with `'idb_cmp1'` holds keys in Chromium's coding.
   *
   * In this order, the bounds `gt` and `lte` must be whole keys; `gte` and `lt` may be parts of some.
   * Sublevels, whose keys are text, make no sense in it. In a page it needs `varve/full`
   * (`LEVEL_NOT_SUPPORTED` otherwise).
   *
   * With `'as-stored'` and `readOnly`, a database of any comparator opens, and iterators return its
   * entries in the order of its files: those in logs (bytewise), then the tables of level 0 from the newest
   * on, then the tables of each deeper level by number; inside a table in its order. Tables are not merged,
   * but each key comes once, with its newest value. What needs the order of keys (`get`, `has`, bounds,
   * `seek`, `reverse`, sizes) fails with `LEVEL_NOT_SUPPORTED`. Copies and exports have the tables as they
   * are, and the entries of logs in a log. The keys outside the deepest level may have 128 MiB
   * (`LEVEL_LIMIT_EXCEEDED`). It needs the full module, too.
   *
   * @defaultValue `'leveldb.BytewiseComparator'`
   */
  comparator?: 'leveldb.BytewiseComparator' | 'idb_cmp1' | 'as-stored' | undefined

  /**
   * Largest size of the engine's memory in bytes, 2 MiB to 4 GiB, in whole pages of 64 KiB. The
   * memory grows to the size that `writeBufferSize`, `cacheSize` and the largest values need (1 GiB
   * of small entries: 40 MiB) and is freed when the database is closed. An operation that exceeds
   * it fails with `LEVEL_LIMIT_EXCEEDED`, or with `LEVEL_POISONED` and a new engine; acknowledged
   * writes are kept. A database that fails to open for lack of memory opens with a higher limit.
   * Lower it if many databases share a machine: 64 MiB suffice for the other defaults and values of
   * up to 1 MiB.
   *
   * @defaultValue 4 GiB, all that WebAssembly has: values of 256 MiB take 2.5 GiB
   */
  memoryLimit?: number | undefined

  /**
   * Largest size of a key or value in bytes, written or read, 1 KiB to 1 GiB. A larger one fails
   * with `LEVEL_LIMIT_EXCEEDED`.
   *
   * @defaultValue `256 * 1024 * 1024`
   */
  maxValueBytes?: number | undefined
}

/** Additional options of single reads. */
export interface ReadOptions {
  /**
   * Whether blocks that are read are cached. Turn it off for data that is not read again.
   *
   * @defaultValue `true`
   */
  fillCache?: boolean | undefined
}

/** Options for {@link Varve.get} and {@link Varve.getSync}. */
export interface GetOptions<K, V> extends AbstractGetOptions<K, V>, ReadOptions {}

/** Options for {@link Varve.getMany}. */
export interface GetManyOptions<K, V> extends AbstractGetManyOptions<K, V>, ReadOptions {}

/** Options for {@link Varve.has}. */
export interface HasOptions<K> extends AbstractHasOptions<K>, ReadOptions {}

/** Options for {@link Varve.hasMany}. */
export interface HasManyOptions<K> extends AbstractHasManyOptions<K>, ReadOptions {}

/** Additional options of writes. */
export interface WriteOptions {
  /**
   * Resolves only when the write survives a power loss, not just the end of the process. This costs
   * one disk flush, a few milliseconds on most disks. For many writes, one {@link Varve.sync} at
   * the end is cheaper.
   *
   * @defaultValue `false`
   */
  sync?: boolean | undefined
}

/** Options for {@link Varve.put}. */
export interface PutOptions<K, V> extends AbstractPutOptions<K, V>, WriteOptions {}

/** Options for {@link Varve.del}. */
export interface DelOptions<K> extends AbstractDelOptions<K>, WriteOptions {}

/** Options for {@link Varve.batch}. */
export interface BatchOptions<K, V> extends AbstractBatchOptions<K, V>, WriteOptions {}

/** Options for {@link ChainedBatch.write}. */
export interface ChainedBatchWriteOptions extends AbstractChainedBatchWriteOptions, WriteOptions {}

/** The batch that {@link Varve.batch} returns when called without arguments. */
export interface ChainedBatch<TDatabase, KDefault, VDefault> extends AbstractChainedBatch<TDatabase, KDefault, VDefault> {
  write (): Promise<void>
  write (options: ChainedBatchWriteOptions): Promise<void>
}

/** Additional options for {@link Varve.iterator}, {@link Varve.keys} and {@link Varve.values}. */
export interface AdditionalIteratorOptions {
  /**
   * Whether blocks that are read are cached: all of them (`true`) or none (`false`).
   *
   * @defaultValue the first two blocks of each table after a seek: short ranges are often read
   * again, and a long scan would evict hot blocks.
   */
  fillCache?: boolean | undefined

  /**
   * Whether block checksums are verified. Turn it off only to rescue data from a damaged database,
   * together with {@link OpenOptions.recovery | recovery} `'compat'`: entries may then be wrong.
   *
   * @defaultValue `true`
   */
  verifyChecksums?: boolean | undefined

  /**
   * Bytes of keys and values to read ahead at once; 0 means one entry at a time. Reading ahead
   * stops once they are exceeded. A Buffer or view keeps the memory of all entries read with it
   * alive: lower this, or copy, if you keep few of them.
   *
   * As in classic-level no number is rejected: fractions are truncated, `NaN` is 0, and negative
   * numbers mean no bound. So does `Infinity`, which classic-level treats as 0. At most 64 MiB are
   * read ahead at once.
   *
   * @defaultValue `64 * 1024`
   */
  highWaterMarkBytes?: number | undefined
}

/** Options for {@link Varve.compactRange} and {@link Varve.approximateSize}. */
export interface StartEndOptions<K> {
  /** Custom key encoding for this operation, used to encode `start` and `end`. */
  keyEncoding?: string | Transcoder.PartialEncoder<K> | undefined
}

export type BatchOperation<TDatabase, K, V> = AbstractBatchOperation<TDatabase, K, V>

export type Iterator<TDatabase, K, V> = AbstractIterator<TDatabase, K, V>
export type KeyIterator<TDatabase, K> = AbstractKeyIterator<TDatabase, K>
export type ValueIterator<TDatabase, K, V> = AbstractValueIterator<TDatabase, K, V>

export type IteratorOptions<K, V> = AbstractIteratorOptions<K, V> & AdditionalIteratorOptions
export type KeyIteratorOptions<K> = AbstractKeyIteratorOptions<K> & AdditionalIteratorOptions
export type ValueIteratorOptions<K, V> = AbstractValueIteratorOptions<K, V> & AdditionalIteratorOptions

export type Snapshot = AbstractSnapshot

/** A sublevel of a {@link Varve}: abstract-level's, with the same synchronous calls as the database. */
export type Sublevel<TDatabase, KDefault = string, VDefault = string> =
  SublevelCalls<TDatabase, KDefault, VDefault> & AbstractSublevel<TDatabase, string | Buffer | Uint8Array, KDefault, VDefault>

/** What a {@link Sublevel} adds to abstract-level's. */
export interface SublevelCalls<TDatabase, KDefault, VDefault>
  extends Pick<Varve<KDefault, VDefault>, 'getManySync' | 'hasSync' | 'rangeSync' | 'putSync' | 'delSync'> {
  /** As {@link Varve.watch}: keys are without the prefix, also those of nested sublevels. */
  watch (): Watch<KDefault, VDefault>
  watch<K = KDefault, V = VDefault> (options: WatchOptions<K, V>): Watch<K, V>

  /** As {@link Varve.batchSync}. */
  batchSync (operations: Array<BatchOperation<TDatabase, KDefault, VDefault>>): void
  batchSync<K = KDefault, V = VDefault> (operations: Array<BatchOperation<TDatabase, K, V>>, options: BatchOptions<K, V>): void

  sublevel (name: string | string[]): Sublevel<Sublevel<TDatabase, KDefault, VDefault>, string, string>
  sublevel<K = string, V = string> (name: string | string[], options: AbstractSublevelOptions<K, V>): Sublevel<Sublevel<TDatabase, KDefault, VDefault>, K, V>
}

/** Options for {@link Varve.watch}: a range as for iterators, and encodings. */
export interface WatchOptions<K, V> {
  gt?: K
  gte?: K
  lt?: K
  lte?: K
  /**
   * A sequence number: begins with the first change after it, if the log files still have all of
   * them, otherwise with a {@link WatchGap}. Logs have what is not in table files yet: up to two
   * {@link OpenOptions.writeBufferSize | write buffers}, and after `close()` at most 128 KiB.
   *
   * Only numbers of the same database mean anything. A power failure can take back writes without
   * `sync: true`, whose numbers are used again. Those of a database in memory count from its
   * creation, and with `worker: true` anew after each opening.
   *
   * @defaultValue the newest change at the time of the call
   */
  since?: number | undefined
  /** Ends the watch: `next()` rejects with an {@link AbortError}. */
  signal?: AbortSignal | undefined
  keyEncoding?: string | Transcoder.PartialEncoding<K> | undefined
  valueEncoding?: string | Transcoder.PartialDecoder<V> | undefined
}

/** What {@link Varve.watch} returns. A key or value that cannot be decoded ends it with `LEVEL_DECODE_ERROR`. */
export interface Watch<K, V> extends AsyncIterableIterator<WatchItem<K, V>, undefined> {
  /**
   * All changes up to this sequence number were returned by `next()`, or are outside the range:
   * a later watch with `since` may continue here. It is undefined until the first call of `next()`
   * has an answer of the engine.
   */
  readonly sequence: number | undefined
  return (value?: any): Promise<IteratorReturnResult<any>>
  /** The same as `return()`. */
  close (): Promise<void>
}

/** An item of a {@link Watch}. */
export type WatchItem<K, V> = WatchBatch<K, V> | WatchGap

/** The changes of a commit. */
export interface WatchBatch<K, V> {
  type: 'batch'
  /**
   * The sequence number of the last entry of the commit. Each put and each deletion takes the next
   * number; those outside the range too. Exact up to 2^53.
   */
  sequence: number
  /** At least one, in the order in which they apply. */
  changes: Array<WatchChange<K, V>>
}

/** Some changes are not told: those up to `sequence` that no earlier item had. */
export interface WatchGap {
  type: 'gap'
  sequence: number
}

/**
 * One change. A `clear()` without `limit` and `snapshot` is one change of type `clear`, told with
 * the bounds of the call once it has succeeded; a bound is missing where it reaches that of the
 * watch. Meanwhile later changes are held back. Where it is read from log files it is told as the
 * single deletions that it made, or as a {@link WatchGap}.
 */
export type WatchChange<K, V> =
  { type: 'put', key: K, value: V } |
  { type: 'del', key: K } |
  { type: 'clear', gt?: K, gte?: K, lt?: K, lte?: K }

/**
 * The guarantee of a successful sync: none, the operating system has the data, or it survives a
 * power loss.
 */
export type Durability = 'volatile' | 'os-buffered' | 'durable'

/** The result of {@link Varve.info}. */
export interface Info {
  /** The same as {@link Varve.location}. */
  location: string | null
  /** `opfs`: the origin private file system of a browser. */
  storage: 'directory' | 'opfs' | 'indexeddb' | 'memory' | 'custom'
  /** Why a database by name is not in OPFS. */
  storageReason?: string | undefined
  /**
   * `creating` (in a browser): synced writes survive everything but a power loss. Browsers do not flush
   * their index of files, so that a new file may be lost for a minute; in that time the database is
   * new, or has grown by more files than were ready.
   *
   * `in-doubt` (in IndexedDB): the quota or disk was full since the database was opened. Chromium may
   * then confirm writes that it drops when it starts again: {@link Varve.export} the database, free
   * space, and open it again.
   */
  durability: Durability | 'creating' | 'in-doubt'
  /**
   * In a browser, what `navigator.storage.estimate()` tells of the whole origin, in bytes. Browsers
   * round both, and Chromium tells a larger quota than it has. A window can ask for more, and that
   * nothing is evicted, by `navigator.storage.persist()`.
   */
  quota?: number | undefined
  usage?: number | undefined
  /** Totals since the database was opened. */
  counters: Record<string, number>
  /** Whether flushes or compactions are waiting or running. */
  backgroundWork: boolean
  /** Approximate memory use of the engine in bytes. */
  memoryUsage: number
  /**
   * `degraded`: writes fail until {@link Varve.resume} is called, because of `cause`; reads work. If
   * the storage is full (`LEVEL_FULL`), deletes work too, and writes go on once there is room.
   */
  state: 'open' | 'degraded'
  cause?: VarveError | undefined
  /** Damage found on opening, and data that was not read. */
  recovery: Recovery
  /** Number and total size of the table files, for each of the seven levels. */
  levels: Array<{ files: number, bytes: number }>
  /** Number of table files, for each of the seven levels. */
  filesAtLevel: number[]
  /** All table files by level, with their first and last key. */
  tables: Array<{ file: string, level: number, number: number, size: number, smallest: Uint8Array, largest: Uint8Array }>
  /** The block cache: its capacity and use in bytes, hits and misses. */
  cache: { size: number, used: number, hits: number, misses: number }
  /**
   * Since the database was opened: bytes written to files per byte put, blocks read per lookup,
   * and, approximately, bytes of tables per byte in the deepest level. `null` where there is no
   * data yet.
   */
  amplification: { write: number | null, read: number | null, space: number | null }
  /** LevelDB's table of compactions, as text. */
  stats: string
}

/** The argument of the event `recovered`. */
export interface RecoveredInfo {
  /** The failure of the engine, usually a `WebAssembly.RuntimeError`. */
  cause: unknown
  /** Milliseconds from the failure until the database was open again. */
  duration: number
}

/**
 * Damage found in the logs and the manifest on opening: {@link Info.recovery} and the argument of
 * the event `damage`. With {@link OpenOptions.recovery | recovery} `'point-in-time'`, all data
 * before the first damage is in the database.
 */
export interface Recovery {
  /** All skipped damage, with file, offset and reason; empty if everything was read. */
  findings: VarveError[]
  /**
   * The logs that were read, oldest first, with the number of whole batches and entries taken from
   * each.
   */
  logs: Array<{ file: string, batches: number, entries: number }>
  /** Data that was not read and is not in the database: `bytes` of `file` starting at `offset`. */
  left: Array<{ file: string, offset: number, bytes: number }>
  /**
   * Copies of damaged logs kept in the directory (`000003.log.damaged`); none if opened {@link
   * OpenOptions.readOnly}.
   */
  copies: string[]
}

/** The result of {@link Varve.verify}. */
export interface VerifyReport {
  /** Number of table files read. */
  tables: number
  /** Number of logs read that hold entries not yet in a table. */
  logs: number
  /** Number of entries in tables and logs, including overwritten and deleted ones. */
  entries: number
  /** Number of those entries that are in logs. */
  logEntries: number
  /** Total size of the tables in bytes. */
  bytes: number
  /** The damage found, at most one finding per table and log; empty if all is sound. */
  findings: VarveError[]
  /**
   * Files that are not part of the database: leftovers, copies with names that undelete tools give
   * them, or logs that opening could not read completely (`000003.log.damaged`), whose data is not in
   * the database until {@link Varve.repair} reads them. Only filled for a closed database ({@link Varve.verify}).
   */
  unused: string[]
  /**
   * The comparator that the manifest names, if the engine does not have it: the order of keys was not
   * checked. Only for a closed database.
   */
  unknownComparator?: string | undefined
}

/** The result of {@link Varve.repair}. */
export interface RepairReport {
  /** Number of table files of the repaired database. */
  tables: number
  /** Number of entries in them, including overwritten and deleted ones. */
  entries: number
  /** The damaged tables, and the logs, whose entries were written to new tables. */
  recovered: RecoveredFile[]
  /** The files of which nothing is in the database. */
  unused: UnusedFile[]
  /**
   * Whether overwritten values and deleted keys can be visible again: a table, a log or the manifest
   * is damaged or missing, or a log that an earlier opening had set aside was read.
   */
  oldDataMayReappear: boolean
  /**
   * Names of the files moved to the directory `lost`: those of `recovered` and of `unused`. Files
   * there are never overwritten or deleted, not even by a second repair.
   */
  lost: string[]
  /**
   * All damage, and every record that is not used. Empty if the database was sound; an unfinished
   * table that the manifest does not name is only in `unused`.
   */
  findings: VarveError[]
}

/** A file whose entries {@link Varve.repair} wrote to new tables. */
export interface RecoveredFile {
  /** Its name in the database, and in the directory `lost`. */
  file: string
  lost: string
  /** Number of entries taken from it. */
  entries: number
  /** Number of data blocks they were in; 0 for a log. */
  blocks: number
  /** Bytes of it that could not be used, including those missing at its end. */
  lostBytes: number
  /**
   * Ranges in which keys are missing, from `from` (the first key of the table if there is none) to
   * `to`, both included. At most 1,000, and only where the index of the table can be read.
   */
  lostRanges: Array<{ from?: Uint8Array, to: Uint8Array }>
}

/** A file of which nothing is in the repaired database. */
export interface UnusedFile {
  /** Its name in the database. */
  file: string
  /** Its name in the directory `lost`. */
  lost: string
  /** The reason. */
  reason: string
}

/**
 * Files for a database that is stored neither in a directory nor in memory. Each method returns a
 * value or a promise; it may differ from call to call. A failure is an `Error`, thrown or rejected
 * with, whose `code` (or `name`, as for DOMExceptions) is one of `ENOENT`, `EEXIST`, `EACCES`,
 * `EPERM`, `EROFS`, `ENOSPC`, `EDQUOT`, `QuotaExceededError`, `ENOTDIR`, `EISDIR`, `EMFILE`,
 * `ENFILE` (no file descriptor left: nothing was done), `EINVAL` (an invalid name), `LEVEL_LOCKED`,
 * `LEVEL_FENCED`, `LEVEL_EVICTED`, `LEVEL_NOT_SUPPORTED` or `LEVEL_SOURCE_CHANGED`; anything else
 * is an I/O error.
 *
 * Names have 1 to 255 bytes, contain none of `/ \ :` and no control character, and are not `.`,
 * `..` or `LOCK`; a name may have the prefix `lost/`. A read-only storage rejects `lock`, `create`,
 * `editNames` and `removePlace` with `LEVEL_NOT_SUPPORTED`; its databases are opened with {@link
 * OpenOptions.readOnly}, which calls none of them.
 *
 * `varve/map` is an example in sixty lines, and `varve/test/storage` tests your own. `varve/http`
 * and `varve/blob` are read-only storages.
 */
export interface Storage {
  /**
   * Excludes every other user of the same files until {@link unlock}. With `create`, creates the
   * directory (or its equivalent) if it does not exist; otherwise fails with `ENOENT`. Returns an
   * epoch, which is larger each time, or 0 if the storage has none.
   */
  lock (create: boolean): number | Promise<number>
  /** Releases the lock; does nothing if it is not held. */
  unlock (): void | Promise<void>
  /**
   * Returns the names of all files, in any order, without `LOCK` and directories. A storage that
   * cannot list files fails with `LEVEL_NOT_SUPPORTED`: its databases can only be read, and logs
   * are found by probing their names.
   */
  list (): string[] | Promise<string[]>
  /**
   * Creates an empty file, replacing any file of that name. `sizeHint` is in bytes, 0 if unknown.
   */
  create (name: string, kind: 'log' | 'manifest' | 'table' | 'other', sizeHint: number): StorageFile | Promise<StorageFile>
  /**
   * Opens an existing file. `sizeHint` is in bytes, 0 if unknown: the size of a table according to
   * the manifest. The last 64 KiB of a table are read next; a remote storage may fetch them at
   * once.
   */
  open (name: string, access: 'read' | 'append', sizeHint?: number): StorageFile | Promise<StorageFile>
  /**
   * Applies the edits in order, and returns when they, and the names of all files created before,
   * are durable. `inPlace` is set during a synchronous call of the database: finish before
   * returning if the storage can; otherwise return a promise as usual.
   */
  editNames (edits: NameEdit[], inPlace?: boolean): void | Promise<void>
  /** Removes the lock and, if it is empty, the directory or its equivalent. */
  removePlace (): void | Promise<void>
  /**
   * Optional: adds a file of `source`, another storage, under the same name without copying it.
   * Returns whether that succeeded. Only called for table files, which never change.
   */
  link? (name: string, source: Storage): boolean | Promise<boolean>
  /** The guarantee of a successful {@link StorageFile.sync}. */
  readonly durability: Durability
  /**
   * Whether the result of {@link StorageFile.append} is reliable; if not, the engine asks for the
   * size after each append.
   */
  readonly appendsAreExact: boolean
  /**
   * How a worker creates the same storage, for {@link DatabaseOptions.worker}: it imports `module`
   * and calls its exported constructor named `export` with `args`, which must be cloneable by
   * `structuredClone`.
   *
   * @example
   * ```js
   * get inWorker () {
   *   return { module: import.meta.url, export: 'MyStorage', args: [this.path] }
   * }
   * ```
   */
  readonly inWorker?: { module: string | URL, export: string, args: unknown[] } | undefined
}

/** A change to the names of a {@link Storage}. */
export type NameEdit =
  /** Renames an existing file; `to` may begin with `lost/`. */
  | { type: 'rename', from: string, to: string }
  /** Removes a file; no error if it does not exist. */
  | { type: 'remove', name: string }
  /** Replaces a small file atomically; `via` is a name for a temporary file. */
  | { type: 'replace', name: string, via: string, content: Uint8Array }

/** A file of a {@link Storage}. */
export interface StorageFile {
  /**
   * Reads from `offset` into `into` and returns the number of bytes, fewer only at the end of the
   * file. Write to `into` only before returning: a storage that must wait returns a promise of its
   * own bytes, at most `into.length`.
   */
  read (offset: number, into: Uint8Array): number | Promise<Uint8Array>
  /**
   * Appends all of `data` or fails; returns the number of bytes taken. Copy `data` if it is needed
   * after the call returns.
   */
  append (data: Uint8Array): number | Promise<number>
  /**
   * Makes all appended data durable. `inPlace` is set during a synchronous call of the database
   * ({@link Varve.putSync} with `sync: true`): flush before returning if the storage can; otherwise
   * throw `LEVEL_NOT_SUPPORTED` or return a promise. The engine asks once before the first such
   * call writes anything.
   */
  sync (inPlace?: boolean): void | Promise<void>
  truncate (size: number): void | Promise<void>
  size (): number | Promise<number>
  /** Closes the file. A file that this storage has removed stays readable until then. */
  close (): void
}

/** Error codes; abstract-level adds its own, such as `LEVEL_DECODE_ERROR`. */
export type ErrorCode =
  /** `file` is damaged at `offset`: run `verify()` or `repair`, or restore a copy. */
  | 'LEVEL_CORRUPTION'
  /** The storage failed: see `cause`, then call `resume()` or open again. */
  | 'LEVEL_IO_ERROR'
  /**
   * The disk or a quota is full. Reads and deletes work; delete entries or free space, and writes go on
   * after the next idle moment, or after `resume()`.
   */
  | 'LEVEL_FULL'
  /** Another process or object has the database open. */
  | 'LEVEL_LOCKED'
  /**
   * Another process or object has taken the lock: open again. Of a database that tabs share: another
   * tab has opened the files, so that an iterator or a snapshot has ended, or a write may not have
   * been applied (`maybeApplied`). The database itself goes on.
   */
  | 'LEVEL_FENCED'
  /** A file was replaced while it was being read: open again. */
  | 'LEVEL_SOURCE_CHANGED'
  /** The browser deleted the files. */
  | 'LEVEL_EVICTED'
  /**
   * The engine failed. For a write, `maybeApplied` says whether it may have been applied; create
   * iterators and snapshots again. The engine is replaced automatically and the database continues
   * (event `recovered`). If it is not (in memory, after three failures in a minute, or after the
   * storage failed to flush), close and open the database again, or call {@link Varve.resume}.
   */
  | 'LEVEL_POISONED'
  /** Other work must finish first, such as the replacement of a failed engine: retry. */
  | 'LEVEL_BUSY'
  /** A key, value or batch is larger than the options or the format allow. */
  | 'LEVEL_LIMIT_EXCEEDED'
  /**
   * An invalid argument: an {@link InvalidArgumentError} (a TypeError) or an {@link
   * OutOfRangeError} (a RangeError).
   */
  | 'LEVEL_INVALID_ARGUMENT'
  /** This database or storage does not support the operation. */
  | 'LEVEL_NOT_SUPPORTED'
  /** The database is not open yet, or closed. If `open()` fails with it, `cause` is the reason. */
  | 'LEVEL_DATABASE_NOT_OPEN'
  /** The snapshot is closed. */
  | 'LEVEL_SNAPSHOT_NOT_OPEN'
  /** The signal of an iterator was aborted. */
  | 'LEVEL_ABORTED'
  /**
   * `engine.wasm`, or a script that is loaded with it, cannot be fetched or compiled, see `cause`: after a
   * passing failure, load the page again. Put it next to the script, or use
   * `varve/inline`; a content security policy must allow `'wasm-unsafe-eval'`.
   */
  | 'LEVEL_ENGINE_UNAVAILABLE'

/**
 * An error of the database. The `code` is stable, the message is not.
 *
 * @example
 * ```js
 * try {
 *   await db.open()
 * } catch (error) {
 *   if (error.cause?.code === 'LEVEL_LOCKED') console.error('open in another process')
 *   else throw error
 * }
 * ```
 */
export class VarveError extends Error {
  constructor (message: string, details: { code: string, cause?: unknown, file?: string | undefined, offset?: number | undefined, maybeApplied?: boolean | undefined })
  code: ErrorCode
  cause?: unknown
  /** Name of the affected file, if known. */
  file?: string | undefined
  /** Offset in the file in bytes, if known. */
  offset?: number | undefined
  /** For a write: it may have been applied, and may be found after reopening. */
  maybeApplied?: boolean | undefined
}

/**
 * An argument or option of the wrong type, or invalid in the current state; its `name` is
 * `TypeError`.
 */
export class InvalidArgumentError extends TypeError {
  code: 'LEVEL_INVALID_ARGUMENT'
}

/** A number outside the range of an argument or option; its `name` is `RangeError`. */
export class OutOfRangeError extends RangeError {
  code: 'LEVEL_INVALID_ARGUMENT'
}

/**
 * A file was replaced while it was being read: versions are never mixed. Open the database again.
 */
export class SourceChangedError extends VarveError {
  code: 'LEVEL_SOURCE_CHANGED'
}

/** The signal of an iterator was aborted. */
export class AbortError extends VarveError {
  constructor (cause?: unknown)
}
