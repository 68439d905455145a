// The module in Node: full.wasm, from the package's directory, or next to the script of a bundle.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { markAsUntransferable } from 'node:worker_threads'
import { MEMORY_PAGES_MIN, createInstance } from '../../../pkg/instance-full.js'

/** @type {WebAssembly.Module | undefined} */
let module

/** @type {import('./module.js').EngineModule} */
export const ownModule = {
  load: () => (module ??= new WebAssembly.Module(readWasm('full.wasm'))),
  glue: () => ({ createInstance, MEMORY_PAGES_MIN }),
  isFull: true
}

export { ownModule as fullModule }

/** @param {string} name */
function readWasm(name) {
  // A CommonJS bundle has no URL.
  const folder = import.meta.url ? dirname(fileURLToPath(import.meta.url)) : __dirname
  try {
    return readFileSync(join(folder, name))
  } catch (error) {
    try {
      return readFileSync(join(folder, '..', '..', '..', 'pkg', name))
    } catch {
      throw error
    }
  }
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
