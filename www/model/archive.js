// Zips among the open files: what is inside, and opening a folder of one without unpacking it.

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('./file.js').OpenFile} OpenFile */
/** @typedef {Pick<import('varve/inspect').ZipEntry, 'name' | 'index' | 'size' | 'stored' | 'method' | 'offset' | 'problem'>} Entry */

/**
 * @typedef {object} Listed
 * @property {'reading' | 'ready' | 'failed'} status
 * @property {string} [failure]
 * @property {number} [prefix] bytes before the archive
 * @property {number} [entries]
 * @property {{ folder: string, entries: Entry[] }[]} [databases]
 * @property {Entry[]} [problems] entries that cannot be opened
 * @property {number} [opening] how many files of a folder were read
 * @property {string[]} [failures] entries of the folder that could not be opened
 */

/** Lists what is inside, unless it is. @param {Model} model @param {OpenFile} file */
export async function listZip(model, file) {
  if (file.zip !== undefined) return
  file.zip = { status: 'reading' }
  model.changed()
  try {
    file.zip = { status: 'ready', ...await model.now.call('zip', [file.id]) }
  } catch (/** @type {any} any: whatever was thrown */ error) {
    file.zip = { status: 'failed', failure: String(error?.message ?? error) }
  }
  model.changed()
}

/** Opens the files of a folder in place of the zip. @param {Model} model @param {OpenFile} file @param {{ folder: string, entries: Entry[] }} database */
export async function openFolder(model, file, { folder, entries }) {
  const { zip } = file
  const { openings } = model
  if (zip === undefined || zip.opening !== undefined) return
  /** @type {import('./bytes.js').Given[]} */
  const given = []
  /** @type {string[]} */
  const failures = zip.failures = []
  zip.opening = 0
  for (const entry of entries) {
    const name = entry.name.slice(folder.length)
    try {
      if (entry.problem !== undefined) throw new Error(entry.problem)
      const { size, at, blob, problem } = await model.now.call('unzip', [file.id, entry.index])
      if (openings !== model.openings) return
      const whole = file.given
      const place = blob !== undefined ? { blob } : whole.blob !== undefined ? { blob: whole.blob.slice(at, at + size) } : { url: whole.url, at: (whole.at ?? 0) + at }
      given.push({ name, size, ...place, ...problem !== undefined && { problem: `in the zip, ${problem}` } })
    } catch (/** @type {any} any: whatever was thrown */ error) {
      if (openings !== model.openings) return
      failures.push(`${name}: ${error?.message ?? error}`)
    }
    zip.opening++
    model.changed()
  }
  zip.opening = undefined
  model.changed()
  if (given.length === 0) return model.warn(`Nothing of this folder can be opened: ${failures.join('; ')}`)
  await model.open(given, { source: `${model.source} ▸ ${folder === '' ? 'its files' : folder}` })
  if (failures.length > 0) model.warn(`Left out: ${failures.join('; ')}`)
}
