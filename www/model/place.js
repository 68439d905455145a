// Goes from a list of places in several files to one of them.

/** @typedef {import('./model.js').Model} Model */

/**
 * Where an entry, a record or a block is.
 *
 * @typedef {object} Place
 * @property {number} [offset] of its block or record
 * @property {number} [entry]
 * @property {boolean} isLog
 * @property {boolean} [byValue] `entry` is where its value begins
 */

/**
 * Selects a place in all views; `goes`: and shows it, instead of the list it is chosen from.
 *
 * @param {Model} model
 * @param {import('./file.js').OpenFile} file
 * @param {Place} place
 * @param {{ from: import('./views.js').View, goes: boolean, isLate: () => boolean }} options `isLate`: another was chosen meanwhile
 */
export async function goTo(model, file, { offset, entry, isLog, byValue = false }, { from, goes, isLate }) {
  await model.look(file, from)
  const isOver = () => isLate() || model.file !== file || model.view !== from
  const view = goes ? /** @type {const} */ ('entries') : from
  if (isOver()) return
  if (offset === undefined) return model.select(undefined, { view: goes ? 'map' : from })
  if (isLog) {
    if (entry !== undefined) await model.selectOperation(offset, entry, { view })
    return
  }
  // Without an index its blocks are known once it is read.
  if (file.regions?.having(offset)?.offset !== offset) await model.work.sweep(file)
  await model.decode(offset)
  if (isOver()) return
  const found = entry === undefined ? -1 : byValue ? (file.blocks.get(offset)?.entries.valueStart.indexOf(entry) ?? -1) : entry
  const region = file.regions?.having(offset)
  if (found >= 0) model.selectEntry(offset, found, { view })
  else if (region !== undefined) model.selectRegion(region, { view })
}
