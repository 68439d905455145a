// Fetches parts of files: one GET with a range each, checked, and retried after temporary failures.
//
//   206   exactly the requested bytes, or those up to the file's end; anything else is an error
//   200   the server ignores ranges: the stream is cancelled after the wanted bytes from 0, or a
//         small file is read whole; else an error
//   416   the file ends before the part
//   404 410 not found        401 403 407 not allowed        408 425 429 5xx retried
import { StorageError, changed, failure } from '../read-only.js'
import { Version, partOf, totalOf416, wholeNumber } from './version.js'

/** Bytes of an unwanted response that are read, so that its connection can be reused. */
const DRAINED_MAX = 16 << 10
const BACK_OFF_MAX_MS = 10_000
const RETRY_AFTER_MAX_MS = 30_000
/** @type {Uint8Array} */
const EMPTY = new Uint8Array(0)

/**
 * @typedef {import('./version.js').Part} Part
 * @typedef {object} Answer
 * @property {Uint8Array} bytes
 * @property {number} start where in the file they begin
 * @property {Version} version
 * @property {boolean} isWhole the server has ignored the range
 * @property {number} date of the response, in ms by the server's clock; NaN if unknown
 */

export class RangeClient {
  #base
  #options
  #running = 0
  /** @type {(() => void)[]} */
  #waiting = []

  /**
   * @param {URL} base
   * @param {ReturnType<typeof import('./options.js').httpOptionsOf>} options
   */
  constructor(base, options) {
    this.#base = base
    this.#options = options
  }

  /**
   * Returns the bytes `start..end` of a file, or those up to its end.
   *
   * @param {string} name
   * @param {number} start
   * @param {number} end more than start
   * @param {Version} [expected] the version that it must have; then `end` is within the file
   * @returns {Promise<Answer>}
   */
  get(name, start, end, expected) {
    return this.#patiently((signal) => this.#getOnce(name, start, end, expected, signal))
  }

  /**
   * Returns the version of a file whose size is in no other response.
   * @param {string} name
   * @returns {Promise<Version>}
   */
  head(name) {
    return this.#patiently(async (signal) => {
      const response = await this.#request(name, { method: 'HEAD', headers: { 'accept-encoding': 'identity' } }, signal)
      if (!response.ok) throw await this.#refusal(name, response)
      refuseEncoded(name, response)
      return new Version(response.headers, wholeNumber(response.headers.get('content-length')))
    })
  }

  // ---- One request ----

  /**
   * @param {string} name
   * @param {number} start
   * @param {number} end
   * @param {Version | undefined} expected
   * @param {AbortSignal} signal
   */
  async #getOnce(name, start, end, expected, signal) {
    const response = await this.#request(name, { headers: { range: `bytes=${start}-${end - 1}` } }, signal)
    const { status, headers } = response
    const part = status === 206 ? partOf(headers.get('content-range')) : undefined
    const total = status === 206
      ? part?.total
      : status === 416 ? totalOf416(headers.get('content-range')) : wholeNumber(headers.get('content-length'))
    if (status !== 206 && status !== 200 && status !== 416) {
      const refusal = await this.#refusal(name, response)
      throw expected !== undefined && refusal.code === 'ENOENT' ? changed(name, `it no longer exists (${status})`) : refusal
    }
    const date = Date.parse(headers.get('date') ?? '')
    /** @type {Answer} */
    const answer = { bytes: EMPTY, start, version: new Version(headers, total), isWhole: status === 200, date }
    const encoded = isEncoded(response)
    // The length of a compressed response says nothing about the file.
    if (encoded && status === 200) answer.version.total = undefined
    // A 416 may lack the version; it is an error only if the file became shorter.
    const difference = status === 416 && expected !== undefined ? 'it is shorter' : expected?.differenceTo(answer.version)
    if (difference !== undefined) {
      abandon(response)
      throw changed(name, difference)
    }
    refuseEncoded(name, response)
    if (status === 206) answer.bytes = await bytesOfPart(name, response, part, { start, end, exact: expected !== undefined })
    if (status === 200) await this.#takeWhole(name, response, answer, end)
    if (status === 416) await drain(response)
    // The size of a whole file may be known only at its end.
    const late = expected?.differenceTo(answer.version)
    if (late !== undefined && status === 200) throw changed(name, late)
    return answer
  }

  /**
   * Handles a response with the whole file.
   * @param {string} name
   * @param {Response} response
   * @param {Answer} answer
   * @param {number} end
   */
  async #takeWhole(name, response, answer, end) {
    const { start, version } = answer
    const { wholeFileSizeMax } = this.#options
    const small = version.total === undefined || version.total <= wholeFileSizeMax
    if (start > 0 && !small) {
      abandon(response)
      throw unsupported(`${name}: the server ignores ranges, and the file has ${version.total} bytes ` +
        `(wholeFileSizeMax is ${wholeFileSizeMax})`)
    }
    const wanted = Math.max(small ? wholeFileSizeMax : 0, start === 0 ? end : 0)
    const { bytes, ended } = await bodyOf(response, wanted)
    if (ended && bytes.length < (version.total ?? 0)) throw cut(name, bytes.length, version.total)
    if (ended) version.total = bytes.length
    else if (start > 0) throw unsupported(`${name}: the server ignores ranges, and the file has more than ${wanted} bytes (wholeFileSizeMax)`)
    answer.start = 0
    answer.bytes = bytes
  }

  /**
   * @param {string} name
   * @param {{ method?: string, headers: Record<string, string> }} init
   * @param {AbortSignal} signal
   * @returns {Promise<Response>}
   */
  async #request(name, init, signal) {
    const { fetch, headers, credentials, cache, redirect } = this.#options
    const url = this.#urlOf(name)
    const given = new Headers(typeof headers === 'function' ? await headers() : headers)
    for (const [key, value] of Object.entries(init.headers)) given.set(key, value)
    const response = await fetch(url.href, {
      ...init, headers: given, credentials, cache, signal, redirect: redirect === 'error' ? 'error' : 'follow'
    })
    if (redirect === 'same-origin' && response.redirected && new URL(response.url).origin !== url.origin) {
      abandon(response)
      throw failure('EACCES', `${name}: the server redirects to ${new URL(response.url).origin}; { redirect: 'follow' } allows it`)
    }
    return response
  }

  /** @param {string} name */
  #urlOf(name) {
    const url = new URL(name.split('/').map(encodeURIComponent).join('/'), this.#base)
    url.search = this.#base.search
    return url
  }

  /**
   * @param {string} name
   * @param {Response} response
   */
  async #refusal(name, response) {
    const { status, statusText, headers } = response
    await drain(response)
    const said = `${name}: the server answers ${[status, statusText].filter(Boolean).join(' ')}`
    if (status === 404 || status === 410) return failure('ENOENT', said)
    if (status === 403 && this.#options.forbiddenIsMissing) return failure('ENOENT', said)
    if (status === 403) {
      return failure('EACCES', `${said}. Stores that answer this for files that do not exist need { forbiddenIsMissing: true }`)
    }
    if (status === 401 || status === 407) return failure('EACCES', said)
    if (status >= 500 || [408, 425, 429].includes(status)) return new PassingError('EIO', said, { wait: retryAfter(headers.get('retry-after')) })
    return failure('EIO', said)
  }

  // ---- Retries and concurrency ----

  /**
   * Retries until it succeeds, fails permanently, or the attempts are used up.
   * @template T
   * @param {(signal: AbortSignal) => Promise<T>} attempt
   * @returns {Promise<T>}
   */
  async #patiently(attempt) {
    const { retries, retryDelay } = this.#options
    for (let failures = 0; ; failures++) {
      try {
        return await this.#limited(() => this.#timed(attempt))
      } catch (error) {
        if (!(error instanceof PassingError) || failures >= retries) throw error
        const backOff = Math.min(retryDelay * 2 ** failures, BACK_OFF_MAX_MS) * (0.5 + Math.random() / 2)
        await new Promise((resolve) => setTimeout(resolve, Math.max(backOff, error.wait ?? 0)))
      }
    }
  }

  /**
   * Waits for a free slot: servers reject clients that open hundreds of connections.
   * @template T
   * @param {() => Promise<T>} act
   */
  async #limited(act) {
    if (this.#running >= this.#options.concurrency) await new Promise((resolve) => this.#waiting.push(() => resolve(undefined)))
    else this.#running++
    try {
      return await act()
    } finally {
      const next = this.#waiting.shift()
      if (next !== undefined) next()
      else this.#running--
    }
  }

  /**
   * One attempt, from the request to the last byte.
   * @template T
   * @param {(signal: AbortSignal) => Promise<T>} attempt
   */
  async #timed(attempt) {
    const { timeout } = this.#options
    const controller = new AbortController()
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer
    // The user's fetch may ignore the signal.
    const expired = new Promise((_, reject) => {
      timer = setTimeout(() => {
        reject(new PassingError('ETIMEDOUT', `no complete response within ${timeout} ms`))
        controller.abort()
      }, timeout)
    })
    try {
      return /** @type {T} */ (await Promise.race([attempt(controller.signal), expired]))
    } catch (error) {
      if (error instanceof StorageError) throw error
      const { cause, message } = /** @type {any} any: whatever was thrown */ (error ?? {})
      throw new PassingError('EIO', `the request failed: ${cause?.message ?? message ?? error}`, { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }
}

// ---- Bodies ----

/**
 * Returns all bytes of a 206.
 * @param {string} name
 * @param {Response} response
 * @param {Part | undefined} part
 * @param {{ start: number, end: number, exact: boolean }} asked
 */
async function bytesOfPart(name, response, part, { start, end, exact }) {
  if (part !== undefined && part.start !== start) {
    abandon(response)
    throw failure('EIO', `${name}: bytes from ${part.start} on came, those from ${start} on were asked for`)
  }
  const { bytes, ended } = await bodyOf(response, end - start)
  if (!ended) throw failure('EIO', `${name}: the response has more than the requested ${end - start} bytes`)
  const announced = part === undefined ? wholeNumber(response.headers.get('content-length')) : part.end - part.start
  if (bytes.length !== (announced ?? bytes.length)) throw cut(name, bytes.length, announced)
  // If the file's end is unknown, the caller judges a short response.
  const wanted = exact ? end - start : part?.total !== undefined ? Math.min(end, part.total) - start : 0
  if (bytes.length < wanted) throw cut(name, bytes.length, wanted)
  return bytes
}

/**
 * Returns up to `limit` bytes of a body, and whether it ended.
 * @param {Response} response
 * @param {number} limit
 */
async function bodyOf(response, limit) {
  // The user's fetch may have no streams.
  if (typeof response.body?.getReader !== 'function') {
    const all = new Uint8Array(await response.arrayBuffer())
    return { bytes: all.subarray(0, limit), ended: all.length <= limit }
  }
  /** @type {Uint8Array[]} */
  const chunks = []
  let size = 0
  const reader = response.body.getReader()
  // Read the body to its end, so that the connection can be reused.
  while (size <= limit) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    size += value.length
  }
  if (size > limit) reader.cancel().catch(() => {})
  return { bytes: joined(chunks, Math.min(size, limit)), ended: size <= limit }
}

/**
 * @param {Uint8Array[]} chunks
 * @param {number} size
 */
function joined(chunks, size) {
  if (chunks.length === 1) return chunks[0].subarray(0, size)
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk.subarray(0, size - at), at)
    at = Math.min(size, at + chunk.length)
  }
  return bytes
}

/** @param {Response} response */
const drain = (response) => bodyOf(response, DRAINED_MAX).catch(() => {})

/**
 * Cancels the rest of a response.
 * @param {Response} response
 */
function abandon(response) {
  response.body?.cancel?.().catch(() => {})
}

// ---- Failures ----

/** @param {Response} response */
const isEncoded = ({ headers }) => (headers.get('content-encoding') ?? 'identity').trim().toLowerCase() !== 'identity'

/**
 * Throws for a compressed response: its ranges are not ranges of the file.
 * @param {string} name
 * @param {Response} response
 */
function refuseEncoded(name, response) {
  if (!isEncoded(response)) return
  abandon(response)
  throw unsupported(`${name}: the server compresses it (Content-Encoding: ${response.headers.get('content-encoding')}); it must not`)
}

/** @param {string} message */
const unsupported = (message) => failure('LEVEL_NOT_SUPPORTED', message)

/** A failure that is retried, after at least `wait` ms. */
class PassingError extends StorageError {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{ wait?: number, cause?: unknown }} [more]
   */
  constructor(code, message, { wait, cause } = {}) {
    super(code, message, cause)
    this.wait = wait
  }
}

/**
 * @param {string} name
 * @param {number} found
 * @param {number | undefined} expected
 */
const cut = (name, found, expected) => new PassingError('EIO', `${name}: the response was truncated: ${found} of ${expected} bytes received`)

/**
 * Returns Retry-After, which is seconds or a date, in ms from now.
 * @param {string | null} value
 */
function retryAfter(value) {
  if (value === null) return undefined
  const ms = wholeNumber(value) === undefined ? Date.parse(value) - Date.now() : Number(value) * 1000
  return ms > 0 ? Math.min(ms, RETRY_AFTER_MAX_MS) : undefined
}
