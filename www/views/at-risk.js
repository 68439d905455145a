// The keys that a data block can have, as the index tells: those after the key before it, up to its own.
import { html, nothing } from 'lit'
import { keyText } from './key-text.js'

/** @typedef {import('../model/file.js').OpenFile} OpenFile */

/** The entry of the index that leads to a data block; -1: none. @param {OpenFile} file @param {number} number of the block */
export function entryOf({ index, handles, regions }, number) {
  if (index === undefined || handles === undefined || regions === undefined || number < 0) return -1
  const offset = regions.columns.offset[regions.data[number]]
  return handles.offset[number] === offset ? number : handles.offset.indexOf(offset)
}

/** Which keys are at risk if a block is damaged. @param {OpenFile} file @param {import('../model/regions.js').Region} region */
export function keysAtRisk(file, region) {
  const { index, keys, regions } = file
  const entry = region.state === 'bad' && region.kind === 'data' ? entryOf(file, regions?.numberOf(region.index) ?? -1) : -1
  if (index === undefined || entry < 0) return nothing
  return html`<p>Keys at risk: ${entry === 0 ? 'from the first of the table' : html`after ${keyText(index, entry - 1, keys)}`} up to ${keyText(index, entry, keys)}.</p>`
}
