import { NameEdit, Storage, StorageFile } from './index.js'

/** A `File`. */
export type NamedBlob = Blob & { readonly name: string, readonly webkitRelativePath?: string | undefined }

/**
 * A read-only database whose files are `File`s or `Blob`s: chosen by a user, dropped on a page, or
 * opened with Node's `fs.openAsBlob`. They are read in slices. Writes, `destroy` and `repair` fail
 * with `LEVEL_NOT_SUPPORTED`, and so does opening without `readOnly`.
 *
 * A `File` is a snapshot of the file when it was chosen. If the file is modified, truncated or
 * removed, reads fail with `LEVEL_SOURCE_CHANGED` ({@link SourceChangedError}): choose it again.
 *
 * @example
 * ```js
 * // <input type="file" webkitdirectory id="input">
 * import { Varve } from 'varve'
 * import { BlobStorage } from 'varve/blob'
 *
 * const db = new Varve(null, { storage: new BlobStorage(input.files), readOnly: true })
 * ```
 *
 * @example
 * ```js
 * import { openAsBlob } from 'node:fs'
 * import { readdir } from 'node:fs/promises'
 *
 * const files = new Map()
 * for (const name of await readdir('db')) files.set(name, await openAsBlob(`db/${name}`))
 * const db = new Varve(null, { storage: new BlobStorage(files), readOnly: true })
 * ```
 */
export class BlobStorage implements Storage {
  /**
   * @param files A `FileList` or another iterable of `File`s, or a `Map` or object of `Blob`s by
   * name. For a chosen directory (`webkitRelativePath`), the folder that contains `CURRENT` is
   * used, without its subfolders.
   * @throws {@link InvalidArgumentError} for anything else, if two files have the same name, or if
   * several folders contain a database.
   */
  constructor (files: Iterable<NamedBlob> | Map<string, Blob> | Record<string, Blob>)

  readonly durability: 'durable'
  readonly appendsAreExact: true
  /** Used by the option `worker` of a database. */
  readonly inWorker: { module: string, export: string, args: unknown[] }
  list (): string[]
  open (name: string, access: 'read' | 'append', sizeHint?: number): StorageFile
  /** Fails with `LEVEL_NOT_SUPPORTED`; opening read-only takes no lock. */
  lock (create: boolean): never
  unlock (): void
  create (name: string, kind: string, sizeHint: number): never
  editNames (edits: NameEdit[]): never
  removePlace (): never
}
