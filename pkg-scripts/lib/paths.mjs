// Where things are, all below the project's root; nothing here depends on the current directory.
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** @param {...string} parts below the project's root */
export const inRoot = (...parts) => join(root, ...parts)

/** Where cargo builds the tools that setup.mjs wants, and where their programs are then. */
export const toolsDir = inRoot('target', 'tools')
export const toolsBin = join(toolsDir, 'release')

/** The environment of every command we start: our tools first, npm's programs next, cargo even where the shell does not know it. */
export const environment = {
  ...process.env,
  PATH: [toolsBin, inRoot('node_modules', '.bin'), process.env.PATH, join(homedir(), '.cargo', 'bin')].filter(Boolean).join(':')
}
