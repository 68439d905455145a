// Bundles the inspector from www/ into pkg/inspector/: a static folder for any host and any path.
//
//   index.html app.css icon.svg     as in www/
//   app.js part-*.js                the page; parts of it that are loaded when they are shown
//   worker.js                       reads and decodes files, with full.wasm
//   demo/                           the examples: see demos.mjs
//   third-party.txt                 the licences of bundled packages
//
// and pkg/inspector.html, the same without examples in one file that works from a disk.
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { bundle, licencesOf } from './browser.mjs'
import { writeDemos } from './demos.mjs'
import { inRoot } from './paths.mjs'

const WWW = inRoot('www')
export const INSPECTOR = inRoot('pkg', 'inspector')

/** Bytes of its first scripts with gzip. */
const SCRIPTS_MAX = 60_000

/** Copied as they are. */
const AS_THEY_ARE = ['index.html', 'app.css', 'icon.svg']

/** Builds the page; needs full.wasm in pkg/. */
export async function buildInspector() {
  rmSync(INSPECTOR, { recursive: true, force: true })
  mkdirSync(INSPECTOR, { recursive: true })
  // What few look at is loaded when they do.
  const { metafile } = await bundle({ ...options(), outdir: INSPECTOR, splitting: true, chunkNames: 'part-[hash]' })
  for (const name of AS_THEY_ARE) copyFileSync(join(WWW, name), join(INSPECTOR, name))
  copyFileSync(inRoot('pkg', 'full.wasm'), join(INSPECTOR, 'full.wasm'))
  writeFileSync(join(INSPECTOR, 'third-party.txt'), licencesOf(Object.keys(metafile.inputs)))
  checkSize(metafile)
  await writeDemos(join(INSPECTOR, 'demo'))
  writeFileSync(inRoot('pkg', 'inspector.html'), await inOneFile())
}

/** Checks the size of the scripts that the page and its workers begin with. @param {import('esbuild').Metafile} metafile */
function checkSize({ outputs }) {
  const first = new Set(['app.js', 'worker.js'].map((name) => Object.keys(outputs).find((path) => path.endsWith(`/inspector/${name}`)) ?? name))
  for (const path of first) for (const { path: imported, kind } of outputs[path].imports) if (kind === 'import-statement') first.add(imported)
  const size = [...first].reduce((sum, path) => sum + gzipSync(readFileSync(inRoot(path)), { level: 9 }).length, 0)
  console.log(`scripts that the inspector begins with, gzip: ${size.toLocaleString('en')} of ${SCRIPTS_MAX.toLocaleString('en')}`)
  if (size > SCRIPTS_MAX) throw new Error(`the inspector's first scripts have ${size} bytes with gzip, at most ${SCRIPTS_MAX} are allowed`)
}

/** @returns {import('esbuild').BuildOptions} */
function options() {
  const { version } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))
  return {
    entryPoints: { app: join(WWW, 'app.js'), worker: join(WWW, 'worker.js') },
    minify: true,
    define: { 'process.env.VARVE_VERSION': JSON.stringify(version) },
    // Lit without its checks for developers.
    conditions: ['production'],
    // The lean module, which the page never loads, need not be built.
    external: ['*/pkg/instance.js'],
    alias: { 'varve/inspect': inRoot('src', 'js', 'inspect', 'index.js') }
  }
}

/** Scripts as classic ones, since a browser loads no modules from a disk; the worker and the module as text. */
async function inOneFile() {
  const { outputFiles = [] } = await bundle({ ...options(), format: 'iife', write: false, outdir: INSPECTOR, logOverride: { 'empty-import-meta': 'silent' } })
  const script = (name) => outputFiles.find(({ path }) => path.endsWith(`${name}.js`)).text
  const inside = { worker: script('worker'), wasm: gzipSync(readFileSync(inRoot('pkg', 'full.wasm')), { level: 9 }).toString('base64') }
  // Nothing in a script may end the element that it is in.
  const inline = (text) => text.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--')
  const scripts = [inline(`globalThis.VARVE_INSIDE = ${JSON.stringify(inside)}`), inline(script('app'))]
  const style = readFileSync(join(WWW, 'app.css'), 'utf8')
  const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  const icon = `data:image/svg+xml;base64,${readFileSync(join(WWW, 'icon.svg')).toString('base64')}`
  const part = (text, from, to) => {
    if (!text.includes(from)) throw new Error(`www/index.html has no ${from}`)
    return text.replace(from, () => to)
  }
  let html = readFileSync(join(WWW, 'index.html'), 'utf8')
  html = part(html, "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self';", `script-src ${scripts.map(hash).join(' ')} 'wasm-unsafe-eval' blob:; worker-src blob:; style-src ${hash(style)};`)
  html = part(html, "connect-src 'self' filesystem:;", "connect-src 'none';")
  html = part(html, './icon.svg', icon)
  html = part(html, '<link rel="stylesheet" href="./app.css">', `<style>${style}</style>`)
  html = part(html, '  <script type="module" src="./app.js"></script>\n', '')
  return part(html, '</body>', `${scripts.map((text) => `<script>${text}</script>`).join('\n')}\n</body>`)
}
