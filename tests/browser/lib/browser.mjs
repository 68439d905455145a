// A headless Chromium or Firefox for tests; it can be killed and started again with its profile.
//
//   test('...', { skip: lacking('firefox') }, async (t) => {
//     const { url, close } = await serve({ '/': inRoot() })
//     const browser = await Browser.start('firefox')
//     t.after(() => browser.close())
//     const page = await browser.page(`${url}/tests/browser/pages/some.html`)
//     await page.evaluate(() => write())
//     await browser.kill()
//     await browser.restart()
//     ...
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { launch } from 'puppeteer-core'
import { inRoot } from '../../../pkg-scripts/lib/paths.mjs'
import { findChromium, findFirefox } from '../../../pkg-scripts/lib/system.mjs'
import { tellSkipped } from '../../package/lib.mjs'

/** @typedef {'chromium' | 'firefox'} Kind */

/**
 * `profile` is a folder that stays after `close`; by default a new one, which does not. `prefs` are
 * Firefox's; `args` are added to the usual ones.
 * @typedef {{ profile?: string, args?: string[], prefs?: Record<string, unknown> }} Options
 */

/** @type {Kind[]} */
export const KINDS = ['chromium', 'firefox']

/** Chromium keeps IndexedDB in LevelDB; with this argument, as some do since 2026, in SQLite. */
export const SQLITE_IDB = '--enable-features=IdbSqliteOnDiskRollout:stage/UseSqliteForNewStores'

const FIND = { chromium: findChromium, firefox: findFirefox }

const ARGS = {
  chromium: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'
  ],
  firefox: []
}

/**
 * Returns the `skip` of a test: false if the browser is installed, else why not, which is also printed.
 *
 * @param {Kind} kind
 * @returns {false | string}
 */
export const lacking = (kind) => FIND[kind]() === undefined && tellSkipped(`no ${kind} here: NOTHING is tested in it`)

/**
 * The same for a test whose subject is no property of one browser, and which takes long in Firefox: there it
 * runs by VARVE_LONG=1.
 *
 * @param {Kind} kind
 * @returns {false | string}
 */
export const seldom = (kind) => lacking(kind) || (kind === 'firefox' && process.env.VARVE_LONG === undefined && 'in Firefox by VARVE_LONG=1')

/**
 * The profile of a Firefox that ran once and opened no site. A copy starts in half the time of a new
 * profile, in which Firefox first fills its caches.
 */
async function firefoxTemplate() {
  const template = inRoot('target', 'firefox-profile')
  if (existsSync(template)) return template
  mkdirSync(inRoot('target'), { recursive: true })
  const profile = mkdtempSync(`${template}-`)
  const browser = await Browser.start('firefox', { profile })
  await browser.page('about:blank')
  await browser.quit()
  try {
    renameSync(profile, template)
  } catch (error) {
    // Another process was sooner.
    rmSync(profile, { recursive: true, force: true })
    if (!existsSync(template)) throw error
  }
  return template
}

export class Browser {
  /** @readonly @type {Kind} */
  kind
  /** @readonly The folder of its profile. */
  profile
  #options
  #ownsProfile
  /** @type {import('puppeteer-core').Browser | undefined} */
  #driver

  /**
   * Starts a browser.
   *
   * @param {Kind} kind
   * @param {Options} [options]
   */
  static async start(kind, options = {}) {
    const browser = new Browser(kind, options)
    if (kind === 'firefox' && browser.#ownsProfile) cpSync(await firefoxTemplate(), browser.profile, { recursive: true })
    await browser.restart()
    return browser
  }

  /** @param {Kind} kind @param {Options} options */
  constructor(kind, options) {
    this.kind = kind
    this.#options = options
    this.#ownsProfile = options.profile === undefined
    this.profile = options.profile ?? mkdtempSync(join(tmpdir(), `varve-profile-${kind}-`))
  }

  /** Starts it again with the same profile, after `kill` or `quit`. */
  async restart() {
    const { args = [], prefs = {} } = this.#options
    const start = () => launch({
      browser: this.kind === 'chromium' ? 'chrome' : 'firefox',
      executablePath: FIND[this.kind](),
      headless: true,
      userDataDir: this.profile,
      args: [...ARGS[this.kind], ...args],
      extraPrefsFirefox: prefs,
      // Tests have their own limits; a busy machine starts Firefox in many seconds.
      timeout: 120_000
    })
    for (let attempt = 1; this.#driver === undefined; attempt++) {
      try {
        this.#driver = await start()
      } catch (error) {
        // puppeteer may still restore the preferences of the Firefox that was killed, and processes of the
        // Chromium that was killed may still end.
        if (error.code !== 'ENOENT' && this.kind === 'firefox' || attempt === 10) throw error
        await sleep(200)
      }
    }
  }

  /**
   * Opens a tab; resolves when its page has loaded. Errors that the page does not catch are printed.
   *
   * @param {string} url
   * @returns {Promise<import('puppeteer-core').Page>} with `evaluate`, `reload`, `close` ...
   */
  async page(url) {
    const page = await this.#running.newPage()
    page.on('pageerror', (error) => console.error(`${this.kind}: ${error}`))
    await page.goto(url)
    return page
  }

  /** The version, such as "Chrome/156.0.7830.0". */
  version() {
    return this.#running.version()
  }

  /** A session of Chromium's DevTools protocol with the browser itself. */
  devtools() {
    return this.#running.target().createCDPSession()
  }

  /** Kills its processes with SIGKILL, as the system would; resolves when the main one is gone. */
  async kill() {
    const child = /** @type {import('node:child_process').ChildProcess} */ (this.#running.process())
    this.#driver = undefined
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    // puppeteer starts a browser as the leader of a process group.
    process.kill(-(/** @type {number} */ (child.pid)), 'SIGKILL')
    await ended
  }

  /** Ends it in the ordinary way; the profile stays. */
  async quit() {
    await this.#running.close()
    this.#driver = undefined
  }

  /** Ends it, if it runs, and removes its profile, unless the profile was given. */
  async close() {
    if (this.#driver) await this.quit().catch(() => this.kill())
    if (this.#ownsProfile) rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 })
  }

  get #running() {
    if (!this.#driver) throw new Error(`${this.kind} does not run`)
    return this.#driver
  }
}
