// The first screen, and the ways to give files.
import { html } from 'lit'
import { nameText } from '../ui/bytes.js'
import { counted } from '../ui/numbers.js'

/** @typedef {import('../model/bytes.js').Given} Given */

/** Folders inside one another deeper than this are not read. */
const DEPTH_MAX = 32
const FILES_MAX = 100_000

/** @type {{ name: string, title: string, says: string, files: string[] }[]} */
export const DEMOS = [
  { name: 'healthy', title: 'Healthy', says: 'a table of 5,000 entries with a filter', files: ['healthy/000005.ldb'] },
  { name: 'one-bit', title: 'One bit off', says: 'the same table with one flipped bit', files: ['one-bit/000005.ldb'] },
  { name: 'no-footer', title: 'Cut short', says: 'the same table without its end', files: ['no-footer/000005.ldb'] },
  { name: 'torn-log', title: 'Torn log', says: 'a write-ahead log whose last record a crash cut off', files: ['torn-log/000003.log'] },
  { name: 'indexeddb', title: 'IndexedDB', says: 'the databases of a page, as Chromium wrote them', files: ['CURRENT', 'MANIFEST-000001', '000006.log', '000008.ldb'].map((name) => `indexeddb/${name}`) },
  { name: 'hostile', title: 'Hostile text', says: 'keys and values that try to break a page', files: ['hostile/000005.ldb'] },
  { name: 'live', title: 'Live', says: 'an engine at work: writes, flushes and compactions as they happen', files: [] }
]

/**
 * `awaited`: files of the user's machine that the address asks for. `left`: what is open still.
 *
 * @param {{ open: (given: Given[], source: string) => void, demo: ((name: string) => void) | undefined,
 *   awaited: { name: string, count: number } | undefined, left: { name: string, resume: () => void } | undefined,
 *   databases: import('varve/inspect').OriginDatabase[], origin: (name: string, storage: 'opfs' | 'indexeddb') => void }} act
 */
export function openScreen({ open, demo, awaited, left, databases, origin }) {
  const picked = (/** @type {Event} */ event) => {
    const field = /** @type {HTMLInputElement} */ (event.target)
    const given = [...field.files ?? []].map((file) => ({ blob: file, size: file.size, name: file.webkitRelativePath.split('/').slice(1).join('/') || file.name }))
    if (given.length > 0) open(given, field.files?.[0].webkitRelativePath.split('/')[0] || (given.length === 1 ? given[0].name : counted(given.length, 'file')))
    field.value = ''
  }
  return html`
    <section class="open">
      <h1>See what every byte of a LevelDB file means</h1>
      ${awaited === undefined ? '' : html`<p class="note">The link is about ${awaited.count === 1 ? 'a file' : counted(awaited.count, 'file')} of your machine${awaited.name === counted(awaited.count, 'file') ? '' : html`: <b>${awaited.name}</b>`}. Drop ${awaited.count === 1 ? 'it' : 'them'} here to see what the link shows.</p>`}
      ${left === undefined ? '' : html`<p class="note">Still open: <b>${left.name}</b>. <button class="link" @click=${left.resume}>Go back</button></p>`}
      <p class="lead">Drop a file or a whole database folder here: <code>.ldb</code>, <code>.sst</code>, <code>.log</code>, <code>MANIFEST</code>, or anything else.</p>
      <p class="choose">
        <label class="button"><input type="file" multiple @change=${picked}>Open files</label>
        <label class="button"><input type="file" webkitdirectory @change=${picked}>Open a folder</label>
      </p>
      ${databases.length === 0 ? '' : html`
        <h2>Databases of this site</h2>
        <ul class="demos">${databases.map(({ name, storage, inUse }) => html`<li><button @click=${() => origin(name, storage)}>${nameText(name)}</button> <span>${storage === 'opfs' ? 'in its private files' : 'in IndexedDB'}${inUse ? ', in use: read as it is, without disturbing its owner' : ''}</span></li>`)}</ul>`}
      ${demo === undefined ? '' : html`<h2>Or look at an example</h2>
      <ul class="demos">${DEMOS.map(({ name, title, says }) => html`<li><button @click=${() => demo(name)}>${title}</button> <span>${says}</span></li>`)}</ul>`}
      <p class="promise">Nothing is sent anywhere, and nothing is changed: the page’s policy allows connections to its own origin only, and files are opened for reading.</p>
    </section>`
}

/**
 * The files of a drop. The items must be taken before anything is awaited.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<{ given: Given[], source: string, skipped: number }>} `skipped`: files and folders that are too many, or too deep
 */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined)
  if (entries.length === 0) {
    const given = [...transfer.files].map((file) => ({ blob: file, size: file.size, name: file.name }))
    return { given, source: given[0]?.name ?? '', skipped: 0 }
  }
  /** @type {Given[]} */
  const given = []
  let skipped = 0
  for (const entry of entries) skipped += await walk(entry, '', 0, given)
  // One folder: its files are named as in it.
  const only = entries.length === 1 && entries[0].isDirectory
  if (only) for (const file of given) file.name = file.name.slice(entries[0].name.length + 1)
  given.sort((a, b) => a.name < b.name ? -1 : 1)
  return { given, source: entries.length === 1 ? entries[0].name : counted(given.length, 'file'), skipped }
}

/**
 * Returns how many files and folders were left out.
 * @param {FileSystemEntry} entry
 * @param {string} prefix
 * @param {number} depth
 * @param {Given[]} given
 * @returns {Promise<number>}
 */
async function walk(entry, prefix, depth, given) {
  const name = `${prefix}${entry.name}`
  if (entry.isFile) {
    if (given.length >= FILES_MAX) return 1
    const file = /** @type {File} */ (await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject)))
    given.push({ blob: file, size: file.size, name })
    return 0
  }
  if (depth >= DEPTH_MAX) return 1
  let skipped = 0
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader()
  // A reader gives at most 100 entries at a time.
  for (;;) {
    const batch = /** @type {FileSystemEntry[]} */ (await new Promise((resolve, reject) => reader.readEntries(resolve, reject)))
    if (batch.length === 0) return skipped
    for (const each of batch) skipped += await walk(each, `${name}/`, depth + 1, given)
  }
}
