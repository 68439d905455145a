// Standard output and standard error of a command.
import { once } from 'node:events'

/** Output is written when this many bytes are buffered. */
const CHUNK = 64 << 10

const BAR_WIDTH = 30
const PATIENCE_MS = 1000
const REDRAW_MS = 100

/**
 * Standard output: buffered, with back-pressure, and without an error when the reader closes it, as
 * `| head` does.
 */
export class Output {
  #stream
  /** @type {Uint8Array[]} */
  #parts = []
  #size = 0

  /** @param {NodeJS.WriteStream} stream */
  constructor(stream = process.stdout) {
    this.#stream = stream
    stream.on('error', (error) => {
      if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0)
      // Truncated output would look complete.
      process.stderr.write(`varve: standard output: ${error.message}\n`)
      process.exit(2)
    })
  }

  get isTerminal() {
    return this.#stream.isTTY === true
  }

  /** Columns of the terminal; many if it is not a terminal. */
  get columns() {
    return this.#stream.columns ?? 200
  }

  /**
   * @param {string | Uint8Array} part
   * @returns {Promise<void> | undefined} a promise where the reader is slow
   */
  write(part) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    this.#parts.push(bytes)
    this.#size += bytes.length
    return this.#size >= CHUNK ? this.flush() : undefined
  }

  line(text = '') {
    return this.write(`${text}\n`)
  }

  /** @param {unknown} value */
  json(value) {
    return this.line(JSON.stringify(value))
  }

  async flush() {
    const bytes = Buffer.concat(this.#parts)
    this.#parts = []
    this.#size = 0
    if (bytes.length > 0 && !this.#stream.write(bytes)) await once(this.#stream, 'drain')
  }
}

/**
 * A progress bar on standard error, only on a terminal, and only for work that takes longer than a
 * second. It is drawn when progress is reported, without a timer.
 */
export class Progress {
  #label
  #total
  #done = 0
  #start = performance.now()
  #drawn = 0
  #stream

  /**
   * @param {string} label
   * @param {number} [total] without it, the count alone is shown
   * @param {NodeJS.WriteStream} [stream]
   */
  constructor(label, total = 0, stream = process.stderr) {
    this.#label = label
    this.#total = total
    this.#stream = stream
  }

  /** @param {number} count */
  add(count) {
    this.#done += count
    if (this.#stream.isTTY !== true) return
    const now = performance.now()
    if (now - this.#start < PATIENCE_MS || now - this.#drawn < REDRAW_MS) return
    this.#drawn = now
    this.#stream.write(`\r\x1b[K${this.#text((now - this.#start) / 1000)}`)
  }

  /** @param {number} seconds */
  #text(seconds) {
    if (this.#total === 0) return `${this.#label} ${this.#done.toLocaleString('en')}, ${seconds.toFixed(0)} s`
    // Bytes may be read twice: do not exceed 100 %.
    const share = Math.min(this.#done / this.#total, 0.999)
    const full = Math.round(share * BAR_WIDTH)
    const left = share > 0.02 ? `, ${Math.ceil(seconds / share - seconds)} s left` : ''
    return `${this.#label} [${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}] ${Math.floor(share * 100)} %${left}`
  }

  end() {
    if (this.#drawn > 0) this.#stream.write('\r\x1b[K')
  }
}
