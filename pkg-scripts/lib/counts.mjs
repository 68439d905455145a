// Counts tests from the output of test runners.

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

const ESCAPES = /\u001b\[[0-9;]*m/g

/**
 * Adds up the "test result:" lines of cargo test and of wasm-bindgen's runner.
 *
 * @param {string} output
 * @returns {Counts}
 */
export function cargoCounts(output) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const line = /^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored/gm
  for (const [, passed, failed, ignored] of output.replace(ESCAPES, '').matchAll(line)) {
    counts.passed += Number(passed)
    counts.failed += Number(failed)
    counts.skipped += Number(ignored)
  }
  return counts
}

/**
 * Reads the summary that ends the output of `node --test`, in its spec or TAP form.
 *
 * @param {string} output
 * @returns {Counts}
 */
export function nodeCounts(output) {
  const last = (name) => {
    const lines = [...output.replace(ESCAPES, '').matchAll(new RegExp(`^(?:#|ℹ) ${name} (\\d+)$`, 'gm'))]
    return Number(lines.at(-1)?.[1] ?? 0)
  }
  return { passed: last('pass'), failed: last('fail') + last('cancelled'), skipped: last('skipped') + last('todo') }
}

/**
 * Adds up the assertions of every TAP run in the output of tape.
 *
 * @param {string} output
 * @returns {Counts}
 */
export function tapCounts(output) {
  const sum = (name) => [...output.matchAll(new RegExp(`^# ${name} +(\\d+)$`, 'gm'))].reduce((all, [, count]) => all + Number(count), 0)
  return { passed: sum('pass'), failed: sum('fail'), skipped: sum('skip') }
}
