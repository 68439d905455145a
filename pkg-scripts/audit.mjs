// npm run audit: known vulnerabilities of the dependencies. Exit code 1 if there is one.
//
//   npm audit     the dependencies installed with the package, by the npm registry
//   cargo audit   Cargo.lock, and that of the build tools, by the RustSec database
//                 (cargo install cargo-audit)
//
// Both need the network. Without the network or the tool, a warning is printed and the audit is
// skipped, so that all tests can run offline.
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

/**
 * Runs the audits; each counts as one test.
 * @returns {Promise<{ passed: number, failed: number, skipped: number, why: string }>}
 */
export async function audit() {
  const result = { passed: 0, failed: 0, skipped: 0, why: '' }
  for (const [name, { command: [program, ...args], isAnswer, lacks }] of Object.entries(AUDITS)) {
    const lack = lacks?.()
    const { ok, output } = lack ? { ok: false, output: '' } : await run(program, args, { quiet: true, timeoutSeconds: 60 })
    if (!isAnswer(output)) {
      const why = lack ?? 'its data cannot be had here'
      console.warn(`!! SKIPPED: ${name} audit: ${why}, so dependencies were NOT audited`)
      result.skipped++
      result.why ||= `${name}: ${why}`
    } else if (ok) {
      console.log(`${name} audit: no known vulnerabilities`)
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
