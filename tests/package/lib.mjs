// What the tests of the package share: the tarball installed into a project of its own, outside of this repository, so that nothing
// is found that a user would not have.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inRoot, root } from '../../pkg-scripts/lib/paths.mjs'

/** @typedef {{ directory: string, files: { path: string, size: number }[], path: (...parts: string[]) => string, remove: () => void }} App */

/** `why` npm could not do it. */
export class NoNpm extends Error {}

/**
 * Packs the package and installs it into an empty project with the programs of tests/package/app.
 * @returns {App}
 */
export function installedApp() {
  const directory = mkdtempSync(join(tmpdir(), 'varve-package-'))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  try {
    const [{ filename, files }] = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', directory], root))
    cpSync(inRoot('tests', 'package', 'app'), directory, { recursive: true })
    writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }))
    npm(['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', join(directory, filename)], directory)
    return { directory, files, path: (...parts) => join(directory, ...parts), remove }
  } catch (error) {
    remove()
    throw error
  }
}

function npm(args, cwd) {
  const { status, stdout, stderr, error } = spawnSync('npm', args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new NoNpm(`npm ${args[0]}: ${error?.message ?? stderr.trim().split('\n').slice(-5).join(' ')}`)
  return stdout
}

/** Runs a program in the project; answers its standard output. */
export function runIn(app, program, args, env = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    cwd: app.directory, encoding: 'utf8', timeout: 60_000, env: { ...process.env, ...env }
  })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? signal ?? `exit code ${status}`}\n${stdout}${stderr}`)
  return stdout
}

/** The answer of smoke.js as JSON knows it, from the package in this repository, to compare with. */
export async function expectedAnswer() {
  const varve = await import('varve')
  const { use } = await import('./app/smoke.js')
  const db = new varve.Varve(null, { storage: 'memory', valueEncoding: 'json' })
  try {
    return JSON.parse(JSON.stringify(await use(varve, db)))
  } finally {
    await db.close()
  }
}

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

/** Where a lack makes tests be skipped: told so that nobody overlooks it. */
export function tellSkipped(what) {
  console.warn(`\n${'!'.repeat(78)}\n!! SKIPPED: ${what}\n${'!'.repeat(78)}`)
  return what
}
