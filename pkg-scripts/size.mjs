// The size of the default WebAssembly build, and the budget it must hold. Call build.mjs first.
//
//   node pkg-scripts/size.mjs       exit code 1 above the budget
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { wasmFile } from './lib/paths.mjs'

/** What a page loads: bytes after gzip at its best level. */
const GZIP_BYTES_MAX = 250_000

/** Prints the sizes in bytes; true when they hold the budget. */
export function printSizes() {
  const wasm = readFileSync(wasmFile)
  const gzipBytes = gzipSync(wasm, { level: 9 }).length
  const holds = gzipBytes <= GZIP_BYTES_MAX
  const count = (bytes) => bytes.toLocaleString('en')
  console.log(`varve_bg.wasm: ${count(wasm.length)} bytes, ${count(gzipBytes)} bytes with gzip; ` +
    `the budget of ${count(GZIP_BYTES_MAX)} is ${holds ? 'held' : 'EXCEEDED'}`)
  return holds
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = printSizes() ? 0 : 1
