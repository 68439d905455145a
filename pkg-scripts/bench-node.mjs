// npm run bench:node: compares Varve in Node with classic-level, lmdb and memory-level, on the same
// machine in the same run.
//
// In a round, each database is one process. They take turns at every workload, and at being first;
// while one works, the others are idle. Rates are medians over the rounds, ratios are medians of
// the ratios in a round.
//
//   --n 200000     entries
//   --rounds 5     rounds
//   --cap 1        time limit of a workload in seconds, except for loads before reads
//   --peers a,b    compare only with these
//   --only a,b     only these workloads (fillrandom_batch1000 must come before reads)
//   --json FILE    write all results of all rounds
import { fork } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { inRoot } from './lib/paths.mjs'
import { ask, run } from './lib/run.mjs'
import { setup } from './setup.mjs'

const READS = ['readseq', 'readrandom', 'readrandom_async', 'readmissing', 'seekrandom']
const ALL = ['fillseq', 'fillrandom', 'fillsync', 'putsync', 'putsync_durable', 'sustained', 'fillseq_batch1000', 'fillrandom_batch1000', ...READS]

const { values: flags } = parseArgs({
  options: {
    n: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '5' },
    cap: { type: 'string', default: '1' },
    peers: { type: 'string', default: 'classic-level,lmdb,memory-level' },
    only: { type: 'string', default: ALL.join(',') },
    json: { type: 'string' }
  }
})

function fail(message) {
  console.error(message)
  process.exit(1)
}

const wanted = flags.only.split(',')
for (const name of wanted) if (!ALL.includes(name)) fail(`unknown workload ${name}; there are ${ALL.join(', ')}`)
for (const name of ['n', 'rounds', 'cap']) if (!(Number(flags[name]) > 0)) fail(`--${name} is a positive number`)
const needed = ALL.filter((name) => wanted.includes(name) || (name === 'fillrandom_batch1000' && wanted.some((other) => READS.includes(other))))

/** Installs packages that only the benchmark needs, once. */
async function provide(names) {
  const folder = inRoot('target', 'bench-peers')
  const extra = names.filter((name) => ['lmdb', 'memory-level'].includes(name))
  // Its installation compiles native code, so it is not installed automatically.
  if (names.includes('better-sqlite3') && !existsSync(join(folder, 'node_modules', 'better-sqlite3'))) fail(`install better-sqlite3 in ${folder}`)
  const missing = extra.filter((name) => !existsSync(join(folder, 'node_modules', name)))
  if (missing.length > 0) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    await run('npm', ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', ...extra])
  }
  return folder
}

class Side {
  #child

  constructor(name, place, modules) {
    this.#child = fork(inRoot('benches', 'node', 'side.mjs'), [name, place, flags.n, flags.cap, modules], { execArgv: ['--expose-gc'] })
  }

  answer() {
    return new Promise((resolve) => {
      const ended = () => resolve({ error: 'the process has ended' })
      this.#child.once('exit', ended)
      this.#child.once('message', (answer) => {
        this.#child.off('exit', ended)
        resolve(answer)
      })
    })
  }

  run(workload) {
    this.#child.send({ run: workload })
    return this.answer()
  }

  end() {
    return new Promise((resolve) => {
      this.#child.once('exit', resolve)
      this.#child.disconnect()
    })
  }
}

async function oneRound(round, names, place, modules) {
  const sides = {}
  const record = {}
  for (const name of names) {
    const side = new Side(name, join(place, `${name}-${round}`), modules)
    const ready = await side.answer()
    if (ready.error) fail(`${name}: ${ready.error}`)
    sides[name] = side
    record[name] = { ready, workloads: {} }
  }
  for (const [i, workload] of needed.entries()) {
    for (let k = 0; k < names.length; k++) {
      const name = names[(i + k + round) % names.length]
      const result = await sides[name].run(workload)
      if (result.error) fail(`${name}, ${workload}: ${result.error}`)
      record[name].workloads[workload] = result
      console.error(`round ${round + 1}  ${workload.padEnd(20)} ${name.padEnd(14)} ${Math.round(rate(workload)(record[name]))} op/s`)
    }
  }
  for (const name of names) await sides[name].end()
  return record
}

// ---- Tables ----

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
const short = (x) => x >= 1e6 ? `${(x / 1e6).toFixed(2)}M` : x >= 1e4 ? `${Math.round(x / 1e3)}k` : x >= 1e3 ? `${(x / 1e3).toFixed(1)}k` : x >= 100 ? `${Math.round(x)}` : x.toFixed(2)
const table = (head, rows) => [head, head.map((_, i) => i === 0 ? ':--' : '--:'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')

const rate = (workload) => ({ workloads: { [workload]: { ops, seconds } } }) => ops / seconds

function throughput(rounds, names) {
  const peers = names.filter((name) => name !== 'varve')
  const rows = wanted.map((workload) => {
    const of = (name) => rounds.map((round) => rate(workload)(round[name]))
    const ratios = peers.map((peer) => median(rounds.map((round) => rate(workload)(round.varve) / rate(workload)(round[peer]))).toFixed(2))
    return [workload, ...names.map((name) => short(median(of(name)))), ...ratios.map((ratio) => `**${ratio}**`)]
  })
  return table(['operations per second', ...names, ...peers.map((peer) => `varve / ${peer}`)], rows)
}

function sustained(rounds, names) {
  const fields = [['p50 of a put, us', 'p50_us'], ['p99', 'p99_us'], ['p99.9', 'p999_us'], ['longest', 'max_us'],
    ['turns of the event loop', 'turns'], ['of them longer than 10 ms', 'turns_over_10ms'], ['longest turn, ms', 'longest_turn_ms']]
  return table(['sustained', ...names], fields.map(([label, field]) =>
    [label, ...names.map((name) => short(median(rounds.map((round) => round[name].workloads.sustained[field]))))]))
}

function space(rounds, names) {
  const last = needed.at(-1)
  return table(['after the last workload', ...names], [
    ['resident, MB', ...names.map((name) => short(median(rounds.map((round) => round[name].workloads[last].rss_mb))))],
    ['... less what the prepared data take', ...names.map((name) => short(median(rounds.map((round) => round[name].workloads[last].rss_mb - round[name].ready.rss_mb))))],
    ['on disk, MB', ...names.map((name) => short(median(rounds.map((round) => round[name].workloads[last].disk_mb ?? 0))))]
  ])
}

// ---- Main ----

await setup(['packages'])
if (!existsSync(inRoot('pkg', 'instance.js'))) await build({ forNode: true })
const names = ['varve', ...flags.peers.split(',').filter((name) => name !== '')]
const modules = await provide(names)
const place = inRoot('target', 'bench', `node-${process.pid}`)
mkdirSync(place, { recursive: true })
process.on('exit', () => rmSync(place, { recursive: true, force: true }))
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))

const loads = [loadavg()[0]]
const rounds = []
for (let round = 0; round < Number(flags.rounds); round++) {
  rounds.push(await oneRound(round, names, place, modules))
  loads.push(loadavg()[0])
}

const commit = ask('git', ['rev-parse', '--short', 'HEAD']) ?? 'unknown'
console.log(`Varve at commit ${commit} in Node ${process.versions.node}. n = ${flags.n}, ${flags.rounds} rounds, ${flags.cap} s a workload at most.
16-byte keys, 100-byte values, half compressible; the defaults of every package (cache of blocks: Varve 32 MiB, LevelDB 8 MiB). Writes survive
the process; fillsync and putsync_durable survive the machine. putsync by putSync() where there is one; readrandom and readmissing by getSync().
${cpus().length} cores of ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}. Load average before and after each round: ${loads.map((load) => load.toFixed(1)).join(', ')}.\n`)
console.log(`${throughput(rounds, names)}\n`)
if (wanted.includes('sustained')) console.log(`${sustained(rounds, names)}\n`)
console.log(space(rounds, names))
if (flags.json) writeFileSync(flags.json, JSON.stringify({ commit, flags, loads, rounds }, null, 1))
