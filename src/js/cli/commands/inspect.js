import { spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { VarveError } from '../../errors.js'
import { COMPARATOR_OPTION, JSON_OPTION, UsageError } from '../arguments.js'
import { orderOf } from '../comparator.js'
import { examine } from '../examine.js'
import { PAGE, serveInspector } from '../inspect-server.js'
import { isDirectory, systemError } from '../location.js'
import { counted, visible } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../inspect-server.js').ServedFile} ServedFile */

/** Folders inside one another deeper than this are not listed. */
const DEPTH_MAX = 4
/** More files are not listed. */
const FILES_MAX = 100_000
/** With --once: so long after the last tab was closed, the command ends. */
const GONE_MS = 60_000

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'inspect',
  summary: 'show files in the browser: what every byte means, and whether they are sound',
  usage: '[file or directory ...]',
  details: `Serves the inspector's page and the named files to the browser of this machine, on 127.0.0.1 and a free port, under an address
with a random part, and prints that address. Files are only read, and never sent anywhere else; no other machine can connect.
Ends with Ctrl-C.

With --json, no page is shown: every byte of the files is read and checked, and the report is printed, with the size, the
SHA-256 and the findings of each file; the same files give the same report. Exit code 1 if anything is damaged or suspicious.`,
  positionals: [0, 1000],
  options: {
    ...JSON_OPTION,
    ...COMPARATOR_OPTION,
    'no-open': { type: 'boolean', help: 'print the address, do not start the browser' },
    once: { type: 'boolean', help: `end ${GONE_MS / 1000} seconds after the page was closed` }
  },

  /** @param {Call} call */
  async run({ values, positionals: paths, out }) {
    const files = paths.flatMap((path) => filesAt(path, paths.length > 1))
    const name = paths.length === 1 ? basename(resolve(paths[0])) : paths.length === 0 ? '' : counted(files.length, 'file')
    if (values.json) {
      if (paths.length === 0) throw new UsageError('--json needs files or a directory')
      const report = await examine(name, files, orderOf(values))
      out.line(JSON.stringify(report, undefined, 2))
      return report.sound ? 0 : 1
    }
    if (values.comparator !== undefined) throw new UsageError('--comparator needs --json: the page takes the order of keys from the manifest')
    if (!existsSync(join(PAGE, 'index.html'))) throw new VarveError(`${PAGE} has no page: run \`npm run build\` in the repository`, { code: 'LEVEL_NOT_SUPPORTED' })
    const server = await serveInspector(name, files)
    const { address } = server
    out.line(address)
    await out.flush()
    console.error(`${paths.length === 0 ? 'the inspector' : `${visible(name)}: ${counted(files.length, 'file')}`}; Ctrl-C ends it`)
    if (!values['no-open']) openBrowser(address)
    await new Promise((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, resolve)
      if (values.once) untilGone(server.visits).then(resolve)
    })
    server.close()
    return 0
  }
}

/**
 * @param {string} path
 * @param {boolean} several whether the names begin with that of the folder
 * @returns {ServedFile[]}
 */
function filesAt(path, several) {
  try {
    if (!isDirectory(path)) {
      const status = statSync(path)
      if (!status.isFile()) throw new UsageError(`${path} is no regular file`)
      return [{ path, name: basename(path), size: status.size }]
    }
    return below(path, 0).slice(0, FILES_MAX).flatMap((file) => {
      const name = relative(path, file).replaceAll('\\', '/')
      // A file of a running database may be gone by now.
      const status = statSync(file, { throwIfNoEntry: false })
      return status === undefined ? [] : [{ path: file, name: several ? `${basename(resolve(path))}/${name}` : name, size: status.size }]
    })
  } catch (error) {
    throw error instanceof UsageError ? error : systemError(error, path)
  }
}

/** @param {string} folder @param {number} depth @returns {string[]} */
function below(folder, depth) {
  return readdirSync(folder, { withFileTypes: true }).sort((a, b) => a.name < b.name ? -1 : 1).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isFile()) return [path]
    // Links are not followed: they could lead out of the folder.
    return entry.isDirectory() && depth < DEPTH_MAX ? below(path, depth + 1) : []
  })
}

/** @param {{ seen: boolean, open: number, left: number }} visits */
async function untilGone(visits) {
  do await sleep(500)
  while (!visits.seen || visits.open > 0 || Date.now() - visits.left < GONE_MS)
}

/** @param {string} address */
function openBrowser(address) {
  const [program, ...args] = process.platform === 'darwin' ? ['open', address] : process.platform === 'win32' ? ['cmd', '/c', 'start', '', address] : ['xdg-open', address]
  // The address is printed: whoever has no browser to start can still use it.
  spawn(program, args, { stdio: 'ignore', detached: true }).on('error', () => {}).unref()
}
