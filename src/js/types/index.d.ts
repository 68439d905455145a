/**
 * One class in Node, Deno, Bun, pages and workers. Vite, webpack 5 and pages without a bundler find the engine by themselves. Where a
 * bundler leaves `new URL('./engine.wasm', import.meta.url)` alone (esbuild, Rollup), do one of two things:
 *
 * ```js
 * import { Varve } from 'varve/inline'                                  // the same, with the engine inside of the script
 * ```
 * ```sh
 * cp node_modules/varve/pkg/engine.wasm dist/                           # or copy the engine to beside the script
 * ```
 *
 * A page without a bundler imports `node_modules/varve/pkg/browser.js`, by that name or through an import map. With
 * `worker: true`, esbuild and Rollup need `entry-web.js` and `chunk-*.js` of `pkg/` copied as well; `varve/inline` has no worker inside.
 * Bundles for Node run without one; leave the package external there to have it.
 *
 * A content security policy needs `'wasm-unsafe-eval'` in its `script-src`, and `'self'` in `worker-src` for a worker. In browsers there
 * are no directories: give the option {@link DatabaseOptions.storage | storage}; and where the page has no `globalThis.Buffer`, the
 * encoding `buffer` answers plain `Uint8Array`s. Deno wants `--allow-read --allow-write --allow-sys=uid,hostname` for a directory.
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
  AbstractValueIterator,
  AbstractValueIteratorOptions,
  Transcoder
} from 'abstract-level'

/**
 * An {@link AbstractLevel} database in LevelDB's format, without native code.
 *
 * Everything of abstract-level is here: encodings, batches, iterators with seek, ranges and limits, snapshots, sublevels,
 * hooks and events. Below are only what is typed more closely and what is added.
 *
 * Over a directory or memory, with `worker: true` too, no call answers an older state after a call asked later has answered a
 * newer one. Long calls (`compactRange()`, `clear()`, `verify()`, later pages of an iterator) and the synchronous ones are exempt.
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
   * Makes the object; the database opens by itself, and operations wait until it is open.
   *
   * @param location Directory of the database, as a path or a `file:` URL; `null` with the option `storage`. A relative path is of
   * the working directory at this call, also when it is opened after that has changed.
   * @param options Options, of which most will be forwarded to {@link open}.
   * @throws {@link InvalidArgumentError}, a TypeError, for a location or an option that cannot be; {@link OutOfRangeError}, a
   * RangeError, for a number that is too small or too large.
   *
   * @example
   * ```js
   * const onDisk = new Varve('./db')
   * const inMemory = new Varve(null, { storage: 'memory' })
   * ```
   */
  constructor (location: string | URL, options?: DatabaseOptions<KDefault, VDefault> | undefined)
  constructor (location: null | undefined, options: DatabaseOptions<KDefault, VDefault> & { storage: 'memory' | Storage })

  /** The directory as it was given to the constructor (the path of a URL), or `null` where there is none. */
  get location (): string | null

  open (): Promise<void>
  open (options: OpenOptions): Promise<void>

  /**
   * `recovered`: the engine had failed (it ran out of memory, or has a bug), and the database is open again in a fresh one, with
   * all that was acknowledged. What was under way was rejected with `LEVEL_POISONED`; iterators and snapshots from before answer
   * it too. A database in memory cannot recover.
   *
   * @example
   * ```js
   * db.on('recovered', ({ cause, duration }) => console.warn(`recovered in ${duration} ms`, cause))
   * ```
   */
  on (event: 'recovered', listener: (info: RecoveredInfo) => void): this
  /**
   * `damage`: the database is open, but opening has read past damage in a log or the manifest, and something is left behind.
   * {@link info} tells the same later. Listen before the database opens: in the same turn as its constructor.
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
   * The value of `key`, without a promise.
   *
   * @throws `LEVEL_NOT_SUPPORTED` on a {@link Storage} that has to wait for what is asked, and with {@link DatabaseOptions.worker}.
   */
  getSync (key: KDefault): VDefault | undefined
  getSync<K = KDefault, V = VDefault> (key: K, options: GetOptions<K, V>): V | undefined

  /**
   * The values of `keys`, without a promise.
   *
   * @throws as {@link getSync}
   */
  getManySync (keys: KDefault[]): (VDefault | undefined)[]
  getManySync<K = KDefault, V = VDefault> (keys: K[], options: GetManyOptions<K, V>): (V | undefined)[]

  /**
   * Whether `key` has a value, without a promise.
   *
   * @throws as {@link getSync}
   */
  hasSync (key: KDefault): boolean
  hasSync<K = KDefault> (key: K, options: HasOptions<K>): boolean

  /**
   * The entries of a range in key order, without promises: a lazy iterable that reads pages as they are needed. The entries are those
   * of the moment of the call, or of the option `snapshot`. Where the runtime has iterator helpers, it has them too. Leaving a loop
   * early, or `return()`, closes it.
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
   * Sets `key` to `value` before it returns. With `sync: true` the disk is flushed before it returns, and the event loop waits for it.
   *
   * Hooks run as in {@link put}; the event `write` is emitted a microtask later.
   *
   * @throws `LEVEL_NOT_SUPPORTED`, with nothing written, with {@link DatabaseOptions.worker} and over a {@link Storage} that answers with
   * promises, or that cannot flush in place when `sync` is set; `LEVEL_BUSY`, with nothing written, while an earlier write is
   * unfinished, while the engine is being replaced after a failure, and where 16 write buffers wait for a flush that began before and
   * has not ended: await something, and try again.
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
   * Writes all operations or none. A batch crosses to the engine at once: many entries in one batch are several times faster
   * than as many calls of {@link put}.
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
   * Deletes all entries or a range. A range without a `limit` and a `snapshot` is dropped by the engine, whole table files at
   * once where it can; otherwise entries are deleted in batches, and what was deleted before a failure stays deleted.
   */
  clear (): Promise<void>
  clear<K = KDefault> (options: AbstractClearOptions<K>): Promise<void>

  /**
   * The state of the database now, to read from until it is closed. Costs next to nothing, but keeps what was overwritten
   * since from being cleaned up.
   */
  snapshot (options?: any | undefined): Snapshot

  /**
   * Makes everything that was acknowledged before durable: one flush of the log, cheaper than {@link PutOptions.sync | sync}
   * on each of many writes.
   */
  sync (): Promise<void>

  /**
   * Writes what gathered in memory to a table file, durably. The engine does it by itself; useful before copying the
   * directory or measuring.
   */
  flush (): Promise<void>

  /**
   * Merges the tables of the range `[start..end)`, so that deleted and overwritten entries give their space back. The engine
   * does what is needed by itself; useful after a large {@link clear} or load. A bound that is left out is open.
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
   * Bytes that the range `[start..end)` takes, about: its share of the table files, and what is only in the log yet, as it is
   * (uncompressed; overwritten and deleted entries too).
   */
  approximateSize (start: KDefault, end: KDefault): Promise<number>
  approximateSize<K = KDefault> (start: K, end: K, options: StartEndOptions<K>): Promise<number>

  /**
   * One of LevelDB's properties, or `''` for one that is not known: `leveldb.stats`, `leveldb.sstables`,
   * `leveldb.approximate-memory-usage`, `leveldb.num-files-at-level<N>`.
   *
   * With {@link DatabaseOptions.worker} the caller's thread stands still until the worker has answered: 0.1 ms where it has
   * nothing else to do. After ten seconds it fails with `LEVEL_BUSY`, and in a page at once with `LEVEL_NOT_SUPPORTED`.
   * {@link info} tells the same without waiting.
   *
   * @throws `LEVEL_DATABASE_NOT_OPEN`: it is synchronous and cannot wait for the opening.
   */
  getProperty (property: string): string

  /** How the database is doing. */
  info (): Promise<Info>

  /**
   * Reads everything and checks it: checksums, the order of keys, the files that should be there, the logs. Damage is reported,
   * not thrown. Writes nothing. What opening has passed over is in {@link Info.recovery}.
   */
  verify (): Promise<VerifyReport>

  /**
   * Takes up writing again, without reopening, after a failure whose cause is gone: `LEVEL_FULL` when there is room again.
   */
  resume (): Promise<void>

  /**
   * Copies the state of a moment between the call and its answer to a directory of its own, as a database that LevelDB opens.
   * Writes go on meanwhile. On the same disk, table files get a second name there instead of being copied, so that it takes
   * little time and space.
   *
   * @param location A directory that does not exist or is empty, or a {@link Storage} without files.
   * @throws `LEVEL_INVALID_ARGUMENT`: there is a file already. After any failure, nothing of the copy is left.
   */
  checkpoint (location: string | URL | Storage): Promise<void>

  /**
   * The database as it is at this call, as the bytes of a zip of LevelDB's files, flat and stored without compression: tables
   * are compressed already, and any unzip makes a directory of it that LevelDB opens. What is needed is kept until the stream
   * has ended or is cancelled, while writes go on; it is read as the stream is, at most some 4 MiB ahead. Closing the
   * database ends the stream with `LEVEL_DATABASE_NOT_OPEN`.
   *
   * The same state is the same bytes. A `CompressionStream('gzip')` behind it makes it smaller by about a quarter, at its price.
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
   * Makes a database of a zip of LevelDB's files, and answers it, open. The zip may be of {@link export} or of any other tool:
   * stored or deflated, with zip64, its files flat or together in one folder. It is read once, from front to back, and written
   * file by file, CURRENT last; when this answers, it is durable.
   *
   * Files that the database does not need are passed over: `LOCK`, `LOG`, temporary files, a folder `lost`, and what systems add
   * (`__MACOSX`, `.DS_Store`, `Thumbs.db`, `desktop.ini`). Any other name that is not one of LevelDB's ends the import, and so
   * does one that would leave the folder.
   *
   * @param location A directory that has no database.
   * @param source The zip. A stream that is not read to its end is cancelled.
   * @param options Those of the constructor, and limits for zips that one does not trust.
   * @throws `LEVEL_CORRUPTION`, with `file` (the entry, or `archive`) and `offset` (in the zip), for one that is damaged, cut off,
   * contradicts itself, or holds something else; `LEVEL_NOT_SUPPORTED` for an encrypted one, or other compression;
   * `LEVEL_LIMIT_EXCEEDED`; `LEVEL_INVALID_ARGUMENT`: there is a database. After any failure, nothing of it is left.
   *
   * @example
   * ```js
   * const db = await Varve.import('./cities', await fetch('https://example.com/cities.zip'))
   * const copy = await Varve.import(null, db.export(), { storage: 'memory' })
   * ```
   */
  static import<K = string, V = string> (
    location: string | URL, source: ImportSource, options?: (ImportOptions<K, V> & { storage?: undefined }) | undefined
  ): Promise<Varve<K, V>>
  static import<K = string, V = string> (
    location: null | undefined, source: ImportSource, options: ImportOptions<K, V> & { storage: 'memory' | Storage }
  ): Promise<Varve<K, V>>

  /**
   * What the engine does by itself, told to those who listen; while nobody does, nothing is made for it. A listener is called
   * soon after, never from inside the engine, so it may use the database. What it throws becomes a warning of the process.
   *
   * Work that fails begins and does not end.
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
   * Removes a database that is not open: its own files, then the directory if nothing else is in it (what {@link repair} put
   * aside in `lost`, say).
   */
  static destroy (location: string | URL, options?: {} | undefined): Promise<void>
  static destroy (location: null | undefined, options: { storage: Storage }): Promise<void>

  /**
   * Checks the files of a database that nobody needs to open, as {@link verify} does those of an open one: it goes on where
   * files are missing, or where CURRENT, the manifest or a log is damaged. Writes nothing and takes no lock.
   *
   * @throws `LEVEL_INVALID_ARGUMENT`: there is no database, or one of another comparator. `LEVEL_SOURCE_CHANGED`: another process
   * changed it again and again meanwhile.
   */
  static verify (location: string | URL, options?: OpenOptions | undefined): Promise<VerifyReport>
  static verify (location: null | undefined, options: OpenOptions & { storage: Storage }): Promise<VerifyReport>

  /**
   * Rebuilds a database that is damaged and not open from what its files still hold: every entry whose checksum holds. Everything
   * that is not used is reported and goes to the directory `lost`, with the logs, whose entries become tables. A database that is
   * sound, and whose logs are empty, stays as it is. Make a copy first.
   *
   * Where the manifest cannot be read, entries that were overwritten or deleted can come back.
   *
   * @param options Those that the database is opened with, and `comparator`.
   * @throws `LEVEL_INVALID_ARGUMENT`: there is nothing to repair, or the database was made with another comparator.
   * `LEVEL_LOCKED`: it is open. `LEVEL_IO_ERROR`: there is no such directory, or the storage failed.
   */
  static repair (location: string | URL, options?: RepairOptions | undefined): Promise<RepairReport>
  static repair (location: null | undefined, options: RepairOptions & { storage: Storage }): Promise<RepairReport>
}

/** Options for {@link Varve.repair}. */
export interface RepairOptions extends OpenOptions {
  /**
   * Name of the order of keys that the repaired database is to have, `'leveldb.BytewiseComparator'`. A database that was made with
   * another one, such as Chromium's `idb_cmp1`, is refused unless this is given; its entries are then sorted anew, and the program
   * that made it cannot open it any more.
   *
   * @defaultValue the one that the manifest names
   */
  comparator?: string | undefined
}

/** What {@link Varve.import} reads a zip from. */
export type ImportSource = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Iterable<Uint8Array> | Blob | Response | ArrayBuffer | ArrayBufferView

/** Options for {@link Varve.import}. */
export interface ImportOptions<K, V> extends DatabaseOptions<K, V> {
  /**
   * Bytes that all files of the zip together may have: what a zip says of itself may be a lie, and it shall not fill the disk.
   *
   * @defaultValue `16 * 1024 ** 3`
   */
  maxBytes?: number | undefined

  /**
   * How many times as large as the zip its files may be, beyond the first MiB. Deflate reaches 1,032; a database, whose tables
   * are compressed already, hardly ever more than 20.
   *
   * @defaultValue `200`
   */
  maxRatio?: number | undefined
}

/** What happens in the engine's memory: entries become a table file. */
export interface FlushInfo {
  phase: 'begin' | 'end'
  /** Write buffers that become one table. */
  memtables: number
  /** Entries, overwritten ones too. */
  entries: number
  /** At the begin of the entries in memory, about; at the end of the table file. */
  bytes: number
  /** At the end: the table, `null` if there was nothing to keep. */
  file?: string | null
  /** At the end: where the table was put. */
  level?: number
}

/** Tables of a level and of the next are merged into the next. */
export interface CompactionInfo {
  phase: 'begin' | 'end'
  level: number
  outputLevel: number
  /** Table files that are read. */
  inputs: string[]
  /** Bytes of these, 0 in a trivial move. */
  bytesRead: number
  /** One table goes down as it is. */
  trivialMove: boolean
  /** At the end: the new table files. */
  outputs?: string[]
  /** At the end: bytes of these, 0 in a trivial move. */
  bytesWritten?: number
}

/** Writes take longer, because flushes or compactions do not keep pace. */
export interface StallInfo {
  phase: 'begin' | 'end'
  /**
   * `level0-slowdown`: level 0 has so many tables that each write does more work; `level0-stop`, `memtable-full`: a write waits.
   */
  cause: 'level0-slowdown' | 'level0-stop' | 'memtable-full'
}

/** Options for the database constructor. */
export interface DatabaseOptions<K, V> extends AbstractDatabaseOptions<K, V>, Omit<OpenOptions, 'passive'> {
  /**
   * Where files are kept, if not in a directory: `'memory'`, where entries live as long as the object and the engine's options
   * are those of the first opening; or an object of your own that implements {@link Storage}.
   *
   * @defaultValue a directory, the `location`
   */
  storage?: 'memory' | Storage | undefined

  /**
   * Runs the engine in a worker thread of its own, which ends with `close()`. Everything is the same, but for these:
   *
   * - The synchronous calls are not there (`LEVEL_NOT_SUPPORTED`), and `db.supports.getSync` is false.
   * - {@link Varve.getProperty} makes the caller's thread wait for the worker; {@link Varve.info} does not.
   * - A {@link Storage} of your own needs {@link Storage.inWorker}.
   *
   * Choose it where the caller's thread must not be kept busy: a server that answers others while much is written, since then
   * compressing, sorting and compaction happen elsewhere. It is not faster by itself: what is awaited one by one pays 70 to 100
   * microseconds for the way there and back, where in place it takes 2 to 6. What is asked in one turn shares one message each
   * way: with `batch()`, `getMany()`, iterators and many operations at a time the difference is small.
   *
   * If the worker dies (out of memory, say), all that waits for it fails with `LEVEL_POISONED`, writes with `maybeApplied`; then
   * close the database and open it anew. What had been acknowledged is there, except with `storage: 'memory'`.
   *
   * @defaultValue `false`
   */
  worker?: boolean | undefined
}

/**
 * Options for the {@link Varve.open} method. Names are those of LevelDB and `classic-level`; sizes are bytes. The defaults
 * suit most programs: change one only with a measurement.
 */
export interface OpenOptions extends AbstractOpenOptions {
  /**
   * How blocks of table files are compressed: `true` is `'snappy'`, `false` is `'none'`. Whatever is chosen, both are read.
   * Turn it off when values are compressed already.
   *
   * @defaultValue `'snappy'`
   */
  compression?: boolean | 'snappy' | 'none' | undefined

  /**
   * Bytes of decoded blocks kept in memory, 0 to 4,294,967,295. Raise it when reads are random and the hot data is larger. Beside
   * them up to an eighth as many bytes of rows are kept that `get()` found more than once.
   *
   * @defaultValue `32 * 1024 * 1024`: four times LevelDB's, as a block that is read again costs a read, a checksum and a
   * decompression on the caller's thread.
   */
  cacheSize?: number | undefined

  /**
   * Bytes of entries that gather in memory before they become a table file, 4 KiB to 1 GiB. Up to two such buffers are held.
   * Larger is faster in bulk loads, needs memory, and makes opening after a crash slower.
   *
   * @defaultValue `4 * 1024 * 1024`
   */
  writeBufferSize?: number | undefined

  /**
   * Bytes of entries in a block before compression, 64 bytes to 4 MiB: what one read of a missing block costs. Larger suits
   * scans, smaller suits single reads.
   *
   * @defaultValue `4096`
   */
  blockSize?: number | undefined

  /**
   * Tables held open at once, with their indexes and filters in memory, 10 to 50,000. It is no bound on file descriptors: in
   * a directory the databases of a thread share a fifth of those that the process may have (of 1,024 and more, half; a worker
   * a quarter of either), and what is not read lately gives its own back. Leave it alone.
   *
   * @defaultValue `1000`
   */
  maxOpenFiles?: number | undefined

  /**
   * Every how many entries a key is stored whole, 1 to 65,536; between them only what differs is. Leave it alone.
   *
   * @defaultValue `16`
   */
  blockRestartInterval?: number | undefined

  /**
   * Bytes at which compaction starts another table file, 16 KiB to 1 GiB. Larger means fewer files and longer compactions.
   *
   * @defaultValue `2 * 1024 * 1024`
   */
  maxFileSize?: number | undefined

  /**
   * Writes nothing and takes no lock; writes fail with `LEVEL_NOT_SUPPORTED`. The database must exist. If somebody else changes
   * it during the opening, it is opened again, up to five times; then that fails with `LEVEL_SOURCE_CHANGED`.
   *
   * @defaultValue `false`
   */
  readOnly?: boolean | undefined

  /**
   * Refuses to open or go on with any damage that is seen, also where the rest could be read.
   *
   * @defaultValue `false`
   */
  paranoidChecks?: boolean | undefined

  /**
   * Bits a key of the Bloom filters that spare reads of missing keys, 0 (none) to 43. LevelDB and `classic-level` read files with any.
   *
   * @defaultValue `10`
   */
  filterBits?: number | undefined

  /**
   * What opening does when the log or the manifest is damaged: `'point-in-time'` takes the longest part of the history that is
   * whole, `'strict'` fails, `'compat'` skips what is damaged as LevelDB does, which may be a state that never was.
   *
   * @defaultValue `'point-in-time'`
   */
  recovery?: 'point-in-time' | 'strict' | 'compat' | undefined

  /**
   * Goes on with the last log when the database is opened: faster to open, often.
   *
   * @defaultValue `false`
   */
  reuseLogs?: boolean | undefined

  /**
   * Bytes that the engine's memory may grow to, 2 MiB to 4 GiB, in whole pages of 64 KiB. It grows to what `writeBufferSize`,
   * `cacheSize` and the largest values need (1 GiB of small entries: 40 MiB) and shrinks when the database is closed. What does not
   * fit fails with `LEVEL_LIMIT_EXCEEDED`, or with `LEVEL_POISONED` and a fresh engine, and nothing that was acknowledged is lost;
   * a database that does not open for want of memory opens with more. Lower it where many databases share a machine: 64 MiB do
   * for the other defaults and values of up to 1 MiB.
   *
   * @defaultValue 4 GiB, all that WebAssembly has: values of 256 MiB take 2.5 GiB
   */
  memoryLimit?: number | undefined

  /**
   * Bytes that a key or value may have, written or read, 1 KiB to 1 GiB; more is `LEVEL_LIMIT_EXCEEDED`.
   *
   * @defaultValue `256 * 1024 * 1024`
   */
  maxValueBytes?: number | undefined
}

/** Additional options of single reads. */
export interface ReadOptions {
  /**
   * Whether what is read goes into the cache of blocks. Turn it off for reads that will not come again.
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
   * Acknowledge only when the write survives a loss of power, not just the end of the process: one flush of the disk, some
   * milliseconds on most. For many writes, {@link Varve.sync} at the end is cheaper.
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

/** A batch of {@link Varve.batch} without arguments. */
export interface ChainedBatch<TDatabase, KDefault, VDefault> extends AbstractChainedBatch<TDatabase, KDefault, VDefault> {
  write (): Promise<void>
  write (options: ChainedBatchWriteOptions): Promise<void>
}

/** Additional options for {@link Varve.iterator}, {@link Varve.keys} and {@link Varve.values}. */
export interface AdditionalIteratorOptions {
  /**
   * Whether blocks that are read go into the cache: all of them (`true`) or none (`false`).
   *
   * @defaultValue the first two of each table behind a seek: short ranges are read again and again, a long scan would drive
   * out what is hot.
   */
  fillCache?: boolean | undefined

  /**
   * Whether checksums of blocks are verified as they are read. Turn it off only to save what can be saved of a damaged database,
   * together with {@link OpenOptions.recovery | recovery} `'compat'`: what comes out may be wrong.
   *
   * @defaultValue `true`
   */
  verifyChecksums?: boolean | undefined

  /**
   * Bytes of keys and values read ahead at once, from 0 (one entry at a time) on: reading ahead stops when they are exceeded. An
   * entry that was cut out as a view or Buffer keeps the memory of those read with it: lower this, or copy, when few are kept.
   *
   * As in classic-level no number is refused: a fraction is cut off, `NaN` is 0, and a negative number is no bound; nor is
   * `Infinity`, which classic-level takes for 0. Whatever is asked for, no more than 64 MiB are read ahead at once.
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

/** What a successful sync means: nothing, that the operating system has it, or that it survives a loss of power. */
export type Durability = 'volatile' | 'os-buffered' | 'durable'

/** Answer of {@link Varve.info}. */
export interface Info {
  /** As {@link Varve.location}. */
  location: string | null
  storage: 'directory' | 'memory' | 'custom'
  durability: Durability
  /** Running totals since the database was opened. */
  counters: Record<string, number>
  /** Whether flushes or compactions are waiting or under way. */
  backgroundWork: boolean
  /** Bytes that the engine uses, about. */
  memoryUsage: number
  /** `degraded`: writes are refused until {@link Varve.resume}, because of `cause`; reads go on. */
  state: 'open' | 'degraded'
  cause?: VarveError
  /** What opening found, and what it left behind. */
  recovery: Recovery
  /** Each of the seven levels: table files, and their bytes. */
  levels: Array<{ files: number, bytes: number }>
  /** Table files of each of the seven levels. */
  filesAtLevel: number[]
  /** All table files, level by level, with their first and last key. */
  tables: Array<{ file: string, level: number, number: number, size: number, smallest: Uint8Array, largest: Uint8Array }>
  /** Decoded blocks in memory: how many bytes there may be and are, and how often one was found there or had to be read. */
  cache: { size: number, used: number, hits: number, misses: number }
  /**
   * Since the database was opened: bytes written to files for each byte put, blocks read for each look-up, and, about, bytes of
   * tables for each that the deepest level has. `null` where there was nothing yet.
   */
  amplification: { write: number | null, read: number | null, space: number | null }
  /** LevelDB's table of compactions, for people. */
  stats: string
}

/** What the event `recovered` tells. */
export interface RecoveredInfo {
  /** How the engine failed: mostly a `WebAssembly.RuntimeError`. */
  cause: unknown
  /** Milliseconds from the failure until the database was open again. */
  duration: number
}

/**
 * What opening found in the logs and the manifest: {@link Info.recovery}, and what the event `damage` tells. With
 * {@link OpenOptions.recovery | recovery} `'point-in-time'` everything before the first damage is in the database.
 */
export interface Recovery {
  /** All damage that was passed over, with file, offset and reason; empty where everything was read. */
  findings: VarveError[]
  /** Logs that were read, oldest first: whole batches taken from each, and entries in them. */
  logs: Array<{ file: string, batches: number, entries: number }>
  /** What was not read and is not in the database: `bytes` of `file` from `offset` on. */
  left: Array<{ file: string, offset: number, bytes: number }>
  /** Copies of damaged logs that were kept in the directory (`000003.log.damaged`); none if opened {@link OpenOptions.readOnly}. */
  copies: string[]
}

/** Answer of {@link Varve.verify}. */
export interface VerifyReport {
  /** Table files read. */
  tables: number
  /** Logs read that hold entries which no table has yet. */
  logs: number
  /** Entries in tables and logs, overwritten and deleted ones too. */
  entries: number
  /** Those of them that are in logs. */
  logEntries: number
  /** Bytes of the tables. */
  bytes: number
  /** What is wrong; empty if all is sound. Of each table the first damage, of a log each. */
  findings: VarveError[]
  /**
   * Files that are not part of the database: left from before, or named as undelete tools and copies name them. Of a closed
   * database alone ({@link Varve.verify}).
   */
  unused: string[]
}

/** Answer of {@link Varve.repair}. */
export interface RepairReport {
  /** Table files of the repaired database. */
  tables: number
  /** Entries in them, overwritten and deleted ones too. */
  entries: number
  /**
   * Names of the files that went to the directory `lost`. Among them are logs and damaged tables whose sound entries are in
   * the database. Nothing there is overwritten or deleted, not by a second repair either.
   */
  lost: string[]
  /** What was wrong, and everything that is not used: each damage, record and file. Empty if the database was sound. */
  findings: VarveError[]
}

/**
 * Files, for a database that lives neither in a directory nor in memory. Each method answers a value or a promise, as it
 * likes, from call to call. A failure is thrown or rejected with as an `Error` whose `code` (or `name`, as DOMExceptions have
 * it) says what it is: `ENOENT`, `EEXIST`, `EACCES`, `EPERM`, `EROFS`, `ENOSPC`, `EDQUOT`, `QuotaExceededError`, `ENOTDIR`,
 * `EISDIR`, `EMFILE`, `ENFILE` (no descriptor left: nothing was done), `EINVAL` (a name that cannot be), `LEVEL_LOCKED`, `LEVEL_FENCED`, `LEVEL_EVICTED`, `LEVEL_NOT_SUPPORTED` or
 * `LEVEL_SOURCE_CHANGED`; anything else is an I/O error.
 *
 * Names have 1 to 255 bytes, none of `/ \ :` and no control character, and are not `.`, `..` or `LOCK`; all this may follow
 * one `lost/`. A storage that only reads refuses `lock`, `create`, `editNames` and `removePlace` with `LEVEL_NOT_SUPPORTED`,
 * and its databases are opened with {@link OpenOptions.readOnly}, which calls neither.
 *
 * `varve/map` is an example of sixty lines; the tests of `varve/test/storage` tell whether your own is right. `varve/http` and
 * `varve/blob` are storages that only read.
 */
export interface Storage {
  /**
   * Excludes every other user of the same files until {@link unlock}. With `create`, makes the directory, or what stands for one,
   * if it is not there; otherwise fails with `ENOENT`. Answers an epoch, 0 where it cannot count.
   */
  lock (create: boolean): number | Promise<number>
  /** Gives the lock back; does nothing without one. */
  unlock (): void | Promise<void>
  /**
   * Names of all files, in any order, without `LOCK` and directories. A storage that cannot tell fails with
   * `LEVEL_NOT_SUPPORTED`: its databases can only be read, and logs are looked for by their names.
   */
  list (): string[] | Promise<string[]>
  /** A new, empty file in place of any other of that name. `sizeHint` is in bytes, 0 if unknown. */
  create (name: string, kind: 'log' | 'manifest' | 'table' | 'other', sizeHint: number): StorageFile | Promise<StorageFile>
  /**
   * A file that exists. `sizeHint` is in bytes, 0 if unknown: what a table has if the manifest is right. Of it the last 64 KiB
   * are read next; a storage far away may fetch them at once.
   */
  open (name: string, access: 'read' | 'append', sizeHint?: number): StorageFile | Promise<StorageFile>
  /**
   * Applies the edits in order; done when they, and the names of all files created before, are durable. `inPlace` is set during a
   * synchronous call of the database: a storage that can then finishes before it returns, and otherwise returns a promise as usual.
   */
  editNames (edits: NameEdit[], inPlace?: boolean): void | Promise<void>
  /** Removes the lock and, if nothing is left in it, the directory, or what stands for one. */
  removePlace (): void | Promise<void>
  /**
   * Optional: the file of that name of `source`, another storage, is here too, under the same name and without a copy. Answers
   * whether that could be done. It is asked of table files only, which never change.
   */
  link? (name: string, source: Storage): boolean | Promise<boolean>
  /** What a successful {@link StorageFile.sync} means. */
  readonly durability: Durability
  /** Whether the answer of {@link StorageFile.append} alone can be trusted; else the size is asked after each. */
  readonly appendsAreExact: boolean
  /**
   * How a worker makes the same storage, for {@link DatabaseOptions.worker}: it imports `module` and calls the constructor that
   * this exports under the name `export` with `args`, which must be what `structuredClone` takes.
   *
   * @example
   * ```js
   * get inWorker () {
   *   return { module: import.meta.url, export: 'MyStorage', args: [this.path] }
   * }
   * ```
   */
  readonly inWorker?: { module: string | URL, export: string, args: unknown[] }
}

/** A change to the names of a {@link Storage}. */
export type NameEdit =
  /** `from` must exist; `to` may begin with `lost/`. */
  | { type: 'rename', from: string, to: string }
  /** No error if it is not there. */
  | { type: 'remove', name: string }
  /** Atomically; `via` may be used on the way. */
  | { type: 'replace', name: string, via: string, content: Uint8Array }

/** A file of a {@link Storage}. */
export interface StorageFile {
  /**
   * Fills `into` from `offset` and answers how many bytes were read, fewer only at the end. `into` may be written only
   * before this returns: a storage that has to wait answers a promise of bytes of its own, at most `into.length`.
   */
  read (offset: number, into: Uint8Array): number | Promise<Uint8Array>
  /** Adds all of `data` at the end, or fails; answers how many bytes were taken. Copy what is needed after this returns. */
  append (data: Uint8Array): number | Promise<number>
  /**
   * Makes all that was appended durable. `inPlace` is set during a synchronous call of the database ({@link Varve.putSync} with
   * `sync: true`): a storage that can flushes before it returns. One that cannot throws `LEVEL_NOT_SUPPORTED` or returns a promise; it is
   * asked once before the first such call writes anything.
   */
  sync (inPlace?: boolean): void | Promise<void>
  truncate (size: number): void | Promise<void>
  size (): number | Promise<number>
  /** The engine is done with the file. A file that this storage removed stays readable until then. */
  close (): void
}

/** Codes of errors; abstract-level adds its own, such as `LEVEL_DECODE_ERROR`. */
export type ErrorCode =
  /** Bytes of `file` are damaged at `offset`: `verify()`, `repair`, or take a copy. */
  | 'LEVEL_CORRUPTION'
  /** The storage failed: see `cause`, then `resume()` or open again. */
  | 'LEVEL_IO_ERROR'
  /** No space, or a quota: make room, then `resume()`. Reads go on. */
  | 'LEVEL_FULL'
  /** Somebody else has the database open. */
  | 'LEVEL_LOCKED'
  /** The lock was lost to somebody else: open again. */
  | 'LEVEL_FENCED'
  /** A file was replaced while it was being read: open again. */
  | 'LEVEL_SOURCE_CHANGED'
  /** The browser took the files away. */
  | 'LEVEL_EVICTED'
  /**
   * The engine has failed. On a write, `maybeApplied` tells whether it may be found later; iterators and snapshots are to be made
   * anew. The engine is replaced by itself and the database goes on (event `recovered`). Where it is not (in memory, after three
   * failures in a minute, or after the storage refused a flush), close and open again, or {@link Varve.resume}.
   */
  | 'LEVEL_POISONED'
  /** Something else has to end first, the replacement of an engine that has failed for one: try again. */
  | 'LEVEL_BUSY'
  /** A key, value or batch is larger than the options or the format allow. */
  | 'LEVEL_LIMIT_EXCEEDED'
  /** The caller's mistake: an {@link InvalidArgumentError} (a TypeError) or an {@link OutOfRangeError} (a RangeError). */
  | 'LEVEL_INVALID_ARGUMENT'
  /** This database or storage cannot do that. */
  | 'LEVEL_NOT_SUPPORTED'
  /** Not open yet, or closed. When `open()` fails with it, `cause` has the reason. */
  | 'LEVEL_DATABASE_NOT_OPEN'
  /** The snapshot was closed. */
  | 'LEVEL_SNAPSHOT_NOT_OPEN'
  /** The signal of an iterator was aborted. */
  | 'LEVEL_ABORTED'
  /**
   * `engine.wasm` cannot be fetched or compiled, see `cause`: it has to lie beside the script, or be inside of it with
   * `varve/inline`; and a content security policy has to allow `'wasm-unsafe-eval'`.
   */
  | 'LEVEL_ENGINE_UNAVAILABLE'

/**
 * A failure. The `code` is stable, the message is not.
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
  constructor (message: string, details: { code: string, cause?: unknown, file?: string, offset?: number, maybeApplied?: boolean })
  code: ErrorCode
  cause?: unknown
  /** Name of the file that it is about, where known. */
  file?: string
  /** Byte of the file, where known. */
  offset?: number
  /** Of a write: its fate is unknown, and it may be found after opening again. */
  maybeApplied?: boolean
}

/** An argument or option of a wrong kind, or that what is there does not allow; its `name` is `TypeError`. */
export class InvalidArgumentError extends TypeError {
  code: 'LEVEL_INVALID_ARGUMENT'
}

/** A number out of the range of an argument or option; its `name` is `RangeError`. */
export class OutOfRangeError extends RangeError {
  code: 'LEVEL_INVALID_ARGUMENT'
}

/** A file was replaced while it was being read: answers of before and after are not mixed. Open the database again. */
export class SourceChangedError extends VarveError {
  code: 'LEVEL_SOURCE_CHANGED'
}

/** The signal of an iterator was aborted. */
export class AbortError extends VarveError {
  constructor (cause?: unknown)
}
