// The types of the package, compiled, not run. @ts-expect-error marks code that must not compile.
import { AbortError, InvalidArgumentError, OutOfRangeError, Varve, VarveError } from 'varve'
import { Varve as Inline } from 'varve/inline'
import { HttpStorage } from 'varve/http'
import { BlobStorage } from 'varve/blob'
import { testStorage } from 'varve/test/storage'
import type {
  BatchOperation, ChainedBatch, DatabaseOptions, Durability, ErrorCode, GetOptions, Info, Iterator, IteratorOptions, KeyIterator, NameEdit,
  OpenOptions, RepairReport, Snapshot, Storage, StorageFile, ValueIterator, VerifyReport
} from 'varve'

/** Compiles when A and B are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

interface Town { name: string, people: number }

// ---- Constructors ----

const text = new Varve('./db')
same<typeof text, Varve<string, string>>(true)
const towns = new Varve<string, Town>(new URL('file:///db'), { valueEncoding: 'json' })
const bytes = new Varve<Buffer, Uint8Array>(null, { storage: 'memory', keyEncoding: 'buffer', valueEncoding: 'view' })
const options: DatabaseOptions<string, Town> = {
  valueEncoding: 'json', compression: 'snappy', cacheSize: 1 << 20, writeBufferSize: 1 << 20, blockSize: 4096, maxOpenFiles: 100,
  blockRestartInterval: 16, maxFileSize: 1 << 20, readOnly: false, paranoidChecks: true, filterBits: 10, recovery: 'strict', reuseLogs: true,
  maxValueBytes: 1 << 20, createIfMissing: true, errorIfExists: false, worker: false
}
const typed: Varve<string, Town> = new Varve('./db', options)
const inline: Varve = new Inline('./db')

// @ts-expect-error a database without a directory needs a storage
export const nowhere = new Varve(null)
// @ts-expect-error an empty object is not a storage
export const still = new Varve(null, {})
// @ts-expect-error 'disk' is not a storage
export const disk = new Varve(null, { storage: 'disk' })
// @ts-expect-error no such compression
export const brotli = new Varve('./db', { compression: 'brotli' })
// @ts-expect-error sizes are numbers
export const size = new Varve('./db', { cacheSize: '8 MiB' })
// @ts-expect-error no such recovery
export const guess = new Varve('./db', { recovery: 'guess' })
// @ts-expect-error a location is a path or a URL
export const number = new Varve(1)

// ---- Reading and writing ----

export async function use(): Promise<void> {
  const town: Town | undefined = await towns.get('FR/Lyon')
  const now: Town | undefined = typed.getSync('FR/Lyon', { fillCache: false })
  // @ts-expect-error a missing value is undefined
  const sure: Town = await towns.get('FR/Lyon')
  // @ts-expect-error keys are strings here
  await towns.get(1)
  const many: Array<Town | undefined> = await towns.getMany(['a', 'b'])
  const raw: Uint8Array | undefined = await towns.get<string, Uint8Array>('a', { valueEncoding: 'view' })
  const flags: boolean[] = await towns.hasMany(['a'], { fillCache: false })
  const flag: boolean = await towns.has('a')

  await towns.put('a', { name: 'A', people: 1 }, { sync: true })
  // @ts-expect-error a part is missing
  await towns.put('a', { name: 'A' })
  // @ts-expect-error sync is a boolean
  await towns.put('a', { name: 'A', people: 1 }, { sync: 'yes' })
  await towns.del('a', { sync: true })
  await bytes.put(Buffer.from('a'), new Uint8Array(1))

  const operations: Array<BatchOperation<typeof towns, string, Town>> = [{ type: 'put', key: 'a', value: { name: 'A', people: 1 } }, { type: 'del', key: 'b' }]
  await towns.batch(operations, { sync: true })
  // @ts-expect-error no such operation
  await towns.batch([{ type: 'move', key: 'a' }])
  const chained: ChainedBatch<typeof towns, string, Town> = towns.batch()
  await chained.put('a', { name: 'A', people: 1 }).del('b').write({ sync: true })

  const snapshot: Snapshot = towns.snapshot()
  const iteratorOptions: IteratorOptions<string, Town> = { gte: 'a', lt: 'b', reverse: true, limit: 10, snapshot, highWaterMarkBytes: 1 << 10, fillCache: true }
  const iterator: Iterator<typeof towns, string, Town> = towns.iterator(iteratorOptions)
  for await (const [key, value] of iterator) same<[string, Town], [typeof key, typeof value]>(true)
  const keys: KeyIterator<typeof towns, string> = towns.keys()
  const values: ValueIterator<typeof towns, string, Town> = towns.values({ limit: 1 })
  const page: Array<[string, Town]> = await towns.iterator().nextv(10)
  iterator.seek('a')
  // @ts-expect-error a target is a key
  iterator.seek(1)
  await snapshot.close()
  await towns.clear({ gte: 'a', lt: 'b' })

  const sublevel = towns.sublevel<string, number>('counts', { valueEncoding: 'json' })
  const count: number | undefined = await sublevel.get('a')
  const watch = sublevel.watch<Buffer, string>({ gte: Buffer.from('a'), since: 3, keyEncoding: 'buffer', valueEncoding: 'utf8' })
  const reached: number | undefined = watch.sequence
  for await (const item of towns.watch()) {
    const told: number = item.sequence
    if (item.type === 'gap') break
    for (const change of item.changes) {
      if (change.type === 'clear') console.log(change.gt, change.lte, told, reached)
      else if (change.type === 'put') console.log(change.key, change.value.name)
    }
  }
  sublevel.putSync('a', 1, { sync: true })
  sublevel.delSync('a')
  sublevel.batchSync([{ type: 'put', key: 'a', value: 1 }, { type: 'put', key: 'b', value: 2, sublevel: towns.sublevel('other') }])
  const counts: (number | undefined)[] = [...sublevel.getManySync(['a', 'b']), sublevel.getSync('a')]
  for (const [key, value] of sublevel.sublevel<string, number>('deep', {}).rangeSync({ gt: 'a' })) console.log(key.length, value.toFixed(), counts, sublevel.hasSync(key))
  // @ts-expect-error its values are numbers
  sublevel.putSync('a', 'b')
  const getOptions: GetOptions<string, Town> = { snapshot }
  console.log(town, now, sure, many, raw, flags, flag, keys, values, page, count, getOptions, inline.status)
}

// ---- Beyond abstract-level ----

export async function more(): Promise<void> {
  await towns.sync()
  await towns.flush()
  await towns.compactRange()
  await towns.compactRange('a', null)
  await towns.compactRange(Buffer.from('a'), undefined, { keyEncoding: 'buffer' })
  const about: number = await towns.approximateSize('a', 'b')
  // @ts-expect-error both bounds are needed
  await towns.approximateSize('a')
  const stats: string = towns.getProperty('leveldb.stats')
  const info: Info = await towns.info()
  const durability: Durability | 'creating' | 'in-doubt' = info.durability
  const levels: number[] = info.filesAtLevel
  const report: VerifyReport = await towns.verify()
  const first: VarveError | undefined = report.findings[0]
  await towns.resume()
  const location: string | null = towns.location
  // @ts-expect-error it cannot be set
  towns.location = './other'

  const given: OpenOptions = { paranoidChecks: true }
  const repaired: RepairReport = await Varve.repair('./db', given)
  await Varve.destroy('./db')
  // @ts-expect-error the location is missing
  await Varve.destroy()
  // @ts-expect-error memory is freed with the object
  await Varve.destroy(null, { storage: 'memory' })
  console.log(about, stats, durability, levels, first, location, repaired.lost)
}

// ---- Errors ----

export function explain(error: unknown): string {
  if (error instanceof AbortError) return error.name
  if (error instanceof InvalidArgumentError) return error.code satisfies 'LEVEL_INVALID_ARGUMENT'
  if (error instanceof OutOfRangeError) return (error satisfies RangeError).code satisfies 'LEVEL_INVALID_ARGUMENT'
  if (!(error instanceof VarveError)) return String(error)
  const code: ErrorCode = error.code
  // @ts-expect-error codes are known
  if (code === 'LEVEL_SOMETHING') return ''
  if (code === 'LEVEL_FULL' || code === 'LEVEL_ENGINE_UNAVAILABLE') return `${error.file ?? ''} ${(error.offset ?? 0).toFixed()} ${String(error.maybeApplied)}`
  return error.message
}

// ---- Storages ----

class Nothing implements Storage {
  readonly durability = 'volatile'
  readonly appendsAreExact = true
  lock(_create: boolean): number { return 0 }
  unlock(): void {}
  list(): Promise<string[]> { return Promise.resolve([]) }
  create(name: string): StorageFile { throw new Error(name) }
  open(name: string, access: 'read' | 'append'): StorageFile { throw new Error(`${name} ${access}`) }
  editNames(edits: NameEdit[]): void {
    for (const edit of edits) if (edit.type === 'replace') console.log(edit.via, edit.content.length)
  }

  removePlace(): void {}
}

export const own = new Varve(null, { storage: new Nothing() })
export const remote = new Varve(null, { storage: new HttpStorage('https://example.org/db/'), readOnly: true })
export const blobs = new Varve(null, { storage: new BlobStorage({}), readOnly: true })

/** A storage that a worker may create again, or not. */
class Movable extends Nothing {
  readonly inWorker: { module: URL, export: string, args: unknown[] } | undefined = undefined
}

export const movable = new Varve(null, { storage: new Movable(), worker: undefined })
export const failed = new VarveError('no such file', { code: 'LEVEL_IO_ERROR', file: undefined, offset: undefined, maybeApplied: undefined })
testStorage(() => ({ one: new Nothing(), other: new Nothing() }), { test: (_name, run) => run() })
// @ts-expect-error a storage has more methods than that
export const part = new Varve(null, { storage: { lock: () => 0 } })
