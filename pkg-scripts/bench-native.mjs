// npm run bench:native: compares Varve with C++ LevelDB, natively, on the same machine in the same
// run.
//
// In a round, each side is one process. They take turns at every workload, and at being first;
// while one works, the other is idle. Rates are medians over the rounds, ratios are medians of the
// ratios in a round.
//
//   --n 1000000          entries
//   --sustained 2000000  entries of the long fill
//   --rounds 5           rounds
//   --seed 1             seed of all random numbers
//   --only a,b           only these workloads, and those that they depend on
//   --verify default     verify checksums of blocks read: default (each side's own), on or off
//   --self               run LevelDB on both sides, to see the noise of the ratios
//   --json FILE          write all results of all rounds
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { compileWithLeveldb } from './lib/leveldb-cc.mjs'
import { inRoot } from './lib/paths.mjs'
import { ask, run } from './lib/run.mjs'

const WRITES = ['fillseq', 'fillrandom', 'overwrite']
const READS = ['readrandom', 'readmissing', 'readseq', 'readreverse', 'seekrandom']
const ALL = [...WRITES, ...READS, 'compact', 'sustained']

const { values: flags } = parseArgs({
  options: {
    n: { type: 'string', default: '1000000' },
    sustained: { type: 'string', default: '2000000' },
    rounds: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: ALL.join(',') },
    verify: { type: 'string', default: 'default' },
    self: { type: 'boolean' },
    json: { type: 'string' }
  }
})

function fail(message) {
  console.error(message)
  process.exit(1)
}

// ---- Workloads ----

const wanted = flags.only.split(',')
for (const name of wanted) if (!ALL.includes(name)) fail(`unknown workload ${name}; there are ${ALL.join(', ')}`)
if (!['default', 'on', 'off'].includes(flags.verify)) fail('--verify is default, on or off')
for (const name of ['n', 'sustained', 'rounds', 'seed']) if (!/^[1-9]\d*$/.test(flags[name])) fail(`--${name} is a positive number`)
if (Number(flags.n) < 100) fail('--n is at least 100')

/** Reads, overwrites and the compaction use the database of fillrandom and overwrite. */
const needed = ALL.filter((name) => wanted.includes(name) ||
  (name === 'fillrandom' && wanted.some((other) => [...READS, 'overwrite', 'compact'].includes(other))) ||
  (name === 'overwrite' && wanted.some((other) => [...READS, 'compact'].includes(other))))

// ---- One side: a process that replies to each line with a line ----

class Side {
  #child
  #lines
  #exit
  peakAnonymousKb = 0

  constructor(program, directory) {
    const entries = needed.includes('sustained') ? flags.sustained : '0'
    this.#child = spawn(program, [directory, flags.n, entries, flags.seed, flags.verify], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#exit = new Promise((resolve) => this.#child.on('close', resolve).on('error', resolve))
  }

  /** @returns {Promise<object>} the next answer; memory is sampled from outside until it comes */
  async answer() {
    const timer = setInterval(() => this.#sample(), 50)
    const { value, done } = await this.#lines.next()
    clearInterval(timer)
    this.#sample()
    if (done) fail(`${this.#child.spawnfile} ended early`)
    const answer = JSON.parse(value)
    if (answer.error) fail(`${this.#child.spawnfile}: ${answer.error}`)
    return answer
  }

  run(workload) {
    this.#child.stdin.write(`run ${workload}\n`)
    return this.answer()
  }

  end() {
    this.#child.stdin.end()
    return this.#exit
  }

  /**
   * Only anonymous memory, if the kernel reports it: C++ LevelDB maps its tables, whose pages would
   * count as resident.
   */
  #sample() {
    let status = ''
    try { status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8') } catch { return }
    const kb = Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0)
    this.peakAnonymousKb = Math.max(this.peakAnonymousKb, kb)
  }
}

// ---- Rounds ----

const NAMES = ['leveldb', 'varve']

async function oneRound(round, programs, place) {
  const sides = {}
  const record = {}
  for (const name of NAMES) {
    sides[name] = new Side(programs[name], join(place, `${name}-${round}`))
    const ready = await sides[name].answer()
    record[name] = { ready, baselineAnonymousKb: sides[name].peakAnonymousKb, workloads: {} }
  }
  for (const [i, workload] of needed.entries()) {
    const order = (round + i) % 2 === 0 ? NAMES : NAMES.toReversed()
    for (const name of order) {
      const result = await sides[name].run(workload)
      record[name].workloads[workload] = result
      console.error(`round ${round + 1}  ${workload.padEnd(12)} ${name.padEnd(8)} ${Math.round(result.ops / result.seconds)} op/s`)
    }
  }
  for (const name of NAMES) {
    record[name].peakAnonymousKb = sides[name].peakAnonymousKb
    await sides[name].end()
  }
  return record
}

async function build() {
  const { program, why } = compileWithLeveldb(inRoot('benches', 'native', 'leveldb_bench.cc'))
  if (!program) fail(why)
  if (flags.self) return { leveldb: program, varve: program }
  const built = await run('cargo', ['build', '--profile', 'bench', '--example', 'bench_native'])
  if (!built.ok) fail(`cargo build: ${built.why}`)
  return { leveldb: program, varve: join(process.env.CARGO_TARGET_DIR ?? inRoot('target'), 'release', 'examples', 'bench_native') }
}

// ---- Tables ----

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
const short = (x) => x >= 1e6 ? `${(x / 1e6).toFixed(2)}M` : x >= 1e4 ? `${Math.round(x / 1e3)}k` : x >= 1e3 ? `${(x / 1e3).toFixed(1)}k` : x >= 100 ? `${Math.round(x)}` : x.toFixed(2)
const table = (head, rows) => [head, head.map((_, i) => i === 0 ? ':--' : '--:'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')

/**
 * The medians of a figure of both sides, and the median and range of Varve / LevelDB in a round.
 */
function compare(rounds, figure) {
  const [leveldb, varve] = NAMES.map((name) => rounds.map((round) => figure(round[name])))
  const ratios = varve.map((value, i) => value / leveldb[i])
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
  return { leveldb: median(leveldb), varve: median(varve), ratio: median(ratios).toFixed(2), range, worst: [Math.max(...leveldb), Math.max(...varve)] }
}

function throughput(rounds) {
  return table(['', 'LevelDB op/s', 'Varve op/s', 'ratio', 'rounds', 'LevelDB CPU s', 'Varve CPU s', 'LevelDB settle s', 'Varve settle s'],
    wanted.filter((name) => name !== 'compact').map((name) => {
      const rate = compare(rounds, (side) => side.workloads[name].ops / side.workloads[name].seconds)
      const cpu = compare(rounds, (side) => side.workloads[name].cpu_seconds + side.workloads[name].settle_cpu_seconds)
      const settle = compare(rounds, (side) => side.workloads[name].settle_seconds)
      return [name, short(rate.leveldb), short(rate.varve), `**${rate.ratio}**`, rate.range, cpu.leveldb.toFixed(2), cpu.varve.toFixed(2),
        settle.leveldb.toFixed(2), settle.varve.toFixed(2)]
    }))
}

function latency(rounds) {
  const rows = [['p50', 'p50_us'], ['p99', 'p99_us'], ['p99.9', 'p999_us'], ['max', 'max_us']].map(([label, field]) => {
    const { leveldb, varve, ratio, range, worst } = compare(rounds, (side) => side.workloads.sustained[field])
    return [label, short(leveldb), short(varve), `**${ratio}**`, range, short(worst[0]), short(worst[1])]
  })
  const slow = compare(rounds, (side) => side.workloads.sustained.over_1ms)
  rows.push(['puts over 1 ms', slow.leveldb, slow.varve, '', '', slow.worst[0], slow.worst[1]])
  return table(['sustained, us a put', 'LevelDB', 'Varve', 'ratio', 'rounds', 'LevelDB worst round', 'Varve worst round'], rows)
}

function memoryAndDisk(rounds) {
  const last = (side) => Object.values(side.workloads).at(-1)
  const figures = [
    ['peak resident, MB', (side) => last(side).peak_rss_kb / 1024],
    ['... less the baseline', (side) => (last(side).peak_rss_kb - side.ready.rss_kb) / 1024],
    ['peak anonymous, MB (sampled)', (side) => side.peakAnonymousKb / 1024],
    ['... less the baseline', (side) => (side.peakAnonymousKb - side.baselineAnonymousKb) / 1024],
    ['baseline: program and prepared data, MB', (side) => side.ready.rss_kb / 1024]
  ]
  if (needed.includes('overwrite')) figures.push(['disk before compaction, MB', (side) => side.workloads.overwrite.disk_bytes / 1e6])
  if (needed.includes('compact')) {
    figures.push(['disk after compaction, MB', (side) => side.workloads.compact.disk_bytes / 1e6])
    figures.push(['compaction of everything, s', (side) => side.workloads.compact.seconds])
  }
  return table(['', 'LevelDB', 'Varve', 'ratio', 'rounds'], figures.map(([label, figure]) => {
    const { leveldb, varve, ratio, range } = compare(rounds, figure)
    return [label, leveldb.toFixed(2), varve.toFixed(2), `**${ratio}**`, range]
  }))
}

function describe(rounds) {
  const commit = ask('git', ['rev-parse', '--short', 'HEAD']) ?? 'unknown'
  const changed = ask('git', ['status', '--porcelain', '--untracked-files=no']) ? ' with changes' : ''
  const [leveldb, varve] = NAMES.map((name) => rounds[0][name].ready)
  const verify = (on) => on ? 'verifies' : 'does not verify'
  return {
    machine: `${cpus().length} cores of ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`,
    text: `${flags.self ? 'LevelDB against itself (shown as Varve)' : `${leveldb.engine} against ${varve.engine}`} at commit ${commit}${changed}. n = ${flags.n}, sustained n = ${flags.sustained}, seed ${flags.seed}, ${flags.rounds} rounds.
16-byte keys, 100-byte values, half compressible, one put a write, no sync. Both: 4 MiB write buffer, 8 MiB block cache, 4 KiB blocks,
2 MiB files, restart every 16, Snappy, Bloom filter of 10 bits. Checksums of blocks read: LevelDB ${verify(leveldb.verify_checksums)}, Varve ${verify(varve.verify_checksums)}.`,
    commit: commit + changed
  }
}

// ---- Main ----

const programs = await build()
const place = inRoot('target', 'bench', `run-${process.pid}`)
mkdirSync(place, { recursive: true })
process.on('exit', () => rmSync(place, { recursive: true, force: true }))
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))

const loads = [loadavg()[0]]
const rounds = []
for (let round = 0; round < Number(flags.rounds); round++) {
  rounds.push(await oneRound(round, programs, place))
  loads.push(loadavg()[0])
}

const about = describe(rounds)
console.log(`${about.text}\n${about.machine}. Load average before and after each round: ${loads.map((load) => load.toFixed(1)).join(', ')}.\n`)
console.log(`${throughput(rounds)}\n`)
if (wanted.includes('sustained')) console.log(`${latency(rounds)}\n`)
console.log(memoryAndDisk(rounds))
console.log('\nRate and ratio: only the timed part. CPU: timed part and settling, all threads. Settle: background work left when the last put returned.')
if (flags.json) writeFileSync(flags.json, JSON.stringify({ ...about, flags, loads, rounds }, null, 1))
