/**
 * `varve/inspect`: what the bytes of LevelDB's files mean, and whether they are sound.
 *
 * Nothing here changes a file, or opens a database to write. Files are read in parts, through a `Source`. The
 * decoders are those of the engine, in WebAssembly (`full.wasm`).
 *
 * Damage is never an exception: it is a `Finding`, and what follows it is still explained. The only
 * errors are those of your `Source`, those of an aborted signal, and `LEVEL_ENGINE_UNAVAILABLE` if
 * the module cannot be loaded.
 */
import { Storage } from './index.js'

/** A file that is read in parts. */
export interface Source {
  /** For hints about the kind of file only; contents decide. */
  readonly name: string
  /** Bytes of the file, up to 2^53 - 1. */
  readonly size: number
  /**
   * Fills `into` with the bytes at `offset` and returns how many it read. Fewer than asked for means
   * that the rest cannot be read, which becomes a finding (S02).
   */
  read(offset: number, into: Uint8Array): number | Promise<number>
}

/** The bytes of a `Blob` or `File`, for example one that was dropped on a page. */
export function sourceOf(blob: Blob, name?: string): Source

/**
 * Loads the module. Other functions do so themselves, from `full.wasm` beside the script; call this
 * first if it is elsewhere.
 */
export function load(module: URL | string | BufferSource | WebAssembly.Module): Promise<void>

/** How much a finding matters. `info`: normal, for example after a crash; `warn`: readable, but no
 *  writer produces it; `bad`: data is unreadable or cannot be trusted. */
export type Severity = 'info' | 'warn' | 'bad'

export interface Finding {
  /** Stable; docs/inspector.md lists the codes. */
  code: string
  severity: Severity
  /** The bytes concerned, in the file. */
  offset: number
  length: number
  /** What was found and what was expected. */
  reason: string
}

/** A user key with the 8 bytes that LevelDB adds. */
export interface InternalKey {
  /** Hexadecimal, cut at 64 KiB. */
  key: string
  /** Bytes of the whole user key. */
  size: number
  /**
   * Absent if the key is too short for an internal key. A string of digits above 2^53 - 1, as in the
   * index, whose keys often have the highest sequence number.
   */
  sequence?: number | string
  type?: 'value' | 'deletion'
}

/** A range of bytes with a meaning. */
export interface Span {
  /**
   * `footer`, `metaindex`, `index`, `filter`, `meta`, `data`, `gap`, `contents`, `entry`, `field`,
   * `padding`, `fragment`, `record`, `edit` ...
   */
  kind: string
  /** Of a `field`: its name in the documentation of the format, for example `index handle size`. */
  name?: string
  /** In the file, or in the decompressed block or joined record if an outer span says `inside`. */
  offset: number
  length: number
  /** Bytes are in hexadecimal; a number that is not exact as one is a string of digits. */
  facts: Record<string, number | string | boolean | InternalKey>
  findings: Finding[]
  /** In the order of their offsets; they do not overlap. */
  spans: Span[]
}

/** What a file is, by its first and last bytes; by its name only if these do not tell. */
export interface Detected {
  kind: 'table' | 'log' | 'manifest' | 'current' | 'info log' | 'empty' | 'zeros' | 'foreign' | 'unknown'
  /** Of `foreign`: what it is, for example `RocksDB table, format version 5`, `SQLite database`. */
  format: string
  /** Why, in words: `the magic number at 711,163`. */
  reason: string
  /** The kind that its name suggests, if it has one of LevelDB's names. */
  named?: 'table' | 'log' | 'manifest' | 'current' | 'info log' | 'lock'
}

export function detect(source: Source): Promise<Detected>

/**
 * Whether a file is another program's, or zeros under a name that is none of LevelDB's: nothing in it is
 * explained, and it is no damaged table. Tables of RocksDB and Pebble are told from LevelDB's, so these are
 * not.
 */
export function isOther(detected: Pick<Detected, 'kind' | 'format' | 'named'>): boolean

/** Kinds of regions, by the number in `Regions.kind`. */
export const REGION_KINDS: readonly string[]
/**
 * States of regions, by the number in `Regions.state`: `unread`, `sound`, `bad`, `found` (sound, and
 * found by its checksum alone), `doubtful` (readable; something about it is wrong), `torn` (the end of
 * a log that was never written, as after a crash).
 */
export const REGION_STATES: readonly string[]
/** Codecs of blocks, by the number in `Regions.codec`; 255: not read, or not a block. */
export const CODECS: readonly string[]

/** Regions of a file, one row each, in columns of equal length. Transferable. */
export interface Regions {
  readonly length: number
  /** Offset in the file. */
  offset: Float64Array
  /** Bytes, a block's trailer included. */
  size: Float64Array
  kind: Uint8Array
  state: Uint8Array
  codec: Uint8Array
  /** Decompressed bytes; 0 if not read. Of a log's record: its bytes. */
  raw: Uint32Array
  /** Entries of a block; operations of a record. */
  entries: Uint32Array
  deletions: Uint32Array
  restarts: Uint32Array
}

/** The entries of a block, in columns. Offsets are in `raw`. */
export interface Entries {
  readonly length: number
  /** Where the entry begins: three varints, then the bytes of the key that are not shared. */
  offset: Uint32Array
  keyStart: Uint32Array
  valueStart: Uint32Array
  end: Uint32Array
  shared: Uint32Array
  /** 1 if a restart point leads to it. */
  restart: Uint8Array
  /** 0 deletion, 1 value, 255 no internal key. */
  type: Uint8Array
  sequence: Float64Array
}

export interface BlockView {
  /** Facts, findings, and the parts of the stored block: contents, codec, checksum. */
  span: Span
  /** The decompressed contents; absent if they cannot be decoded. */
  raw?: Uint8Array
  /** Whether `raw` is stored as it is, so that `span.offset` + an offset in it is one in the file. */
  plain: boolean
  entries: Entries
  restarts: Uint32Array
}

/** The whole key of an entry, with the 8 bytes of an internal key, cut at `max` bytes. */
export function keyOf(block: BlockView, index: number, max?: number): Uint8Array
/** The value of an entry. */
export function valueOf(block: BlockView, index: number): Uint8Array

/** A table, as far as its footer, metaindex, index and filter tell: no data block is read. */
export interface TableMap {
  /** Of the whole file, with totals as far as they are known. */
  summary: Span
  /**
   * Footer, metaindex, index, filter and other meta blocks, explained to their fields. The parts of
   * a block are `contents` (whose own spans have offsets `inside` it) and the fields `codec` and
   * `checksum`.
   */
  parts: Span[]
  /**
   * In the order of their offsets, without overlaps, covering the whole file: parts; data blocks,
   * which are `unread`; and gaps, to which nothing refers. If handles overlap, the first is kept.
   */
  regions: Regions
  /** The index, whose entries name the data blocks in order. Absent if it cannot be read. */
  index?: BlockView
  /** For each entry of `index`: the handle in its value (offset -1: malformed). */
  handles?: { offset: Float64Array, size: Float64Array }
  /** All of them, those of `parts` and `summary` included. */
  findings: Finding[]
}

export function mapTable(source: Source, options?: { signal?: AbortSignal }): Promise<TableMap>

/** Progress of a sweep: what was read since the last. */
export interface Swept {
  /** Bytes of the file that were read so far. */
  done: number
  /**
   * Rows in the order in which they were read; the `offset` tells which region of a map each is.
   * Blocks that were found without an index, and the gaps between them, are in the place of a gap.
   */
  regions: Regions
  findings: Finding[]
  /** At the end: the whole table, with its totals. */
  summary?: Span
  /** At the end, of a table of `idb_cmp1`. */
  names?: KeyName[]
}

/**
 * Reads and checks every block; searches bytes that nothing refers to for blocks. `comparator` is the
 * one that the manifest names: keys are checked in its order, and in none if the engine does not have
 * it. Without it the order is taken to be bytewise.
 */
export function sweepTable(source: Source, options?: { signal?: AbortSignal, comparator?: string }): AsyncGenerator<Swept, void>

/**
 * Decodes one block of a table. `kind` is one of `REGION_KINDS`; `size` is without the trailer, as in
 * handles. Blocks of more than 64 MiB, stored or decompressed, are not decoded (T12). At most
 * 3,145,728 entries are listed.
 */
export function openBlock(source: Source, block: { kind: string, offset: number, size: number }): Promise<BlockView>

/** Bytes that are searched for. */
export interface Wanted {
  /** 1 to `PATTERN_MAX` bytes. */
  bytes: Uint8Array
  /** As many bytes as `bytes`: where it has 0, any byte fits. */
  mask?: Uint8Array
  /** In user keys, in values, in both (the default), or only where a user key starts. */
  where?: 'keys' | 'values' | 'both' | 'key starts'
}

/** Most bytes that a search looks for, 1,024: at worst its time is in proportion to them. */
export const PATTERN_MAX: number

/** The contents of blocks, without their trailers, as an index has them. */
export interface BlockHandles {
  offset: Float64Array
  size: Float64Array
}

/** What was found in the blocks since the last part. */
export interface BlocksPart {
  /** Blocks that are searched. */
  done: number
  /** Blocks among those of this part that cannot be decoded. */
  unread: number
  /** Of each match, the number of its block among those that were given, and that of its entry. */
  block: Uint32Array
  entry: Uint32Array
  /** What the findings of its block say of it: 0 nothing, 1 it may be wrong, 2 the block is damaged. */
  doubt: Uint8Array
}

/**
 * Finds the entries with some bytes in data blocks of one table, in the order in which these are given. Of a
 * block with a wrong checksum, those are searched that can be decoded; of one with more entries than
 * `openBlock` lists, those that it lists.
 */
export function searchBlocks(source: Source, blocks: BlockHandles, wanted: Wanted, options?: { signal?: AbortSignal }): AsyncGenerator<BlocksPart, void>

/**
 * Finds the entries with some bytes in every table and log of a directory, live or not, also in blocks that
 * no index refers to and in records after damage. All of each file is read. Files are told even without a
 * match, at their ends. `key` of a mention is the
 * beginning of its key, up to 256 bytes.
 */
export function searchFiles(sources: Source[], wanted: Wanted, options?: { signal?: AbortSignal }): AsyncGenerator<MentionsPart, void>

/** Records of a log or manifest, one row each, in columns of equal length. Transferable. */
export interface LogRecords {
  readonly length: number
  /** Where its first fragment begins and its last one ends. */
  offset: Float64Array
  end: Float64Array
  /** Its first fragment's row among the regions of the file; `fragments` of them are its own. */
  region: Float64Array
  fragments: Uint32Array
  /** Bytes of its payload. */
  size: Float64Array
  /** Sequence number of the first operation of a batch, and the number of operations it says it has. */
  sequence: Float64Array
  operations: Uint32Array
  /** By the number in `REGION_STATES`: `bad` if fragments are missing or it is no batch. */
  state: Uint8Array
}

/**
 * A write-ahead log. The kinds of its regions are those of fragments (`full`, `first`, `middle`,
 * `last`), `padding` at the end of a block, `zeros` and `damage`; they cover the whole file in order.
 * `Regions.raw` is their size.
 */
export interface LogMap {
  /**
   * Facts: `records`, `operations`, `deletions`, `fragments`, `minSequence`, `maxSequence`,
   * `damagedRecords`, `recordsLeftBehind` (sound ones that recovery to a point in time does not
   * reach), `readUpTo` (where that recovery stops, unless at the end), `end` (`clean`, `torn`,
   * `zeros` or `damaged`).
   */
  summary: Span
  regions: Regions
  records: LogRecords
  findings: Finding[]
}

/** What was read of a log since the last part. */
export interface LogPart {
  /** Bytes of the file that were read so far. */
  done: number
  regions: Regions
  records: LogRecords
  findings: Finding[]
  /** At the end: the whole log. */
  summary?: Span
  /** At the end, with the comparator `idb_cmp1`. */
  names?: KeyName[]
}

/** Reads a whole log. Its result has about 100 bytes for each record: for large logs, use `sweepLog`. */
export function mapLog(source: Source, options?: {
  signal?: AbortSignal
  /** Is told how many bytes of the file were read. */
  progress?: (done: number) => void
}): Promise<LogMap>

/** The same in parts, with a bounded memory. */
export function sweepLog(source: Source, options?: { signal?: AbortSignal, comparator?: string }): AsyncGenerator<LogPart, void>

/** The operations of a write batch, in columns. Offsets are in `raw`. */
export interface Operations {
  readonly length: number
  /** Where it begins: its type, a varint, then the key. */
  offset: Uint32Array
  keyStart: Uint32Array
  keyEnd: Uint32Array
  valueStart: Uint32Array
  /** The end of the value; of a deletion, that of the key, as `valueStart`. */
  end: Uint32Array
  /** 0 deletion, 1 put. */
  type: Uint8Array
  sequence: Float64Array
}

export interface RecordView {
  /** The record in the file: its fragments and their fields. */
  span: Span
  /** Facts, findings and fields of what it holds; offsets are in `raw`. */
  contents: Span
  /** The joined payload. Records of more than 64 MiB are cut. */
  raw: Uint8Array
  /** Of a write batch; empty for a manifest. At most 3,145,728 are listed. */
  operations: Operations
}

/** Decodes one record of a write-ahead log: `offset` and `end` of a row of `LogRecords`. */
export function openRecord(source: Source, record: { offset: number, end: number }): Promise<RecordView>

/**
 * Why an edit was written, as its fields suggest, by the number in `Edits.reason`; 255: it cannot be
 * decoded. `flush` is to level `to`; `move` and `compaction` are from level `from` to `to`; `drop`
 * only removes tables; `opened` has a new log.
 */
export const EDIT_REASONS: readonly string[]

/** Edits of a manifest, one row each, in columns of equal length. Transferable. */
export interface Edits {
  readonly length: number
  /** As of `LogRecords`. */
  offset: Float64Array
  end: Float64Array
  region: Float64Array
  size: Float64Array
  state: Uint8Array
  reason: Uint8Array
  from: Uint8Array
  to: Uint8Array
  /** Tables that it adds and removes. */
  added: Uint32Array
  removed: Uint32Array
  /** Live tables after it, and their bytes. */
  tables: Uint32Array
  tableBytes: Float64Array
}

/** The version between two edits, from which `levelsAt` goes on. */
export interface Checkpoint {
  /** Edits, regions and bytes of the file before it. */
  edits: number
  regions: number
  offset: number
  state: Uint8Array
}

/** A manifest. Its regions are those of a log. */
export interface ManifestMap {
  /**
   * Facts: `edits`, `damagedEdits`, `end` (as of a log), and those of the last version: `comparator`
   * (hexadecimal), `logNumber`, `previousLogNumber`, `nextFileNumber`, `lastSequence`, `tables`,
   * `tableBytes`.
   */
  summary: Span
  regions: Regions
  edits: Edits
  checkpoints: Checkpoint[]
  /** The last version, encoded as one edit. */
  state: Uint8Array
  findings: Finding[]
}

/** What was read of a manifest since the last part. */
export interface ManifestPart {
  done: number
  regions: Regions
  edits: Edits
  findings: Finding[]
  checkpoint?: Checkpoint
  /** At the end: the whole manifest, and the last version, encoded as one edit. */
  summary?: Span
  state?: Uint8Array
}

/**
 * Reads a whole manifest. Rows of edits and regions are kept of the first `maxEdits` (1,000,000) only;
 * `levelsAt` finds the versions after the others, too. Fewer rows than `summary.facts.edits` means that
 * some were left out.
 */
export function mapManifest(source: Source, options?: {
  signal?: AbortSignal
  progress?: (done: number) => void
  maxEdits?: number
}): Promise<ManifestMap>

/** The same in parts, with a bounded memory: the first are there when the first MiB was read. */
export function sweepManifest(source: Source, options?: { signal?: AbortSignal }): AsyncGenerator<ManifestPart, void>

export interface EditView {
  /** The record in the file: its fragments and their fields. */
  span: Span
  /** The fields of the edit; offsets are in `raw`. */
  contents: Span
  raw: Uint8Array
}

/** Decodes one edit: `offset` and `end` of a row of `Edits`. */
export function openEdit(source: Source, edit: { offset: number, end: number }): Promise<EditView>

/** The live tables after an edit. */
export interface VersionState {
  /** Edits up to here; fewer than asked for if the manifest ends before. */
  edits: number
  /** Hexadecimal. */
  comparator?: string
  logNumber?: number | string
  previousLogNumber?: number | string
  nextFileNumber?: number | string
  lastSequence?: number | string
  tableBytes: number | string
  /** By level and number. */
  tables: { level: number, number: number | string, size: number | string, smallest: InternalKey, largest: InternalKey }[]
}

/** The version after edit number `edit` (the first is 0). */
export function levelsAt(source: Source, map: { checkpoints: Checkpoint[] }, edit: number, options?: { signal?: AbortSignal }): Promise<VersionState>

/** A file of a directory. */
export interface DirectoryFile {
  name: string
  /** Of a missing table: as the manifest says. */
  size: number
  /** Absent if it was not read, or is missing. */
  detected?: Detected
  /**
   * `current`, `current manifest`, `old manifest`, `live` (a table that the manifest names, at
   * `level`), `orphan` (one that it does not name), `missing` (one that is not there), `current log`,
   * `log to replay`, `old log`, `table` and `log` (no manifest tells more), `misnamed` (a table, log or
   * manifest by its content alone), `lock`, `info log`, `temporary`, `other`.
   */
  role: string
  /** In its name. */
  number?: number | string
  level?: number
  /**
   * An orphan without a footer, whose writer was interrupted: what is wrong inside it is left out of
   * `findings`.
   */
  unfinished?: boolean
  /** Of the table, log or manifest as a whole. */
  summary?: Span
  /** Those inside the file, then those about it. */
  findings: Finding[]
}

export interface DirectoryMap {
  /**
   * Facts: `files`, `bytes`, and those of the last version (as of a manifest's summary), if there is a
   * manifest.
   */
  summary: Span
  /** In the order of the sources; then tables that are missing. */
  files: DirectoryFile[]
  /** All of them, each with the name of its file if it concerns one: those about the directory first. */
  findings: (Finding & { file?: string })[]
  /** The manifest that CURRENT names, or else the newest. */
  manifest?: ManifestMap & { name: string }
}

/**
 * Reads the files of a directory: names in it, without folders. Logs and manifests are read to their
 * ends; of tables, the map and the first and last data block, or everything with `sweep`. A file that
 * cannot be read is a finding (D05). At most 100,000 files are opened. Logs and manifests of RocksDB are told
 * (D06) and not read: of a database of RocksDB there is no `manifest`, and only LevelDB's tables are checked.
 */
export function mapDirectory(sources: Source[], options?: {
  signal?: AbortSignal
  /** Is told before each file how many of the files were read, and its name. */
  progress?: (done: number, of: number, name: string) => void
  /** Also read and check every block of every table. */
  sweep?: boolean
  /**
   * The highest sequence numbers of tables that were swept before, by their names, so that T24 is found
   * without sweeping them again.
   */
  sequences?: Record<string, number>
  /**
   * The order in which `sweep` checks keys if no manifest names one; as of `sweepTable`.
   *
   * @defaultValue bytewise, as nearly all databases are
   */
  comparator?: string
}): Promise<DirectoryMap>

/** The filters of a table. */
export interface FilterView {
  /** Its name in the metaindex: `filter.` and the name of the policy. */
  name: string
  /** Whether it is LevelDB's Bloom filter, the only one that is asked. Others have no slots here. */
  known: boolean
  /** Why the filters cannot be used. */
  reason?: string
  /** The filter block in the file, with its trailer. */
  offset: number
  length: number
  /** Bytes of file that each filter covers, by where data blocks begin: 2,048 in all known files. */
  base: number
  /** Filters; at most 3,145,728 of them are listed. */
  count: number
  /** One row for each filter, in columns of equal length. Transferable. */
  slots: {
    readonly length: number
    /** Where it is in `raw`; its last byte is the number of probes. Equal: it is empty, and matches nothing. */
    start: Uint32Array
    end: Uint32Array
    /** Bits that are set. */
    set: Uint32Array
    /** Bits that each key asks for; above 30 the filter matches everything. */
    probes: Uint8Array
    /** 1: its offsets are impossible (T40), and it matches everything. */
    state: Uint8Array
  }
  /** The decompressed filter block. Bit `n` of a filter is bit `n % 8` of byte `start + n / 8`. */
  raw: Uint8Array
}

/** A key and its filter. */
export interface FilterProbe {
  /** `past end`: the key is after the last one, so that no filter is asked. */
  verdict: 'maybe' | 'no' | 'past end'
  /** The only data block that can have the key, without its trailer. */
  block?: { offset: number, size: number }
  /** The number of its filter. There may be no such filter: then it may have any key. */
  slot?: number
  /** The bits that the key asks for, and for each 1 if it is set. */
  bits: Uint32Array
  set: Uint8Array
  /** Whether the block has the key; absent if it cannot be read. */
  isThere?: boolean
}

/** Progress of a test of all keys. */
export interface FilterTest {
  /** Bytes of the file that were read so far. */
  done: number
  /** T41: the first key of each block that its filter denies. */
  findings: Finding[]
  /** At the end: the keys that were tested, and how many of them their filters deny. */
  keys?: number
  denied?: number
}

/** The filters of a table; `undefined` if it has none. `map`: of `mapTable`. */
export function openFilter(source: Source, map: Pick<TableMap, 'parts'>): Promise<FilterView | undefined>

/**
 * Asks the filters for a key, as a look-up does; `undefined` if they cannot be used, or the order of keys
 * is not known, so that no block can be found by a key. `comparator` as of `sweepTable`.
 */
export function probeFilter(source: Source, map: Pick<TableMap, 'parts'>, key: Uint8Array, options?: {
  comparator?: string
}): Promise<FilterProbe | undefined>

/**
 * Asks for keys that are not in the table: keys of the index with eight bytes more, made from `seed`.
 * Returns how many were asked for, and how many passed; `undefined` as of `probeFilter`.
 */
export function measureFilter(source: Source, map: Pick<TableMap, 'parts'>, options?: {
  /** @defaultValue 10,000: enough to see a rate of 1 % to a tenth of it */
  keys?: number
  seed?: number
  /** As of `sweepTable`. */
  comparator?: string
}): Promise<{ asked: number, passed: number } | undefined>

/** Tests every key of a table against its filter, also if the checksum of the filter block is wrong. */
export function testFilter(source: Source, options?: { signal?: AbortSignal }): AsyncGenerator<FilterTest, void>

/** One step of a look-up. */
export interface TraceStep {
  /** A log stands for the memtable that opening would make of it; `level`: no table of it was looked at. */
  kind: 'log' | 'table' | 'level'
  /** Its name; of a table that is missing, the name it should have. */
  file?: string
  /** Of tables and levels. */
  level?: number
  /**
   * What came of it. `skipped`: its range does not cover the key; `filtered`: the filter says that the
   * key is not in the block; `past end`: the key is after the last one; `newer`: the key is there, but
   * only in entries above the sequence number asked for; `unknown`: it cannot be read, or a log is
   * damaged. `found` and `deleted` end the search.
   */
  outcome: 'skipped' | 'filtered' | 'past end' | 'absent' | 'newer' | 'found' | 'deleted' | 'unknown'
  /** Tables of the same level that are skipped by their ranges without a step of their own. */
  skipped?: number
  /** The data block that the index leads to (without its trailer), or the record with the entry. */
  offset?: number
  length?: number
  /** The answer of the filter, and its number; absent without a usable filter. */
  filter?: 'maybe' | 'no'
  slot?: number
  /** The filter said `maybe`, and the key is not there. */
  falsePositive?: boolean
  /** Where the value begins in the decompressed block; of a log, the number of the operation in the record. */
  entry?: number
  /** Of the entry that decided; of `newer`, of the newest entry. */
  sequence?: number | string
  /** Of a log: its operations with this key. */
  mentions?: number
  /** Bytes that were read: of a log, all; of a table, those of the data block. */
  bytes: number
  /** Why it is `unknown`, or why the filter is not used. */
  reason?: string
}

/** A look-up, step by step. */
export interface Trace {
  /**
   * What `get` answers. `unknown`: a damaged block, a file that is missing or cannot be read, or damage in
   * a log or the manifest is on the way, so that nothing is known below it, or the order of keys is not
   * known, so that no key can be looked up (then there are no steps): see `reason`.
   */
  answer: 'value' | 'deleted' | 'absent' | 'unknown'
  value?: Uint8Array
  reason?: string
  /** Entries up to this sequence number were seen. */
  sequence: number | string
  /** In the order of the search: logs, newest first; tables of level 0, newest first; one table of each deeper level. */
  steps: TraceStep[]
  /** What it cost, besides the footer, index and filter of each table. */
  bill: {
    /** Bytes of logs that were read, in place of memtables. */
    logBytes: number
    /** Tables whose range covers the key, and those that were skipped by their range. */
    tables: number
    skipped: number
    /** Filters that were asked; that said no; that said maybe of a key that is not there. */
    filters: number
    noes: number
    falsePositives: number
    /** Data blocks that were read, and their stored bytes. */
    blocks: number
    blockBytes: number
    /** The same if there were no filters. */
    blocksUnfiltered: number
    bytesUnfiltered: number
  }
}

/**
 * Looks up one key in the files of a database, as `get` does: the search is the engine's own, in the
 * order that the manifest names. The sources are those of one directory, as for `mapDirectory`. Logs are
 * streamed. A database with a comparator that the engine does not have (see `rankKeys`) has the answer
 * `unknown`, and `reason` names the comparator.
 *
 * ```ts
 * const { answer, steps, bill } = await traceKey(sources, new TextEncoder().encode('user:00007463'))
 * ```
 */
export function traceKey(sources: Source[], key: Uint8Array, options?: {
  /** Look up as of this sequence number, up to 2^53 - 1. Default: the last one. */
  sequence?: number
  signal?: AbortSignal
  /** Is told how many bytes were read. */
  progress?: (done: number) => void
}): Promise<Trace>

/**
 * Looks up one key in one table, without the database around it: its index, its filter, its block. The one
 * step says what a look-up that reaches this table finds there, as a table of level 0 whose range covers every
 * key; nothing is known of newer entries elsewhere. `answer` is `unknown` as of `traceKey`.
 */
export function traceTable(source: Source, key: Uint8Array, options?: {
  /** Look up as of this sequence number, up to 2^53 - 1. Default: the newest entry of the key. */
  sequence?: number
  /** The name of the order of its keys. Default: bytewise, the order of nearly all databases. */
  comparator?: string
  signal?: AbortSignal
  /** Is told how many bytes were read. */
  progress?: (done: number) => void
}): Promise<Trace>

/** An entry of a key in a file. */
export interface Mention {
  /** The data block with its trailer, or the record. */
  offset: number
  length: number
  /** Its number in the block, or that of the operation in the record. */
  entry: number
  /** Absent if the entry has no valid one. */
  sequence?: number | string
  /**
   * The bytes of its key in hexadecimal, if they are others than those that were asked for: in the order
   * of the database both are one key, as `-0` and `0` are in `idb_cmp1`. Of `searchFiles`: the first 256
   * bytes of its key.
   */
  key?: string
  /** Bytes of its key, if `key` has fewer. */
  keySize?: number
  type: 'value' | 'deletion'
  valueSize: number
  /** The first 256 bytes of its value, in hexadecimal. */
  value: string
  /**
   * `sound`; `doubtful`: the checksum of the block is wrong, or the record contradicts others; `found`: in
   * a block that no index refers to; `torn`: in a record after damage, which recovery to a point in time
   * leaves behind.
   */
  state: 'sound' | 'doubtful' | 'found' | 'torn'
}

/** Entries of one file, as they are found. */
export interface MentionsPart {
  file: string
  /** As of `DirectoryFile`. */
  role: string
  level?: number
  mentions: Mention[]
  /** Of `searchFiles`: how many more there were in blocks or records with more than 16,384. */
  more?: number
  /** Whether the file was read to its end. */
  isEnd: boolean
  /** Bad findings so far in what was read of the file: it may have had other entries. */
  damage?: number
  /** Why the file could not be read, or is not: RocksDB's tables and logs are not. */
  failure?: string
  /** Bytes of all files that are done. */
  done: number
}

/** An edit of a manifest that adds, moves or removes a table. */
export interface FileEvent {
  /** The name of the manifest, the number of the edit in it, and where its record begins. */
  manifest: string
  edit: number
  offset: number
  /** One of `EDIT_REASONS`. */
  reason: string
  added: boolean
  level: number
  /** Of a compaction that made it: the tables that it replaced, at most 64. */
  inputs: (number | string)[]
}

/** What was found of a key since the last part. */
export interface HistoryPart extends MentionsPart {
  /** How the table came to be, moved and went. Empty for a table that no manifest names. */
  events: FileEvent[]
}

/**
 * Finds every entry of a key in every table and log of a directory, live or not. Which keys are equal
 * tells the comparator that the manifest names; if the engine does not have it, those with the same bytes
 * are found. Logs are read to their ends; of tables, by their index where that is possible, else
 * completely. The files are in the order of the sources; sort the mentions by sequence number for the
 * history of the key.
 */
export function keyHistory(sources: Source[], key: Uint8Array, options?: { signal?: AbortSignal }): AsyncGenerator<HistoryPart, void>

/**
 * The SHA-256 of a file in hexadecimal, read in parts: evidence that it is the same before and after.
 * Bytes that cannot be read are a `LEVEL_IO_ERROR`.
 */
export function sha256(source: Source, options?: { signal?: AbortSignal, progress?: (done: number) => void }): Promise<string>

/**
 * Which blocks of damaged tables and records of damaged logs are used. `sound`: blocks with a right
 * checksum that a sound index lists. `carved`: also those found by their checksums where the index cannot be used. `doubtful`: also listed
 * blocks with a wrong checksum that decode to their ends, with keys in order between those of their
 * neighbours. Of logs, records with right checksums are used in all three, also after damage; `doubtful` adds
 * records with a wrong checksum, and those behind damage at the start of a log of which nothing proves that
 * they are records, if they are whole batches whose sequence numbers fit. What is doubtful may be wrong, and
 * each is in `SalvageReport.doubtful`.
 */
export type Strictness = 'sound' | 'carved' | 'doubtful'
export const STRICTNESS: readonly Strictness[]

export interface SalvageOptions {
  /** @defaultValue `'carved'`: all that has a right checksum */
  strictness?: Strictness
  /**
   * `'leveldb.BytewiseComparator'` or `'idb_cmp1'` sorts the entries of a database with another comparator
   * anew; the program that made it cannot open the result. By default the one that the manifest names;
   * a database with one that is not known is refused.
   */
  comparator?: string
  /**
   * Where entries that must be written anew (those of logs and of damaged tables) are kept until the
   * result is closed. Sound tables are not copied. `'auto'`: the browser's private files in a worker,
   * where they are removed afterwards; elsewhere memory. A `Storage` of your own must be empty, and is
   * yours to remove.
   *
   * @defaultValue `'auto'`
   */
  scratch?: 'auto' | 'memory' | Storage
  /** Bytes that may be kept there. @defaultValue 512 MiB in memory, no limit elsewhere */
  scratchMax?: number
  signal?: AbortSignal
  /** Is told how many bytes were read. Some are read twice. */
  progress?: (done: number) => void
}

/** A number of entries: `exact`; `at least`, if only some can be told apart; or `about`, by the other blocks of the table. */
export interface EntryCount {
  count: number
  is: 'exact' | 'at least' | 'about'
}

/** Where something is that is not used, or that may be wrong. */
export interface Remark {
  file: string
  offset: number
  /** Its bytes; absent if its end is not known, or it is about the whole file. */
  length?: number
  reason: string
  /**
   * The entries in it, where that can be known: of a block by its layout or its restart points, else
   * `about`; of records of a log by the sequence numbers before and after them.
   */
  entries?: EntryCount
}

/** What a salvaged database has, and what is left behind. */
export interface SalvageReport {
  strictness: Strictness
  /** Keys that a read finds. */
  live: number
  /** Bytes of these keys and their values. */
  liveBytes: number
  /** Keys of any entry, deleted ones included. */
  keys: number
  /** Values and tombstones, overwritten ones included. */
  entries: number
  tombstones: number
  tables: number
  /**
   * What each file gave: `whole` (a sound table, used as it is), `part` (its sound entries, written anew;
   * of a sound log all of them) or `none`, with the reason. `entries` are those read; if files have to
   * be merged, of several versions of a key only the newest stays.
   */
  files: { file: string, use: 'whole' | 'part' | 'none', entries: number, lostBytes: number, reason?: string }[]
  /** Files of other names that are used, and the name under which. */
  adopted: { file: string, as: string }[]
  /** All damage, and every block, record and file that is not used, each once. Of more than about 11,000, the last says how many. */
  leftBehind: Remark[]
  /** Blocks and records that are used although they may be wrong. At most 1,000. */
  doubtful: Remark[]
  /**
   * Keys that may be missing, may have an older value, or may be back from deletion, because entries of
   * `file` are missing: from `from` (or the first) to `to` (or the last), both included. `live` keys of the
   * result are among them; `entries` are those missing, where that is known. At most 1,000; the last may
   * stand for more.
   */
  atRisk: { file: string, from?: Uint8Array, to?: Uint8Array, live: number, entries?: EntryCount }[]
  /** Whether `atRisk` concerns newer entries than some that are used. */
  oldDataMayReappear: boolean
}

/** A salvaged database; it reads the sources until it is closed. */
export interface Salvaged {
  readonly report: SalvageReport
  /** A zip of the database's directory, as of `Varve.export()`. */
  zip(options?: { signal?: AbortSignal }): AsyncGenerator<Uint8Array<ArrayBuffer>, void>
  /**
   * One sorted table (`.ldb`) of the live entries, each with its newest version and its sequence number, which
   * LevelDB, `varve inspect` and `salvage` read. To get a database, put it as `000001.ldb` into an empty
   * directory and repair that, with `comparator` if the order is not bytewise: a table does not name it. Memory holds the index and filter of the table, about two bytes for each entry
   * of 100 bytes, and a piece of about 1 MiB.
   *
   * @throws `LEVEL_INVALID_ARGUMENT` if there is no live entry: LevelDB cannot repair an empty table;
   * `LEVEL_LIMIT_EXCEEDED` if its index or filter would have 4 GiB.
   */
  table(options?: { signal?: AbortSignal }): AsyncGenerator<Uint8Array<ArrayBuffer>, void>
  /**
   * The live entries in order, a line of JSON each:
   * `{ "key": { "enc": "utf8" | "base64", "v": string }, "value": { … } }`.
   */
  ndjson(options?: { signal?: AbortSignal }): AsyncGenerator<Uint8Array<ArrayBuffer>, void>
  /** Copies the database to a storage that is empty or does not exist yet. */
  copy(storage: Storage): Promise<void>
  /**
   * Copies the database to a new one of this origin, which `new Varve(name)` opens. If it fails or is
   * cancelled, nothing of it is left; a page or worker that ends meanwhile leaves files that do not open,
   * until `Varve.destroy(name)`.
   *
   * @throws `LEVEL_INVALID_ARGUMENT` if the origin has a database of this name, in either storage;
   * `LEVEL_NOT_SUPPORTED` where the storage is missing; `LEVEL_FULL`; `LEVEL_ABORTED`, after which only `close`
   * is left.
   */
  copyToOrigin(name: string, options?: {
    /**
     * `'opfs'`: private files, only in a dedicated worker. `'indexeddb'`: where there are none, as in
     * a shared worker, or if the program that opens it has them there.
     *
     * @defaultValue `'opfs'`, which reads and writes faster
     */
    storage?: 'opfs' | 'indexeddb'
    signal?: AbortSignal
    /** Is told how many bytes of the sources were read. */
    progress?: (done: number) => void
  }): Promise<void>
  /** Removes what was kept. */
  close(): Promise<void>
}

/**
 * Makes a sound database of what can be read of a damaged one, and changes none of its files: the engine
 * repairs it over a layer that takes all changes. `report` is the dry run: `zip`, `table`, `ndjson`
 * and `copy` write exactly that. Tables and logs alone, without CURRENT and manifest, are salvaged too, also under
 * other names; in one file of no known structure, blocks are looked for.
 *
 * @param sources The files of one directory, named as in it.
 * @throws `LEVEL_NOT_SUPPORTED` if the manifest and all tables are RocksDB's;
 * `LEVEL_INVALID_ARGUMENT` if there is no table, log or manifest, or the comparator is another;
 * `LEVEL_FULL` if more than `scratchMax` would be kept; `LEVEL_SOURCE_CHANGED` if a file changed meanwhile;
 * `LEVEL_ABORTED`.
 */
export function salvage(sources: Source[], options?: SalvageOptions): Promise<Salvaged>

/** An entry of a zip, as the central directory says. */
export interface ZipEntry {
  readonly index: number
  /** With its folders; any text, and never a path on a disk. Bytes that are no UTF-8 are shown as `\xNN`. */
  readonly name: string
  /** `stored`, `deflated`, or the name or number of a method that is not supported. */
  readonly method: string
  readonly size: number
  /** Bytes in the archive. */
  readonly stored: number
  /** Of its header, in the file. */
  readonly offset: number
  /** Why it should not or cannot be read: encrypted, an unknown method, a second entry of one name. */
  readonly problem?: string
}

/** A file inside a zip. */
export interface ZipSource extends Source {
  /** Of a stored entry: where its content begins in the zip, which is read in place. */
  readonly at?: number
  /** Of a deflated entry: its content, in memory. */
  readonly blob?: Blob
  /** A wrong checksum or size; the content is as it was read. */
  readonly problem?: string
  /** Whether the checksum was checked. */
  readonly isChecked: boolean
}

export interface Zip {
  readonly entries: ZipEntry[]
  /** Bytes before the archive. */
  readonly prefix: number
  /** Folders with a table, log, manifest or CURRENT in them, with the entries directly inside. */
  readonly databases: { folder: string, entries: ZipEntry[] }[]
  /**
   * Opens an entry. A stored one is read in place; its checksum is checked up to `checkMax` bytes. A
   * deflated one is inflated into memory.
   *
   * @throws `LEVEL_LIMIT_EXCEEDED` if it says that it is larger than `sizeMax`, or, beyond the first MiB,
   * more than `ratioMax` times its stored size; `LEVEL_NOT_SUPPORTED` for those with a `problem`
   * of that kind; `LEVEL_CORRUPTION` with `file` and `offset` if no entry begins there, its content is
   * damaged or longer than it says, or the archive ends before it.
   */
  open(entry: ZipEntry, options?: {
    /** @defaultValue 256 MiB */
    sizeMax?: number
    /** @defaultValue 200, which no real file of a database reaches */
    ratioMax?: number
    /** @defaultValue 256 MiB: reading more takes seconds */
    checkMax?: number
    signal?: AbortSignal
  }): Promise<ZipSource>
}

/**
 * Reads the central directory of a zip, which alone counts: bytes before the archive, comments and gaps
 * are tolerated; zip64 is read. At most 100,000 entries.
 *
 * @throws `LEVEL_CORRUPTION` if it is cut short or no zip; `LEVEL_LIMIT_EXCEEDED`.
 */
export function openZip(source: Source, options?: { signal?: AbortSignal }): Promise<Zip>

/**
 * Yields the spans of a table one by one; with `entries`, those of entries inside their blocks'.
 * `comparator` as of `sweepTable`.
 */
export function inspectTable(source: Source, options?: { entries?: boolean, comparator?: string }): AsyncGenerator<Span, void>

/**
 * How an application writes its keys: Chromium's IndexedDB, Local Storage and Session Storage, and
 * worlds of Minecraft Bedrock.
 */
export type KeyScheme = 'indexeddb' | 'local storage' | 'session storage' | 'bedrock'

/**
 * The name of a database (`store` 0), object store (`index` 0) or index in Chromium's IndexedDB, as its
 * metadata in one file has it. Empty: it was deleted. The one with the highest `sequence` holds. At
 * most 10,000 are told.
 */
export interface KeyName {
  database: number
  store: number
  index: number
  sequence: number
  name: string
}

/**
 * The scheme that all of these user keys are of, if they tell: one that no other application writes,
 * or several that only fit. Give it the keys of one block.
 */
export function guessScheme(keys: Uint8Array[]): Promise<KeyScheme | undefined>

/**
 * The parts of user keys, with offsets in the key; `null`: the key is not of the scheme, to its last
 * byte. The `kind` of the span is what the key is for, for example `record` or `index entry`, and its
 * fields are `database`, `object store`, `index`, `key`, `primary key`, `origin` ... Facts of a field:
 * `value` (a number), `text` (UTF-8), `binary`, or `number` and `date` (a double), all but the first in
 * hexadecimal; of an `array`, their number, and the keys in it as fields of their own.
 */
export function explainKeys(scheme: KeyScheme, keys: Uint8Array[]): Promise<(Span | null)[]>

/**
 * The rank of each user key in the order of a comparator, the same for equal keys; `undefined` if the
 * engine does not have this comparator. It has `leveldb.BytewiseComparator` and `idb_cmp1`.
 */
export function rankKeys(comparator: string, keys: Uint8Array[]): Promise<Uint32Array | undefined>

/** A database of this origin, in the browser's private files or in IndexedDB. */
export interface OriginDatabase {
  name: string
  storage: 'opfs' | 'indexeddb'
  /** Whether a page or worker has it open; `false` where there are no Web Locks. */
  inUse: boolean
}

/** Lists the databases of this origin, in any order. Creates and locks nothing. */
export function databasesOfOrigin(): Promise<OriginDatabase[]>

/** A file of a database, as it was when it was read. */
export interface OriginFile {
  name: string
  /** Bytes of `blob`. */
  size: number
  blob: Blob
  /**
   * Whether `blob` is a copy in memory. If not, it is a part of a `File` of a table. Once the table was
   * removed and its space is used again, reading it fails in Chromium (`NotReadableError`); in other
   * browsers it then has other bytes, and the checksums of its blocks are wrong.
   */
  isCopy: boolean
  /** Why the file has no content, or less than it should. */
  problem?: string
}

/** The files of a database as they were at one time. */
export interface OriginFiles {
  files: OriginFile[]
  /** Larger after each change of names in private files, and after each write in IndexedDB. */
  sequence: number
  /** When the newest log was read, in ms since 1970. */
  takenAt: number
  /** How many reads were repeated, because the owner wrote meanwhile. */
  repeated: number
}

/**
 * Reads the files of a database, also while a page or worker writes it, without a lock and without
 * creating or changing anything. With these files, the database is in the state after some write:
 * it has everything that was acknowledged before this call, and of what was written meanwhile nothing
 * without what was written before. Files that nothing refers to any more may be among them.
 *
 * Logs and manifests are copied, and in IndexedDB everything. While somebody has the database open,
 * tables are copied up to `copiesMax` bytes together (default: 128 MiB), the newest first; while nobody
 * has, they are not copied in Chromium.
 *
 * In Chromium, a log that is being written is read by an address that a content security policy must
 * allow (`connect-src filesystem:`). Otherwise reading a busy database takes seconds, or fails.
 *
 * @throws `LEVEL_INVALID_ARGUMENT` if there is no such database; `LEVEL_SOURCE_CHANGED` if a file, or
 * all of them together, could not be read in `patience` ms (default: 5,000) without a write between:
 * try again;
 * `LEVEL_LIMIT_EXCEEDED` if more than 1 GiB of logs, or 2 GiB in IndexedDB, would be copied;
 * `LEVEL_CORRUPTION` if the names in IndexedDB cannot be read, and `LEVEL_EVICTED` if the browser removed them.
 */
export function filesOfOrigin(name: string, storage: 'opfs' | 'indexeddb', options?: {
  patience?: number
  copiesMax?: number
}): Promise<OriginFiles>

/** Options of a live database; sizes are bytes, and all may be left out. */
export interface LiveOptions {
  /** Entries in memory before they become a table; default 4 MiB, as LevelDB's. */
  writeBufferSize?: number
  /** Size at which a compaction begins another table; default 2 MiB. */
  maxFileSize?: number
  /** Entries of a block before compression; default 4096. */
  blockSize?: number
  /** Every how many entries a key is stored whole; default 16. */
  blockRestartInterval?: number
  /** Bits a key of the Bloom filters, at most 43; 0 writes none; default 10. */
  filterBits?: number
  /** Default 'snappy'. */
  compression?: 'snappy' | 'none'
}

/** Something that background work did, or that writes waited for. */
export interface LiveEvent {
  name: 'flush' | 'compaction' | 'stall'
  phase: 'begin' | 'end'
  /** Of a flush: the table, null if nothing was left to write, and its level. */
  file?: string | null
  /** Of a compaction: that of the upper inputs. */
  level?: number
  outputLevel?: number
  /** Of a flush: memtables, their entries and bytes; at its end, those of the table. */
  memtables?: number
  entries?: number
  bytes?: number
  /** Of a compaction: file names of tables. */
  inputs?: string[]
  outputs?: string[]
  bytesRead?: number
  bytesWritten?: number
  /** The tables go to the next level as they are. */
  trivialMove?: boolean
  /** Of a stall: `memtable-full`, `level0-slowdown` or `level0-stop`. */
  cause?: string
}

export interface LiveTable {
  file: string
  level: number
  number: number
  /** In bytes. */
  size: number
  smallest: Uint8Array
  largest: Uint8Array
}

export interface LiveState {
  /** `degraded`: writes are refused, see `failure`; reads work. */
  status: 'open' | 'degraded' | 'closed'
  failure?: string
  isDue: boolean
  isRunning: boolean
  /** Of the entries in memory. */
  memoryBytes: number
  /** Since it was opened, as `counters` of `info()` of an open database (`varve`). */
  counters: Record<string, number>
  tables: LiveTable[]
  /** Of all files together. */
  fileBytes: number
}

/**
 * A database in memory whose background work goes on only when it is told to: for showing how the
 * tree grows. The engine is the package's, and its files are LevelDB's. A write does a share of the
 * work that is due, as in any database; where one stops before each job, as `step` does, none is due.
 *
 * Methods reject with a `VarveError` (`varve`): `LEVEL_INVALID_ARGUMENT`, `LEVEL_DATABASE_NOT_OPEN` after
 * `close`, `LEVEL_LIMIT_EXCEEDED` where memory ends.
 */
export interface LiveDatabase {
  put(key: Uint8Array, value: Uint8Array): Promise<void>
  del(key: Uint8Array): Promise<void>
  /** All or none. */
  batch(operations: ({ type: 'put', key: Uint8Array, value: Uint8Array } | { type: 'del', key: Uint8Array })[]): Promise<void>
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  /** Entries in the order of their keys; `limit` is all by default. */
  entries(range?: { gte?: Uint8Array, lt?: Uint8Array, limit?: number }): Promise<{ key: Uint8Array, value: Uint8Array }[]>
  /** Whether a flush or compaction is due, or began. */
  readonly isDue: boolean
  /** Whether one began and did not end. */
  readonly isRunning: boolean
  /** Does about `bytes` of background work, 16 KiB by default. */
  work(bytes?: number): Promise<void>
  /** Begins the job that is due, or ends the one that began; false if there was none. A small job begins and ends at once, and where several are due, the next may begin as one ends. */
  step(): Promise<boolean>
  /** Does all work that is due. */
  settle(): Promise<void>
  /** Writes what is in memory to a table. */
  flush(): Promise<void>
  /** Compacts everything. */
  compact(): Promise<void>
  /** Events since the last call, in their order. */
  takeEvents(): LiveEvent[]
  state(): LiveState
  /** The files as they are now: later writes do not change them. */
  files(): Source[]
  /** Ends it, and its files with it. */
  close(): Promise<void>
}

/** Begins an empty one. */
export function openLive(options?: LiveOptions): Promise<LiveDatabase>
