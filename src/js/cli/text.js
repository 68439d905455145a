// Converts between bytes and text for a terminal and for JSON.
import { InvalidArgumentError } from '../errors.js'

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Encodings of keys and values. */
export const ENCODINGS = ['utf8', 'escaped', 'hex', 'base64']

/**
 * Characters that move the cursor, change the direction of writing or are invisible. They are
 * escaped.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/u

/** @type {Record<string, string>} */
const NAMED = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/**
 * @param {Uint8Array} bytes
 * @param {string} encoding one of ENCODINGS
 * @param {{ lines?: boolean }} [options] whether line ends and tabs may stand as they are
 */
export function shown(bytes, encoding, { lines = false } = {}) {
  if (encoding === 'hex' || encoding === 'base64') return bufferOf(bytes).toString(encoding)
  return escaped(bytes, encoding === 'escaped', lines)
}

/**
 * Returns text, with other bytes as \xNN. `lossless` also escapes the backslash.
 * @param {Uint8Array} bytes
 * @param {boolean} lossless
 * @param {boolean} lines
 */
function escaped(bytes, lossless, lines) {
  const text = textOf(bytes)
  if (text !== undefined && !UNSEEN.test(text) && !(lossless && text.includes('\\'))) return text
  let out = ''
  for (let at = 0; at < bytes.length;) {
    const size = characterSize(bytes, at)
    const part = bytes.subarray(at, at + Math.max(size, 1))
    const character = size > 0 ? textOf(part) : undefined
    if (character === undefined) out += hexEscapes(part)
    else if (lines && (character === '\n' || character === '\t') && !lossless) out += character
    else if (UNSEEN.test(character)) out += NAMED[character] ?? hexEscapes(part)
    else out += lossless && character === '\\' ? '\\\\' : character
    at += part.length
  }
  return out
}

/** @param {Uint8Array} bytes */
const hexEscapes = (bytes) => Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')

/**
 * Returns the size of the UTF-8 character at `at`; 0 if it is invalid.
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function characterSize(bytes, at) {
  const first = bytes[at]
  const size = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0
  return size > 0 && at + size <= bytes.length && textOf(bytes.subarray(at, at + size)) !== undefined ? size : 0
}

/** @param {Uint8Array} bytes @returns {string | undefined} undefined if it is not UTF-8 */
export function textOf(bytes) {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Returns a string for JSON; `{ "hex": ... }` for bytes that are not text in the encoding `utf8`.
 * @param {Uint8Array} bytes
 * @param {string} encoding
 */
export function inJson(bytes, encoding) {
  if (encoding !== 'utf8') return shown(bytes, encoding)
  return textOf(bytes) ?? { hex: bufferOf(bytes).toString('hex') }
}

/**
 * Parses a key or value given by the user.
 *
 * @param {string} text
 * @param {string} encoding one of ENCODINGS
 * @param {string} what it is, for errors
 */
export function bytesOf(text, encoding, what) {
  if (encoding === 'utf8') return Buffer.from(text)
  if (encoding === 'escaped') return unescaped(text, what)
  const known = /** @type {BufferEncoding} */ (encoding)
  const bytes = Buffer.from(text, known)
  const back = bytes.toString(known)
  const same = encoding === 'hex' ? back === text.toLowerCase() : back.replace(/=+$/, '') === text.replace(/=+$/, '')
  if (!same) throw new InvalidArgumentError(`${what} is not ${encoding}: ${JSON.stringify(text.slice(0, 80))}`)
  return bytes
}

/** Escapes after a backslash. @type {Record<string, string>} */
const LETTERS = { n: '\n', r: '\r', t: '\t', 0: '\0', '\\': '\\' }

/** @param {string} text @param {string} what */
function unescaped(text, what) {
  const parts = []
  let end = 0
  for (const match of text.matchAll(/\\(?:x([0-9a-f]{2})|([nrt0\\])|(.?))/gis)) {
    const [whole, hex, letter, other] = match
    if (other !== undefined) throw new InvalidArgumentError(`${what} has an unknown escape: ${JSON.stringify(whole)}; use \\xNN \\n \\r \\t \\0 \\\\`)
    parts.push(Buffer.from(text.slice(end, match.index)))
    parts.push(hex !== undefined ? Buffer.of(parseInt(hex, 16)) : Buffer.from(LETTERS[letter]))
    end = match.index + whole.length
  }
  return Buffer.concat([...parts, Buffer.from(text.slice(end))])
}

/** @param {Uint8Array} bytes */
const bufferOf = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

// ---- Messages, numbers and tables ----

/** Replaces control characters in a message. @param {string} text */
export const visible = (text) => text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?')

/** Formats 1234567 as 1,234,567. @param {number | string} number */
export const grouped = (number) => typeof number === 'number' ? number.toLocaleString('en') : String(number)

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${grouped(count)} ${count === 1 ? one : many}`

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']

/** Formats 1536 as 1.5 KiB. @param {number} bytes */
export function sized(bytes) {
  let unit = 0
  for (; bytes >= 1024 && unit < UNITS.length - 1; unit++) bytes /= 1024
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${UNITS[unit]}`
}

/**
 * Formats rows as aligned columns. Numbers are right-aligned.
 *
 * @param {(string | number)[][]} rows the first is the head
 */
export function table(rows) {
  const cells = rows.map((row) => row.map((cell) => typeof cell === 'number' ? grouped(cell) : cell))
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)))
  const right = cells[0].map((_, column) => cells.slice(1).every((row) => /^[-\d.,%]*$/.test((row[column] ?? '').trim())))
  return cells.map((row) => row.map((cell, column) => right[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))
    .join('  ').trimEnd()).join('\n')
}

/** How messages of the engine begin, which their code says already. */
const KIND = /(^|: )(?:corruption|i\/o error|storage is full|locked|fenced|source changed|evicted|busy|limit exceeded|invalid argument|not supported): /

/** Returns a message to stand after its code. @param {string} message */
export const afterCode = (message) => message.replace(KIND, '$1')
