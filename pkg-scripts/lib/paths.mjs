// Paths below the project's root, independent of the current directory.
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** @param {...string} parts below the project's root */
export const inRoot = (...parts) => join(root, ...parts)

/** The directories of cargo's tools and their programs. */
export const toolsDir = inRoot('target', 'tools')
export const toolsBin = join(toolsDir, 'release')

/** The environment of all commands: PATH has our tools first, then npm's programs, and cargo. */
export const environment = {
  ...process.env,
  PATH: [toolsBin, inRoot('node_modules', '.bin'), process.env.PATH, join(homedir(), '.cargo', 'bin')].filter(Boolean).join(':')
}
