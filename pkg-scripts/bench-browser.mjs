// npm run bench:browser: compares Varve in headless Chromium with browser-level, IndexedDB (by idb) and
// SQLite, on the same machine in the same run.
//
// In a round, each database has a page of its own origin. They take turns at every workload, and at
// being first; while one works, the others are idle. Rates are medians over the rounds, ratios are
// medians of the ratios in a round. `window` and `worker` say where the caller is.
//
//   --n 20000      entries
//   --rounds 3     rounds
//   --cap 0.5      time limit of a workload in seconds, except for loads before reads
//   --peers a,b    compare only with these
//   --only a,b     only these workloads (fillrandom_batch1000 must come before reads)
//   --json FILE    write all results of all rounds
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { build as bundle } from 'esbuild'
import { Browser } from '../tests/browser/lib/browser.mjs'
import { serve } from '../tests/browser/lib/serve.mjs'
import { build, isCurrent } from './build.mjs'
import { inRoot } from './lib/paths.mjs'
import { ask, run } from './lib/run.mjs'
import { setup } from './setup.mjs'

const READS = ['readrandom', 'readrandom_64_at_once', 'readseq']
const ALL = ['fillseq', 'fillrandom_64_at_once', 'fillsync', 'fillrandom_batch100', 'fillrandom_batch1000', ...READS]

/** Each with its module in benches/browser/peers, and whether its caller is in a worker. */
const SIDES = {
  'varve window': ['varve', false],
  'varve worker': ['varve', true],
  'browser-level': ['browser-level', false],
  idb: ['idb', false],
  'sqlite worker': ['sqlite', true]
}
/** Packages that only the benchmark needs. Without its version, npm takes an old build of SQLite for the newest. */
const PACKAGES = { 'browser-level': 'browser-level', idb: 'idb', 'sqlite worker': '@sqlite.org/sqlite-wasm' }
const VERSIONS = { '@sqlite.org/sqlite-wasm': '3.54.1-build1' }

const { values: flags } = parseArgs({
  options: {
    n: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    cap: { type: 'string', default: '0.5' },
    peers: { type: 'string', default: Object.keys(PACKAGES).join(',') },
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
const peers = flags.peers.split(',').filter((name) => name !== '')
for (const name of peers) if (!Object.hasOwn(PACKAGES, name)) fail(`unknown peer ${name}; there are ${Object.keys(PACKAGES).join(', ')}`)
const names = ['varve window', 'varve worker', ...peers]

/** Installs what is missing, once; returns its folder. */
async function provide() {
  const folder = inRoot('target', 'bench-peers')
  const missing = peers.map((name) => PACKAGES[name]).filter((name) => !existsSync(join(folder, 'node_modules', name)))
  if (missing.length > 0) {
    mkdirSync(folder, { recursive: true })
    if (!existsSync(join(folder, 'package.json'))) writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const { ok, why } = await run('npm', ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', ...missing.map((name) => VERSIONS[name] ? `${name}@${VERSIONS[name]}` : name)])
    if (!ok) fail(`npm install ${missing.join(' ')}: ${why}`)
  }
  return folder
}

/** Makes the scripts of the pages; returns their folder. */
async function scripts(modules) {
  const folder = inRoot('target', 'bench', `browser-${process.pid}`)
  const common = { bundle: true, format: 'esm', platform: 'browser', conditions: ['browser'], logLevel: 'error', external: ['/pkg/*', './peers/*'], nodePaths: [join(modules, 'node_modules')] }
  const from = (...parts) => inRoot('benches', 'browser', ...parts)
  await bundle({ ...common, entryPoints: [from('page.js'), from('worker.js')], outdir: folder })
  const used = new Set(names.map((name) => `${SIDES[name][0]}.js`))
  await bundle({ ...common, external: ['/pkg/*', 'node:*', 'module', 'fs', 'path'], minify: true, entryPoints: [...used].map((name) => from('peers', name)), outdir: join(folder, 'peers') })
  if (used.has('sqlite.js')) copyFileSync(join(modules, 'node_modules', PACKAGES['sqlite worker'], 'dist', 'sqlite3.wasm'), join(folder, 'peers', 'sqlite3.wasm'))
  writeFileSync(join(folder, 'index.html'), '<!doctype html><meta charset="utf-8"><title>bench</title><link rel="icon" href="data:,"><script type="module" src="page.js"></script>')
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Waits until the browser does nothing, so that background work is not measured by the next workload. */
async function settle(devtools) {
  const used = async () => (await devtools.send('SystemInfo.getProcessInfo')).processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0)
  let before = await used()
  for (let quiet = 0, tries = 0; quiet < 2 && tries < 100; tries++) {
    await sleep(50)
    const now = await used()
    quiet = now - before < 0.01 ? quiet + 1 : 0
    before = now
  }
}

/** Of Chromium. @type {string | undefined} */
let version

async function oneRound(round, port) {
  const browser = await Browser.start('chromium', { args: ['--host-resolver-rules=MAP *.localhost 127.0.0.1'] })
  try {
    version ??= await browser.version()
    const devtools = await browser.devtools()
    const pages = {}
    for (const name of names) {
      const [peer, inWorker] = SIDES[name]
      const page = pages[name] = await browser.page(`http://${name.replace(' ', '-')}.localhost:${port}/index.html`)
      await page.waitForFunction('globalThis.isReady')
      await page.evaluate((...given) => begin(...given), inWorker, peer, Number(flags.n), Number(flags.cap) * 1000)
    }
    const record = Object.fromEntries(names.map((name) => [name, {}]))
    for (const [i, workload] of needed.entries()) {
      for (let k = 0; k < names.length; k++) {
        const name = names[(i + k + round) % names.length]
        // A page behind another one is slower.
        await pages[name].bringToFront()
        await settle(devtools)
        const result = await pages[name].evaluate((given) => run(given), workload).catch((error) => fail(`${name}, ${workload}: ${error.message}`))
        if (result === undefined) continue
        record[name][workload] = result
        console.error(`round ${round + 1}  ${workload.padEnd(22)} ${name.padEnd(14)} ${Math.round(result.ops / result.seconds)} op/s`)
      }
    }
    return record
  } finally {
    await browser.close()
  }
}

// ---- Tables ----

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
const short = (x) => x >= 1e6 ? `${(x / 1e6).toFixed(2)}M` : x >= 1e4 ? `${Math.round(x / 1e3)}k` : x >= 1e3 ? `${(x / 1e3).toFixed(1)}k` : `${Math.round(x)}`
const table = (head, rows) => [head, head.map((_, i) => i === 0 ? ':--' : '--:'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
const rateIn = (round, name, workload) => round[name][workload] && round[name][workload].ops / round[name][workload].seconds
const medianOr = (values) => values.includes(undefined) ? undefined : median(values)

function throughput(rounds) {
  const rows = wanted.map((workload) => [workload, ...names.map((name) => {
    const rate = medianOr(rounds.map((round) => rateIn(round, name, workload)))
    return rate === undefined ? '-' : short(rate)
  })])
  return table(['operations per second', ...names], rows)
}

function ratios(rounds) {
  const pairs = ['varve window', 'varve worker'].flatMap((ours) => peers.map((peer) => [ours, peer]))
  const rows = wanted.map((workload) => [workload, ...pairs.map(([ours, peer]) => {
    const ratio = medianOr(rounds.map((round) => rateIn(round, peer, workload) && rateIn(round, ours, workload) / rateIn(round, peer, workload)))
    return ratio === undefined ? '-' : ratio.toFixed(2)
  })])
  return table(['ratio', ...pairs.map(([ours, peer]) => `${ours} / ${peer}`)], rows)
}

// ---- Main ----

await setup(['packages'])
if (!isCurrent('engine.wasm', 'browser.js')) await build()
const modules = await provide()
const folder = await scripts(modules)
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
const { url, close } = await serve({ '/': folder, '/pkg/': inRoot('pkg') })
const { port } = new URL(url)

const loads = [loadavg()[0]]
const rounds = []
for (let round = 0; round < Number(flags.rounds); round++) {
  rounds.push(await oneRound(round, port))
  loads.push(loadavg()[0])
}
close()

const commit = ask('git', ['rev-parse', '--short', 'HEAD']) ?? 'unknown'
console.log(`Varve at commit ${commit} in ${version ?? 'Chromium'}. n = ${flags.n}, ${flags.rounds} rounds, ${flags.cap} s a workload at most.
16-byte keys, 100-byte values, half compressible. Writes survive the process; fillsync survives the machine (IndexedDB: strict; browser-level has none).
Calls are awaited one by one but where the name says otherwise. SQLite's calls are synchronous.
${cpus().length} cores of ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}. Load average before and after each round: ${loads.map((load) => load.toFixed(1)).join(', ')}.\n`)
console.log(`${throughput(rounds)}\n\n${ratios(rounds)}`)
if (flags.json) writeFileSync(flags.json, JSON.stringify({ commit, flags, loads, rounds }, null, 1))
