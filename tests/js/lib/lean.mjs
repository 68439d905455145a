// Gives a test program the lean module, which pages run, in place of Node's own: node --import ./tests/js/lib/lean.mjs PROGRAM
//
// A worker thread that the program starts has Node's own module.
import { readFileSync } from 'node:fs'
import { inRoot } from '../../../pkg-scripts/lib/paths.mjs'
import { MEMORY_PAGES_MIN, createInstance } from '../../../pkg/instance.js'
import { provideModule } from '../../../src/js/engine/module.js'

/** @type {WebAssembly.Module | undefined} */
let compiled

/** Databases that are opened from now on have the lean module. */
export function useLean() {
  provideModule({
    load: () => (compiled ??= new WebAssembly.Module(readFileSync(inRoot('pkg', 'engine.wasm')))),
    createInstance,
    pagesMin: MEMORY_PAGES_MIN,
    isFull: false
  })
}

useLean()
