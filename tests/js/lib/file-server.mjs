// A static server for tests, on 127.0.0.1: files in memory, ranges, and a flag for each
// misbehaviour.
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

/** The files of a directory by name. @returns {Map<string, Buffer>} */
export const filesOf = (directory) =>
  new Map(readdirSync(directory).filter((name) => name !== 'LOCK').map((name) => [name, readFileSync(join(directory, name))]))

const tags = new WeakMap()

/** Returns an ETag of the content. */
function tagOf(content) {
  if (!tags.has(content)) tags.set(content, `"${createHash('sha1').update(content).digest('hex')}"`)
  return tags.get(content)
}

const HOUR_MS = 3_600_000

export class FileServer {
  /** @type {Map<string, Buffer>} what is served; may be replaced at any time */
  files
  /** Last-Modified of all files. */
  modified = new Date(Date.now() - HOUR_MS)
  /** Each request: { method, name, start, end, status, sent }; `end` is exclusive. */
  log = []
  /** Flags of its behaviour, which tests set. */
  flags = { etag: 'strong', lastModified: true, ranges: true, contentRange: true, contentLength: true, gzip: false, prefix: '/db/' }
  /**
   * Called before each response with the request's log entry; can change files and flags, and
   * return a status or a promise.
   */
  onRequest = (_entry) => undefined
  #server = createServer((request, response) => this.#answer(request, response).catch((error) => response.destroy(error)))

  constructor(files) {
    this.files = files
  }

  static async start(t, files, flags = {}) {
    const server = new FileServer(files)
    Object.assign(server.flags, flags)
    await new Promise((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.stop())
    return server
  }

  stop() {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  get origin() {
    return `http://127.0.0.1:${this.#server.address().port}`
  }

  get url() {
    return this.origin + this.flags.prefix
  }

  get bytesSent() {
    return this.log.reduce((sum, { sent }) => sum + sent, 0)
  }

  /** Returns the requests for a kind of file: 'ldb', 'log', 'MANIFEST', 'CURRENT'. */
  requestsOf(part) {
    return this.log.filter(({ name }) => name.includes(part))
  }

  async #answer(request, response) {
    const { pathname, search } = new URL(request.url, this.origin)
    const { prefix } = this.flags
    const name = decodeURIComponent(pathname.startsWith(prefix) ? pathname.slice(prefix.length) : pathname)
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const entry = { method: request.method, name, search, headers: request.headers, start: Number(first), end: Number(last) + 1, status: 0, sent: 0 }
    this.log.push(entry)
    const verdict = await this.onRequest(entry)
    const status = typeof verdict === 'number' ? verdict : verdict?.status
    if (verdict === 'destroy') return response.destroy()
    if (status !== undefined) return this.#end(response, entry, status, { ...verdict?.headers }, Buffer.from('no'))
    const content = this.files.get(name)
    if (content === undefined) return this.#end(response, entry, 404, this.flags.cors ? { 'access-control-allow-origin': '*' } : {}, Buffer.from('not found'))
    const headers = this.#headersOf(content)
    if (first === undefined || !this.flags.ranges) return this.#end(response, entry, 200, headers, content)
    if (entry.start >= content.length) return this.#end(response, entry, 416, { ...headers, 'content-range': `bytes */${content.length}` }, Buffer.alloc(0))
    const end = Math.min(entry.end, content.length)
    if (this.flags.contentRange) headers['content-range'] = `bytes ${entry.start}-${end - 1}/${content.length}`
    this.#end(response, entry, 206, headers, content.subarray(entry.start, end))
  }

  #headersOf(content) {
    const { etag, lastModified, cors } = this.flags
    const headers = { 'accept-ranges': 'bytes' }
    if (etag === 'strong') headers.etag = tagOf(content)
    if (etag === 'weak') headers.etag = `W/${tagOf(content)}`
    if (lastModified) headers['last-modified'] = this.modified.toUTCString()
    if (cors) headers['access-control-allow-origin'] = '*'
    if (cors === 'exposed') headers['access-control-expose-headers'] = 'Content-Range, ETag'
    return headers
  }

  #end(response, entry, status, headers, body) {
    const isGzip = this.flags.gzip && status < 300
    const bytes = isGzip ? gzipSync(body) : body
    if (isGzip) headers['content-encoding'] = 'gzip'
    if (this.flags.contentLength) headers['content-length'] = bytes.length
    entry.status = status
    response.writeHead(status, headers)
    if (entry.method === 'HEAD') return response.end()
    this.#send(response, entry, bytes)
  }

  /** Sends in pieces, so that a client that disconnects is noticed. */
  async #send(response, entry, bytes) {
    const { cutAfter, stallAfter } = entry
    const limit = Math.min(bytes.length, cutAfter ?? Infinity, stallAfter ?? Infinity)
    const PIECE = 16 << 10
    for (let at = 0; at < limit && !response.destroyed; at += PIECE) {
      const piece = bytes.subarray(at, Math.min(at + PIECE, limit))
      entry.sent += piece.length
      if (!response.write(piece)) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve))
    }
    if (cutAfter !== undefined) setTimeout(() => response.destroy(), 5)
    else if (stallAfter === undefined) response.end()
  }
}
