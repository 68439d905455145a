// The result of `npm install varve`: the files of the tarball, and the package in Node, as ES
// module, from CommonJS, and in TypeScript.
import { after, before, test } from 'node:test'
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { cpSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { NoNpm, expectedAnswer, installedApp, readJson, runIn, tellSkipped } from './lib.mjs'

/** @type {import('./lib.mjs').App} */
let app
let noNpm

before(() => {
  try {
    app = installedApp()
  } catch (error) {
    if (!(error instanceof NoNpm)) throw error
    noNpm = tellSkipped(`the package cannot be packed and installed: ${error.message}`)
  }
})
after(() => app?.remove())

const installed = (name, act) => test(name, (context) => noNpm ? context.skip(noNpm) : act(context))

const inPackage = (...parts) => app.path('node_modules', 'varve', ...parts)
const manifest = () => readJson(inPackage('package.json'))

/** Returns all paths in a part of package.json. */
const targets = (value) => value === null ? [] : typeof value === 'string' ? [value] : Object.values(value).flatMap(targets)

// ---- The tarball ----

installed('it holds the two modules, and nothing that was only built to be tested', () => {
  const paths = app.files.map(({ path }) => path)
  // The inspector's folder is whole by itself, so that any server can serve it.
  deepStrictEqual(paths.filter((path) => path.endsWith('.wasm')).sort(), ['pkg/engine.wasm', 'pkg/full.wasm', 'pkg/inspector/full.wasm'])
  deepStrictEqual(paths.filter((path) => !/^(pkg|src\/js|docs)\/|^(README|CHANGELOG)\.md$|^LICENSE|^package\.json$/.test(path)), [])
  deepStrictEqual(paths.filter((path) => /^pkg\/varve(_bg)?\.(js|wasm)|\.rs$|\.test\./.test(path)), [])
  for (const name of ['LICENSE', 'LICENSE-MIT', 'LICENSE-APACHE', 'README.md', 'pkg/third-party.txt']) ok(paths.includes(name), name)
})

installed('it runs nothing when it is installed, and brings abstract-level alone', () => {
  const { scripts = {}, dependencies, optionalDependencies, peerDependencies } = manifest()
  deepStrictEqual(Object.keys(scripts).filter((name) => /install|prepare|gyp/.test(name)), [])
  deepStrictEqual([Object.keys(dependencies), optionalDependencies, peerDependencies], [['abstract-level'], undefined, undefined])
  const lock = readJson(app.path('node_modules', '.package-lock.json')).packages
  deepStrictEqual(Object.values(lock).filter(({ hasInstallScript }) => hasInstallScript), [])
  ok(Object.keys(lock).length <= 12, `${Object.keys(lock)}`)
})

installed('every path of exports, imports and bin is there', () => {
  const { exports, imports, bin = {} } = manifest()
  for (const path of targets([exports, imports, bin])) ok(existsSync(inPackage(path)), path)
})

installed('publint finds nothing', async () => {
  const { messages, pkg } = await publint({ pkgDir: inPackage(), pack: false, strict: true })
  deepStrictEqual(messages.filter(({ type }) => type !== 'suggestion').map((message) => formatMessage(message, pkg)), [])
})

// ---- Node ----

for (const script of ['node.js', 'node-inline.js']) {
  installed(`an ES module: ${script}`, async () => {
    const { answer, locked, files } = JSON.parse(runIn(app, process.execPath, [script, `./${script}.db`]))
    deepStrictEqual(answer, await expectedAnswer())
    strictEqual(locked, 'LEVEL_LOCKED')
    ok(files.includes('CURRENT'))
  })
}

installed('CommonJS by import()', async () => {
  deepStrictEqual(JSON.parse(runIn(app, process.execPath, ['import.cjs', './import.db'])).answer, await expectedAnswer())
})

installed('CommonJS by require(), where Node has it', async () => {
  const { answer, code } = JSON.parse(runIn(app, process.execPath, ['require.cjs', './require.db']))
  if (process.features.require_module) deepStrictEqual(answer, await expectedAnswer())
  else strictEqual(code, 'ERR_REQUIRE_ESM')
})

installed('every entry for Node can be imported, with names that its types know', () => {
  for (const [entry, targetsOf] of Object.entries(manifest().exports)) {
    if (targetsOf.node === null || !targets(targetsOf).some((path) => path.endsWith('.js'))) continue
    const specifier = `varve${entry.slice(1)}`
    const names = JSON.parse(runIn(app, process.execPath, ['--input-type=module', '-e',
      `import * as all from '${specifier}'; console.log(JSON.stringify(Object.keys(all)))`]))
    ok(names.length > 0, specifier)
    ok(targetsOf.types, `${specifier} has no types`)
    const types = readFileSync(inPackage(targetsOf.types), 'utf8')
    for (const name of names) match(types, new RegExp(`export (declare )?(abstract )?(class|function|const) ${name}\\b|export \\{[^}]*\\b${name}\\b|export \\* from`), `${specifier}: ${name}`)
  }
})

installed('modules have no top-level await, which would forbid require()', () => {
  const scripts = app.files.map(({ path }) => path).filter((path) => path.endsWith('.js') && !path.startsWith('src/js/cli/'))
  for (const path of scripts) ok(!/^(?:const .*= |let .*= )?await /m.test(readFileSync(inPackage(path), 'utf8')), path)
})

// ---- TypeScript ----

for (const [module, moduleResolution] of [['nodenext', 'nodenext'], ['node20', 'node16'], ['esnext', 'bundler']]) {
  installed(`TypeScript, ${moduleResolution}`, () => {
    for (const name of ['@types/node', 'undici-types']) cpSync(inRoot('node_modules', name), app.path('node_modules', name), { recursive: true })
    const config = { strict: true, noEmit: true, target: 'es2022', module, moduleResolution, lib: ['es2022', 'dom', 'esnext.disposable'], types: ['node'], skipLibCheck: false }
    const path = app.path(`tsconfig.${moduleResolution}.json`)
    writeFileSync(path, JSON.stringify({ compilerOptions: config, files: ['types.ts'] }))
    runIn(app, process.execPath, [inRoot('node_modules', 'typescript', 'bin', 'tsc'), '-p', path])
  })
}

installed('nothing of a workplace is in the tarball', () => {
  for (const { path } of app.files.filter((file) => /\.(js|ts|json|txt|md)$/.test(file.path))) {
    ok(!readFileSync(inPackage(path), 'utf8').includes(inRoot()), path)
  }
  ok(readdirSync(inPackage('pkg')).length > 0)
})
