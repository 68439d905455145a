#!/usr/bin/env node
// npx varve <command> <directory> ...: the command line tool. Each command is a file in commands/.
//
//   exit code   0 success
//               1 damage found, or key not found
//               2 failure: usage, locked, unreadable
import { readFileSync } from 'node:fs'
import { helpOf, overview, parse, UsageError } from './arguments.js'
import { remedyOf } from './location.js'
import { Output } from './output.js'
import { nearest } from './suggest.js'
import { afterCode } from './text.js'

/** @typedef {import('./arguments.js').Command} Command */

const COMMANDS = ['get', 'put', 'del', 'scan', 'stats', 'layout', 'verify', 'digest', 'repair', 'salvage', 'compact', 'export', 'import', 'inspect', 'trace', 'bench']

const CANNOT = 2

/** @param {string[]} args @param {Output} out @returns {Promise<number>} the exit code */
async function main(args, out) {
  // After -- come the command and its arguments, no options.
  const [name, ...rest] = args[0] === '--' ? [args[1], '--', ...args.slice(2)] : args
  if (name === '--version' || name === '-v') return version(out)
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') return help(rest[0], name, out)
  if (!COMMANDS.includes(name)) throw noCommand(name)
  const command = await load(name)
  const { values, positionals, help: wanted } = parse(command, rest)
  if (wanted) return show(helpOf(command), out)
  return await command.run({ values, positionals, out }) ?? 0
}

/** @param {string} name */
const load = async (name) => (await import(`./commands/${name}.js`)).command

/** @param {string | undefined} topic @param {string | undefined} asked @param {Output} out */
async function help(topic, asked, out) {
  if (topic !== undefined && COMMANDS.includes(topic)) return show(helpOf(await load(topic)), out)
  if (topic !== undefined && asked === 'help') throw noCommand(topic)
  await show(overview(await Promise.all(COMMANDS.map(load))), out)
  return asked === undefined ? CANNOT : 0
}

/** @param {string} name */
function noCommand(name) {
  if (name.startsWith('-')) return new UsageError(`unknown option '${name}' before the command; \`varve --help\` lists the commands`)
  const likely = nearest(name, [...COMMANDS, 'help'])
  return new UsageError(`unknown command '${name}'${likely ? `; did you mean ${likely}?` : ''}${likely ? ' ' : '; '}\`varve --help\` lists the commands`)
}

/** @param {string} text @param {Output} out */
function show(text, out) {
  out.line(text)
  return 0
}

/** @param {Output} out */
function version(out) {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  return show(version, out)
}

/**
 * Returns the code and message of an error. abstract-level wraps an error of opening: report its
 * cause.
 * @param {any} error any: whatever was thrown
 */
function explain(error) {
  const reason = error?.code === 'LEVEL_DATABASE_NOT_OPEN' && error.cause ? error.cause : error
  // Node's own messages begin with their code.
  const code = typeof reason?.code === 'string' && !reason.message.startsWith(`${reason.code}: `) ? `${reason.code}: ` : ''
  const hint = reason instanceof UsageError && reason.command ? `\nrun \`varve ${reason.command} --help\` for its options` : ''
  const rescue = reason?.code === 'LEVEL_CORRUPTION' && !reason.message.includes('varve repair')
    ? '\n`varve verify` lists all damage; `varve repair` on a copy recovers the undamaged data'
    : ''
  const remedy = reason?.code === 'LEVEL_IO_ERROR' && !reason.message.includes('; ask') ? remedyOf(reason.cause) : ''
  // Any other error is a bug: print its stack.
  const own = reason instanceof UsageError || typeof reason?.code === 'string'
  const said = code === '' ? reason?.message : afterCode(reason.message)
  return `varve: ${code}${(own ? said : reason?.stack ?? String(reason)).replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, '?')}${remedy}${rescue}${hint}`
}

const out = new Output()
try {
  process.exitCode = await main(process.argv.slice(2), out)
} catch (error) {
  process.exitCode = CANNOT
  await out.flush()
  console.error(explain(error))
}
await out.flush()
