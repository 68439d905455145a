// The engine's module, from the package's own directory, or from beside the script where a bundler has put all into one.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { markAsUntransferable } from 'node:worker_threads'

/** @type {WebAssembly.Module | undefined} */
let module

/** @returns {WebAssembly.Module} compiled once a process */
export function loadModule() {
  module ??= new WebAssembly.Module(readWasm())
  return module
}

function readWasm() {
  // A bundle of CommonJS has no URL.
  const folder = import.meta.url ? dirname(fileURLToPath(import.meta.url)) : __dirname
  try {
    return readFileSync(join(folder, 'engine.wasm'))
  } catch (error) {
    try {
      return readFileSync(join(folder, '..', '..', '..', 'pkg', 'engine.wasm'))
    } catch {
      throw error
    }
  }
}

/**
 * Memory that many values share.
 * @param {number} size
 */
export function makeSlab(size) {
  const slab = new ArrayBuffer(size)
  markAsUntransferable(slab)
  return slab
}
