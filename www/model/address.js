// The fragment of the address: what is looked at, so that a link brings another to the same bytes.
//
//   #/demo:healthy/blocks?file=000005.ldb&at=0-815&entry=2&zoom=0-4096
//
// Fragments are not sent to servers. A file of the user's machine cannot be opened by a link: it is
// named by its size and a checksum of its ends, and asked for.
import { bytesOf } from './bytes.js'
import { VIEWS } from './views.js'

/**
 * @typedef {object} Address
 * @property {string} source
 * @property {string} file
 * @property {import('./views.js').View} view
 * @property {import('./model.js').Selection} [selection]
 * @property {[number, number]} [zoom]
 */

/** @param {Address} address */
export function addressOf({ source, file, view, selection, zoom }) {
  const query = [`file=${encodeURIComponent(file)}`]
  if (selection !== undefined) query.push(`at=${selection.from}-${selection.to}`)
  if (selection?.entry !== undefined) query.push(`entry=${selection.entry}`)
  if (zoom !== undefined) query.push(`zoom=${Math.floor(zoom[0])}-${Math.ceil(zoom[1])}`)
  return `#/${encodeURIComponent(source).replaceAll('%3A', ':')}/${view}?${query.join('&')}`
}

/** @param {string} fragment @returns {Address | undefined} */
export function parseAddress(fragment) {
  const match = /^#\/([^/?]+)\/([a-z]+)\?(.*)$/.exec(fragment)
  if (match === null) return undefined
  const [, source, view, text] = match
  const query = new URLSearchParams(text)
  const from = rangeOf(query.get('at'))
  const entry = query.get('entry')
  const known = VIEWS.find((each) => each === view)
  if (known === undefined) return undefined
  try {
    return {
      source: decodeURIComponent(source),
      file: query.get('file') ?? '',
      view: known,
      selection: from && { from: from[0], to: from[1], ...entry !== null && /^\d+$/.test(entry) && { entry: Number(entry) } },
      zoom: rangeOf(query.get('zoom'))
    }
  } catch {
    return undefined
  }
}

/** @param {string | null} text @returns {[number, number] | undefined} */
function rangeOf(text) {
  const match = /^(\d{1,16})-(\d{1,16})$/.exec(text ?? '')
  if (match === null) return undefined
  const [from, to] = [Number(match[1]), Number(match[2])]
  return to > from && Number.isSafeInteger(to) ? [from, to] : undefined
}

/** How the address names a file of the user's machine. @param {{ size: number, mark: string }} file */
export const tagOf = ({ size, mark }) => `file:${size}-${mark}`

/** A checksum (FNV-1a) of a file's ends, enough to tell that another file was given. @param {import('./bytes.js').Given} given */
export async function markOf(given) {
  let hash = 0x811c9dc5
  for (const offset of [0, Math.max(0, given.size - END)]) {
    for (const byte of await bytesOf(given, offset, END)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  }
  return hash.toString(16).padStart(8, '0')
}

const END = 4096
