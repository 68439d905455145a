// Every snippet of the README is run as it is written: `js` as a module, `sh` by the shell, in a directory of its own in which
// `varve` is this package. What a line prints is what its comment says: console.log(...) // this
//
// A fence is left out when the line before it is a comment that begins with "not run:" and says why.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
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

/** What the comments behind console.log() promise. */
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

test('there are snippets, and most are run', () => {
  assert.ok(snippets.filter(({ reason }) => reason === undefined).length >= 4)
})

test('all error codes and methods that users may meet are in it', () => {
  const types = readFileSync(inRoot('src', 'js', 'types', 'index.d.ts'), 'utf8')
  for (const [, code] of types.matchAll(/^ {2}\| '(LEVEL_\w+)'/gm)) assert.ok(readme.includes(`\`${code}\``), code)
  const options = types.slice(types.indexOf('interface DatabaseOptions'), types.indexOf('interface ReadOptions'))
  for (const [, option] of options.matchAll(/^ {2}(\w+)\?:/gm)) assert.ok(readme.includes(`\`${option}\``), `option ${option}`)
})
