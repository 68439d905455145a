// Entries of a table as lines of JSON or CSV. Runs in a worker, block after block.
import { openBlock, valueOf } from 'varve/inspect'
import { walkKeys } from './model/keys.js'

/**
 * @typedef {object} Wanted
 * @property {'ndjson' | 'csv'} format
 * @property {number} from the first row, among all entries of the file
 * @property {number} to the row after the last
 */

/** @typedef {{ rows: number, skipped: number, text: Uint8Array }} Part what was written since the last */

/** Bytes of text that are gathered before they are handed over. */
const PART = 1 << 20
/** How long to write before a message that stops it is received, in ms: a pause takes some ms itself. */
const WORK_MS = 50

/** By the number of an entry's type; any other is no internal key. @type {Record<number, string>} */
const TYPES = { 0: 'del', 1: 'put' }

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * @param {import('varve/inspect').Source} source
 * @param {{ offset: Float64Array, size: Float64Array, before: Float64Array }} blocks `before`: the entries before each
 * @param {Wanted} wanted
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Part, void>}
 */
export async function * exported(source, { offset, size, before }, { format, from, to }, signal) {
  let text = format === 'csv' ? CSV_HEAD : ''
  let [rows, skipped, paused] = [0, 0, performance.now()]
  for (let number = 0; number < offset.length && !signal.aborted; number++) {
    // A block that could not be decoded has no entries: it is left out where it would have some.
    if (before[number] >= to || before[number + 1] < from || (before[number + 1] === from && before[number] < from)) continue
    const view = await openBlock(source, { kind: 'data', offset: offset[number], size: size[number] })
    if (view.raw === undefined) skipped++
    /** @type {Uint8Array[]} */
    const parts = []
    walkKeys(view, (entry, key) => {
      const row = before[number] + entry
      if (row < from || row >= to) return
      text += (format === 'csv' ? csvLine : jsonLine)(view, entry, key, source.name, number)
      rows++
      if (text.length < PART) return
      parts.push(ENCODER.encode(text))
      text = ''
    })
    for (const part of parts) yield { rows, skipped, text: part }
    if (performance.now() - paused < WORK_MS) continue
    await new Promise((resolve) => setTimeout(resolve))
    paused = performance.now()
  }
  yield { rows, skipped, text: ENCODER.encode(text) }
}

/** @param {import('varve/inspect').BlockView} view @param {number} entry @param {Uint8Array} key @param {string} file @param {number} block */
function jsonLine(view, entry, key, file, block) {
  const { value, type, sequence } = partsOf(view, entry)
  return `${JSON.stringify({ key: lossless(key), seq: sequence, type: TYPES[type] ?? 'none', value: type === 0 ? null : lossless(value), src: { file, block, entry } })}\n`
}

/** @param {Uint8Array} bytes @returns {{ enc: 'utf8' | 'base64', v: string }} */
export function lossless(bytes) {
  try {
    return { enc: 'utf8', v: DECODER.decode(bytes) }
  } catch {
    return { enc: 'base64', v: base64(bytes) }
  }
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let binary = ''
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
  return btoa(binary)
}

const CSV_HEAD = 'key,sequence,type,value (a cell that begins with = + - @ has a leading apostrophe; bytes that are no text are in base64)\r\n'

/** @param {import('varve/inspect').BlockView} view @param {number} entry @param {Uint8Array} key */
function csvLine(view, entry, key) {
  const { value, type, sequence } = partsOf(view, entry)
  return `${csvCell(lossless(key).v)},${sequence},${TYPES[type] ?? 'none'},${type === 0 ? '' : csvCell(lossless(value).v)}\r\n`
}

/** A spreadsheet must not take it for a formula. @param {string} text */
export const csvCell = (text) => {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** @param {import('varve/inspect').BlockView} view @param {number} entry */
function partsOf(view, entry) {
  const type = view.entries.type[entry]
  return { value: valueOf(view, entry), type, sequence: view.entries.sequence[entry] }
}
