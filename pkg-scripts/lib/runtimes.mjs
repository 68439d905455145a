// Other runtimes for tests: newer versions of Node, Deno and Bun, each from an npm package with its
// program. They have 90 to 200 MB each, so they are not dependencies: the tests install them once,
// in target/runtimes.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inRoot } from './paths.mjs'
import { run } from './run.mjs'

const { platform, arch } = process
const onWindows = platform === 'win32'

/**
 * `args` precede the name of a script.
 * @typedef {{ name: string, package: string, program: (modules: string) => string, args: string[] }} Wanted
 * @typedef {{ name: string, program?: string, args: string[], why?: string }} Runtime
 */

/** @param {number} major @returns {Wanted} */
const node = (major) => ({
  name: `Node ${major}`,
  package: `node-${onWindows ? 'win' : platform}-${arch}@${major}`,
  program: (modules) => join(modules, `node-${onWindows ? 'win' : platform}-${arch}`, 'bin', onWindows ? 'node.exe' : 'node'),
  args: []
})

/** The programs are in separate packages, named by system. */
const beside = (scope, ...parts) => (modules) => {
  const folder = join(modules, scope)
  return existsSync(folder) ? join(folder, readdirSync(folder)[0] ?? '', ...parts) : ''
}

/** @type {Wanted[]} */
export const RUNTIMES = [
  node(22),
  node(24),
  node(26),
  { name: 'Deno', package: 'deno@2', program: beside('@deno', onWindows ? 'deno.exe' : 'deno'), args: ['run', '--allow-all', '--node-modules-dir=manual', '--quiet'] },
  { name: 'Bun', package: 'bun@1', program: beside('@oven', 'bin', onWindows ? 'bun.exe' : 'bun'), args: ['run'] }
]

/**
 * Installs a runtime, unless it is installed.
 *
 * @param {Wanted} wanted
 * @returns {Promise<Runtime>} with `why` it cannot be had
 */
export async function provideRuntime({ name, package: wanted, program, args }) {
  const folder = inRoot('target', 'runtimes', wanted)
  const modules = join(folder, 'node_modules')
  if (existsSync(program(modules))) return { name, program: program(modules), args }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const { ok, why, output } = await run('npm', ['install', '--prefix', folder, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund',
    '--fetch-retries=1', wanted], { quiet: true, timeoutSeconds: 240 })
  if (ok && existsSync(program(modules))) return { name, program: program(modules), args }
  return { name, args, why: `npm install ${wanted}: ${ok ? 'no program in it for this system' : `${why} ${output.trim().split('\n').at(-1)}`}` }
}
