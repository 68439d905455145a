// WebKitGTK, headless, by WebDriver: with the part of the interface of browser.mjs that tests of
// storage use. Debian: webkit2gtk-driver xvfb xauth dbus gir1.2-webkit2-4.1 python3-gi.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { inRoot } from '../../../pkg-scripts/lib/paths.mjs'
import { tellSkipped } from '../../package/lib.mjs'

const IMPORTS = "import gi; gi.require_version('WebKit2', '4.1'); from gi.repository import WebKit2"

const works = (program, ...args) => spawnSync(program, args).status === 0

/** @returns {false | string} as that of browser.mjs */
export function lackingWebKit() {
  const isThere = works('sh', '-c', 'command -v WebKitWebDriver && command -v xvfb-run') && works('/usr/bin/python3', '-c', IMPORTS)
  return !isThere && tellSkipped('no WebKitGTK here: NOTHING is tested in it')
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  return port
}

export class WebKitBrowser {
  #profile = mkdtempSync(join(tmpdir(), 'varve-profile-webkit-'))
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #driver
  #url = ''
  #session = ''

  static async start() {
    const browser = new WebKitBrowser()
    await browser.restart()
    return browser
  }

  /** Starts it again with the same profile. */
  async restart() {
    const program = join(this.#profile, 'webkit.py')
    copyFileSync(inRoot('tests', 'browser', 'lib', 'webkit.py'), program)
    chmodSync(program, 0o755)
    const port = await freePort()
    this.#url = `http://127.0.0.1:${port}`
    this.#driver = spawn('xvfb-run', ['-a', 'WebKitWebDriver', `--port=${port}`, '--host=127.0.0.1'], { detached: true, stdio: 'ignore' })
    const binary = { binary: program, args: [`--profile=${this.#profile}`] }
    for (let attempt = 0; ; attempt++) {
      try {
        const { sessionId } = await this.#ask('POST', '/session', { capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': binary } } })
        this.#session = `/session/${sessionId}`
        break
      } catch (error) {
        if (attempt === 100) throw error
        await pause(100)
      }
    }
    await this.#ask('POST', `${this.#session}/timeouts`, { script: 120_000 })
  }

  /** @param {string} method @param {string} path @param {object} [body] */
  async #ask(method, path, body) {
    const response = await fetch(this.#url + path, { method, body: body && JSON.stringify(body) })
    const { value } = await response.json()
    if (!response.ok) throw new Error(`${path}: ${value.error}: ${value.message}`)
    return value
  }

  /** Loads a page in its one tab. @param {string} url */
  async page(url) {
    const go = () => this.#ask('POST', `${this.#session}/url`, { url })
    await go()
    const evaluate = async (/** @type {Function | string} */ act, /** @type {any[]} */ ...given) => {
      const script = `const [given, done] = arguments
        Promise.resolve().then(() => (${act})(...given)).then((value) => done({ value }), (error) => done({ error: String(error?.stack ?? error) + ' ' + error }))`
      const { value, error } = await this.#ask('POST', `${this.#session}/execute/async`, { script, args: [given] })
      if (error !== undefined) throw new Error(error)
      return value ?? undefined
    }
    const waitForFunction = async (/** @type {string} */ condition) => {
      while (!await evaluate(`() => ${condition}`)) await pause(20)
    }
    return { evaluate, waitForFunction, reload: go }
  }

  /** Kills its processes with SIGKILL. */
  async kill() {
    const driver = this.#driver
    if (driver === undefined) return
    this.#driver = undefined
    const ended = once(driver, 'exit')
    process.kill(-(/** @type {number} */ (driver.pid)), 'SIGKILL')
    await ended
    await pause(200)
  }

  async close() {
    await this.#ask('DELETE', this.#session).catch(() => {})
    await this.kill()
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 })
  }
}
