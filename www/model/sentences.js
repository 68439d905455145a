// What a region is, in a sentence: for hovering, for the status line, for those who hear the page.
import { CODECS } from 'varve/inspect'
import { counted, grouped, range } from '../ui/numbers.js'
import { BLOCK_KINDS, TRAILER } from './blocks.js'

/** @typedef {import('./regions.js').Region} Region */

/** @type {Record<string, string>} */
const NAMES = {
  data: 'Data block', index: 'Index', metaindex: 'Metaindex', meta: 'Metadata block', filter: 'Filter', footer: 'Footer', gap: 'Bytes that nothing refers to',
  full: 'FULL fragment', first: 'FIRST fragment', middle: 'MIDDLE fragment', last: 'LAST fragment', padding: 'Padding at the end of a block', zeros: 'Zeros', damage: 'Bytes that could not be read as a fragment'
}

/** @param {import('./file.js').OpenFile} file @param {Region} region */
export function titleOf(file, region) {
  const number = file.regions?.numberOf(region.index) ?? -1
  return number < 0 ? NAMES[region.kind] ?? region.kind : `Data block ${grouped(number)}`
}

/** @param {import('./file.js').OpenFile} file @param {Region} region */
export function sentenceOf(file, region) {
  const { kind, state, size, raw, entries } = region
  const parts = [`${titleOf(file, region)}: bytes ${range(region.offset, region.end)}`]
  if (!BLOCK_KINDS.has(kind)) {
    parts.push(counted(size, 'byte'))
  } else {
    parts.push(`${grouped(Math.max(0, size - TRAILER))} B stored`)
    if (raw > 0) parts.push(`${grouped(raw)} B raw`)
    if (entries > 0) parts.push(counted(entries, 'entry', 'entries'))
    if (region.codec !== 255) parts.push(CODECS[region.codec] ?? `codec ${region.codec}`)
  }
  if (!SILENT.has(kind)) parts.push(STATES[state] ?? state)
  return `${parts.join(', ')}.`
}

/** Kinds of regions that have no state worth a word. */
const SILENT = new Set(['gap', 'padding', 'zeros', 'damage'])

/** @type {Record<string, string>} */
export const STATES = {
  torn: 'unfinished',
  unread: 'not read yet', sound: 'sound', bad: 'damaged', found: 'sound, found by its checksum', doubtful: 'readable, but something is wrong'
}
