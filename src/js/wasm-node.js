// The engine's module, from the package's own directory.
import { readFileSync } from 'node:fs'

let module

/** @returns {WebAssembly.Module} compiled once a process */
export function loadModule() {
  module ??= new WebAssembly.Module(readFileSync(new URL('../../pkg/engine.wasm', import.meta.url)))
  return module
}
