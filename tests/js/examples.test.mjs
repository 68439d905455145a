// The programs of examples/js work as described.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { inRoot, root } from '../../pkg-scripts/lib/paths.mjs'

const scratch = mkdtempSync(join(tmpdir(), 'varve-examples-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

const PROGRAMS = {
  'hello.mjs': [['hello'], '{ depth: 34 }\nundefined\njp/biwa: 104 m\njp/suigetsu: 34 m\ndurable\n'],
  'sublevels.mjs': [[], "the two largest: [ 'Paris', 'Lyon' ]\n100,000 to 1,000,000: [ 'Nîmes', 'Lyon' ]\nfrom N on: [ 'Nîmes', 'Paris', 'Sète' ]\nleft in the index: [ 'Nîmes', 'Lyon', 'Paris' ]\n"],
  'backup.mjs': [['from', 'to'], '10000 entries, 0 of them changed since\nsound\n'],
  'storage.mjs': [[], "files: [ 'CURRENT', 'MANIFEST-N', 'N.ldb', 'N.log' ]\nvalue 1234\nread: a block or so\n5000 keys, opened again\n"],
  'http.mjs': [['served'], 'value 12345\nkey100 key1000 key10000\nLEVEL_NOT_SUPPORTED\na small part was sent\n']
}

for (const [name, [places, output]] of Object.entries(PROGRAMS)) {
  test(name, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [inRoot('examples', 'js', name), ...places.map((place) => join(scratch, place))], { cwd: root, encoding: 'utf8', timeout: 60_000 })
    assert.equal(stderr.replace(/^.*Warning.*\n.*\n?/gm, ''), '')
    assert.equal(status, 0)
    assert.equal(stdout, output)
  })
}

test('every example is tested', () => assert.deepEqual(readdirSync(inRoot('examples', 'js')).sort(), Object.keys(PROGRAMS).sort()))

// Two of them failed without a location, although hello.mjs has a default.
for (const [program, [, expected]] of Object.entries(PROGRAMS)) {
  test(`${program} without arguments`, () => {
    const cwd = mkdtempSync(join(scratch, 'bare-'))
    const { status, stdout, stderr } = spawnSync(process.execPath, [inRoot('examples', 'js', program)], { cwd, encoding: 'utf8', timeout: 60_000 })
    assert.equal(status, 0, stderr)
    assert.equal(stdout, expected)
  })
}
