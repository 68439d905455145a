import { Storage } from './index.js'

/** Two independent handles to one directory, or what stands for one. */
export interface Users {
  one: Storage
  other: Storage
}

/** What {@link testStorage} needs to register tests. */
export interface ContractOptions {
  /** `test` of node:test, tape, mocha or others that take a name and a function answering a promise. */
  test: (name: string, run: () => Promise<void>) => unknown
  /**
   * Put before the name of each test.
   *
   * @defaultValue `''`
   */
  prefix?: string | undefined
}

/**
 * What every {@link Storage} must keep, as tests: run them on a storage of your own before you give it data.
 *
 * @param makeStorage answers handles to a directory, or what stands for one, that does not exist yet.
 *
 * @example
 * ```js
 * import { test } from 'node:test'
 * import { testStorage } from 'varve/test/storage'
 *
 * testStorage(() => {
 *   const files = new MyFiles()
 *   return { one: new MyStorage(files), other: new MyStorage(files) }
 * }, { test })
 * ```
 */
export function testStorage (makeStorage: () => Users | Promise<Users>, options: ContractOptions): void

/**
 * The same for a storage that only reads.
 *
 * @param makeStorage answers a storage over files of these names and bytes, anew for each test.
 *
 * @example
 * ```js
 * testReadOnlyStorage((files) => new BlobStorage(new Map([...files].map(([name, bytes]) => [name, new Blob([bytes])]))), { test })
 * ```
 */
export function testReadOnlyStorage (
  makeStorage: (files: Map<string, Uint8Array & { readonly buffer: ArrayBuffer }>) => Storage | Promise<Storage>,
  options: ContractOptions
): void
