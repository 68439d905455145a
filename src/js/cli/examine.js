// What `varve inspect --json` prints: every byte of some files read and checked, as the inspector's page
// does for its report.
import { closeSync, openSync, readSync, readFileSync } from 'node:fs'
import { detect, mapDirectory, sha256, sweepLog, sweepManifest, sweepTable } from '../inspect/index.js'

/** @typedef {import('./inspect-server.js').ServedFile} ServedFile */
/** @typedef {import('../types/inspect.js').Finding} Finding */
/** @typedef {import('../types/inspect.js').Source} Source */

/**
 * @typedef {object} Examined
 * @property {string} name
 * @property {number} size
 * @property {string | null} sha256
 * @property {string} kind
 * @property {string} [format] of a foreign file
 * @property {string} [role] in its database
 * @property {Record<string, unknown>} [facts]
 * @property {Finding[]} findings
 */

/**
 * Examines files; those of a database together.
 *
 * @param {string} source the name of what is examined
 * @param {ServedFile[]} files
 */
export async function examine(source, files) {
  /** @type {Examined[]} */
  const examined = []
  for (const [folder, inside] of foldersOf(files)) {
    const isDatabase = inside.length > 1 && inside.some(({ name }) => /^(CURRENT|MANIFEST-\d+)$/.test(name.slice(folder.length)))
    if (isDatabase) examined.push(...await database(folder, inside))
    else for (const file of inside) examined.push(await alone(file))
  }
  const sound = examined.every(({ findings }) => findings.every(({ severity }) => severity === 'info'))
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  return { report: 'varve inspect', version, source, sound, files: examined }
}

/** @param {ServedFile[]} files @returns {Map<string, ServedFile[]>} by their folder, which ends with a slash */
function foldersOf(files) {
  /** @type {Map<string, ServedFile[]>} */
  const folders = new Map()
  for (const file of files) {
    const folder = file.name.slice(0, file.name.lastIndexOf('/') + 1)
    const inside = folders.get(folder)
    if (inside === undefined) folders.set(folder, [file])
    else inside.push(file)
  }
  return folders
}

/** @param {string} folder @param {ServedFile[]} files @returns {Promise<Examined[]>} */
async function database(folder, files) {
  const opened = files.map((file) => new OpenedFile(file, file.name.slice(folder.length)))
  try {
    const { files: mapped, findings } = await mapDirectory(opened, { sweep: true })
    /** @type {Examined[]} */
    const examined = []
    for (const [index, { name, size, detected, role, summary, findings: own }] of mapped.entries()) {
      examined.push({
        name: `${folder}${name}`, size, sha256: await digestOf(opened[index]), kind: detected?.kind ?? role, ...detected?.kind === 'foreign' && { format: detected.format }, role,
        ...summary !== undefined && { facts: summary.facts }, findings: own
      })
    }
    const whole = findings.filter(({ file }) => file === undefined)
    if (whole.length > 0) examined.unshift({ name: folder === '' ? '.' : folder, size: 0, sha256: null, kind: 'directory', findings: whole })
    return examined
  } finally {
    for (const file of opened) file.close()
  }
}

/** @param {ServedFile} file @returns {Promise<Examined>} */
async function alone(file) {
  const opened = new OpenedFile(file, file.name)
  try {
    return await explained(file, opened)
  } catch (/** @type {any} any: whatever was thrown */ error) {
    // As in a database: a file that cannot be read is a finding, and the others are read.
    return { name: file.name, size: file.size, sha256: null, kind: 'unread', findings: [{ code: 'D05', severity: 'bad', offset: 0, length: 0, reason: `the file cannot be read: ${error.message}` }] }
  } finally {
    opened.close()
  }
}

/** @param {ServedFile} file @param {OpenedFile} opened @returns {Promise<Examined>} */
async function explained(file, opened) {
  const { kind, format } = await detect(opened)
  const sweep = { table: sweepTable, foreign: sweepTable, unknown: sweepTable, zeros: sweepTable, log: sweepLog, manifest: sweepManifest }[/** @type {string} */ (kind)]
  /** @type {Finding[]} */
  const findings = []
  /** @type {Record<string, unknown> | undefined} */
  let facts
  if (sweep !== undefined && file.size > 0) {
    for await (const part of sweep(opened)) {
      findings.push(...part.findings)
      facts = part.summary?.facts ?? facts
    }
  }
  return { name: file.name, size: file.size, sha256: await digestOf(opened), kind, ...kind === 'foreign' && { format }, ...facts !== undefined && { facts }, findings }
}

/** `null`: the file is missing, or cannot be read, which is a finding. @param {OpenedFile | undefined} file */
async function digestOf(file) {
  try {
    return file === undefined ? null : await sha256(file)
  } catch {
    return null
  }
}

/** @implements {Source} */
class OpenedFile {
  /** @type {number | undefined} */
  #fd

  /** @param {ServedFile} file @param {string} name */
  constructor({ path, size }, name) {
    this.path = path
    this.name = name
    this.size = size
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    this.#fd ??= openSync(this.path, 'r')
    let done = 0
    for (let count = 1; done < into.length && count > 0; done += count) count = readSync(this.#fd, into, done, into.length - done, offset + done)
    return done
  }

  close() {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }
}
