// Checks the sizes of the two WebAssembly modules and of the files that a page loads against their
// budgets. Run build.mjs first.
//
//   node pkg-scripts/size.mjs       exit code 1 above a budget
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { bundle } from './lib/browser.mjs'
import { inRoot } from './lib/paths.mjs'

/**
 * Size of engine.wasm and the bundled scripts of a page, in bytes after gzip -9;
 * docs/figures.md says what takes the room.
 */
const PAGE_GZIP_MAX = 304_000

/** Size of full.wasm after gzip. The inspector of all kinds of files is in it, and other orders of keys. */
const FULL_GZIP_MAX = 544_000

/** A module without exports is small because the build is broken. */
const exportsFunctions = (wasm) => WebAssembly.Module.exports(new WebAssembly.Module(wasm)).some(({ kind }) => kind === 'function')

const count = (bytes) => bytes.toLocaleString('en').padStart(9)
const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length
const verdict = (size, max) => `${size <= max ? 'within' : 'EXCEEDS'} the budget of ${max.toLocaleString('en')}`

/** Prints one line: size, gzip and brotli; returns the size with gzip. */
function print(what, bytes) {
  const size = gzipped(bytes)
  console.log([what.padEnd(46), count(bytes.length), count(size), count(brotliCompressSync(bytes).length)].join(' '))
  return size
}

/** What a window loads, beside the script of the entry, when it opens a database by name. */
const FOR_NAMES = { tabs: inRoot('src', 'js', 'tabs', 'tab-engine.js') }

/**
 * Returns the scripts that these load before they run: static imports, not dynamic ones.
 * @param {Record<string, string>} entryPoints
 * @param {boolean} minify
 */
async function scriptsOf(entryPoints, minify) {
  const { metafile, outputFiles } = await bundle({ entryPoints, outdir: inRoot('pkg'), splitting: true, minify, write: false, external: [], logLevel: 'error' })
  const outputs = new Map(Object.entries(metafile.outputs).map(([path, output]) => [inRoot(path), output]))
  const loaded = new Set(Object.keys(entryPoints).map((name) => inRoot('pkg', `${name}.js`)))
  for (const path of loaded) {
    for (const { path: imported, kind } of outputs.get(path).imports) if (kind === 'import-statement') loaded.add(inRoot(imported))
  }
  return Buffer.concat(outputFiles.filter(({ path }) => loaded.has(path)).map(({ contents }) => contents))
}

/** All that the script `pkg/NAME` may import at any time, in one file. */
async function whole(name) {
  const { outputFiles } = await bundle({ entryPoints: { all: inRoot('pkg', name) }, outdir: inRoot('pkg'), minify: true, write: false, external: [], logLevel: 'error' })
  return Buffer.concat(outputFiles.map(({ contents }) => contents))
}

/** Prints the sizes in bytes; returns whether both are within budget. */
export async function printSizes() {
  const [engine, full] = ['engine.wasm', 'full.wasm'].map((name) => readFileSync(inRoot('pkg', name)))
  for (const wasm of [engine, full]) {
    if (!exportsFunctions(wasm)) throw new Error('a .wasm in pkg/ exports no functions: was src/wasm compiled?')
  }
  console.log(`${''.padEnd(46)} ${['bytes', 'gzip', 'brotli'].map((word) => word.padStart(9)).join(' ')}`)
  const engineSize = print('engine.wasm', engine)
  const fullSize = print('full.wasm', full)
  print('scripts of a page, as they are shipped', await scriptsOf({ page: inRoot('pkg', 'browser.js') }, false))
  const scriptsSize = print('scripts of a page, minified', await scriptsOf({ page: inRoot('pkg', 'browser.js') }, true))
  print('the same with what opens databases by name', await scriptsOf({ page: inRoot('src', 'js', 'index.js'), ...FOR_NAMES }, true))
  print('the same with all that is imported later', await whole('browser.js'))
  print('script of a page\'s worker, minified', await whole('entry-web.js'))
  print('scripts of a page with varve/full, minified', await scriptsOf({ page: inRoot('pkg', 'full.js') }, true))
  print('varve/inline, minified, the engine inside', await scriptsOf({ page: inRoot('pkg', 'inline.js') }, true))

  const pageSize = engineSize + scriptsSize
  console.log(`engine.wasm and minified scripts with gzip: ${pageSize.toLocaleString('en')}, ${verdict(pageSize, PAGE_GZIP_MAX)}`)
  console.log(`full.wasm with gzip: ${verdict(fullSize, FULL_GZIP_MAX)}`)
  return pageSize <= PAGE_GZIP_MAX && fullSize <= FULL_GZIP_MAX
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = await printSizes() ? 0 : 1
