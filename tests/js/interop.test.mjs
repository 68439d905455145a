// Varve and C++ LevelDB use the same directories in turns: one writes, the other opens with every
// check, compares, writes more and compacts, and the first compares. Then each is killed while
// writing, and each excludes the other by its lock.
//
// The programs are examples/interop.rs, tests/interop/peer.cc (Debian's or Homebrew's LevelDB) and
// tests/interop/peer.mjs (classic-level). 8,000 operations per directory; VARVE_LONG=1: 1,000,000,
// and more kills.
import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, test } from 'node:test'
import { compileWithLeveldb } from '../../pkg-scripts/lib/leveldb-cc.mjs'
import { environment, inRoot, root } from '../../pkg-scripts/lib/paths.mjs'

const LONG = process.env.VARVE_LONG === '1'
const COUNT = LONG ? 1_000_000 : 2_000
const MORE = COUNT / 4
const KILLS = LONG ? 40 : 4

const OPTION_SETS = {
  'as classic-level': '--bloom 10',
  'no compression, no filter': '--compression none',
  'small everything': '--write-buffer 65536 --max-file-size 1048576 --block-size 1024 --restart 1 --bloom 5',
  'large blocks': '--block-size 65536 --restart 128 --bloom 24',
  'logs reused': '--reuse-logs --write-buffer 262144 --bloom 10',
  'large buffer and files': '--write-buffer 33554432 --max-file-size 16777216 --compression none --bloom 10',
  'reverse order': '--comparator reverse --write-buffer 262144',
  'shorter keys first': '--comparator length-first --write-buffer 1048576 --block-size 2048 --restart 3 --bloom 10'
}

// ---- The programs ----

/** A program with the command line of peer.cc. */
class Side {
  constructor(name, program, args, { commonOnly = false } = {}) {
    Object.assign(this, { name, program, args, commonOnly })
  }

  /** Options that classic-level lacks: it always uses its own checks and filters. */
  flags(options) {
    const words = options.split(' ').filter(Boolean)
    if (!this.commonOnly) return words
    const dropped = { '--paranoid': 1, '--verify': 1, '--reuse-logs': 1, '--bloom': 2 }
    const kept = []
    for (let i = 0; i < words.length; i += dropped[words[i]] ?? 1) if (!dropped[words[i]]) kept.push(words[i])
    return kept
  }

  supports(options) {
    return !this.commonOnly || !options.includes('--comparator')
  }

  /** @returns {Promise<object>} its JSON; an error, where there is one, is the test's failure */
  run(command, dir, options) {
    const args = [...this.args, command, dir, ...this.flags(options)]
    return new Promise((resolve, reject) => execFile(this.program, args, { maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${this.name} ${command} ${options}: ${stdout}${stderr}` || error.message))
      else resolve(JSON.parse(stdout))
    }))
  }

  start(command, dir, options) {
    return spawn(this.program, [...this.args, command, dir, ...this.flags(options)], { stdio: ['pipe', 'pipe', 'inherit'] })
  }

  tryLock(dir) {
    const { status, stdout } = spawnSync(this.program, [...this.args, 'trylock', dir], { encoding: 'utf8' })
    return { status, stdout: stdout.trim() }
  }
}

/** With the features of the native tests, for which the engine has been compiled. */
function buildVarve() {
  const { status, stderr } = spawnSync('cargo', ['build', '--release', '--features', 'seeded-bugs,fuzzing', '--example', 'interop', '--example', 'digest'], { cwd: root, env: environment, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return join(process.env.CARGO_TARGET_DIR ?? inRoot('target'), 'release', 'examples', 'interop')
}

const varve = new Side('Varve', buildVarve(), [])
const compiled = compileWithLeveldb(inRoot('tests', 'interop', 'peer.cc'))
const peers = [
  compiled.program
    ? new Side('libleveldb', compiled.program, [])
    : { name: 'libleveldb', missing: compiled.why },
  existsSync(inRoot('node_modules', 'classic-level'))
    ? new Side('classic-level', process.execPath, [inRoot('tests', 'interop', 'peer.mjs')], { commonOnly: true })
    : { name: 'classic-level', missing: 'classic-level is not installed: npm ci' }
]
for (const { name, missing } of peers) if (missing) console.error(`SKIPPED, all of ${name}: ${missing}`)

const place = mkdtempSync(join(tmpdir(), 'varve-interop-'))
after(() => rmSync(place, { recursive: true, force: true }))
let directories = 0

/** Creates a directory, removed if the test passes. */
async function inDirectory(use) {
  const dir = join(place, String(directories++))
  await use(dir)
  rmSync(dir, { recursive: true, force: true })
}

// ---- In turns ----

/**
 * `first` writes; `second` compares, writes more and compacts; `first` compares and writes more;
 * `second` compares.
 */
async function takeTurns(first, second, options, dir) {
  const checks = `${options} --paranoid --verify --gets`
  const written = await first.run('write', dir, `${options} --seed 1 --count ${COUNT}`)
  assert.ok(written.entries > COUNT / 4)
  assert.deepEqual(await second.run('digest', dir, checks), written, `${second.name} reads what ${first.name} wrote`)

  const more = await second.run('write', dir, `${options} --seed 2 --count ${MORE} --after 1:${COUNT}`)
  await second.run('compact', dir, options)
  assert.deepEqual(await second.run('digest', dir, checks), more, `${second.name} reads what both wrote`)
  assert.deepEqual(await first.run('digest', dir, checks), more, `${first.name} reads what ${second.name} wrote and compacted`)

  const most = await first.run('write', dir, `${options} --seed 3 --count ${MORE} --after 1:${COUNT} --after 2:${MORE}`)
  assert.deepEqual(await second.run('digest', dir, checks), most, `${second.name} reads what ${first.name} added`)
  await first.run('compact', dir, options)
  assert.deepEqual(await first.run('digest', dir, checks), most, `${first.name} reads what it compacted`)
  assert.deepEqual(await second.run('digest', dir, checks), most, `${second.name} reads what ${first.name} compacted`)
}

for (const peer of peers) {
  describe(`Varve and ${peer.name} in turns, ${COUNT} operations`, { skip: peer.missing, concurrency: 2 }, () => {
    for (const [name, options] of Object.entries(OPTION_SETS)) {
      const skip = peer.missing || peer.supports(options) ? false : `${peer.name} has no comparators`
      test(`${name}: Varve first`, { skip }, () => inDirectory((dir) => takeTurns(varve, peer, options, dir)))
      test(`${name}: ${peer.name} first`, { skip }, () => inDirectory((dir) => takeTurns(peer, varve, options, dir)))
    }
  })
}

// ---- Killed while writing ----

const KILL_OPTIONS = ['small everything', 'logs reused', 'as classic-level'].map((name) => OPTION_SETS[name])

/** Kills a writer after it has reported `acknowledged` operations; returns the last report. */
async function writeUntilKilled(side, dir, options, acknowledged) {
  const child = side.start('write', dir, options)
  const closed = new Promise((resolve) => child.on('close', resolve))
  let last = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const report = /^acked (\d+)$/.exec(line)
    assert.ok(report, `${side.name} was done before it was killed: ${line}`)
    last = Number(report[1])
    if (last >= acknowledged) child.kill('SIGKILL')
  }
  await closed
  return last
}

/**
 * Checks that after a kill, the database is a prefix of the workload with all acknowledged
 * operations.
 */
async function killAndCompare(writer, reader, index, dir) {
  const options = KILL_OPTIONS[index % KILL_OPTIONS.length]
  const workload = `--seed ${100 + index} --count ${COUNT * 5}`
  // Between 2 % and 42 % of the workload, so that it never ends before the kill.
  const acknowledged = Math.floor(COUNT * 5 * (0.02 + 0.4 * ((index * 0.618) % 1)))
  const last = await writeUntilKilled(writer, dir, `${options} ${workload} --acks`, acknowledged)
  const found = await reader.run('prefix', dir, `${options} ${workload} --paranoid --verify`)
  assert.ok(found.last >= last, `${last} acknowledged, ${reader.name} finds ${found.last}`)
  assert.deepEqual(await writer.run('prefix', dir, `${options} ${workload}`), found, `${writer.name} finds the same afterwards`)
}

for (const peer of peers) {
  describe(`killed while writing: Varve and ${peer.name}`, { skip: peer.missing }, () => {
    for (let index = 0; index < KILLS; index++) {
      test(`Varve killed, ${peer.name} reads (${index})`, () => inDirectory((dir) => killAndCompare(varve, peer, index, dir)))
      test(`${peer.name} killed, Varve reads (${index})`, () => inDirectory((dir) => killAndCompare(peer, varve, index, dir)))
    }
  })
}

// ---- Locks ----

async function keepsOut(holder, other, dir) {
  const child = holder.start('hold', dir, '')
  const closed = new Promise((resolve) => child.on('close', resolve))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  assert.equal((await lines.next()).value, 'held')
  const refused = other.tryLock(dir)
  child.stdin.end()
  assert.equal(await closed, 0)
  assert.match(refused.stdout, /^locked: /, `${other.name} while ${holder.name} holds the database`)
  assert.equal(refused.status, 3)
  assert.deepEqual(other.tryLock(dir), { status: 0, stdout: 'opened' })
}

// `--` was used as the path, or was an unknown option.
test('-- ends the options of the examples', () => {
  const cwd = mkdtempSync(join(place, 'odd-'))
  const run = (program, ...args) => spawnSync(program, args, { cwd, encoding: 'utf8' })
  const digest = join(varve.program, '..', 'digest')
  for (const dir of ['-odd-name', '--odd']) {
    assert.equal(run(varve.program, 'write', '--', dir, '--count', '10').status, 0)
    const answers = [run(varve.program, 'digest', '--', dir), run(digest, '--', dir), run(digest, '--mode', 'strict', '--', dir)]
    assert.deepEqual(answers.map(({ status }) => status), [0, 0, 0], answers.map(({ stderr }) => stderr).join(''))
    assert.equal(new Set(answers.map(({ stdout }) => JSON.parse(stdout).sha256)).size, 1)
  }
  const refused = run(digest, '--odd')
  assert.equal(refused.status, 1)
  assert.match(refused.stderr, /unknown option --odd; a path that begins with - must follow --/)
})

describe('locks', () => {
  test('Varve excludes Varve', () => inDirectory((dir) => keepsOut(varve, varve, dir)))
  for (const peer of peers) {
    test(`Varve excludes ${peer.name}`, { skip: peer.missing }, () => inDirectory((dir) => keepsOut(varve, peer, dir)))
    test(`${peer.name} excludes Varve`, { skip: peer.missing }, () => inDirectory((dir) => keepsOut(peer, varve, dir)))
  }
})
