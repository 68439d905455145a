// Command lines: what commands have in common, and help made of the same tables that are parsed by.
//
// A command is { name, summary, usage, details?, options: { name: { type, short?, value?, help } }, positionals: [least, most], run }.
import { parseArgs } from 'node:util'
import { nearest } from './suggest.js'
import { ENCODINGS, bytesOf } from './text.js'

/** @typedef {{ type: 'boolean' | 'string', short?: string, value?: string, help: string }} Option */
/** Options as given, by their names. @typedef {Record<string, any>} Values any: a string or a boolean, as the option's table says */
/** What a command is run with. @typedef {{ values: Values, positionals: string[], out: import('./output.js').Output }} Call */
/**
 * @typedef {{ name: string, summary: string, usage: string, details?: string, options: Record<string, Option>,
 *             positionals: [number, number], run: (call: Call) => Promise<number | void> | number }} Command
 */

/** The caller's mistake: a message, and no more. */
export class UsageError extends Error {
  code = 'LEVEL_INVALID_ARGUMENT'
  /** @type {string | undefined} */
  command
}

/** @type {Record<string, Option>} */
const HELP = { help: { type: 'boolean', short: 'h', help: 'this text' } }

/** @type {Record<string, Option>} */
export const JSON_OPTION = { json: { type: 'boolean', help: 'print JSON' } }

/** How keys and values are written, in and out. @type {Record<string, Option>} */
export const ENCODING_OPTIONS = {
  hex: { type: 'boolean', help: 'keys and values in hexadecimal, in and out' },
  utf8: { type: 'boolean', help: 'as text, what is no text as \\xNN (the default)' },
  'key-encoding': { type: 'string', value: 'E', help: `of keys alone: ${ENCODINGS.join(', ')} (escaped: \\xNN in and out)` },
  'value-encoding': { type: 'string', value: 'E', help: 'of values alone' }
}

/** @type {Record<string, Option>} */
export const RANGE_OPTIONS = {
  gt: { type: 'string', value: 'KEY', help: 'only keys after KEY' },
  gte: { type: 'string', value: 'KEY', help: 'only KEY and those after it' },
  lt: { type: 'string', value: 'KEY', help: 'only keys before KEY' },
  lte: { type: 'string', value: 'KEY', help: 'only KEY and those before it' },
  prefix: { type: 'string', value: 'KEY', help: 'only keys that begin with KEY; of several bounds all hold' }
}

/** @type {Record<string, Option>} */
export const READONLY_OPTION = { readonly: { type: 'boolean', help: 'open read-only, without the lock; a command that writes then fails' } }

/** @type {Record<string, Option>} */
export const SYNC_OPTION = { sync: { type: 'boolean', help: 'return when the write is durable' } }

/** Options of one command, checked. @param {Command} command @param {string[]} args */
export function parse(command, args) {
  const known = { ...command.options, ...HELP }
  const options = Object.fromEntries(Object.entries(known).map(([name, { type, short }]) => [name, short ? { type, short } : { type }]))
  /** @type {(message: string) => never} */
  const fail = (message) => { throw Object.assign(new UsageError(message), { command: command.name }) }
  let parsed
  try {
    parsed = parseArgs({ args, options, allowPositionals: true, strict: true })
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (!error.code?.startsWith('ERR_PARSE_ARGS')) throw error
    return fail(reasonOf(error, args, command))
  }
  const { values, positionals } = /** @type {{ values: Values, positionals: string[] }} */ (parsed)
  if (values.help) return { values, positionals, help: true }
  const [least, most] = command.positionals
  if (positionals.length < least) fail(`too few arguments: varve ${command.name} ${command.usage}`)
  if (positionals.length > most) fail(`too many arguments: ${JSON.stringify(positionals[most])}`)
  try {
    return { values: withEncodings(values), positionals, help: false }
  } catch (error) {
    if (error instanceof UsageError) error.command = command.name
    throw error
  }
}

/** What is wrong with options, in our words. @param {any} error of parseArgs @param {string[]} args @param {Command} command */
function reasonOf({ code, message }, args, { name, usage, options }) {
  const behind = `behind --, as in: varve ${name} [options] -- ${usage.replace(/ ?\[-.*$/, '')}`
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const option = /'(-[^']*)'/.exec(message)?.[1] ?? ''
    // Of -limit only -l is named.
    const given = args.find((arg) => arg.startsWith(option)) ?? option
    const likely = nearest(given.replace(/^-+/, '').replace(/=.*$/s, ''), Object.keys({ ...options, ...HELP }))
    return `there is no option '${given}'${likely ? `; did you mean --${likely}?` : '.'} An argument that begins with - goes ${behind}`
  }
  const option = /--[\w-]+/.exec(message)?.[0]
  if (/ambiguous/.test(message)) return `${option} needs a value; one that begins with - is written ${option}=-...`
  if (/argument missing/.test(message)) return `${option} needs a value`
  return /does not take/.test(message) ? `${option} takes no value` : message
}

/** @param {Values} values */
function withEncodings(values) {
  const { hex, utf8 } = values
  if (hex && utf8) throw new UsageError('--hex and --utf8 exclude each other')
  const common = hex ? 'hex' : 'utf8'
  const [key, value] = ['key-encoding', 'value-encoding'].map((name) => values[name] ?? common)
  for (const encoding of [key, value]) {
    if (!ENCODINGS.includes(encoding)) throw new UsageError(`there is no encoding '${encoding}'; there are ${ENCODINGS.join(', ')}`)
  }
  return { ...values, keyEncoding: key, valueEncoding: value }
}

/** The bounds among the options, as bytes. @param {Values} values */
export function rangeOf(values) {
  /** @type {Record<string, Buffer>} */
  const range = {}
  for (const name of Object.keys(RANGE_OPTIONS)) {
    if (values[name] !== undefined) range[name] = bytesOf(values[name], values.keyEncoding, `--${name}`)
  }
  const { gt, gte, lt, lte, prefix } = range
  const end = prefix && endOf(prefix)
  const sides = [tightest(1, [['gte', gte], ['gte', prefix], ['gt', gt]]), tightest(-1, [['lte', lte], ['lt', end], ['lt', lt]])]
  return Object.fromEntries(sides.filter((bound) => bound !== undefined))
}

/** Of the bounds of one side the one that allows the least; of equal ones the last. @param {1 | -1} side @param {[string, Buffer | undefined][]} bounds */
function tightest(side, bounds) {
  const given = /** @type {[string, Buffer][]} */ (bounds.filter(([, key]) => key !== undefined))
  return given.reduce((best, one) => best !== undefined && Buffer.compare(one[1], best[1]) * side < 0 ? best : one,
    /** @type {[string, Buffer] | undefined} */ (undefined))
}

/** The first key behind all with this prefix; none if it is empty or all of it is 0xff. @param {Buffer} prefix */
function endOf(prefix) {
  const last = prefix.findLastIndex((byte) => byte !== 0xff)
  if (last < 0) return undefined
  const end = Buffer.from(prefix.subarray(0, last + 1))
  end[last]++
  return end
}

/**
 * A whole number among the options.
 * @template {number | undefined} [T=undefined]
 * @param {Values} values
 * @param {string} name
 * @param {{ min?: number, max?: number, otherwise?: T }} [bounds]
 * @returns {number | T}
 */
export function wholeOf(values, name, { min = 0, max = Number.MAX_SAFE_INTEGER, otherwise } = {}) {
  if (values[name] === undefined) return /** @type {T} */ (otherwise)
  const number = Number(values[name])
  if (/^\d+$/.test(values[name]) && number >= min && number <= max) return number
  throw new UsageError(`--${name} must be a whole number from ${min} to ${max}`)
}

// ---- Help -----------------------------------------------------------------------------------------------------------

/** @param {Command[]} commands */
export function overview(commands) {
  const width = Math.max(...commands.map(({ name }) => name.length))
  return `varve <command> <directory> ...

A LevelDB database from the command line.

${commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}

  varve <command> --help tells the rest, varve --version the version.

Commands that only read change no byte and take no lock. Keys and values are text, or with --hex hexadecimal. What follows --
is no option: varve get db -- -key.
Exit code: 0 done, found or sound; 1 findings, or not found; 2 cannot (usage, locked, unreadable), with the reason on
standard error.`
}

/** @param {Command} command */
export function helpOf({ name, summary, usage, details, options }) {
  const rows = Object.entries({ ...options, ...HELP }).map(([option, { short, value, help }]) =>
    [`${short ? `-${short}, ` : ''}--${option}${value ? ` ${value}` : ''}`, help])
  const width = Math.max(...rows.map(([left]) => left.length))
  return [
    `varve ${name} ${usage}`,
    `${summary[0].toUpperCase()}${summary.slice(1)}.`,
    ...details ? [details] : [],
    rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
  ].join('\n\n')
}
