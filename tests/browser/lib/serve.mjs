// A static server on 127.0.0.1, for pages in tests.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml'
}

/** @typedef {Record<string, string>} Headers */

/**
 * Serves folders until it is closed. Nothing is cached.
 *
 * @param {Record<string, string>} folders by the prefix of their URLs; the longest one that fits is
 *   used: `{ '/': page, '/pkg/': inRoot('pkg') }`
 * @param {{ headers?: Headers | ((path: string) => Headers), received?: (path: string, body: string) => void, lacks?: (path: string) => boolean }} [options]
 *   `headers` of every answer; `received` is called for what a page posts; what the server `lacks` is not found
 * @returns {Promise<{ url: string, close: () => void }>} `url` has no slash at the end
 */
export async function serve(folders, { headers = {}, received, lacks = () => false } = {}) {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length)
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const common = { 'cache-control': 'no-store', ...(typeof headers === 'function' ? headers(pathname) : headers) }
    try {
      if (request.method === 'POST' && received !== undefined) {
        const parts = []
        for await (const part of request) parts.push(part)
        received(pathname, String(Buffer.concat(parts)))
        response.writeHead(204, common).end()
        return
      }
      // After normalize no ".." leads out of the folder.
      const path = normalize(decodeURIComponent(pathname))
      const prefix = prefixes.find((each) => path.startsWith(each))
      if (prefix === undefined || lacks(path)) throw new Error('no file')
      const file = join(folders[prefix], path.slice(prefix.length), path.endsWith('/') ? 'index.html' : '')
      const content = await readFile(file)
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', ...common })
      response.end(content)
    } catch {
      response.writeHead(404, common).end()
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections()
      server.close()
    }
  }
}
