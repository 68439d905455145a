import { openSync, closeSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { COMPARATOR_OPTION, JSON_OPTION, READONLY_OPTION } from '../arguments.js'
import { orderIn } from '../comparator.js'
import { findingOf, lineOf, watched } from '../database.js'
import { Varve } from '../../level/varve.js'
import { checkDirectory } from '../location.js'
import { inspectTable } from '../../inspect/table.js'
import { counted, grouped, sized, visible } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {{ code: string, message: string, file?: string, offset?: number | string }} Finding */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'verify',
  summary: 'read and check the whole database',
  usage: '<directory>',
  details: `Checks the manifest, the logs, and for every table all checksums, the order of keys, the filter, and that the table matches
the manifest. In a damaged table every block is checked. Continues if a file is missing or unreadable. Exit code 1 if there is
any damage.

In parentheses stands the kind of damage of a table, as in \`varve layout\`:
  T01  the size of the file              T24  a sequence above the manifest's last
  T02  the magic number, or the format   T25  a key without type and sequence
  T10  a checksum                        T30  a handle: where a block should be
  T11  a codec                           T31  blocks overlap
  T12  a block cannot be decompressed    T32  bytes that nothing refers to
  T20  restart points of a block         T33  a key of the index
  T21  an entry                          T40  a filter
  T22  keys out of order                 T41  a filter that excludes keys of its block
  T23  a key twice                       S02  bytes that could not be read`,
  positionals: [1, 1],
  options: { ...JSON_OPTION, ...COMPARATOR_OPTION, ...READONLY_OPTION },

  /** @param {Call} call */
  async run({ values, positionals: [place], out }) {
    checkDirectory(place, 'read')
    const comparator = await orderIn(place, values)
    // Verifying is reading; the manifest's comparator need not be known for it.
    const order = values.comparator === undefined ? {} : { comparator: values.comparator, readOnly: true }
    const report = await watched('verify', place, ({ location, options }) => Varve.verify(location, { ...options, ...order }))
    report.findings = await inDetail(place, report.findings, comparator)
    const { tables, logs, entries, logEntries, bytes, findings, unused, unknownComparator } = report
    if (values.json) {
      out.json({ sound: findings.length === 0, tables, logs, entries, logEntries, bytes, findings: findings.map(findingOf), unused, ...unknownComparator !== undefined && { unknownComparator } })
    } else {
      for (const finding of findings) out.line(lineOf(finding))
      for (const name of unused) {
        out.line(name.endsWith('.log.damaged')
          ? `${visible(name)} holds data that is not in the database: opening could not read that log completely; \`varve repair\` adds what can be read`
          : `not part of the database: ${visible(name)}`)
      }
      if (unknownComparator !== undefined) out.line(`the comparator ${visible(unknownComparator)} is not known: the order of keys was not checked`)
      const inLogs = logEntries > 0 ? ` (${grouped(logEntries)} in ${counted(logs, 'log')})` : ''
      out.line(`${counted(tables, 'table')}, ${counted(entries, 'entry', 'entries')}${inLogs}, ${sized(bytes)}: ${
        findings.length === 0 ? 'sound' : counted(findings.length, 'finding')}`)
    }
    return findings.length > 0 ? 1 : 0
  }
}

/**
 * Adds the other damaged blocks of a table: the engine reports only the first.
 * @param {string} place
 * @param {Finding[]} findings
 * @param {string | undefined} comparator
 */
async function inDetail(place, findings, comparator) {
  /** @type {Finding[]} */
  const details = []
  for (const finding of findings) {
    details.push(finding)
    if (/^\d+\.(ldb|sst)$/.test(finding.file ?? '')) details.push(...await damagedBlocks(join(place, /** @type {string} */ (finding.file)), finding, comparator))
  }
  return details
}

/** @param {string} path @param {Finding} known @param {string} [comparator] */
async function damagedBlocks(path, known, comparator) {
  /** @type {Finding[]} */
  const found = []
  // A file that cannot be read has a finding already.
  if (known.code !== 'LEVEL_CORRUPTION') return found
  let blocks = 0
  for await (const { facts, findings } of explained(path, { comparator })) {
    if (facts.found) blocks++
    for (const { code, severity, offset, reason } of findings) {
      // Sound blocks without an index are counted.
      if (severity === 'bad' && !(offset === known.offset) && !(facts.found && code === 'T32')) {
        found.push({ code: known.code, message: `${known.file} at offset ${offset}: ${reason} (${code})`, file: known.file, offset })
      }
    }
  }
  if (blocks > 0) {
    const message = `${known.file}: ${counted(blocks, 'sound block')} that no readable index refers to; \`varve layout\` lists them`
    found.push({ code: known.code, message, .../** @type {{ file: string }} */ ({ file: known.file }) })
  }
  return found
}

/**
 * Yields the spans of a table file; none if it does not exist.
 * @param {string} path
 * @param {{ entries?: boolean, comparator?: string }} [options]
 */
export async function * explained(path, options) {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return
  const fd = openSync(path, 'r')
  try {
    const { size } = statSync(path)
    yield * inspectTable({ name: path, size, read: (offset, into) => readAll(fd, into, offset) }, options)
  } finally {
    closeSync(fd)
  }
}

/** @param {number} fd @param {Uint8Array} into @param {number} offset */
function readAll(fd, into, offset) {
  let done = 0
  for (let count = 1; done < into.length && count > 0; done += count) count = readSync(fd, into, done, into.length - done, offset + done)
  return done
}
