// Runs every snippet of the README: `js` as a module, `sh` by the shell, in a new directory in
// which `varve` is this package. A line must print what its comment says: console.log(...) // this
//
// A snippet is skipped if the line before it is a comment that begins with "not run:" and says why.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { inRoot, root } from '../../pkg-scripts/lib/paths.mjs'

const scratch = mkdtempSync(join(tmpdir(), 'varve-readme-'))
after(() => rmSync(scratch, { recursive: true, force: true }))
mkdirSync(join(scratch, 'node_modules', '.bin'), { recursive: true })
symlinkSync(root, join(scratch, 'node_modules', 'varve'), 'junction')
const { bin } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))
if (bin?.varve !== undefined) symlinkSync(inRoot(bin.varve), join(scratch, 'node_modules', '.bin', 'varve'))

const readme = readFileSync(inRoot('README.md'), 'utf8')
const snippets = [...readme.matchAll(/(?:^<!-- not run: (.+) -->\n)?^```(js|sh)\n([^]*?)^```$/gm)].map(({ 1: reason, 2: language, 3: text, index }) =>
  ({ reason, language, text, line: readme.slice(0, index).split('\n').length }))

const run = (command, args) => spawnSync(command, args, { cwd: scratch, encoding: 'utf8', timeout: 60_000 })

/** The outputs that the comments after console.log() promise. */
const promised = (text) => text.split('\n').map((line) => /console\.log\(.*\) \/\/ (.+)$/.exec(line)?.[1]).filter((output) => output !== undefined)

for (const { reason, language, text, line } of snippets) {
  test(`line ${line}: ${language}`, { skip: reason ?? false }, () => {
    writeFileSync(join(scratch, 'snippet.mjs'), text)
    const { status, stdout, stderr } = language === 'js' ? run(process.execPath, ['snippet.mjs']) : run('sh', ['-e', '-c', text])
    assert.equal(status, 0, `${stdout}${stderr}`)
    const printed = stdout.split('\n')
    for (const output of promised(text)) assert.ok(printed.includes(output), `${output} was promised; printed was:\n${stdout}`)
  })
}

test('README has snippets, and most are run', () => {
  assert.ok(snippets.filter(({ reason }) => reason === undefined).length >= 4)
})

// Compares the tables with the types, which define every option, default, error code and method.

const types = readFileSync(inRoot('src', 'js', 'types', 'index.d.ts'), 'utf8')
const abstractLevel = inRoot('node_modules', 'abstract-level')
const abstractTypes = ['abstract-level', 'abstract-iterator'].map((name) => readFileSync(join(abstractLevel, 'types', `${name}.d.ts`), 'utf8')).join('\n')

/** Returns the rows of the tables of a section, without headers, as arrays of cells. */
const rowsOf = (heading) => {
  const section = readme.split(/^## /m).find((text) => text.startsWith(`${heading}\n`))
  assert.ok(section !== undefined, heading)
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  return rows.map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()))
}
const namesIn = (cell) => [...cell.matchAll(/`([\w.]+)/g)].map(([, name]) => name)

/** Returns the options of an interface with the text of their defaults (undefined if none). */
const optionsOf = (source, name) => {
  const body = new RegExp(`interface ${name}\\b[^{]*\\{\\n([^]*?)^\\}`, 'm').exec(source)?.[1]
  assert.ok(body !== undefined, name)
  return new Map([...body.matchAll(/((?: {2}\/\*\*(?:(?!\*\/)[^])*\*\/\n)?) {2}(\w+)\?:/g)].map(([, comment, option]) =>
    [option, /@defaultValue ([^]*?)\s*(?:\n \s*\*\s*\n|\n? *\*\/)/.exec(comment)?.[1]]))
}

/** Normalises a default: '32 MiB' and '`32 * 1024 * 1024`: why' are the same number. */
const normal = (text) => {
  const [, number, unit] = /^(\d+)(?: (KiB|MiB|GiB))?(?![\w'])/.exec(text) ?? []
  const product = /^`(\d+(?: \*\*? \d+)*)`/.exec(text)?.[1]
  if (product !== undefined) return product.split(' * ').map((factor) => factor.split(' ** ').map(Number)).reduce((all, [base, power = 1]) => all * base ** power, 1)
  if (number !== undefined) return number * 1024 ** ['', 'KiB', 'MiB', 'GiB'].indexOf(unit ?? '')
  return text.replaceAll('`', '')
}

const compareOptions = (rows, interfaces) => {
  const typed = new Map(interfaces.flatMap(([source, name]) => [...optionsOf(source, name)]))
  typed.delete('passive')
  const shown = new Map(rows.flatMap(([names, defaults]) => namesIn(names).map((name, i, { length }) => [name, length === 1 ? defaults : defaults.split(', ')[i]])))
  assert.deepEqual([...shown.keys()].sort(), [...typed.keys()].sort())
  for (const [name, value] of typed) assert.equal(normal(shown.get(name)), normal(value), name)
}

test('the table of options has the names and defaults of index.d.ts', () => {
  const rows = rowsOf('Options')
  const ofAnOperation = rows.findIndex(([names]) => names === '`sync`')
  assert.ok(ofAnOperation > 0)
  compareOptions(rows.slice(0, ofAnOperation), [
    [types, 'OpenOptions'], [types, 'DatabaseOptions'], [abstractTypes, 'AbstractOpenOptions'], [abstractTypes, 'AbstractDatabaseOptions']
  ])
  // `fillCache` has two defaults: the table has that of reads, which is the last here.
  compareOptions(rows.slice(ofAnOperation), [[types, 'AdditionalIteratorOptions'], [types, 'ReadOptions'], [types, 'WriteOptions']])
})

test('the table of errors has every code of index.d.ts, and no other than these and those of abstract-level', () => {
  const typed = [...types.matchAll(/^ {2}\| '(LEVEL_\w+)'/gm)].map(([, code]) => code)
  const shown = rowsOf('Errors').flatMap(([codes]) => namesIn(codes))
  assert.ok(typed.length > 10)
  assert.deepEqual(typed.filter((code) => !shown.includes(code)), [])
  assert.equal(new Set(shown).size, shown.length)
  const sources = ['abstract-level', 'level-transcoder'].flatMap((name) => {
    const directory = inRoot('node_modules', name)
    const files = readdirSync(directory, { recursive: true }).filter((file) => /^(?!test\/|node_modules\/).*\.js$/.test(file))
    return files.map((file) => readFileSync(join(directory, file), 'utf8'))
  })
  const abstract = sources.join('\n')
  assert.deepEqual(shown.filter((code) => !typed.includes(code) && !abstract.includes(`'${code}'`)), [])
})

test('the table of methods and events names those of class Varve', () => {
  const body = types.slice(types.indexOf('export class Varve'), types.indexOf('export type WorkerFactory'))
  const shown = rowsOf('Differences from abstract-level and classic-level').map(([method]) => method)
  assert.ok(shown.length > 10)
  for (const method of shown) {
    const events = /^`on\((.+)\)`$/.exec(method)?.[1].split(' \\| ')
    if (events !== undefined) for (const event of events) assert.ok(body.includes(`on (event: ${event}, `), event)
    else for (const [, isStatic, name] of method.matchAll(/`(Varve\.)?(\w+)\(/g)) assert.match(body, new RegExp(`^ {2}${isStatic === undefined ? '' : 'static '}${name}(?:<.*>)? \\(`, 'm'), method)
  }
})

test('README quotes the figures of docs/figures.md', () => {
  const figures = readFileSync(inRoot('docs', 'figures.md'), 'utf8')
  const section = readme.slice(readme.indexOf('## Figures'), readme.indexOf('## Development'))
  const native = section.split('\n').find((line) => line.startsWith('| native throughput'))
  const quoted = [...native.matchAll(/([a-z]+) (\d\.\d\d)/g)]
  assert.ok(quoted.length >= 8)
  for (const [, name, ratio] of quoted) assert.match(figures, new RegExp(`^\\| ${name} \\| \\S+ \\| \\S+ \\| ${ratio.replace('.', '\\.')} \\|`, 'm'))
  const size = /\| ([\d,]+) bytes \|/.exec(section)?.[1]
  assert.ok(figures.includes(`${size} bytes`), size)
})

test('links to files and headings of the repository are valid', () => {
  const anchorsOf = (text) => [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading.toLowerCase().replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-'))
  const links = [...readme.matchAll(/\]\(([^):]+)\)/g)].map(([, link]) => link)
  assert.ok(links.length > 10)
  for (const link of links) {
    const [path, anchor] = link.split('#')
    assert.ok(existsSync(inRoot(path)), link)
    if (anchor !== undefined) assert.ok(anchorsOf(path === '' ? readme : readFileSync(inRoot(path), 'utf8')).includes(anchor), link)
  }
})
