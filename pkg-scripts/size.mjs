// The size of the default WebAssembly build, and the budget it must hold. Call build.mjs first.
//
//   node pkg-scripts/size.mjs       exit code 1 above the budget
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { wasmFile } from './lib/paths.mjs'

/** What a page loads: bytes after gzip at its best level. */
const GZIP_BYTES_MAX = 250_000

/** A build without its border exports nothing and is small for the wrong reason. */
const exportsFunctions = (wasm) => WebAssembly.Module.exports(new WebAssembly.Module(wasm)).some(({ kind }) => kind === 'function')

/** Prints the sizes in bytes; true when they hold the budget. */
export function printSizes() {
  const wasm = readFileSync(wasmFile)
  if (!exportsFunctions(wasm)) throw new Error('varve_bg.wasm exports no function: is the border of src/wasm built in?')
  const gzipBytes = gzipSync(wasm, { level: 9 }).length
  const holds = gzipBytes <= GZIP_BYTES_MAX
  const count = (bytes) => bytes.toLocaleString('en')
  console.log(`varve_bg.wasm: ${count(wasm.length)} bytes, ${count(gzipBytes)} bytes with gzip; ` +
    `the budget of ${count(GZIP_BYTES_MAX)} is ${holds ? 'held' : 'EXCEEDED'}`)
  return holds
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = printSizes() ? 0 : 1
