import { Storage } from '../index.js'

/** Two independent handles to one place. */
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
 * @param makeStorage answers handles to a place that does not exist yet.
 *
 * @example
 * ```js
 * import { test } from 'node:test'
 * import { testStorage } from 'varve/test/storage'
 *
 * testStorage(() => {
 *   const place = new MyPlace()
 *   return { one: new MyStorage(place), other: new MyStorage(place) }
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
