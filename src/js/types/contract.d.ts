import { Storage } from './index.js'

/** Two independent handles to one directory or its equivalent. */
export interface Users {
  one: Storage
  other: Storage
}

/** Options of {@link testStorage}. */
export interface ContractOptions {
  /**
   * `test` of node:test, tape, mocha or another function that takes a name and a function that
   * returns a promise.
   */
  test: (name: string, run: () => Promise<void>) => unknown
  /**
   * A prefix for the name of each test.
   *
   * @defaultValue `''`
   */
  prefix?: string | undefined
}

/**
 * Registers the tests that every {@link Storage} must pass. Run them on your own storage before you
 * give it data.
 *
 * @param makeStorage Returns two handles to a directory, or its equivalent, that does not exist
 * yet.
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
 * Registers the tests that every read-only storage must pass.
 *
 * @param makeStorage Returns a new storage over files of these names and bytes, for each test.
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
