// The version of a file, by the headers of a response.
//
//   ETag "x"                        strong: the same bytes
//   ETag W/"x", Last-Modified       probably the same bytes; compared together with the size
//   Content-Range: bytes a-b/total  the range of these bytes, and the size of the file
//
// From another origin a page sees only Last-Modified and Content-Length, unless
// Access-Control-Expose-Headers names others.

/** @typedef {{ start: number, end: number, total: number | undefined }} Part `end` is exclusive */

/**
 * Content-Range of a 206.
 * @param {string | null} value
 * @returns {Part | undefined}
 */
export function partOf(value) {
  const [, first, last, total] = /^\s*bytes\s+(\d+)-(\d+)\/(\d+|\*)\s*$/i.exec(value ?? '') ?? []
  if (first === undefined) return undefined
  const part = { start: Number(first), end: Number(last) + 1, total: total === '*' ? undefined : Number(total) }
  return Number.isSafeInteger(part.end) && part.start < part.end && part.end <= (part.total ?? Infinity) ? part : undefined
}

/**
 * Content-Range of a 416: the size of the file.
 * @param {string | null} value
 */
export const totalOf416 = (value) => wholeNumber(/^\s*bytes\s+\*\/(\d+)\s*$/i.exec(value ?? '')?.[1])

/**
 * Content-Length, or another header with a number.
 * @param {string | null | undefined} value
 */
export function wholeNumber(value) {
  const number = /^\s*\d+\s*$/.test(value ?? '') ? Number(value) : NaN
  return Number.isSafeInteger(number) ? number : undefined
}

export class Version {
  /**
   * @param {Headers} headers
   * @param {number | undefined} total size of the file, if the response contains it
   */
  constructor(headers, total) {
    const etag = headers.get('etag') ?? undefined
    this.total = total
    this.strong = etag !== undefined && /^"/.test(etag) ? etag : undefined
    this.weak = this.strong === undefined ? etag : undefined
    this.modified = headers.get('last-modified') ?? undefined
  }

  /** Time of the last modification, in ms; NaN if unknown. */
  get modifiedAt() {
    return Date.parse(this.modified ?? '')
  }

  /**
   * Returns how `other`, the version of another response for the same name, differs; undefined if
   * no header shows a difference.
   * @param {Version} other
   * @returns {string | undefined}
   */
  differenceTo(other) {
    // A response without a total is checked by its length.
    if (this.total !== undefined && other.total !== undefined && this.total !== other.total) {
      return `it had ${this.total} bytes and now has ${other.total}`
    }
    if (this.strong !== other.strong) return differs('ETag', this.strong, other.strong)
    if (this.strong !== undefined) return undefined
    if (this.weak !== other.weak) return differs('ETag', this.weak, other.weak)
    if (this.modified !== other.modified) return differs('Last-Modified', this.modified, other.modified)
    return undefined
  }
}

/**
 * @param {string} header
 * @param {string | undefined} was
 * @param {string | undefined} is
 */
const differs = (header, was, is) => `its ${header} was ${was ?? 'missing'}, and is ${is ?? 'missing'}`
