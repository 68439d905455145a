// Helpers for tests of the package: installs the tarball in a project outside this repository, so
// that only files that users have are found.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inRoot, root } from '../../pkg-scripts/lib/paths.mjs'

/**
 * @typedef {{ directory: string, files: { path: string, size: number }[], path: (...parts: string[]) => string, remove: () => void }} App
 */

/** `why`: the error of npm. */
export class NoNpm extends Error {}

/**
 * Packs the package and installs it in an empty project with the programs of tests/package/app.
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

/** Runs a program in the project; returns its standard output. */
export function runIn(app, program, args, env = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    cwd: app.directory, encoding: 'utf8', timeout: 60_000, env: { ...process.env, ...env }
  })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? signal ?? `exit code ${status}`}\n${stdout}${stderr}`)
  return stdout
}

/** Returns the expected result of smoke.js, from the package in this repository. */
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

/** Warns that tests are skipped because something is missing. */
export function tellSkipped(what) {
  console.warn(`\n${'!'.repeat(78)}\n!! SKIPPED: ${what}\n${'!'.repeat(78)}`)
  return what
}
