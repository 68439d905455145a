import { Storage, StorageFile, NameEdit } from './index.js'

/**
 * Files in a `Map`, gone with the process: the example of a {@link Storage}, sixty lines to begin your own with. (For a database
 * in memory, `storage: 'memory'` is faster.)
 *
 * @example
 * ```js
 * import { Varve } from 'varve'
 * import { MapStorage } from 'varve/map'
 *
 * const place = new MapStorage.Place()
 * const db = new Varve(null, { storage: new MapStorage(place) })
 * ```
 */
export class MapStorage implements Storage {
  /** What a directory is elsewhere. Several storages may share one; one at a time holds its lock. */
  static Place: new () => MapStoragePlace

  /** @param place Whose files; a new one by default. */
  constructor (place?: MapStoragePlace | undefined)

  readonly durability: 'volatile'
  readonly appendsAreExact: true
  lock (create: boolean): number
  unlock (): void
  list (): string[]
  create (name: string, kind: 'log' | 'manifest' | 'table' | 'other', sizeHint: number): StorageFile
  open (name: string, access: 'read' | 'append', sizeHint?: number): StorageFile
  editNames (edits: NameEdit[]): void
  removePlace (): void
}

export interface MapStoragePlace {
  files: Map<string, { bytes: Uint8Array, size: number }> | undefined
  owner: MapStorage | undefined
  epoch: number
}
