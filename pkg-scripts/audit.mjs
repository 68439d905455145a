// npm run audit: known holes in what the package and the crate depend on. Exit code 1 when there is one.
//
//   npm audit     what is installed with the package (its one dependency), by the registry's own answer
//   cargo audit   Cargo.lock, and that of the tools that generate a part of the package, by the RustSec database
//                 (cargo install cargo-audit)
//
// All ask the network. Where that, or the tool, is not there, nothing is known, which is said loudly and is no failure: a machine
// without a network must be able to run all tests.
import { pathToFileURL } from 'node:url'
import { findProgram, run } from './lib/run.mjs'

const AUDITS = {
  npm: {
    command: ['npm', 'audit', '--omit=dev', '--json'],
    isAnswer: (output) => /"vulnerabilities"\s*:/.test(output)
  },
  cargo: cargoAudit('Cargo.lock'),
  'cargo (tools)': cargoAudit('pkg-scripts/bindgen/Cargo.lock')
}

/** @param {string} lock the lock file, from the root */
function cargoAudit(lock) {
  return {
    command: ['cargo', 'audit', '--json', '--file', lock],
    isAnswer: (output) => /"vulnerabilities"\s*:/.test(output),
    lacks: () => findProgram('cargo-audit') ? undefined : 'cargo-audit is not installed'
  }
}

/** @returns {Promise<{ passed: number, failed: number, skipped: number, why: string }>} one test for each audit */
export async function audit() {
  const result = { passed: 0, failed: 0, skipped: 0, why: '' }
  for (const [name, { command: [program, ...args], isAnswer, lacks }] of Object.entries(AUDITS)) {
    const lack = lacks?.()
    const { ok, output } = lack ? { ok: false, output: '' } : await run(program, args, { quiet: true, timeoutSeconds: 60 })
    if (!isAnswer(output)) {
      const why = lack ?? 'its data cannot be had here'
      console.warn(`!! SKIPPED: ${name} audit: ${why}, so what is known of the dependencies was NOT asked`)
      result.skipped++
      result.why ||= `${name}: ${why}`
    } else if (ok) {
      console.log(`${name} audit: nothing is known against the dependencies`)
      result.passed++
    } else {
      console.error(`${name} audit:\n${output}`)
      result.failed++
      result.why = `${name} audit found something`
    }
  }
  return result
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = (await audit()).failed > 0 ? 1 : 0
