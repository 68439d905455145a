// The module in Node: full.wasm, from the package's directory, or next to the script of a bundle.
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { markAsUntransferable } from 'node:worker_threads'
import { MEMORY_PAGES_MIN, createInstance } from '../../../pkg/instance-full.js'

/** @type {Promise<WebAssembly.Module> | undefined} */
let module

/** @type {import('./module.js').EngineModule} */
export const ownModule = {
  // Compiled by other threads, while this one loads scripts. A failed load can be retried.
  load: () => (module ??= compile('full.wasm').catch((error) => { module = undefined; throw error })),
  glue: () => ({ createInstance, MEMORY_PAGES_MIN }),
  isFull: true
}

export { ownModule as fullModule }

/** @param {string} name */
async function compile(name) {
  // A CommonJS bundle has no URL.
  const folder = import.meta.url ? dirname(fileURLToPath(import.meta.url)) : __dirname
  let bytes
  try {
    bytes = await readFile(join(folder, name))
  } catch (error) {
    bytes = await readFile(join(folder, '..', '..', '..', 'pkg', name)).catch(() => { throw error })
  }
  return WebAssembly.compile(bytes)
}

/**
 * Memory shared by many values.
 * @param {number} size
 */
export function makeSlab(size) {
  const slab = new ArrayBuffer(size)
  markAsUntransferable(slab)
  return slab
}
