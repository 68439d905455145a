// What `varve inspect --json` prints: every byte of some files read and checked, as the inspector's page
// does for its report.
import { readFileSync } from 'node:fs'
import { detect, isOther, mapDirectory, openZip, sha256, sweepLog, sweepManifest, sweepTable } from '../inspect/index.js'
import { nameOf } from '../inspect/keys.js'
import { checkOrder } from './comparator.js'
import { OpenedFile } from './opened-file.js'

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
 * @param {{ comparator?: string }} [order] of keys, where no manifest names one
 */
export async function examine(source, files, order = {}) {
  /** @type {Examined[]} */
  const examined = []
  for (const [folder, inside] of foldersOf(files)) {
    const isDatabase = inside.length > 1 && inside.some(({ name }) => /^(CURRENT|MANIFEST-\d+)$/.test(name.slice(folder.length)))
    const opened = inside.map((file) => new OpenedFile(file, file.name.slice(folder.length)))
    try {
      if (isDatabase) examined.push(...await database(folder, opened, order))
      else for (const file of opened) examined.push(...await alone(folder, file, order))
    } finally {
      for (const file of opened) file.close()
    }
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

/** @typedef {{ comparator?: string }} Order */

/** @param {string} folder @param {Source[]} opened @param {Order} order @returns {Promise<Examined[]>} */
async function database(folder, opened, order) {
  const { files: mapped, findings, summary: { facts } } = await mapDirectory(opened, { sweep: true, ...order })
  checkOrder(folder || 'the database', nameOf(facts.comparator), order.comparator)
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
}

/** @param {string} folder @param {Source} file @param {Order} order @returns {Promise<Examined[]>} */
async function alone(folder, file, order) {
  const name = `${folder}${file.name}`
  try {
    const examined = await explained(name, file, order)
    return examined.format === 'zip' ? await inZip(name, file, examined, order) : [examined]
  } catch (/** @type {any} any: whatever was thrown */ error) {
    if (error.code === 'LEVEL_INVALID_ARGUMENT') throw error
    // As in a database: a file that cannot be read is a finding, and the others are read.
    return [unread(name, file.size, error.message)]
  }
}

/** @param {string} name @param {number} size @param {string} reason @returns {Examined} */
const unread = (name, size, reason) => ({ name, size, sha256: null, kind: 'unread', findings: [{ code: 'D05', severity: 'bad', offset: 0, length: 0, reason: `the file cannot be read: ${reason}` }] })

/** The databases in a zip. @param {string} name @param {Source} file @param {Examined} examined @param {Order} order @returns {Promise<Examined[]>} */
async function inZip(name, file, examined, order) {
  const zip = await openZip(file)
  const all = [examined]
  for (const { folder, entries } of zip.databases) {
    const opened = []
    for (const entry of entries) {
      const inside = entry.name.slice(folder.length)
      try {
        if (entry.problem !== undefined) throw new Error(entry.problem)
        const source = await zip.open(entry)
        opened.push({ ...source, name: inside })
        if (source.problem !== undefined) all[0].findings.push({ code: 'Z01', severity: 'bad', offset: entry.offset, length: entry.stored, reason: `${entry.name}: ${source.problem}` })
      } catch (/** @type {any} any: whatever was thrown */ error) {
        all.push(unread(`${name}/${entry.name}`, entry.size, error.message))
      }
    }
    if (opened.length > 0) all.push(...await database(`${name}/${folder}`, opened, order))
  }
  return all
}

/** @param {string} name @param {Source} opened @param {Order} order @returns {Promise<Examined>} */
async function explained(name, opened, order) {
  const detected = await detect(opened)
  const { kind, format } = detected
  const sweep = { table: sweepTable, foreign: sweepTable, unknown: sweepTable, zeros: sweepTable, log: sweepLog, manifest: sweepManifest }[/** @type {string} */ (kind)]
  /** @type {Finding[]} */
  const findings = []
  /** @type {Record<string, unknown> | undefined} */
  let facts
  if (sweep !== undefined && opened.size > 0 && !isOther(detected)) {
    for await (const part of sweep(opened, order)) {
      findings.push(...part.findings)
      facts = part.summary?.facts ?? facts
    }
    // What has no block at all is no damaged table.
    if (kind === 'unknown' && facts?.foundBlocks === 0) {
      findings.length = 0
      facts = undefined
    }
  }
  return { name, size: opened.size, sha256: await digestOf(opened), kind, ...kind === 'foreign' && { format }, ...facts !== undefined && { facts }, findings }
}

/** `null`: the file is missing, or cannot be read, which is a finding. @param {Source | undefined} file */
async function digestOf(file) {
  try {
    return file === undefined ? null : await sha256(file)
  } catch {
    return null
  }
}
