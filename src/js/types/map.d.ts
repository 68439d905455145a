import { Storage, StorageFile, NameEdit } from './index.js'

/**
 * Files in a `Map`, lost when the process ends: an example of a {@link Storage} in sixty lines, to
 * start your own from. For a database in memory, `storage: 'memory'` is faster.
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
  /**
   * The equivalent of a directory. Several storages may share one; one at a time holds its lock.
   */
  static Place: new () => MapStoragePlace

  /** @param place The files to use; a new place by default. */
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
