// The report of an examination: what was read, with digests, and what was found. The same files give
// the same report, so it holds no times.

import { counted } from './ui/numbers.js'

/** @typedef {import('./model/file.js').OpenFile} OpenFile */

/** Of the package; the build puts it here. */
const VERSION = process.env.VARVE_VERSION ?? 'unknown'

/** @param {{ source: string, files: OpenFile[], folders: import('./model/folders.js').Folder[] }} model */
export function reportOf({ source, files, folders }) {
  return {
    report: 'Varve inspector',
    version: VERSION,
    source,
    // About a database as a whole, or a file that is missing from it; the others are with their files.
    databases: folders.map(({ name, map }) => ({
      folder: name,
      ...map === undefined ? { failure: 'its files could not be compared with its manifest' } : { facts: map.summary.facts },
      findings: map?.findings.filter(({ file }) => file === undefined || map.files.some((each) => each.name === file && each.role === 'missing')).map(plain) ?? []
    })),
    files: files.map((file) => ({
      name: file.name,
      size: file.size,
      sha256: file.sha256 ?? null,
      kind: file.detected?.kind ?? 'not read',
      ...file.detected?.kind === 'foreign' && { format: file.detected.format },
      read: readOf(file),
      ...file.summary !== undefined && { facts: file.summary.facts },
      ...file.failure !== undefined && { failure: file.failure },
      findings: file.findings.map(plain)
    }))
  }
}

/** @param {import('varve/inspect').Finding & { file?: string }} finding */
const plain = ({ code, severity, offset, length, reason, file }) => ({ ...file !== undefined && { file }, code, severity, offset, length, reason })

/** How much of a file was read. @param {OpenFile} file */
function readOf({ size, sweep, regions, sha256 }) {
  if (size === 0) return 'nothing: it is empty'
  if (sweep.status === 'done') return 'all bytes, explained'
  return sha256 !== undefined ? 'all bytes, for the digest only' : regions !== undefined ? 'footer and index only' : 'its first and last bytes only'
}

/** @param {ReturnType<typeof reportOf>} report */
export const asJson = (report) => `${JSON.stringify(report, undefined, 2)}\n`

/** @param {ReturnType<typeof reportOf>} report */
export function asHtml({ version, source, files, databases }) {
  const bad = [...files, ...databases].reduce((sum, { findings }) => sum + findings.filter(({ severity }) => severity === 'bad').length, 0)
  const unread = [...files, ...databases].filter((each) => 'failure' in each).length
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(source)}: report</title>
<style>
body { font: 14px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2rem auto; padding: 0 1rem; color: #1c2024; background: #fff }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem } th, td { text-align: left; padding: 2px 12px 2px 0; vertical-align: top; border-bottom: 1px solid #dfe2e6 }
code { font-size: 12px; overflow-wrap: anywhere } .number { text-align: right; font-variant-numeric: tabular-nums } .bad { color: #b00020 }
</style>
<h1>${escaped(source)}</h1>
<p>${counted(files.length, 'file')}, ${bad === 0 ? unread === 0 ? 'no damage' : 'no damage in what could be read' : `<span class="bad">${counted(bad, 'finding')} of damage</span>`}${unread === 0 ? '' : `, <span class="bad">${unread} could not be read as a whole</span>`}. Made by Varve inspector ${escaped(version)}, which opens files for reading only.</p>
${databases.filter(({ findings }) => findings.length > 0).map(({ folder, findings }) => `<h2>The database${folder === '' ? '' : ` in ${escaped(folder)}`}</h2>
${tableOf(findings)}`).join('\n')}
${files.map((file) => `<h2>${escaped(file.name)}</h2>
<table>
<tr><th>Size</th><td>${counted(file.size, 'byte')}</td></tr>
<tr><th>SHA-256</th><td><code>${escaped(file.sha256 ?? 'not computed')}</code></td></tr>
<tr><th>Kind</th><td>${escaped('format' in file ? String(file.format) : file.kind)}</td></tr>
<tr><th>Read</th><td>${escaped(file.read)}</td></tr>
${'failure' in file && file.failure !== undefined ? `<tr><th>Failure</th><td class="bad">${escaped(file.failure.message)}</td></tr>` : ''}
</table>
${file.findings.length === 0 ? '<p>No findings.</p>' : tableOf(file.findings)}`).join('\n')}
</html>
`
}

/** @param {ReturnType<typeof plain>[]} findings */
const tableOf = (findings) => `<table><tr><th>Code<th>Severity<th class="number">Bytes from<th class="number">Length<th>Reason</tr>
${findings.map(({ code, severity, offset, length, reason, file }) => `<tr><td>${escaped(code)}<td class="${severity}">${severity}<td class="number">${offset.toLocaleString('en')}<td class="number">${length.toLocaleString('en')}<td>${file === undefined ? '' : `${escaped(file)}: `}${escaped(reason)}</tr>`).join('\n')}
</table>`

/** @type {Record<string, string>} */
const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text for HTML; characters that could reorder or hide others are shown by their numbers. @param {string} text */
export const escaped = (text) => text.replace(/[&<>"']/g, (character) => ENTITIES[character])
  .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]/gu, (character) => `[U+${/** @type {number} */ (character.codePointAt(0)).toString(16).toUpperCase().padStart(4, '0')}]`)
