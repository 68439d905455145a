// Strings from bytes, where there is Node's Buffer and where there is none, as in browsers.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'

const CHECK = `
  const { readText } = await import(${JSON.stringify(new URL('../../src/js/bytes/text.js', import.meta.url).href)})
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let count = 0
  const check = (bytes, start, end) => {
    const [found, expected] = [readText(bytes, start, end), decoder.decode(bytes.slice(start, end))]
    if (found !== expected) throw new Error(JSON.stringify({ found, expected, bytes: [...bytes.slice(start, end)] }))
    count++
  }
  for (let size = 0; size <= 80; size++) {
    const bytes = Uint8Array.from({ length: size + 6 }, (_, i) => (i * 37 + size) % 128)
    check(bytes, 3, size + 3)
    for (let at = 3; at < size + 3; at++) {
      const before = bytes[at]
      // Half a character, which is replaced.
      bytes[at] = 0xc3
      check(bytes, 3, size + 3)
      if (at + 1 < size + 3) {
        const next = bytes[at + 1]
        bytes[at + 1] = 0xa9
        check(bytes, 3, size + 3)
        bytes[at + 1] = next
      }
      bytes[at] = before
    }
  }
  console.log(count)`

for (const [name, first] of Object.entries({ 'with Buffer': '', 'without Buffer': 'delete globalThis.Buffer\n' })) {
  test(`${name}: short and long strings, ASCII or not, are those of a TextDecoder`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', first + CHECK], { encoding: 'utf8', cwd: inRoot() })
    assert.equal(status, 0, stderr)
    assert.ok(Number(stdout) > 6000, stdout)
  })
}
