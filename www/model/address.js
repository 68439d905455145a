// The fragment of the address: what is looked at, so that a link brings another to the same bytes.
//
//   #/demo:healthy/blocks?file=000005.ldb&at=0-815&entry=2&zoom=0-4096
//   #/opfs:ledger/trace?key=757365723a31&sequence=1200
//   #/demo:healthy/search?file=000005.ldb&q=prefix%3Auser%3A&in=files
//
// Fragments are not sent to servers. A file of the user's machine cannot be opened by a link: it is
// named by its size and a checksum of its ends, several by a checksum of their names and sizes, and
// asked for.
import { bytesOf } from './bytes.js'
import { VIEWS } from './views.js'

/**
 * A key that is looked up.
 *
 * @typedef {object} Traced
 * @property {string} key in hexadecimal
 * @property {string} [sequence] in decimal; absent: the last one
 * @property {'history'} [tab] absent: the steps of the look-up
 */

/**
 * What was searched for.
 *
 * @typedef {object} Searched
 * @property {string} text as it was typed
 * @property {'file' | 'files'} where
 */

/**
 * @typedef {object} Address
 * @property {string} source
 * @property {string} file empty: none is looked at
 * @property {import('./views.js').View} view
 * @property {import('./model.js').Selection} [selection]
 * @property {[number, number]} [zoom]
 * @property {string} [name] what several files of the user's machine are called, to ask for them
 * @property {Traced} [traced]
 * @property {Searched} [searched]
 */

/** Views that are of all files, so that no file need be named. */
const OF_ALL = new Set(['files', 'trace', 'live'])

/** @param {Address} address */
export function addressOf({ source, file, view, selection, zoom, name, traced, searched }) {
  const query = file === '' ? [] : [`file=${encodeURIComponent(file)}`]
  if (name !== undefined) query.push(`name=${encodeURIComponent(name)}`)
  if (traced !== undefined) query.push(`key=${traced.key}`)
  if (traced?.sequence !== undefined) query.push(`sequence=${traced.sequence}`)
  if (traced?.tab !== undefined) query.push(`tab=${traced.tab}`)
  if (searched !== undefined) query.push(`q=${encodeURIComponent(searched.text)}`)
  if (searched?.where === 'files') query.push('in=files')
  if (selection !== undefined) query.push(`at=${selection.from}-${selection.to}`)
  if (selection?.entry !== undefined) query.push(`entry=${selection.entry}`)
  if (zoom !== undefined) query.push(`zoom=${Math.floor(zoom[0])}-${Math.ceil(zoom[1])}`)
  return `#/${encodeURIComponent(source).replaceAll('%3A', ':')}/${view}${query.length === 0 ? '' : `?${query.join('&')}`}`
}

/** An address without what changes while one stays there: two with the same one are one entry of the history. @param {Address} address */
export const placeOf = (address) => addressOf({ ...address, selection: undefined, zoom: undefined, ...address.view === 'trace' && { file: '' } })

/** @param {string} fragment @returns {Address | undefined} */
export function parseAddress(fragment) {
  const match = /^#\/([^/?]+)\/([a-z]+)(?:\?(.*))?$/.exec(fragment)
  if (match === null) return undefined
  const [, source, view, text] = match
  const known = VIEWS.find((each) => each === view)
  if (known === undefined || (text === undefined && !OF_ALL.has(known))) return undefined
  const query = new URLSearchParams(text)
  const from = rangeOf(query.get('at'))
  const entry = query.get('entry')
  const name = query.get('name')
  const traced = tracedOf(query)
  const searched = query.get('q')
  try {
    return {
      source: decodeURIComponent(source),
      file: query.get('file') ?? '',
      view: known,
      selection: from && { from: from[0], to: from[1], ...entry !== null && /^\d+$/.test(entry) && { entry: Number(entry) } },
      zoom: rangeOf(query.get('zoom')),
      ...name !== null && { name },
      ...traced !== undefined && { traced },
      ...searched && { searched: { text: searched, where: query.get('in') === 'files' ? 'files' : 'file' } }
    }
  } catch {
    return undefined
  }
}

/** @param {URLSearchParams} query @returns {Traced | undefined} */
function tracedOf(query) {
  const key = query.get('key')
  const sequence = query.get('sequence')
  if (key === null || !/^([0-9a-f]{2})*$/.test(key)) return undefined
  return { key, ...sequence !== null && /^\d{1,16}$/.test(sequence) && { sequence }, ...query.get('tab') === 'history' && { tab: 'history' } }
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

/** How the address names several of them. @param {{ name: string, size: number }[]} files */
export function tagOfAll(files) {
  const known = tags.get(files)
  if (known !== undefined) return known
  const names = files.map(({ name, size }) => `${name} ${size}`).sort().join('\n')
  const tag = `files:${files.length}-${hexOf(fnv(new TextEncoder().encode(names)))}`
  tags.set(files, tag)
  return tag
}

/** Of lists that were named. @type {WeakMap<object, string>} */
const tags = new WeakMap()

/** FNV-1a. @param {Uint8Array} bytes @param {number} [hash] of what is before */
function fnv(bytes, hash = 0x811c9dc5) {
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}

/** @param {number} hash */
const hexOf = (hash) => hash.toString(16).padStart(8, '0')

/** A checksum of a file's ends, enough to tell that another file was given. @param {import('./bytes.js').Given} given */
export async function markOf(given) {
  const begin = fnv(await bytesOf(given, 0, END))
  return hexOf(fnv(await bytesOf(given, Math.max(0, given.size - END), END), begin))
}

const END = 4096
