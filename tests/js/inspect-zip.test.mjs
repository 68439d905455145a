// Looking into zips: by their central directory, without unpacking, whatever is in them.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'
import { mapDirectory, openZip } from '../../src/js/inspect/index.js'
import { crc32, zip } from './lib/zip.mjs'

const FIXTURE = inRoot('tests', 'fixtures', 'versions')
const names = readdirSync(FIXTURE).filter((name) => !name.endsWith('.json'))
const contentOf = (/** @type {string} */ name) => readFileSync(join(FIXTURE, name))
const folder = mkdtempSync(join(tmpdir(), 'varve-zip-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** @param {Uint8Array} bytes @returns {import('../../src/js/types/inspect.js').Source & { read: any }} */
const sourceOf = (bytes, name = 'x.zip') => ({
  name,
  size: bytes.length,
  read(/** @type {number} */ offset, /** @type {Uint8Array} */ into) {
    const part = bytes.subarray(offset, offset + into.length)
    into.set(part)
    return part.length
  }
})

/** All bytes of a source. @param {import('../../src/js/types/inspect.js').Source} source */
async function bytesOf(source) {
  const into = Buffer.alloc(source.size)
  assert.equal(await source.read(0, into), source.size)
  return into
}

describe('openZip', () => {
  for (const deflate of [false, true]) {
    test(`a folder of ${deflate ? 'deflated' : 'stored'} files, after other bytes, is compared as the directory itself`, async () => {
      const archive = Buffer.concat([Buffer.from('#!/bin/sh\nexit\n'.repeat(50)), zip([
        { name: 'profile/' }, { name: 'profile/notes.txt', data: 'notes' },
        ...names.map((name) => ({ name: `profile/db/${name}`, data: contentOf(name), deflate }))
      ], { comment: 'PK\x05\x06 is no end'.repeat(3) })])
      const opened = await openZip(sourceOf(archive))
      assert.equal(opened.prefix, 750)
      assert.deepEqual(opened.databases.map(({ folder, entries }) => [folder, entries.length]), [['profile/db/', names.length]])
      const inside = []
      for (const entry of opened.databases[0].entries) {
        const source = await opened.open(entry)
        assert.equal(source.problem, undefined)
        assert.equal(source.at === undefined, deflate)
        const name = entry.name.slice('profile/db/'.length)
        assert.deepEqual(await bytesOf(source), contentOf(name))
        if (source.at !== undefined) assert.deepEqual(archive.subarray(source.at, source.at + source.size), contentOf(name))
        inside.push({ ...source, name })
      }
      const { findings } = await mapDirectory(inside)
      const direct = await mapDirectory(names.map((name) => sourceOf(contentOf(name), name)))
      assert.deepEqual(findings, direct.findings)
    })
  }

  test('sizes of 64 bits, and sizes after the content, are those of the central directory', async () => {
    const data = contentOf(names.find((name) => name.endsWith('.ldb')) ?? '')
    const content = deflateRawSync(data)
    const name = Buffer.from('000005.ldb')
    const [u16, u32, u64] = [2, 4, 8].map((size) => (/** @type {number[]} */ ...values) => Buffer.concat(values.map((value) => {
      const buffer = Buffer.alloc(8)
      buffer.writeBigUInt64LE(BigInt(value))
      return buffer.subarray(0, size)
    })))
    // The header says nothing of the content, and a descriptor follows it.
    const local = Buffer.concat([u32(0x04034b50), u16(45, 8, 8, 0, 33), u32(0, 0, 0), u16(name.length, 0), name, content, u32(0x08074b50, crc32(data)), u64(content.length, data.length)])
    const extra = Buffer.concat([u16(1, 24), u64(data.length, content.length, 0)])
    const central = Buffer.concat([u32(0x02014b50), u16(45, 45, 8, 8, 0, 33), u32(crc32(data), 0xffffffff, 0xffffffff), u16(name.length, extra.length, 0, 0, 0), u32(0, 0xffffffff), name, extra])
    const end = Buffer.concat([u32(0x06064b50), u64(44), u16(45, 45), u32(0, 0), u64(1, 1, central.length, local.length)])
    const archive = Buffer.concat([Buffer.alloc(100), local, central, end, u32(0x07064b50, 0), u64(100 + local.length + central.length), u32(1), u32(0x06054b50), u16(0, 0, 0xffff, 0xffff), u32(0xffffffff, 0xffffffff), u16(0)])
    const opened = await openZip(sourceOf(archive))
    assert.equal(opened.prefix, 100)
    const source = await opened.open(opened.entries[0])
    assert.deepEqual(await bytesOf(source), data)
    assert.equal(source.problem, undefined)
  })

  test('hostile names are text; what cannot be read says why, with entry and offset', async () => {
    const data = Buffer.from('x'.repeat(1000))
    const archive = zip([
      { name: '../../etc/passwd', data }, { name: '/000005.ldb', data }, { name: 'a\0b/CURRENT', data }, { name: '<img src=x>', data },
      { name: Buffer.from([0xff, 0xfe]), data }, { name: 'same', data }, { name: 'same', data }, { name: 'secret', data, flags: 1 },
      { name: 'new', data, method: 93 }, { name: 'link', data, mode: 0o120777 }, { name: 'wrong crc', data, crc: 1 }, { name: 'deflated wrong', data, deflate: true, crc: 1 },
      { name: 'elsewhere', data, central: { offset: 7 } }, { name: 'long', data, central: { stored: 1 << 30, size: 1 << 30 } }, { name: 'damaged', data, deflate: true, content: Buffer.alloc(30, 0xff) }
    ])
    const opened = await openZip(sourceOf(archive))
    const entry = (/** @type {string} */ name, at = 0) => opened.entries.filter((each) => each.name === name)[at]
    assert.deepEqual(opened.entries.slice(0, 5).map(({ name }) => name), ['../../etc/passwd', '/000005.ldb', 'a\0b/CURRENT', '<img src=x>', '\\xff\\xfe'])
    assert.deepEqual(opened.databases.map(({ folder }) => folder), ['/', 'a\0b/'])
    for (const { name } of opened.entries.slice(0, 5)) assert.equal((await opened.open(entry(name))).size, 1000)
    assert.match(entry('same', 1).problem ?? '', /same name/)
    assert.match(entry('link').problem ?? '', /symbolic link/)
    await assert.rejects(opened.open(entry('secret')), { code: 'LEVEL_NOT_SUPPORTED', message: /secret at offset \d+: it is encrypted/ })
    await assert.rejects(opened.open(entry('new')), { code: 'LEVEL_NOT_SUPPORTED', message: /neither stored nor deflated/ })
    assert.equal(entry('new').method, 'zstd')
    for (const name of ['wrong crc', 'deflated wrong']) {
      const source = await opened.open(entry(name))
      assert.match(source.problem ?? '', /^its checksum is [0-9a-f]{8}, the entry says 00000001$/)
      assert.deepEqual(await bytesOf(source), data)
    }
    await assert.rejects(opened.open(entry('elsewhere')), { code: 'LEVEL_CORRUPTION', file: 'elsewhere', offset: 7 })
    await assert.rejects(opened.open(entry('long')), { code: 'LEVEL_CORRUPTION', file: 'long', message: /ends before/ })
    await assert.rejects(opened.open(entry('damaged')), { code: 'LEVEL_CORRUPTION', file: 'damaged' })
  })

  test('bombs are refused by what they say, and by what they are', async () => {
    const zeros = Buffer.alloc(64 << 20)
    const content = deflateRawSync(zeros, { level: 9 })
    const archive = zip([
      { name: 'says so', data: zeros, content, deflate: true },
      { name: 'lies', content, method: 8, size: 1 << 20, crc: 0, stored: content.length }, { name: 'petabytes', content, method: 8, crc: 0, central: { size: 0xfffffffe } }
    ])
    const opened = await openZip(sourceOf(archive))
    for (const [name, options] of /** @type {const} */ ([['says so', {}], ['says so', { ratioMax: 2000, sizeMax: 1 << 20 }], ['petabytes', { ratioMax: Infinity }]])) {
      await assert.rejects(opened.open(/** @type {any} any: it is there */ (opened.entries.find((each) => each.name === name)), options), { code: 'LEVEL_LIMIT_EXCEEDED', message: new RegExp(`${name} at offset \\d+: \\d+ bytes out of`) })
    }
    await assert.rejects(opened.open(opened.entries[1]), { code: 'LEVEL_CORRUPTION', file: 'lies', message: /longer than the entry says/ })
    assert.equal((await opened.open(opened.entries[0], { ratioMax: 2000 })).size, 64 << 20)
  })

  test('what is no zip, cut short or in several parts is an error that says so', async () => {
    const archive = zip(names.map((name) => ({ name, data: contentOf(name) })))
    for (let cut = 0; cut < archive.length; cut += 997) await assert.rejects(openZip(sourceOf(archive.subarray(0, cut))), { code: 'LEVEL_CORRUPTION' })
    await assert.rejects(openZip(sourceOf(Buffer.from('no zip'))), { code: 'LEVEL_CORRUPTION', message: /no end record/ })
    await assert.rejects(openZip(sourceOf(zip([], { count: 3 }))), { code: 'LEVEL_CORRUPTION' })
    assert.deepEqual((await openZip(sourceOf(zip([])))).entries, [])
  })
})

test('varve inspect --json looks into a zip, and varve salvage reads one', () => {
  const path = join(folder, 'x.zip')
  writeFileSync(path, zip([...names.map((name) => ({ name: `db/${name}`, data: contentOf(name), deflate: true })), { name: 'other/000007.log', data: 'x', flags: 1 }]))
  const { stdout, stderr } = spawnSync(process.execPath, [inRoot('src', 'js', 'cli', 'main.js'), 'inspect', '--json', path], { encoding: 'utf8' })
  const report = JSON.parse(stdout || stderr)
  assert.deepEqual(report.files.map((/** @type {{ name: string }} */ { name }) => name).sort(), ['x.zip', 'x.zip/other/000007.log', ...names.map((name) => `x.zip/db/${name}`)].sort())
  const table = report.files.find((/** @type {{ name: string }} */ { name }) => name.endsWith('.ldb'))
  assert.equal(table.role, 'live')
  assert.equal(table.sha256.length, 64)

  const salvage = (/** @type {string} */ path) => spawnSync(process.execPath, [inRoot('src', 'js', 'cli', 'main.js'), 'salvage', path, '--dry-run', '--json'], { encoding: 'utf8' })
  assert.match(salvage(path).stderr, /has 2 databases, not one/)
  writeFileSync(join(folder, 'one.zip'), zip(names.map((name) => ({ name: `db/${name}`, data: contentOf(name), deflate: true }))))
  const [inZip, direct] = [salvage(join(folder, 'one.zip')), salvage(FIXTURE)].map((each) => JSON.parse(each.stdout))
  assert.ok(inZip.live > 0)
  assert.deepEqual(inZip, direct)
})
