// Bundles the scripts for pages and workers from src/js and abstract-level, which is CommonJS and
// imports Node modules.
//
//   pkg/browser.js         `varve`
//   pkg/full.js            `varve/full`
//   pkg/inline.js          `varve/inline`, with pkg/engine-inline.js: engine.wasm in base64 of gzip
//   pkg/http.js blob.js    `varve/http`, `varve/blob`
//   pkg/inspect.js         `varve/inspect`
//   pkg/entry-web.js       the script of their workers (started by src/js/remote/thread-web.js), in one
//                          file: a worker of Chromium takes longer to load many
//   pkg/entry-full.js      the same with full.wasm
//   pkg/*.js.map           source maps
//   pkg/chunk-*.js         code shared by entries, so that there is one class of each error
//   pkg/precache.json      what a page with `varve` needs, for service workers
//   pkg/third-party.txt    the licences of bundled packages
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { gzipSync } from 'node:zlib'
import { inRoot } from './paths.mjs'

/** Entries for pages, by the name of their bundle in pkg/. */
const ENTRIES = {
  browser: inRoot('src', 'js', 'index.js'),
  full: inRoot('src', 'js', 'full.js'),
  inline: inRoot('src', 'js', 'inline.js'),
  http: inRoot('src', 'js', 'storage', 'http', 'storage.js'),
  blob: inRoot('src', 'js', 'storage', 'blob.js'),
  inspect: inRoot('src', 'js', 'inspect', 'index.js')
}

/** Entries for workers. */
const WORKERS = {
  'entry-web': inRoot('src', 'js', 'tabs', 'entry-web.js'),
  'entry-full': inRoot('src', 'js', 'tabs', 'entry-full.js')
}

/**
 * Groups of files that pages load together. esbuild makes a chunk for each set of entries that share code,
 * so a page without a bundler asked the server for 16 files before a database was open, which took half the
 * time. A group is one chunk, because every file that `into` matches imports all of it.
 *
 * What starts workers is not in `base`: bundlers would then add them to programs that import `varve/blob`.
 */
const GROUPS = {
  base: { files: ['errors', 'engine/event-loop', 'storage/browser/path', 'storage/browser/place'], into: /^/ },
  core: {
    files: [
      'bytes/buffer-web', 'bytes/bytes', 'bytes/native-buffer', 'bytes/page', 'bytes/text', 'bytes/write-batch',
      'engine/module', 'engine/scheduler', 'remote/thread-web', 'storage/browser/elsewhere'
    ],
    into: /^(level|engine|remote|tabs)\/|^storage\/(map|browser\/(directory|remove))$|^(index|full|inline)$/
  },
  // What opens a database by name.
  tabs: { files: ['remote/client', 'tabs/connection', 'tabs/tab-engine'], into: /^(remote|tabs)\// }
}

/** Browsers since 2023, as for WebAssembly. */
const TARGET = 'es2022'

const ENGINE_INLINE = inRoot('pkg', 'engine-inline.js')

/** Builds the scripts for pages; needs both modules in pkg/. */
export async function buildForBrowsers() {
  writeFileSync(ENGINE_INLINE, inlineEngine(readFileSync(inRoot('pkg', 'engine.wasm'))))
  const { metafile } = await bundle({ entryPoints: ENTRIES, outdir: inRoot('pkg'), chunkNames: 'chunk-[hash]', splitting: true, sourcemap: true, ...IN_FEW_FILES })
  await bundle({ entryPoints: WORKERS, outdir: inRoot('pkg'), sourcemap: true })
  writeFileSync(inRoot('pkg', 'third-party.txt'), licencesOf(Object.keys(metafile.inputs)))
  writeFileSync(inRoot('pkg', 'precache.json'), `${JSON.stringify([...scriptsOf(metafile, ['browser.js']), 'entry-web.js', 'engine.wasm'], undefined, 2)}\n`)
}

/** Adds the imports of the groups. @type {import('esbuild').Plugin} */
const inGroups = {
  name: 'groups',
  setup(build) {
    const folder = inRoot('src', 'js')
    build.onResolve({ filter: /^group:/ }, ({ path }) => ({ path, namespace: 'group' }))
    build.onLoad({ filter: /^/, namespace: 'group' }, ({ path }) => ({
      contents: GROUPS[/** @type {keyof typeof GROUPS} */ (path.slice('group:'.length))].files.map((file) => `import './${file}.js'`).join('\n'),
      resolveDir: folder
    }))
    build.onLoad({ filter: /[\\/]src[\\/]js[\\/].*\.js$/ }, ({ path }) => {
      const file = relative(folder, path).replaceAll('\\', '/').slice(0, -'.js'.length)
      const groups = Object.entries(GROUPS)
      // A group imports those listed before it, so there is no circle.
      const own = groups.findIndex(([, { files }]) => files.includes(file))
      const wanted = groups.filter(([, { into }], at) => into.test(file) && (own < 0 || at < own))
      return { contents: [readFileSync(path, 'utf8'), ...wanted.map(([name]) => `import 'group:${name}'`)].join('\n') }
    })
  }
}

/** Keeps these imports, although package.json says that the files have no side effects. */
const IN_FEW_FILES = { plugins: [inGroups], ignoreAnnotations: true }

/**
 * The scripts that these entries import, and they themselves.
 * @param {import('esbuild').Metafile} metafile
 * @param {string[]} entries
 */
function scriptsOf({ outputs }, entries) {
  const found = new Set(entries.map((name) => `pkg/${name}`))
  for (const name of found) for (const { path, external } of outputs[name].imports) if (!external) found.add(path)
  return [...found].map((path) => path.slice('pkg/'.length)).sort()
}

/** Compressed before base64: over a compressed connection it is no larger than the file. */
function inlineEngine(wasm) {
  return `// engine.wasm, in base64 of gzip\nexport const packed = '${gzipSync(wasm, { level: 9 }).toString('base64')}'\n`
}

/**
 * Bundles scripts for a browser with esbuild; an import of Node's modules fails.
 *
 * @param {import('esbuild').BuildOptions} options
 */
export async function bundle(options) {
  // Imported here, because this file is loaded before the packages are installed.
  const { build } = await import('esbuild')
  return build({
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: TARGET,
    alias: { buffer: inRoot('src', 'js', 'bytes', 'buffer-web.js') },
    external: [ENGINE_INLINE],
    absWorkingDir: inRoot(),
    metafile: true,
    logLevel: 'warning',
    ...options
  })
}

/** @param {string[]} paths of modules, some of other packages */
export function licencesOf(paths) {
  const packages = new Set(paths.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]).filter(Boolean))
  return [...packages].sort().map((name) => {
    const folder = inRoot('node_modules', name)
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
    return `${name} ${version} (${license})\n\n${file ? readFileSync(join(folder, file), 'utf8').trim() : ''}\n`
  }).join('\n----\n\n')
}
