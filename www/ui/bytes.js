// Bytes as text. What files hold is hostile input: it becomes text nodes only, and every character
// that could move, hide or reorder others is shown by its number.

import { html } from 'lit'

/** @typedef {{ text: string, chip: boolean, at: number }} Part `at`: its first byte */

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** Controls, format characters, private use, surrogates, unassigned, line separators, blanks with no width. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\u115f\u1160\u17b4\u17b5\u3164\uffa0]/u
const PICTURE = /\p{Extended_Pictographic}/u
const JOINER = 0x200d
const SKINS = /[\u{1f3fb}-\u{1f3ff}\ufe0f]/u

/**
 * Cuts bytes into text and chips.
 *
 * @param {Uint8Array} bytes
 * @param {number} [max] characters
 * @returns {{ parts: Part[], end: number }} `end`: the bytes that the parts are
 */
export function partsOf(bytes, max = 200) {
  /** @type {Part[]} */
  const parts = []
  let text = ''
  let begin = 0
  const flush = (/** @type {number} */ at) => {
    if (text !== '') parts.push({ text, chip: false, at: begin })
    text = ''
    begin = at
  }
  let at = 0
  let before = ''
  for (let count = 0; at < bytes.length && count < max; count++) {
    const size = sizeOf(bytes, at)
    if (size === 0) {
      flush(at)
      parts.push({ text: bytes[at].toString(16).padStart(2, '0').toUpperCase(), chip: true, at })
      begin = ++at
      before = ''
      continue
    }
    const character = DECODER.decode(bytes.subarray(at, at + size))
    const code = /** @type {number} */ (character.codePointAt(0))
    // A joiner is shown as what it does only between pictures.
    const joins = code === JOINER && (PICTURE.test(before) || SKINS.test(before)) && at + size < bytes.length && nextIsPicture(bytes, at + size)
    if (HIDDEN.test(character) && !joins) {
      flush(at)
      parts.push({ text: code < 0x100 ? code.toString(16).padStart(2, '0').toUpperCase() : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`, chip: true, at })
      begin = at + size
    } else {
      if (text === '') begin = at
      text += character
    }
    before = character
    at += size
  }
  flush(at)
  return { parts, end: at }
}

/** @param {Uint8Array} bytes @param {number} at */
function nextIsPicture(bytes, at) {
  const size = sizeOf(bytes, at)
  return size > 0 && PICTURE.test(DECODER.decode(bytes.subarray(at, at + size)))
}

/** Bytes of the valid UTF-8 character at `at`; 0: there is none. @param {Uint8Array} bytes @param {number} at */
function sizeOf(bytes, at) {
  const first = bytes[at]
  if (first < 0x80) return 1
  const size = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0
  if (size === 0 || at + size > bytes.length) return 0
  for (let i = 1; i < size; i++) if ((bytes[at + i] & 0xc0) !== 0x80) return 0
  const second = bytes[at + 1]
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second >= 0xa0) || (first === 0xf0 && second < 0x90) || (first === 0xf4 && second >= 0x90)) return 0
  return size
}

/**
 * Bytes as a cell of a list: one line, in its own direction.
 *
 * @param {Uint8Array} bytes
 * @param {{ max?: number, size?: number, dim?: number }} [options] `size`: of the whole, if `bytes` is
 *   its beginning; `dim`: so many bytes at the start are shown dimmed
 */
export function bytesText(bytes, { max = 120, size = bytes.length, dim = 0 } = {}) {
  const { parts, end } = partsOf(bytes, max)
  return html`<bdi dir="ltr" class="bytes">${parts.map((part) => partText(part, dim))}${end < size ? html`<span class="more"> … +${(size - end).toLocaleString('en')} B</span>` : ''}</bdi>`
}

/** @param {Part} part @param {number} dim */
function partText({ text, chip, at }, dim) {
  if (chip) return html`<span class=${at < dim ? 'chip dim' : 'chip'}>${text}</span>`
  if (at >= dim) return text
  // The border of the shared part may lie inside the text.
  let cut = 0
  for (let bytes = at; cut < text.length && bytes < dim;) {
    const code = /** @type {number} */ (text.codePointAt(cut))
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
    cut += code < 0x10000 ? 1 : 2
  }
  return html`<span class="dim">${text.slice(0, cut)}</span>${text.slice(cut)}`
}

/** Bytes as one plain string, for titles and copies of names. @param {Uint8Array} bytes @param {number} [max] */
export function plainText(bytes, max = 200) {
  const { parts, end } = partsOf(bytes, max)
  return parts.map(({ text, chip }) => chip ? `⟦${text}⟧` : text).join('') + (end < bytes.length ? ` … +${bytes.length - end} B` : '')
}

/** @param {string} text a name that somebody else chose */
export const nameText = (text) => bytesText(new TextEncoder().encode(text), { max: 120 })
/** @param {string} text a sentence that can quote what a file has */
export const reasonText = (text) => bytesText(new TextEncoder().encode(text), { max: 1000 })
/** @param {string} text */
export const plainName = (text) => plainText(new TextEncoder().encode(text), 120)

/** @param {string} digits hexadecimal */
export function bytesOfHex(digits) {
  const bytes = new Uint8Array(digits.length >> 1)
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(digits.slice(i * 2, i * 2 + 2), 16)
  return bytes
}

/** @param {Uint8Array} bytes @param {string} [between] */
export function hexOf(bytes, between = '') {
  let out = ''
  for (const [index, byte] of bytes.entries()) out += (index > 0 ? between : '') + byte.toString(16).padStart(2, '0')
  return out
}
