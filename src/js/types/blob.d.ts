import { NameEdit, Storage, StorageFile } from './index.js'

/** A `File`. */
export type NamedBlob = Blob & { readonly name: string, readonly webkitRelativePath?: string }

/**
 * A database whose files are `File`s or `Blob`s, read-only: chosen by a user, dropped on a page, or opened with Node's
 * `fs.openAsBlob`. They are read slice by slice. Nothing is ever written; writes, `destroy` and `repair` fail with
 * `LEVEL_NOT_SUPPORTED`, and so does opening without `readOnly`.
 *
 * A `File` stands for the file as it was when it was chosen. Once it was modified, cut or removed, reads of it fail with
 * `LEVEL_SOURCE_CHANGED` ({@link SourceChangedError}): choose it anew.
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
   * @param files A `FileList` or other series of `File`s, by their names; or a `Map` or an object of `Blob`s by name. Of a
   * chosen directory (`webkitRelativePath`) the folder that holds `CURRENT` is taken, and folders within it are left out.
   * @throws {@link InvalidArgumentError} if it is something else, if two files have one name, or if several folders hold a database.
   */
  constructor (files: Iterable<NamedBlob> | Map<string, Blob> | Record<string, Blob>)

  readonly durability: 'durable'
  readonly appendsAreExact: true
  /** For the option `worker` of a database. */
  readonly inWorker: { module: string, export: string, args: unknown[] }
  list (): string[]
  open (name: string, access: 'read' | 'append', sizeHint?: number): StorageFile
  /** Fails with `LEVEL_NOT_SUPPORTED`; a read-only opening takes no lock. */
  lock (create: boolean): never
  unlock (): void
  create (name: string, kind: string, sizeHint: number): never
  editNames (edits: NameEdit[]): never
  removePlace (): never
}
