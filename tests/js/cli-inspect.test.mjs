// `varve inspect`: serves the page and the named files to this machine's browser only.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { inRoot } from '../../pkg-scripts/lib/paths.mjs'

const MAIN = inRoot('src', 'js', 'cli', 'main.js')

const noise = Uint8Array.from({ length: 70_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24)

describe('varve inspect', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varve-inspect-'))
  /** @type {import('node:child_process').ChildProcess} */
  let child
  let address = ''
  before(async () => {
    mkdirSync(join(folder, 'db', 'inside'), { recursive: true })
    writeFileSync(join(folder, 'secret.txt'), 'secret')
    writeFileSync(join(folder, 'db', '000005.ldb'), noise)
    writeFileSync(join(folder, 'db', 'inside', 'CURRENT'), 'MANIFEST-000001\n')
    symlinkSync(join(folder, 'secret.txt'), join(folder, 'db', 'linked'))
    child = spawn(process.execPath, [MAIN, 'inspect', '--no-open', join(folder, 'db')], { stdio: ['ignore', 'pipe', 'pipe'] })
    address = (await once(createInterface({ input: /** @type {import('node:stream').Readable} */ (child.stdout) }), 'line'))[0]
  })
  after(async () => {
    if (child.exitCode === null) {
      child.kill('SIGINT')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  })

  /** @param {string} path @param {Record<string, string>} [headers] @param {string} [method] */
  const get = (path, headers = {}, method = 'GET') => new Promise((resolve, reject) => {
    const { port } = new URL(address)
    const asked = request({ host: '127.0.0.1', port, path, method, headers }, async (response) => {
      const parts = []
      for await (const part of response) parts.push(part)
      resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) })
    })
    asked.on('error', reject).end()
  })
  const under = (/** @type {string} */ path) => `${new URL(address).pathname}${path}`

  test('prints an address with a random part, and serves the page there', async () => {
    assert.match(address, /^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\/#\/npx$/)
    const { status, body, headers } = await get(under(''))
    assert.equal(status, 200)
    assert.equal(headers['x-frame-options'], 'DENY')
    assert.equal(String(body), readFileSync(inRoot('pkg', 'inspector', 'index.html'), 'utf8'))
  })

  test('lists the files of the folder, without what links lead to', async () => {
    const { name, files } = JSON.parse(String((await get(under('files.json'))).body))
    assert.equal(name, 'db')
    assert.deepEqual(files.map((/** @type {any} any: of the answer */ { name, size, url }) => [name, size, url.split('?')[0]]), [['000005.ldb', 70_000, 'file/0'], ['inside/CURRENT', 16, 'file/1']])
    // A file that changed since it was listed is not read any more.
    const part = (/** @type {string} */ url) => get(under(url), { range: 'bytes=0-15' })
    assert.equal((await part(files[1].url)).status, 206)
    writeFileSync(join(folder, 'db', 'inside', 'CURRENT'), 'MANIFEST-000002\n')
    assert.equal((await part(files[1].url)).status, 412)
    rmSync(join(folder, 'db', 'inside', 'CURRENT'))
    assert.equal((await part(files[1].url)).status, 404)
    writeFileSync(join(folder, 'db', 'inside', 'CURRENT'), 'MANIFEST-000001\n')
  })

  test('serves parts of files, and nothing else of them', async () => {
    const { status, body, headers } = await get(under('file/0'), { range: 'bytes=65536-65551' })
    assert.equal(status, 206)
    assert.equal(headers['content-range'], 'bytes 65536-65551/70000')
    assert.deepEqual(new Uint8Array(body), noise.slice(65_536, 65_552))
    assert.equal((await get(under('file/0'), { range: 'bytes=69999-80000' })).body.length, 1)
    for (const range of ['bytes=70000-70001', 'bytes=5-4', 'bytes=-5', 'bytes=0-', 'items=0-1', '']) assert.equal((await get(under('file/0'), range === '' ? {} : { range })).status, 416, range)
    assert.equal((await get(under('file/2'), { range: 'bytes=0-1' })).status, 404)
  })

  test('refuses other hosts, other addresses, other methods and paths out of the folder', async () => {
    assert.equal((await get(under('files.json'), { host: 'evil.example' })).status, 421)
    assert.equal((await get(under('files.json'), { host: `evil.example:${new URL(address).port}` })).status, 421)
    assert.equal((await get('/files.json')).status, 404)
    assert.equal((await get(`/${'0'.repeat(32)}/files.json`)).status, 404)
    assert.equal((await get(under('files.json'), {}, 'POST')).status, 405)
    for (const path of ['../engine.wasm', '%2e%2e/engine.wasm', '..%2fengine.wasm', '%2e%2e%2f%2e%2e%2fpackage.json', '%00', '%zz']) {
      const { status } = await get(under(path))
      assert.ok(status === 404 || status === 500, `${path}: ${status}`)
    }
  })

  test('says which path does not exist', async () => {
    const failing = spawn(process.execPath, [MAIN, 'inspect', '--no-open', join(folder, 'none')], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    failing.stderr.on('data', (part) => { said += part })
    const [code] = await once(failing, 'close')
    assert.equal(code, 2)
    assert.match(said, /none/)
  })

  test('ends with Ctrl-C', async () => {
    child.kill('SIGINT')
    const [code] = await once(child, 'exit')
    assert.equal(code, 0)
  })
})

describe('varve inspect --json', () => {
  const FIXTURES = inRoot('tests', 'fixtures')
  /** @param {...string} args */
  const run = (...args) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'inspect', '--json', ...args], { encoding: 'utf8', maxBuffer: 1 << 26 })
    return { status, stderr, report: stdout === '' ? undefined : JSON.parse(stdout) }
  }
  const codes = (/** @type {any} any: of the report */ { findings }) => findings.filter((/** @type {any} any: as above */ { severity }) => severity !== 'info').map((/** @type {any} any: as above */ { code }) => code)

  test('a sound database is sound, with the digests of its files, twice the same', () => {
    const place = join(FIXTURES, 'tiny-table-and-wal')
    const { status, report } = run(place)
    assert.equal(status, 0)
    assert.equal(report.sound, true)
    for (const { name, size, sha256 } of report.files) {
      const bytes = readFileSync(join(place, name))
      assert.deepEqual([size, sha256], [bytes.length, createHash('sha256').update(bytes).digest('hex')], name)
    }
    assert.deepEqual(run(place).report, report)
  })

  test('damage is exit code 1, and says the same as layout does of each table', () => {
    for (const name of ['block-flip-snappy', 'manifest-cut', 'wal-flip-middle', 'versions', 'goleveldb', 'empty']) {
      const place = join(FIXTURES, name)
      const { status, report } = run(place)
      assert.equal(status, report.sound ? 0 : 1, name)
      assert.equal(report.sound, ['versions', 'goleveldb', 'empty'].includes(name), `${name}: ${JSON.stringify(report.files.flatMap(codes))}`)
      for (const file of report.files.filter((/** @type {any} any: as above */ { kind, size }) => kind === 'table' && size > 0)) {
        const { stdout } = spawnSync(process.execPath, [MAIN, 'layout', '--json', join(place, file.name)], { encoding: 'utf8', maxBuffer: 1 << 26 })
        const inside = JSON.parse(stdout).spans.flatMap(codes)
        // What is about the file in its database follows.
        assert.deepEqual(codes(file).filter((/** @type {string} */ code) => !code.startsWith('M')).sort(), inside.sort(), `${name} ${file.name}`)
      }
    }
  })

  test('one file alone is examined for itself', () => {
    const { status, report } = run(join(FIXTURES, 'wal-flip-middle', '000008.log'))
    assert.equal(status, 1)
    assert.deepEqual(codes(report.files[0]), ['W01', 'W08'])
    assert.deepEqual(run(join(FIXTURES, 'wal-flip-middle', 'MANIFEST-000006')).status, 0)
  })

  test('a file of another program is no damaged table, and a table without its footer is one', () => {
    const place = mkdtempSync(join(tmpdir(), 'varve-inspect-others-'))
    const given = (/** @type {string} */ name, /** @type {Uint8Array} */ bytes) => {
      writeFileSync(join(place, name), bytes)
      return join(place, name)
    }
    const table = readFileSync(join(FIXTURES, 'leveldb-table', 'bloom10-none.ldb'))
    for (const [path, kind, isSound] of /** @type {[string, string, boolean][]} */ ([
      [given('picture.png', Buffer.concat([Buffer.from('\x89PNG\r\n', 'latin1'), noise])), 'foreign', true],
      [given('000005.ldb', Buffer.concat([Buffer.from('SQLite format 3\0'), noise])), 'foreign', true],
      [given('noise', noise.subarray(0, 9000)), 'unknown', true], [given('zeros', new Uint8Array(5000)), 'zeros', true],
      [given('000006.ldb', new Uint8Array(5000)), 'zeros', false], [given('000007.ldb', noise.subarray(0, 9000)), 'table', false],
      [given('cut', table.subarray(0, table.length - 9)), 'table', false],
      // What begins later than detect looks is found by reading all of it.
      [given('late', Buffer.concat([noise, noise, table.subarray(0, table.length - 9)])), 'unknown', false]
    ])) {
      const { report, status } = run(path)
      assert.deepEqual([report.files[0].kind, report.sound, status], [kind, isSound, isSound ? 0 : 1], path)
    }
    rmSync(place, { recursive: true })
  })

  test('what cannot be read is exit code 2', () => {
    assert.equal(run(join(FIXTURES, 'none')).status, 2)
    assert.equal(run().status, 2)
  })
})
