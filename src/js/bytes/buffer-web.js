// Replaces Node's module `buffer` in browsers, as far as abstract-level's encodings need it. The
// whole module would be a quarter of the scripts that a page loads.
//
// The encoding 'buffer' returns the page's own `globalThis.Buffer` where it exists, else a
// Uint8Array whose toString() supports utf8, hex and base64.

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** @type {Record<string, (bytes: Uint8Array) => string>} */
const TO_TEXT = {
  utf8: (bytes) => decoder.decode(bytes),
  hex: (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''),
  base64: (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}

/**
 * As in Node: the text ends at the first character that is not a hex digit.
 * @type {Record<string, (text: string) => Uint8Array>}
 */
const FROM_TEXT = {
  utf8: (text) => encoder.encode(text),
  hex: (text) => Uint8Array.from(/^(?:[0-9a-f]{2})*/i.exec(text)?.[0].match(/../g) ?? [], (digits) => parseInt(digits, 16)),
  base64: (text) => {
    const digits = text.replace(/=[^]*/, '').replaceAll('-', '+').replaceAll('_', '/').replace(/[^a-z0-9+/]/gi, '')
    // A single last digit is not a byte.
    return Uint8Array.from(atob(digits.length % 4 === 1 ? digits.slice(0, -1) : digits), (character) => character.charCodeAt(0))
  }
}

class Bytes extends Uint8Array {
  /** @param {string} [encoding] */
  toString(encoding = 'utf8') {
    return TO_TEXT[encoding](this)
  }
}

/** @param {Uint8Array} bytes */
const asBytes = ({ buffer, byteOffset, byteLength }) => new Bytes(/** @type {ArrayBuffer} */ (buffer), byteOffset, byteLength)

/** @param {Uint8Array[]} parts @param {number} size */
function concat(parts, size) {
  const all = new Bytes(size)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.byteLength
  }
  return all
}

const Small = {
  /** @param {any} data any: Buffer accepts many types */
  isBuffer: (data) => data instanceof Bytes,
  /** @param {any} data @param {any[]} rest any: Buffer accepts many types */
  from: (data, ...rest) => typeof data === 'string' ? asBytes(FROM_TEXT[rest[0] ?? 'utf8'](data)) : new Bytes(data, ...rest),
  concat
}

/** The page's own Buffer, looked up at each use: it may be defined later than this module. */
const used = () => /** @type {any} any: a page may define a Buffer */ (globalThis).Buffer ?? Small

export const Buffer = {
  /** @param {unknown} data */
  isBuffer: (data) => used().isBuffer(data),
  /** @param {unknown[]} args */
  from: (...args) => used().from(...args),
  /** @param {Uint8Array[]} parts @param {number} size */
  concat: (parts, size) => used().concat(parts, size)
}
