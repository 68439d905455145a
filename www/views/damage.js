// What is wrong, where, and what it means.
import { html, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { counted, grouped, range } from '../ui/numbers.js'
import { reasonText } from '../ui/bytes.js'
import { titleOf } from '../model/sentences.js'
import { keysAtRisk } from './at-risk.js'
import { progress } from './progress.js'
import { salvagePanel } from './salvage.js'

/** @typedef {import('varve/inspect').Finding} Finding */

/** What each code means, in a sentence. @type {Record<string, string>} */
export const CODES = {
  T01: 'The file is too small for a table, or all zeros.',
  T02: 'The last eight bytes are not those of a LevelDB table.',
  T10: 'The block’s checksum differs: at least one of its bits is not what was written.',
  T11: 'The block names a compression that is not known.',
  T12: 'The block cannot be decompressed, or would become impossibly large.',
  T20: 'The restart points of the block lead to places where no entry begins.',
  T21: 'An entry runs past the end of its block.',
  T22: 'Keys are not in order: another comparator, or damage.',
  T23: 'Two entries have the same key and sequence number.',
  T24: 'An entry is newer than the database that names the table.',
  T25: 'A key is too short to have a sequence number and a type.',
  T30: 'A handle leads outside the file.',
  T31: 'Two blocks overlap.',
  T32: 'Bytes that nothing refers to.',
  T33: 'A key of the index does not separate its two blocks.',
  T40: 'The filter cannot be decoded.',
  T41: 'The filter denies a key that is there, so a get would miss it.',
  W01: 'The fragment’s checksum differs: at least one of its bits is not what was written.',
  W02: 'A fragment runs past the end of its 32 KiB block.',
  W03: 'A part of a record without the other parts.',
  W04: 'The last record was not written to its end, as after a crash; LevelDB leaves it out.',
  W05: 'Zeros where records could be, as after a power failure.',
  W06: 'The record is no batch of operations, or has not as many as it says.',
  W07: 'Sequence numbers go back, or some are missing.',
  W08: 'Sound records that LevelDB’s recovery to a point in time leaves behind.',
  M01: 'The first edit names no comparator.',
  M02: 'A file that the manifest names is missing.',
  M03: 'A table or log that the manifest does not name.',
  M04: 'A file has another size than the manifest says.',
  M05: 'The manifest says other first and last keys than the table has.',
  M06: 'Two tables of one level overlap.',
  M07: 'The comparator is not known here, so no order is checked.',
  M08: 'No edit of the manifest says the next file number, the log or the last sequence number.',
  D01: 'CURRENT is missing, or does not name a manifest that is there.',
  D02: 'There are several manifests.',
  D03: 'The file’s name is none of LevelDB’s, but its content is.',
  D04: 'Two files have one number.',
  D05: 'The file could not be read.',
  D06: 'RocksDB or Pebble wrote this: it is named, and not read.',
  S01: 'The file changed while it was open.',
  S02: 'Bytes could not be read.',
  Z01: 'The file is not as its zip says: its checksum or size differs.'
}

/** Of findings with one code, those that are not folded away; and those that are listed at all. */
const SHOWN = 3
const LISTED_MAX = 500
const SEVERITIES = ['bad', 'warn', 'info']

const WORDS = { bad: 'damage', warn: 'suspicious', info: 'note' }

/** @param {import('../model/model.js').Model} model */
export function damage(model) {
  const { file } = model
  if (file === undefined) return nothing
  const { findings } = file
  return html`
    ${progress(model)}
    <div class="scroll">
      ${findings.length === 0
        ? html`<p class="empty">${file.sweep.status === 'done' ? sound(file) : 'Nothing found so far.'}</p>`
        : html`
          <ol class="findings">
            ${repeat(groupsOf(findings), ([{ code, severity }]) => `${code} ${severity}`, (group) => html`
              ${group.slice(0, SHOWN).map((finding) => item(model, finding))}
              ${group.length > SHOWN ? rest(model, group.slice(SHOWN)) : nothing}`)}
          </ol>`}
      ${salvagePanel(model, file.name.slice(0, file.name.lastIndexOf('/') + 1))}
    </div>`
}

/** @param {import('../model/file.js').OpenFile} file */
function sound({ regions, summary }) {
  const blocks = regions?.data.length ?? 0
  const entries = Number(summary?.facts.entries ?? 0)
  return blocks === 0 ? 'No findings.' : `No findings: all ${counted(blocks, 'data block')} have the right checksum, and ${counted(entries, 'entry', 'entries')} could be read.`
}

/**
 * By code, the worst first: T32 is what follows from another.
 * @param {Finding[]} findings
 * @returns {Finding[][]}
 */
function groupsOf(findings) {
  /** @type {Map<string, Finding[]>} */
  const groups = new Map()
  for (const finding of findings) {
    const key = `${finding.code} ${finding.severity}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [finding])
    else group.push(finding)
  }
  const rank = (/** @type {Finding[]} */ [{ code, severity }]) => 2 * SEVERITIES.indexOf(severity) + Number(code === 'T32')
  return [...groups.values()].sort((one, other) => rank(one) - rank(other))
}

/** @param {import('../model/model.js').Model} model @param {Finding[]} findings of one code */
function rest(model, findings) {
  const [{ code }] = findings
  return html`
    <li><details>
      <summary>${grouped(findings.length)} more of ${code}${/^[DM]/.test(code) ? '' : `, from byte ${grouped(findings[0].offset)} on`}</summary>
      <ol class="findings">${findings.slice(0, LISTED_MAX).map((finding) => item(model, finding))}</ol>
      ${findings.length > LISTED_MAX ? html`<p class="dim">and ${grouped(findings.length - LISTED_MAX)} more</p>` : nothing}
    </details></li>`
}

/** @param {import('../model/model.js').Model} model @param {Finding} finding */
function item(model, { code, severity, offset, length, reason }) {
  const file = /** @type {import('../model/file.js').OpenFile} */ (model.file)
  // What is about the file in its database is about no byte of it.
  const region = /^[DM]/.test(code) && length === 0 ? undefined : file.regions?.having(Math.min(offset, file.size - 1))
  const to = Math.min(file.size, offset + Math.max(1, length))
  const inside = region !== undefined && to <= region.end ? region : undefined
  // Of a wrong checksum, any byte of the block may be the cause.
  const [begin, end] = code === 'T10' && inside ? [inside.offset, inside.end] : [Math.min(offset, file.size - 1), to]
  const show = (/** @type {import('../model/views.js').View} */ view) => () => model.select({ from: begin, to: end, block: region?.offset }, { view })
  return html`
    <li class="finding ${severity}">
      <h2><span class="code">${code}</span> ${CODES[code] ?? ''} <span class="word">${WORDS[severity]}</span></h2>
      <p>${inside === undefined ? '' : html`${titleOf(file, inside)}, `}bytes ${range(offset, to)}: ${reasonText(reason)}${code === 'T10' && inside ? `; the block is at bytes ${range(begin, end)}` : ''}</p>
      ${severity === 'bad' && inside !== undefined ? keysAtRisk(file, inside) : nothing}
      <p class="actions"><button @click=${show('hex')}>Show the bytes</button><button @click=${show('map')}>Show on the map</button>${region?.kind === 'data' ? html`<button @click=${show('entries')}>Show its entries</button>` : nothing}</p>
    </li>`
}
