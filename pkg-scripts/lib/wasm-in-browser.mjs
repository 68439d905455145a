// Runs Rust tests that were compiled to WebAssembly in a browser, by puppeteer: unlike a WebDriver it
// needs no program that is not in package.json, and Firefox is driven the same way.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { environment, root } from './paths.mjs'
import { findChromium, findFirefox } from './system.mjs'

const FIND = { chromium: findChromium, firefox: findFirefox }

/** Compiling is included. */
const START_MS = 1200_000
const END_MS = 600_000

/**
 * Runs `cargo ...args`, whose runner (pkg-scripts/bindgen) then serves a page with the tests; opens
 * the page, and returns what it printed.
 *
 * @param {'chromium' | 'firefox'} kind
 * @param {string[]} args
 * @returns {Promise<{ ok: boolean, output: string, why: string }>}
 */
export async function runInBrowser(kind, args) {
  const { launch } = await import('puppeteer-core')
  const child = spawn('cargo', args, {
    cwd: root,
    // Serve until it is killed, on a port that is free.
    env: { ...environment, NO_HEADLESS: '1', WASM_BINDGEN_TEST_ADDRESS: '127.0.0.1:0' },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true
  })
  const profile = mkdtempSync(join(tmpdir(), `varve-profile-${kind}-`))
  let browser
  try {
    const url = await served(child)
    browser = await launch({
      browser: kind === 'chromium' ? 'chrome' : 'firefox',
      executablePath: FIND[kind](),
      headless: true,
      userDataDir: profile,
      args: kind === 'chromium' ? ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] : [],
      timeout: 120_000
    })
    const page = await browser.newPage()
    page.on('pageerror', (error) => console.error(`${kind}: ${error}`))
    await page.goto(url)
    // A failed test prints its message to the console as well.
    const ended = await page.waitForFunction(() => /^test result: |^Worker error: /m.test(document.getElementById('output')?.textContent ?? ''), { timeout: END_MS, polling: 200 }).then(() => '', ({ message }) => message)
    const output = await page.evaluate(() => document.getElementById('output')?.textContent ?? '')
    console.log(output)
    return { ok: ended === '' && /^test result: ok/m.test(output), output, why: ended }
  } finally {
    await browser?.close().catch(() => {})
    try { process.kill(-(/** @type {number} */ (child.pid)), 'SIGKILL') } catch { /* gone already */ }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Resolves with the URL of the page. @param {import('node:child_process').ChildProcess} child @returns {Promise<string>} */
function served(child) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no page after ${START_MS} ms`)), START_MS)
    let printed = ''
    child.stdout?.on('data', (chunk) => {
      printed += chunk
      const url = printed.match(/available at (http:\/\/\S+)/)?.[1]
      if (url !== undefined) settle(() => resolve(url))
    })
    child.on('error', (error) => settle(() => reject(error)))
    child.on('exit', (code) => settle(() => reject(new Error(`cargo ended with ${code} before it served the tests`))))
    function settle(act) {
      clearTimeout(timer)
      act()
    }
  })
}
