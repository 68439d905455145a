import { openSync, closeSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { JSON_OPTION, READONLY_OPTION } from '../arguments.js'
import { filesOf, findingOf, reading, watched } from '../database.js'
import { checkDirectory } from '../location.js'
import { inspectTable } from '../../inspect.js'
import { counted, sized } from '../text.js'

export const command = {
  name: 'verify',
  summary: 'read everything and check it',
  usage: '<directory>',
  details: `The manifest, the logs, and of every table all checksums, the order of its keys, its filter, and that it is as the manifest
says. In a table that is found damaged every block is looked at. Exit code 1 if anything is wrong.`,
  positionals: [1, 1],
  options: { ...JSON_OPTION, ...READONLY_OPTION },

  async run({ values, positionals: [place], out }) {
    checkDirectory(place, 'read')
    const report = await watched('verify', place, (what) => verify(place, what))
    report.findings = await inDetail(place, report.findings)
    const { tables, entries, bytes, findings } = report
    if (values.json) {
      out.json({ sound: findings.length === 0, tables, entries, bytes, findings: findings.map(findingOf) })
    } else {
      for (const finding of findings) out.line(lineOf(finding))
      out.line(`${counted(tables, 'table')}, ${counted(entries, 'entry', 'entries')}, ${sized(bytes)}: ${
        findings.length === 0 ? 'sound' : counted(findings.length, 'finding')}`)
    }
    return findings.length > 0 ? 1 : 0
  }
}

/** Damage that keeps the database from being opened, or that opening would pass over, is a finding like any other. */
async function verify(place, { location, options }) {
  const look = (recovery) => reading(location, (db) => db.verify(), { ...options, recovery })
  try {
    return await look('strict')
  } catch (error) {
    const damage = damageOf(error, place)
    if (damage === undefined) throw error
    try {
      const report = await look('point-in-time')
      return { ...report, findings: [damage, ...report.findings] }
    } catch (other) {
      if (damageOf(other, place) === undefined) throw other
      return { tables: 0, entries: 0, bytes: 0, findings: [damage] }
    }
  }
}

/** What opening failed with, if that is damage. Files of a database without a CURRENT are damage, an empty place is none. */
function damageOf(error, place) {
  const cause = error.cause ?? error
  if (cause.code === 'LEVEL_CORRUPTION') return cause
  if (cause.code !== 'LEVEL_INVALID_ARGUMENT' && cause.code !== 'LEVEL_IO_ERROR') return undefined
  const kinds = new Set(filesOf(place).map(({ kind }) => kind))
  return !kinds.has('current') && (kinds.has('manifest') || kinds.has('table')) ? Object.assign(cause, { file: cause.file ?? 'CURRENT' }) : undefined
}

/** The engine names the first damage of a table; the inspector finds all of it. */
async function inDetail(place, findings) {
  const details = []
  for (const finding of findings) {
    details.push(finding)
    if (/^\d+\.(ldb|sst)$/.test(finding.file ?? '')) details.push(...await damagedBlocks(join(place, finding.file), finding))
  }
  return details
}

async function damagedBlocks(path, known) {
  const found = []
  for await (const { findings } of explained(path)) {
    for (const { code, severity, offset, reason } of findings) {
      if (severity === 'bad' && !(offset === known.offset)) {
        found.push({ code: known.code, message: `${known.file} at offset ${offset}: ${reason} (${code})`, file: known.file, offset })
      }
    }
  }
  return found
}

/** The spans of a table file; none where it is not there. */
export async function * explained(path, options) {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return
  const fd = openSync(path, 'r')
  try {
    const { size } = statSync(path)
    yield * inspectTable({ size, read: (offset, into) => readAll(fd, into, offset) }, options)
  } finally {
    closeSync(fd)
  }
}

function readAll(fd, into, offset) {
  let done = 0
  for (let count = 1; done < into.length && count > 0; done += count) count = readSync(fd, into, done, into.length - done, offset + done)
  return done
}

/** @param {{ code: string, message: string }} finding */
export const lineOf = ({ code, message }) => `${code}: ${message}`
