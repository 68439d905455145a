// Parses command lines and prints help, both from the same tables of options.
//
// A command is { name, summary, usage, details?, options, positionals: [least, most], run }, where
// options are { name: { type, short?, value?, help } }.
import { parseArgs } from 'node:util'
import { nearest } from './suggest.js'
import { ENCODINGS, bytesOf } from './text.js'

/**
 * @typedef {{ type: 'boolean' | 'string', short?: string, value?: string, help: string }} Option
 */
/**
 * Parsed options by name.
 * @typedef {Record<string, any>} Values any: a string or a boolean, as the option's table says
 */
/**
 * The arguments of a command's `run`.
 * @typedef {{ values: Values, positionals: string[], out: import('./output.js').Output }} Call
 */
/**
 * @typedef {{ name: string, summary: string, usage: string, details?: string,
 *             options: Record<string, Option>, positionals: [number, number],
 *             run: (call: Call) => Promise<number | void> | number }} Command
 */

/** A mistake in the command line: only its message is printed, without a stack. */
export class UsageError extends Error {
  code = 'LEVEL_INVALID_ARGUMENT'
  /** @type {string | undefined} */
  command
}

/** @type {Record<string, Option>} */
const HELP = { help: { type: 'boolean', short: 'h', help: 'print this help' } }

/** @type {Record<string, Option>} */
export const JSON_OPTION = { json: { type: 'boolean', help: 'print JSON' } }

/** Encodings of keys and values, for input and output. @type {Record<string, Option>} */
export const ENCODING_OPTIONS = {
  hex: { type: 'boolean', help: 'read and print keys and values in hexadecimal' },
  utf8: { type: 'boolean', help: 'read and print them as text, other bytes as \\xNN (default)' },
  'key-encoding': { type: 'string', value: 'E', help: `encoding of keys: ${ENCODINGS.join(', ')} (escaped: reads and prints \\xNN)` },
  'value-encoding': { type: 'string', value: 'E', help: 'encoding of values' }
}

/** @type {Record<string, Option>} */
export const RANGE_OPTIONS = {
  gt: { type: 'string', value: 'KEY', help: 'only keys after KEY' },
  gte: { type: 'string', value: 'KEY', help: 'only KEY and keys after it' },
  lt: { type: 'string', value: 'KEY', help: 'only keys before KEY' },
  lte: { type: 'string', value: 'KEY', help: 'only KEY and keys before it' },
  prefix: { type: 'string', value: 'KEY', help: 'only keys that begin with KEY; combines with other bounds' }
}

/** @type {Record<string, Option>} */
export const READONLY_OPTION = { readonly: { type: 'boolean', help: 'open read-only, without the lock; commands that write fail' } }

/** The order of keys, for commands that read a database or its files. @type {Record<string, Option>} */
export const COMPARATOR_OPTION = {
  comparator: { type: 'string', value: 'NAME', help: 'order of keys: leveldb.BytewiseComparator, idb_cmp1 or as-stored (default: that of the manifest)' }
}

/** @type {Record<string, Option>} */
export const SYNC_OPTION = { sync: { type: 'boolean', help: 'flush the disk before returning' } }

/** Parses and checks the options of one command. @param {Command} command @param {string[]} args */
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

/**
 * Explains an error of parseArgs.
 * @param {{ code: string, message: string }} error
 * @param {string[]} args
 * @param {Command} command
 */
function reasonOf({ code, message }, args, { name, usage, options }) {
  const behind = `after --, as in: varve ${name} [options] -- ${usage.replace(/ ?\[-.*$/, '')}`
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const option = /'(-[^']*)'/.exec(message)?.[1] ?? ''
    // For -limit, parseArgs names only -l.
    const given = args.find((arg) => arg.startsWith(option)) ?? option
    const likely = nearest(given.replace(/^-+/, '').replace(/=.*$/s, ''), Object.keys({ ...options, ...HELP }))
    return `unknown option '${given}'${likely ? `; did you mean --${likely}?` : '.'} Put an argument that begins with - ${behind}`
  }
  const option = /--[\w-]+/.exec(message)?.[0]
  if (/ambiguous/.test(message)) return `${option} needs a value; write one that begins with - as ${option}=-...`
  if (/argument missing/.test(message)) return `${option} needs a value`
  return /does not take/.test(message) ? `${option} takes no value` : message
}

/** @param {Values} values */
function withEncodings(values) {
  const { hex, utf8 } = values
  if (hex && utf8) throw new UsageError('--hex and --utf8 cannot be combined')
  const common = hex ? 'hex' : 'utf8'
  const [key, value] = ['key-encoding', 'value-encoding'].map((name) => values[name] ?? common)
  for (const encoding of [key, value]) {
    if (!ENCODINGS.includes(encoding)) throw new UsageError(`unknown encoding '${encoding}'; use one of ${ENCODINGS.join(', ')}`)
  }
  return { ...values, keyEncoding: key, valueEncoding: value }
}

/** @typedef {{ gt?: Buffer, gte?: Buffer, lt?: Buffer, lte?: Buffer, prefix?: Buffer }} Bounds */

/** Returns the range options as bytes. @param {Values} values @returns {Bounds} */
export function boundsOf(values) {
  /** @type {Record<string, Buffer>} */
  const range = {}
  for (const name of Object.keys(RANGE_OPTIONS)) {
    if (values[name] !== undefined) range[name] = bytesOf(values[name], values.keyEncoding, `--${name}`)
  }
  return range
}

/**
 * Returns the tightest of the bounds on each side; a prefix is a range in bytewise order only.
 * @param {Bounds} bounds
 * @param {(a: Buffer, b: Buffer) => number} [compare]
 * @returns {Omit<Bounds, 'prefix'>}
 */
export function rangeOf({ gt, gte, lt, lte, prefix }, compare = Buffer.compare) {
  const end = prefix && endOf(prefix)
  const sides = [tightest(1, [['gte', gte], ['gte', prefix], ['gt', gt]], compare), tightest(-1, [['lte', lte], ['lt', end], ['lt', lt]], compare)]
  return Object.fromEntries(sides.filter((bound) => bound !== undefined))
}

/**
 * Returns the tightest bound of one side; of equal ones the last.
 * @param {1 | -1} side
 * @param {[string, Buffer | undefined][]} bounds
 * @param {(a: Buffer, b: Buffer) => number} compare
 */
function tightest(side, bounds, compare) {
  const given = /** @type {[string, Buffer][]} */ (bounds.filter(([, key]) => key !== undefined))
  return given.reduce((best, one) => best !== undefined && compare(one[1], best[1]) * side < 0 ? best : one,
    /** @type {[string, Buffer] | undefined} */ (undefined))
}

/**
 * Returns the first key after all keys with this prefix; undefined if it is empty or all 0xff.
 * @param {Buffer} prefix
 */
function endOf(prefix) {
  const last = prefix.findLastIndex((byte) => byte !== 0xff)
  if (last < 0) return undefined
  const end = Buffer.from(prefix.subarray(0, last + 1))
  end[last]++
  return end
}

/**
 * Returns an option that is a whole number.
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

// ---- Help ----

/** @param {Command[]} commands */
export function overview(commands) {
  const width = Math.max(...commands.map(({ name }) => name.length))
  return `varve <command> <directory> ...

Read, write, check and repair a LevelDB database.

${commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}

Run varve <command> --help for the options of a command, varve --version for the version.

Commands that only read change no file and take no lock. Keys and values are text, or hexadecimal with --hex. Arguments
after -- are not options: varve get db -- -key.
Exit code: 0 success; 1 damage found, or key not found; 2 failure (usage, locked, unreadable), with the reason on standard
error.`
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
