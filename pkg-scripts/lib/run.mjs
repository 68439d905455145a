// Starts other programs.
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { environment, root } from './paths.mjs'

/**
 * Runs a command, prints its output and returns it.
 * Standard input is closed, so that the command cannot wait for input.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, timeoutSeconds?: number, quiet?: boolean }} [options]
 *   `env` is added to the environment; `quiet`: do not print the output
 * @returns {Promise<{ ok: boolean, output: string, why: string }>} `why` is the reason of a failure
 */
export function run(command, args, { env = {}, timeoutSeconds = 3600, quiet = false } = {}) {
  return new Promise((resolve) => {
    // Its own process group, so that a timeout also ends its children.
    const child = spawn(command, args, { cwd: root, env: { ...environment, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const endGroup = (signal) => { try { process.kill(-child.pid, signal) } catch { /* gone already */ } }
    const interrupted = () => { endGroup('SIGTERM'); process.exit(130) }
    process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
    const timer = setTimeout(() => { endGroup('SIGKILL'); finish(`no end after ${timeoutSeconds} s`) }, timeoutSeconds * 1000)

    const chunks = []
    const show = (stream) => (chunk) => { chunks.push(chunk); if (!quiet) stream.write(chunk) }
    child.stdout.on('data', show(process.stdout))
    child.stderr.on('data', show(process.stderr))

    let finished = false
    const finish = (why) => {
      if (finished) return
      finished = true
      clearTimeout(timer)
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
      resolve({ ok: why === '', output: Buffer.concat(chunks).toString(), why })
    }
    child.on('error', (error) => finish(error.message))
    child.on('close', (code, signal) => finish(code === 0 ? '' : signal ? `ended by ${signal}` : `exit code ${code}`))
  })
}

/**
 * Returns the standard output of a short command, trimmed; undefined if it fails.
 *
 * @param {string} command
 * @param {string[]} args
 */
export function ask(command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, env: environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return status === 0 ? stdout.trim() : undefined
}

/**
 * Returns the first of these programs that exists: names are looked up in PATH, paths are used
 * unchanged.
 *
 * @param {...(string | undefined)} candidates
 */
export function findProgram(...candidates) {
  for (const candidate of candidates.filter(Boolean)) {
    const folders = candidate.includes('/') ? [''] : environment.PATH.split(':').filter(Boolean)
    for (const folder of folders) {
      const path = folder ? join(folder, candidate) : candidate
      try { accessSync(path, constants.X_OK); return path } catch { /* look on */ }
    }
  }
  return undefined
}
