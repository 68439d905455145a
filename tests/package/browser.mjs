// Runs pages in a headless Chromium or Firefox: serves a folder, opens a page, which posts its result
// to /result.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, extname, join, normalize } from 'node:path'

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json' }

const PATIENCE_MS = 60_000

/** How a browser is started with a profile. */
const argumentsOf = (browser, profile) => (/firefox/i.test(basename(browser))
  ? ['--headless', '--no-remote', '--profile', profile]
  : [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-extensions', `--user-data-dir=${profile}`, '--remote-debugging-port=0'
    ])

/**
 * Opens `page` of `folder` and returns the posted result.
 *
 * @param {string} browser the path of a Chromium or Firefox
 * @param {{ folder: string, page?: string, headers?: Record<string, string>, before?: (request, response, next) => void }} options
 *   `headers` of every response; `before` can answer a request first, like middleware of a server
 */
export async function visit(browser, { folder, page = 'index.html', headers = {}, before = (request, response, next) => next() }) {
  const { server, result } = serve(folder, headers, before)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const profile = mkdtempSync(join(tmpdir(), 'varve-visit-'))
  const child = spawn(browser, [...argumentsOf(browser, profile), `http://127.0.0.1:${server.address().port}/${page}`], { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  let said = ''
  child.stderr.on('data', (chunk) => { said += chunk })
  const ended = new Promise((resolve) => child.on('close', resolve).on('error', resolve))
  try {
    return await Promise.race([
      result,
      ended.then(() => { throw new Error(`the browser ended early: ${said.slice(-2000)}`) }),
      new Promise((resolve, reject) => setTimeout(reject, PATIENCE_MS, new Error(`no result from ${page}: ${said.slice(-2000)}`)).unref())
    ])
  } finally {
    try { process.kill(-child.pid, 'SIGKILL') } catch { /* it has ended */ }
    await ended
    server.closeAllConnections()
    server.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

function serve(folder, headers, before) {
  let settle
  const result = new Promise((resolve) => { settle = resolve })
  const server = createServer(async (request, response) => {
    if (request.method === 'POST' && request.url === '/result') {
      const chunks = []
      for await (const chunk of request) chunks.push(chunk)
      response.end()
      return settle(JSON.parse(Buffer.concat(chunks).toString()))
    }
    before(request, response, () => answer(folder, headers, request, response))
  })
  return { server, result }
}

async function answer(folder, headers, { url }, response) {
  const path = normalize(decodeURIComponent(new URL(url, 'http://localhost').pathname))
  try {
    const content = await readFile(join(folder, path))
    response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream', ...headers })
    response.end(content)
  } catch {
    response.writeHead(404).end()
  }
}

/**
 * A page that runs one module, without inline scripts, because of strict content security policies.
 */
export const htmlOf = (script, head = '') => `<!doctype html><meta charset="utf-8"><title>Varve</title>${head}<script type="module" src="${script}"></script>`
