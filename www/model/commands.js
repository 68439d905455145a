// What can be typed into the console of the live database, and how its events read.
import { counted, grouped, sized } from '../ui/numbers.js'

/** @typedef {{ type: 'put' | 'del', key: Uint8Array, value?: Uint8Array }} Operation */
/**
 * @typedef {{ error: string } | { call: 'write', operations: Operation[] } | { call: 'get', key: Uint8Array }
 *   | { call: 'entries', gte?: Uint8Array, lt?: Uint8Array } | { call: 'flush' | 'compact' }} Command
 */

export const USAGE = 'put KEY VALUE, get KEY, del KEY, scan [FROM [TO]], seek KEY, flush, compact; writes joined by ; are one batch'

const encoder = new TextEncoder()

/** @param {string} text @returns {Command} */
export function parseCommand(text) {
  const parts = text.split(';').map((part) => part.trim()).filter((part) => part !== '')
  if (parts.length === 0) return { error: USAGE }
  const [name, ...rest] = parts[0].split(/\s+/)
  const isWrite = name === 'put' || name === 'del'
  if (isWrite) {
    const operations = []
    for (const part of parts) {
      const operation = parseWrite(part)
      if (operation === undefined) return { error: `${part}: expected put KEY VALUE or del KEY` }
      operations.push(operation)
    }
    return { call: 'write', operations }
  }
  if (parts.length > 1) return { error: 'only put and del can be joined by ;' }
  const [first, second] = rest.map((word) => encoder.encode(word))
  if (name === 'get' && rest.length === 1) return { call: 'get', key: first }
  if (name === 'scan' && rest.length <= 2) return { call: 'entries', gte: first, lt: second }
  if (name === 'seek' && rest.length === 1) return { call: 'entries', gte: first }
  if ((name === 'flush' || name === 'compact') && rest.length === 0) return { call: name }
  return { error: USAGE }
}

/** @param {string} text @returns {Operation | undefined} */
function parseWrite(text) {
  const match = /^(put|del)\s+(\S+)(?:\s+([^]+))?$/.exec(text)
  if (match === null || (match[1] === 'put') !== (match[3] !== undefined)) return undefined
  const key = encoder.encode(match[2])
  return match[1] === 'put' ? { type: 'put', key, value: encoder.encode(match[3]) } : { type: 'del', key }
}

/** An event in words, and whether it is the begin or end of a job. @param {import('varve/inspect').LiveEvent} event */
export function sayEvent(event) {
  if (event.name === 'stall') return { text: event.phase === 'begin' ? `writes wait: ${event.cause}` : 'writes go on', isJob: false }
  if (event.name === 'flush') {
    const what = `${counted(event.entries ?? 0, 'entry', 'entries')}, ${sized(event.bytes ?? 0)}`
    if (event.phase === 'begin') return { text: `flush begins: ${what}`, isJob: true }
    return { text: event.file ? `flush wrote ${event.file} to L${event.level}: ${what}` : 'flush ended: nothing was left to write', isJob: true }
  }
  const levels = `L${event.level} → L${event.outputLevel}`
  const inputs = event.inputs ?? []
  if (event.trivialMove) return { text: `${event.phase === 'begin' ? 'move begins' : 'moved'} ${levels}: ${listed(inputs)}, without being rewritten`, isJob: true }
  if (event.phase === 'begin') return { text: `compaction begins ${levels}: ${listed(inputs)}, ${sized(event.bytesRead ?? 0)}`, isJob: true }
  return { text: `compaction ended ${levels}: ${grouped(inputs.length)} to ${counted(event.outputs?.length ?? 0, 'table')}, ${sized(event.bytesWritten ?? 0)} written`, isJob: true }
}

/** Names of files, without those that do not fit. @param {string[]} names */
function listed(names) {
  const shown = names.slice(0, 12).map((name) => `#${Number.parseInt(name, 10)}`).join(' ')
  return names.length > 12 ? `${shown} and ${grouped(names.length - 12)} more` : shown
}
