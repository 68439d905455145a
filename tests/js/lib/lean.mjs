// Runs a program with the lean module of pages instead of Node's full module:
//
//   node --import ./tests/js/lib/lean.mjs PROGRAM
//
// A worker thread of the program has the full module.
import { readFileSync } from 'node:fs'
import { inRoot } from '../../../pkg-scripts/lib/paths.mjs'
import { MEMORY_PAGES_MIN, createInstance } from '../../../pkg/instance.js'
import { provideModule } from '../../../src/js/engine/module.js'

/** @type {WebAssembly.Module | undefined} */
let compiled

/** Databases opened from now on use the lean module. */
export function useLean() {
  provideModule({
    load: () => (compiled ??= new WebAssembly.Module(readFileSync(inRoot('pkg', 'engine.wasm')))),
    glue: () => ({ createInstance, MEMORY_PAGES_MIN }),
    isFull: false
  })
}

useLean()
