// Bundles the inspector from www/ into pkg/inspector/: a static folder for any host and any path.
//
//   index.html app.css icon.svg     as in www/
//   app.js                          the page
//   worker.js                       reads and decodes files, with full.wasm
//   demo/                           the examples: see demos.mjs
//   third-party.txt                 the licences of bundled packages
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundle, licencesOf } from './browser.mjs'
import { writeDemos } from './demos.mjs'
import { inRoot } from './paths.mjs'

const WWW = inRoot('www')
export const INSPECTOR = inRoot('pkg', 'inspector')

/** Copied as they are. */
const AS_THEY_ARE = ['index.html', 'app.css', 'icon.svg']

/** Builds the page; needs full.wasm in pkg/. */
export async function buildInspector() {
  rmSync(INSPECTOR, { recursive: true, force: true })
  mkdirSync(INSPECTOR, { recursive: true })
  const { metafile } = await bundle({
    entryPoints: { app: join(WWW, 'app.js'), worker: join(WWW, 'worker.js') },
    outdir: INSPECTOR,
    minify: true,
    // Lit without its checks for developers.
    conditions: ['production'],
    // The lean module, which the page never loads, need not be built.
    external: ['*/pkg/instance.js'],
    alias: { 'varve/inspect': inRoot('src', 'js', 'inspect', 'index.js') }
  })
  for (const name of AS_THEY_ARE) copyFileSync(join(WWW, name), join(INSPECTOR, name))
  copyFileSync(inRoot('pkg', 'full.wasm'), join(INSPECTOR, 'full.wasm'))
  writeFileSync(join(INSPECTOR, 'third-party.txt'), licencesOf(Object.keys(metafile.inputs)))
  await writeDemos(join(INSPECTOR, 'demo'))
}
