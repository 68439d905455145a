// The sizes of the two WebAssembly builds, and the budget of the smallest. Call build.mjs first.
//
//   node pkg-scripts/size.mjs       exit code 1 above the budget
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { inRoot, wasmFile } from './lib/paths.mjs'

/** The smallest border, over the storage in memory: bytes after gzip at its best level. */
const ENGINE_GZIP_MAX = 250_000

/** A build without its border exports nothing and is small for the wrong reason. */
const exportsFunctions = (wasm) => WebAssembly.Module.exports(new WebAssembly.Module(wasm)).some(({ kind }) => kind === 'function')
const compressed = (path) => gzipSync(readFileSync(path), { level: 9 }).length
const count = (bytes) => bytes.toLocaleString('en')

/** Prints the sizes in bytes; true when the smallest build holds its budget. */
export function printSizes() {
  for (const path of [wasmFile, inRoot('pkg', 'engine.wasm')]) {
    if (!exportsFunctions(readFileSync(path))) throw new Error(`${path} exports no function: is the border of src/wasm built in?`)
  }
  // What the npm package loads: not the types, the test of storages and the example.
  const folders = [inRoot('src', 'js'), inRoot('src', 'js', 'storage')]
  const scripts = folders.flatMap((folder) => readdirSync(folder).filter((name) => /\.js$/.test(name) && !/^(contract|map)\.js$/.test(name))
    .map((name) => join(folder, name)))
  const scriptsSize = [inRoot('pkg', 'instance.js'), ...scripts].reduce((sum, path) => sum + compressed(path), 0)
  const size = compressed(wasmFile)
  const holds = size <= ENGINE_GZIP_MAX
  console.log(`varve_bg.wasm: ${count(size)} bytes with gzip; the budget of ${count(ENGINE_GZIP_MAX)} is ${holds ? 'held' : 'EXCEEDED'}`)
  console.log(`engine.wasm: ${count(compressed(inRoot('pkg', 'engine.wasm')))} bytes with gzip; the package's scripts, not minified: ${count(scriptsSize)}`)
  return holds
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = printSizes() ? 0 : 1
