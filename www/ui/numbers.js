// Numbers as text.

const GROUPED = new Intl.NumberFormat('en')

/** @param {number} value */
export const grouped = (value) => GROUPED.format(value)

/** A number of the engine, which is text where JavaScript's numbers are not exact. @param {unknown} value */
export const exact = (value) => typeof value === 'string' && /^\d+$/.test(value) ? BigInt(value).toLocaleString('en') : grouped(Number(value))

/** @param {number} value @param {string} one @param {string} [many] */
export const counted = (value, one, many = `${one}s`) => `${grouped(value)} ${value === 1 ? one : many}`

/** @param {number} part @param {number} whole */
export const percent = (part, whole) => whole > 0 ? `${(part / whole * 100).toFixed(1)} %` : '—'

/** @param {number} value @param {number} [digits] */
export const hex = (value, digits = 0) => `0x${value.toString(16).padStart(digits, '0')}`

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** Bytes, rounded, for places with no room for all digits. @param {number} bytes */
export function sized(bytes) {
  let unit = 0
  let value = bytes
  for (; value >= 1000 && unit < UNITS.length - 1; unit++) value /= 1000
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}

/** A range as its first and last byte. @param {number} from @param {number} to exclusive */
export const range = (from, to) => to > from ? `${grouped(from)}–${grouped(to - 1)}` : grouped(from)

/**
 * An offset that somebody typed: decimal with or without separators, hexadecimal with 0x, `+` and
 * `-` from where one is, `end-48`.
 *
 * @param {string} text
 * @param {{ at: number, size: number }} from
 * @returns {number | undefined}
 */
export function offsetOf(text, { at, size }) {
  const match = /^\s*(end)?\s*([+-])?\s*(0x[0-9a-f]+|[\d,_ ]*\d)?\s*$/i.exec(text)
  if (match === null || (match[1] === undefined && match[3] === undefined)) return undefined
  const number = match[3] === undefined ? 0 : Number(match[3].replace(/[,_ ]/g, ''))
  const base = match[1] !== undefined ? size : match[2] !== undefined ? at : 0
  const offset = match[2] === '-' ? base - number : base + number
  return Number.isSafeInteger(offset) && offset >= 0 && offset < Math.max(1, size) ? offset : undefined
}
