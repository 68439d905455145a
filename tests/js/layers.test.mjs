// Checks the imports in src/js (docs/architecture.md) with dependency-cruiser. Imports of types in
// comments are ignored.
import { deepStrictEqual, ok } from 'node:assert'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { cruise } from 'dependency-cruiser'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'

/**
 * What each part may import besides itself; #wasm and others count as the files that they resolve
 * to.
 */
const LAYERS = {
  'errors.js': [],
  bytes: ['errors.js'],
  engine: ['errors.js', 'bytes'],
  remote: ['errors.js', 'bytes', 'engine', 'storage'],
  storage: ['errors.js'],
  tabs: ['errors.js', 'bytes', 'engine', 'remote', 'storage'],
  level: ['errors.js', 'bytes', 'engine', 'remote', 'tabs', 'storage'],
  inspect: ['errors.js', 'bytes', 'engine', 'storage'],
  'index.js': ['errors.js', 'level'],
  'inline.js': ['index.js', 'engine'],
  'node.js': ['index.js', 'engine', 'storage'],
  'full.js': ['index.js', 'engine', 'storage'],
  cli: ['errors.js', 'bytes', 'engine', 'remote', 'tabs', 'storage', 'level', 'inspect']
}

/** Parts of storage that only their neighbours may import. */
const STORAGES = ['node', 'http', 'browser']

const alternatives = (names) => names.map((name) => name.endsWith('.js') ? `${name.replace('.', '\\.')}$` : `${name}/`).join('|')

/** @param {string} root a folder with src/js in it */
function rulesOf(root) {
  const known = Object.keys(LAYERS)
  const layers = Object.entries(LAYERS).map(([part, others]) => ({
    name: `${part} imports ${others.join(', ') || 'nothing'}`,
    severity: 'error',
    from: { path: `^src/js/(${alternatives([part])})` },
    to: { path: '^src/js/', pathNot: `^src/js/(${alternatives([part, ...others])})` }
  }))
  return [
    ...layers,
    { name: 'every file has its part', severity: 'error', from: { path: '^src/js/', pathNot: `^src/js/(${alternatives(known)})` }, to: {} },
    { name: 'no circle', severity: 'error', from: {}, to: { circular: true } },
    { name: 'nothing is missing', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^\\./(engine|full)\\.wasm$|^(\\.\\./)+pkg/' } },
    { name: 'www imports the package alone', severity: 'error', from: { path: '^www/' }, to: { path: '^(src|pkg-scripts|tests)/', pathNot: '^src/js/inspect/index\\.js$' } },
    ...STORAGES.map((name) => ({
      name: `${name} imports no other storage's folder`,
      severity: 'error',
      from: { path: `^src/js/storage/${name}/` },
      to: { path: '^src/js/storage/[^/]+/', pathNot: `^src/js/storage/${name}/` }
    }))
  ]
}

/** Returns violations as "rule: from -> to". */
async function violationsIn(root, places) {
  const { output } = await cruise(places, {
    baseDir: root,
    ruleSet: { forbidden: rulesOf(root) },
    validate: true,
    doNotFollow: { path: '(^|/)(node_modules|pkg)/' },
    exclude: { path: '(^|/)pkg/' }
  }, { conditionNames: ['node', 'import', 'default'], exportsFields: ['exports'] })
  ok(output.modules.length > 0)
  return output.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)
}

test('imports go only downward, without cycles', async () => {
  deepStrictEqual(await violationsIn(inRoot(), ['src/js', 'www']), [])
})

const place = mkdtempSync(join(tmpdir(), 'varve-layers-'))
after(() => rmSync(place, { recursive: true }))

/** Files of a small package, by path. */
function make(name, files) {
  const root = join(place, name)
  for (const [path, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

test('an upward import is found, also a dynamic one', async () => {
  const root = make('upward', {
    'src/js/engine/a.js': "import '../level/b.js'\n",
    'src/js/storage/c.js': "export const load = () => import('../engine/a.js')\n",
    'src/js/level/b.js': 'export const b = 1\n'
  })
  deepStrictEqual((await violationsIn(root, ['src/js'])).sort(), [
    'engine imports errors.js, bytes: src/js/engine/a.js -> src/js/level/b.js',
    'storage imports errors.js: src/js/storage/c.js -> src/js/engine/a.js'
  ])
})

test('a cycle is found, and a file outside all parts', async () => {
  const root = make('circle', {
    'src/js/bytes/a.js': "import './b.js'\n",
    'src/js/bytes/b.js': "import './a.js'\n",
    'src/js/attic/c.js': "import '../bytes/a.js'\n"
  })
  const found = await violationsIn(root, ['src/js'])
  ok(found.some((line) => line.startsWith('no circle: src/js/bytes/')), found.join('\n'))
  ok(found.includes('every file has its part: src/js/attic/c.js -> src/js/bytes/a.js'), found.join('\n'))
})

test('a page that imports more than the package is found', async () => {
  const root = make('page', { 'www/main.js': "import '../src/js/errors.js'\n", 'src/js/errors.js': 'export const code = 1\n' })
  deepStrictEqual(await violationsIn(root, ['www']), ['www imports the package alone: www/main.js -> src/js/errors.js'])
})

/** Files over 500 lines, and why they are not split. */
const LONG = {
  'engine/engine.js': 'one method for each call of the engine',
  'level/varve.js': 'one method for each call of the database',
  'storage/contract.js': 'one test for each sentence of the contract'
}

test('no script has over 500 lines, except those listed with a reason', () => {
  const long = readdirSync(inRoot('src', 'js'), { recursive: true })
    .filter((name) => name.endsWith('.js') && readFileSync(inRoot('src', 'js', name), 'utf8').split('\n').length > 501)
  deepStrictEqual(long.sort(), Object.keys(LONG).sort())
})

test('www reaches the package by its name', () => {
  for (const name of readdirSync(inRoot('www'), { recursive: true }).filter((each) => each.endsWith('.js'))) {
    const imported = [...readFileSync(inRoot('www', name), 'utf8').matchAll(/^(?:import|export) .*from '([^']+)'|^import '([^']+)'/gm)].map(([, from, bare]) => from ?? bare)
    for (const from of imported) ok(/^(lit|varve\/inspect|\.{1,2}\/(?!.*src\/))/.test(from), `${name} imports ${from}`)
  }
})

test('docs/architecture.md lists every file of src and www', () => {
  const [, tree] = /## The tree[^]*?```text\n([^]*?)```/.exec(readFileSync(inRoot('docs', 'architecture.md'), 'utf8'))
  const listed = []
  let folder = ''
  for (const line of tree.split('\n')) {
    if (/^(src|www)\//.test(line)) folder = line.split(' ')[0]
    else listed.push(...line.trim().split(/,\s*/).filter(Boolean).map((name) => folder + name))
  }
  const there = ['src', 'www'].flatMap((place) => readdirSync(inRoot(place), { recursive: true }).map((name) => `${place}/${name}`))
    .filter((name) => /\.(rs|js|d\.ts)$/.test(name) && !/(^|\/)tests(\.rs$|\/)|(^|\/)mod\.rs$/.test(name))
    .map((name) => name.replace(/\.(rs|js|d\.ts)$/, ''))
  deepStrictEqual(listed.sort(), there.sort())
})
