// The package with bundlers and without: each builds a small program with the installed tarball,
// without configuration if the documentation says so. The bundle is run in a headless Chromium or
// in Node.
//
//   VARVE_LONG=1   in Firefox too
import { after, before, test } from 'node:test'
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import * as esbuild from 'esbuild'
import { rollup } from 'rollup'
import * as vite8 from 'vite'
import * as vite6 from 'vite-6'
import * as vite7 from 'vite-7'
import webpack from 'webpack'
import { findChromium, findFirefox } from '../../pkg-scripts/lib/system.mjs'
import { htmlOf, visit } from './browser.mjs'
import { NoNpm, expectedAnswer, installedApp, runIn, tellSkipped } from './lib.mjs'

const chromium = findChromium()
const noBrowser = chromium === undefined && tellSkipped('no Chromium here: bundles for browsers are built and not run')

const isLong = process.env.VARVE_LONG !== undefined
const firefox = isLong ? findFirefox() : undefined
if (isLong && firefox === undefined) tellSkipped('no Firefox here: bundles run in Chromium alone')

/** @type {import('./lib.mjs').App} */
let app
let noNpm
let expected

before(async () => {
  try {
    app = installedApp()
  } catch (error) {
    if (!(error instanceof NoNpm)) throw error
    noNpm = tellSkipped(`the package cannot be packed and installed: ${error.message}`)
  }
  expected = await expectedAnswer()
})
after(() => app?.remove())

/** Registers a test with its own folder; skipped if there is no project. */
const bundled = (name, act) => test(name, async (context) => {
  if (noNpm) return context.skip(noNpm)
  const out = app.path(`out-${name.replace(/\W+/g, '-')}`)
  mkdirSync(out)
  await act(out, context)
})

// ---- Pages ----

/**
 * Opens a page and compares its result with that of Node. `workers`: whether the bundle can use
 * one.
 */
async function seen(context, { workers = true, ...options }) {
  if (noBrowser) return context.skip(noBrowser)
  for (const browser of firefox === undefined ? [chromium] : [chromium, firefox]) {
    const { error, answer, inWorker, imported, named } = await visit(browser, options)
    strictEqual(error, undefined, browser)
    if (workers) deepStrictEqual(inWorker, [['a', 'ä'], ['b', 'ß']], browser)
    else strictEqual(inWorker[0], 'LEVEL_DATABASE_NOT_OPEN', browser)
    // The lean module cannot: it needs a worker with the full one.
    deepStrictEqual(imported, workers ? [['a', '1']] : ['LEVEL_ENGINE_UNAVAILABLE', true], browser)
    deepStrictEqual(answer, expected, browser)
    deepStrictEqual(named, workers ? ['451', 'opfs'] : ['LEVEL_DATABASE_NOT_OPEN'], browser)
  }
}

const page = (out, script, ...head) => writeFileSync(join(out, 'index.html'), htmlOf(script, ...head))

/**
 * The documented step for bundlers that ignore the URL of a module: copy engine.wasm (pages) or
 * full.wasm (Node).
 */
const copyEngine = (out, name = 'engine.wasm') => copyFileSync(app.path('node_modules', 'varve', 'pkg', name), join(out, name))

/** The same with the files for `worker: true`. */
function copyAll(out) {
  const pkg = app.path('node_modules', 'varve', 'pkg')
  for (const name of readdirSync(pkg)) if (/^((engine|full)\.wasm|entry-(web|full)\.js|chunk-.*\.js)$/.test(name)) copyFileSync(join(pkg, name), join(out, name))
}

const engines = (out) => readdirSync(out, { recursive: true }).filter((name) => name.endsWith('.wasm'))

for (const [version, vite] of [[6, vite6], [7, vite7], [8, vite8]]) {
  for (const script of ['page.js', 'page-inline.js', 'page-worker.js']) {
    // A user's own worker that imports the package, which has dynamic imports (README.md).
    const worker = version < 8 && script === 'page-worker.js' ? { format: 'es' } : undefined
    bundled(`Vite ${version} builds ${script} ${worker ? 'with worker.format: es' : 'unconfigured'}`, async (out, context) => {
      page(app.directory, `/${script}`)
      await vite.build({ root: app.directory, configFile: false, logLevel: 'error', build: { outDir: join(out, 'dist') }, worker })
      // The worker for repair and import uses the full module.
      if (script === 'page.js') strictEqual(engines(out).length, 2)
      await seen(context, { folder: join(out, 'dist') })
    })
  }

  for (const script of ['page.js', 'page-inline.js']) {
    bundled(`Vite ${version} serves ${script} in development, unconfigured`, async (out, context) => {
      page(app.directory, `/${script}`)
      // Copies of another version's optimizer.
      rmSync(app.path('node_modules', '.vite'), { recursive: true, force: true })
      const server = await vite.createServer({
        root: app.directory, configFile: false, logLevel: 'error',
        server: { middlewareMode: true, hmr: false, ws: false }
      })
      try {
        await seen(context, { folder: app.directory, before: server.middlewares, page: '' })
      } finally {
        await server.close()
      }
    })
  }
}

bundled('Vite before 8 copies scripts alone when it serves', async (out, context) => {
  // Simulates Vite's dependency optimizer: the page gets a copy of the package's scripts.
  const entry = app.path('node_modules', 'varve', 'pkg', 'browser.js')
  await esbuild.build({ entryPoints: { varve: entry }, bundle: true, format: 'esm', outdir: join(out, 'node_modules', '.vite', 'deps'), logLevel: 'error' })
  cpSync(app.path('node_modules', 'varve'), join(out, 'node_modules', 'varve'), { recursive: true })
  for (const name of ['page.js', 'in-page.js', 'smoke.js']) copyFileSync(app.path(name), join(out, name))
  page(out, './page.js', '<script type="importmap">{"imports":{"varve":"/node_modules/.vite/deps/varve.js?v=1"}}</script>')
  await seen(context, { folder: out })
})

const runWebpack = (config) => new Promise((resolve, reject) => webpack(config, (error, stats) => {
  if (error || stats.hasErrors()) reject(error ?? new Error(stats.toString({ colors: false })))
  else resolve(stats)
}))

for (const script of ['page.js', 'page-worker.js']) {
  bundled(`webpack builds ${script} unconfigured`, async (out, context) => {
    await runWebpack({ context: app.directory, entry: `./${script}`, mode: 'production', output: { path: out } })
    strictEqual(engines(out).length, 2)
    page(out, './main.js')
    await seen(context, { folder: out })
  })
}

for (const format of ['esm', 'iife']) {
  bundled(`esbuild with varve/inline, ${format}`, async (out, context) => {
    await esbuild.build({ absWorkingDir: app.directory, entryPoints: ['page-inline.js'], bundle: true, minify: true, format, outdir: out, logLevel: 'error' })
    page(out, './page-inline.js')
    await seen(context, { folder: out, workers: false })
  })
}

bundled('esbuild with engine.wasm copied', async (out, context) => {
  await esbuild.build({ absWorkingDir: app.directory, entryPoints: ['page.js'], bundle: true, minify: true, format: 'esm', outdir: out, logLevel: 'error' })
  copyAll(out)
  page(out, './page.js')
  await seen(context, { folder: out })
})

bundled('esbuild without a copy is an error that says so', async (out, context) => {
  await esbuild.build({ absWorkingDir: app.directory, entryPoints: ['page.js'], bundle: true, format: 'esm', outdir: out, logLevel: 'error' })
  page(out, './page.js')
  if (noBrowser) return context.skip(noBrowser)
  const { code, cause, message } = await visit(chromium, { folder: out })
  deepStrictEqual([code, cause], ['LEVEL_DATABASE_NOT_OPEN', 'LEVEL_ENGINE_UNAVAILABLE'])
  match(message, /\/engine\.wasm: 404/)
})

async function runRollup(input, out, resolveOptions) {
  const warnings = []
  const bundle = await rollup({ input: app.path(input), plugins: [nodeResolve(resolveOptions)], onwarn: ({ message }) => warnings.push(message) })
  await bundle.write({ dir: out, format: 'es', entryFileNames: '[name].js' })
  await bundle.close()
  return warnings
}

bundled('Rollup with varve/inline', async (out, context) => {
  deepStrictEqual(await runRollup('page-inline.js', out, { browser: true }), [])
  page(out, './page-inline.js')
  await seen(context, { folder: out, workers: false })
})

bundled('Rollup with engine.wasm copied', async (out, context) => {
  deepStrictEqual(await runRollup('page.js', out, { browser: true }), [])
  copyAll(out)
  page(out, './page.js')
  await seen(context, { folder: out })
})

// ---- Pages without a bundler ----

const IMPORT_MAP = JSON.stringify({ imports: { varve: '/node_modules/varve/pkg/browser.js', 'varve/inline': '/node_modules/varve/pkg/inline.js' } })

for (const script of ['page.js', 'page-inline.js']) {
  bundled(`no bundler: an import map and ${script}`, async (out, context) => {
    page(app.directory, `./${script}`, `<script type="importmap">${IMPORT_MAP}</script>`)
    await seen(context, { folder: app.directory })
  })
}

bundled('a page that has a Buffer of its own', async (out, context) => {
  await esbuild.build({
    stdin: { contents: "import { Buffer } from 'buffer'; globalThis.Buffer = Buffer", resolveDir: app.directory }, bundle: true, outfile: join(out, 'buffer.js')
  })
  page(app.directory, './page.js', `<script src="/${out.slice(app.directory.length + 1)}/buffer.js"></script><script type="importmap">${IMPORT_MAP}</script>`)
  await seen(context, { folder: app.directory })
})

const policy = (scripts) => ({ 'content-security-policy': `default-src 'none'; connect-src 'self'; worker-src 'self'; script-src 'self'${scripts}` })

bundled('a strict content security policy with wasm-unsafe-eval', async (out, context) => {
  await esbuild.build({ absWorkingDir: app.directory, entryPoints: ['page.js'], bundle: true, format: 'esm', outdir: out, logLevel: 'error' })
  copyAll(out)
  page(out, './page.js')
  await seen(context, { folder: out, headers: policy(" 'wasm-unsafe-eval'") })
})

bundled('varve/inline needs no more of a content security policy', async (out, context) => {
  await esbuild.build({ absWorkingDir: app.directory, entryPoints: ['page-inline.js'], bundle: true, format: 'esm', outdir: out, logLevel: 'error' })
  page(out, './page-inline.js')
  await seen(context, { folder: out, workers: false, headers: policy(" 'wasm-unsafe-eval'") })
})

bundled('a content security policy that forbids WebAssembly is an error that says so', async (out, context) => {
  await esbuild.build({ absWorkingDir: app.directory, entryPoints: ['page.js'], bundle: true, format: 'esm', outdir: out, logLevel: 'error' })
  copyEngine(out)
  page(out, './page.js')
  if (noBrowser) return context.skip(noBrowser)
  const { code, cause, message } = await visit(chromium, { folder: out, headers: policy('') })
  deepStrictEqual([code, cause], ['LEVEL_DATABASE_NOT_OPEN', 'LEVEL_ENGINE_UNAVAILABLE'])
  match(message, /wasm-unsafe-eval|Content Security Policy/)
})

// ---- Node ----

/**
 * ES modules by esbuild need this to load CommonJS, such as abstract-level (see esbuild's
 * documentation).
 */
const REQUIRE = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" }

/** Runs a bundle for Node, which uses a directory. */
function ran(out, script) {
  const directory = join(out, 'database')
  const { answer, files } = JSON.parse(runIn(app, process.execPath, [join(out, script), directory]))
  deepStrictEqual(answer, expected)
  ok(files.includes('CURRENT') && existsSync(join(directory, 'CURRENT')))
}

for (const [format, extension] of [['esm', '.mjs'], ['cjs', '.cjs']]) {
  bundled(`esbuild for Node, ${format}, varve/inline`, async (out) => {
    await esbuild.build({
      absWorkingDir: app.directory, entryPoints: ['node-inline.js'], bundle: true, platform: 'node', format, outdir: out, outExtension: { '.js': extension }, logLevel: 'error',
      banner: format === 'esm' ? REQUIRE : {}
    })
    ran(out, `node-inline${extension}`)
  })

  bundled(`esbuild for Node, ${format}, full.wasm copied`, async (out) => {
    await esbuild.build({
      absWorkingDir: app.directory, entryPoints: ['node.js'], bundle: true, platform: 'node', format, outdir: out, outExtension: { '.js': extension }, logLevel: 'error',
      banner: format === 'esm' ? REQUIRE : {}
    })
    copyEngine(out, 'full.wasm')
    ran(out, `node${extension}`)
  })
}

bundled('webpack for Node', async (out) => {
  await runWebpack({ context: app.directory, entry: './node.js', mode: 'production', optimization: { minimize: false }, target: 'node', output: { path: out, filename: 'node.cjs' } })
  copyEngine(out, 'full.wasm')
  ran(out, 'node.cjs')
})

test('scripts of pages import no Node modules', async () => {
  if (noNpm) return
  for (const name of readdirSync(app.path('node_modules', 'varve', 'pkg')).filter((name) => /^(browser|inline|chunk-.*)\.js$/.test(name))) {
    const text = readFileSync(app.path('node_modules', 'varve', 'pkg', name), 'utf8')
    ok(!/\bfrom ['"]node:|\bimport\(['"]node:|\brequire\(['"]/.test(text), name)
  }
})
