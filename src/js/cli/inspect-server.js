// Serves the inspector's page and some files to the browser of this machine, and to nobody else.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { closeSync, createReadStream, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** @typedef {import('node:http').IncomingMessage} Request */
/** @typedef {import('node:http').ServerResponse} Response */
/** @typedef {{ path: string, name: string, size: number }} ServedFile */

export const PAGE = fileURLToPath(new URL('../../../pkg/inspector/', import.meta.url))

/** @type {Record<string, string>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml', '.txt': 'text/plain; charset=utf-8', '.json': 'application/json'
}

/** Nothing is kept by the browser, guessed by it, or shown in a page of others. */
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin', 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer' }

/**
 * Serves on 127.0.0.1 and a free port, under an address that cannot be guessed, until it is closed.
 *
 * A page of another site cannot read the answers (they allow no other origin), cannot guess the
 * address, and a request under another host's name (DNS rebinding) is refused.
 *
 * @param {string} name of what is shown
 * @param {ServedFile[]} files
 */
export async function serveInspector(name, files) {
  const token = randomBytes(16).toString('hex')
  /** When the page last asked for anything, and how many of its tabs are open. */
  const visits = { seen: false, open: 0, left: 0 }
  const server = createServer((request, response) => {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
    try {
      answer(request, response, { token, hosts: [`127.0.0.1:${port}`, `localhost:${port}`], name, files, visits })
    } catch {
      refuse(response, 500)
    }
  })
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    address: `http://127.0.0.1:${port}/${token}/#/npx`,
    visits,
    close() {
      server.closeAllConnections()
      server.close()
    }
  }
}

/**
 * @param {Request} request
 * @param {Response} response
 * @param {{ token: string, hosts: string[], name: string, files: ServedFile[], visits: { seen: boolean, open: number, left: number } }} of
 */
function answer(request, response, { token, hosts, name, files, visits }) {
  if (!hosts.includes(request.headers.host ?? '')) return refuse(response, 421)
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405)
  const [, given = '', ...rest] = new URL(request.url ?? '/', 'http://localhost').pathname.split('/')
  if (!isSame(given, token)) return refuse(response, 404)
  if (rest.length === 0) return void response.writeHead(301, { ...HEADERS, location: `/${token}/` }).end()
  visits.seen = true
  visits.left = Date.now()
  const path = decodeURIComponent(rest.join('/'))
  if (path === 'alive') return stayOpen(response, visits)
  if (path === 'files.json') {
    // Sizes as of now: a log of a running database grows.
    const listed = files.map((file, index) => ({ name: file.name, size: statSync(file.path, { throwIfNoEntry: false })?.size ?? 0, url: `file/${index}?v=${versionOf(file.path)}` }))
    return void response.writeHead(200, { ...HEADERS, 'content-type': TYPES['.json'] }).end(JSON.stringify({ name, files: listed }))
  }
  const number = /^file\/(\d+)$/.exec(path)
  if (number !== null) return part(request, response, files[Number(number[1])], new URL(request.url ?? '/', 'http://localhost').searchParams.get('v'))
  page(response, path === '' ? 'index.html' : path)
}

/** @param {string} a @param {string} b */
const isSame = (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** @param {Response} response @param {number} status */
function refuse(response, status) {
  response.writeHead(status, HEADERS).end()
}

/** A request that ends when its tab is closed. @param {Response} response @param {{ open: number, left: number }} visits */
function stayOpen(response, visits) {
  visits.open++
  response.writeHead(200, { ...HEADERS, 'content-type': 'text/plain' }).write('\n')
  response.on('close', () => {
    visits.open--
    visits.left = Date.now()
  })
}

/** The page's own policy, for its workers: a worker takes that of its own answer. */
const policyOf = () => /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(readFileSync(join(PAGE, 'index.html'), 'utf8'))?.[1] ?? "default-src 'none'"

/** A file of the page. @param {Response} response @param {string} path */
function page(response, path) {
  // After normalize no ".." leads out of the folder.
  const file = join(PAGE, normalize(join(sep, path)))
  if (!existsSync(file) || !statSync(file).isFile()) return refuse(response, 404)
  response.writeHead(200, { ...HEADERS, 'content-security-policy': policyOf(), 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-length': statSync(file).size })
  createReadStream(file).on('error', () => response.destroy()).pipe(response)
}

/** Largest part of one answer. */
const PART_MAX = 64 << 20

/** Changes with every write. @param {string} path */
function versionOf(path) {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats === undefined ? '' : `${stats.ino.toString(36)}-${stats.mtimeNs.toString(36)}-${stats.size.toString(36)}`
}

/**
 * A part of a file, unless it changed since it was listed: old and new bytes are never mixed.
 * @param {Request} request
 * @param {Response} response
 * @param {ServedFile | undefined} file
 * @param {string | null} version
 */
function part(request, response, file, version) {
  const size = file && statSync(file.path, { throwIfNoEntry: false })?.size
  if (file === undefined || size === undefined) return refuse(response, 404)
  if (version !== null && version !== versionOf(file.path)) return refuse(response, 412)
  const range = /^bytes=(\d{1,16})-(\d{1,16})$/.exec(request.headers.range ?? '')
  const from = Number(range?.[1])
  const to = Math.min(size - 1, Number(range?.[2]))
  if (range === null || from > to || to - from >= PART_MAX) return void response.writeHead(416, { ...HEADERS, 'content-range': `bytes */${size}` }).end()
  const bytes = Buffer.alloc(to - from + 1)
  const fd = openSync(file.path, 'r')
  let done = 0
  try {
    for (let count = 1; done < bytes.length && count > 0; done += count) count = readSync(fd, bytes, done, bytes.length - done, from + done)
  } finally {
    closeSync(fd)
  }
  response.writeHead(206, { ...HEADERS, 'content-type': 'application/octet-stream', 'content-range': `bytes ${from}-${from + done - 1}/${size}`, 'content-length': done })
  response.end(request.method === 'HEAD' ? undefined : bytes.subarray(0, done))
}
