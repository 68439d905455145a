// The matches of a search, as they come.
import { TRAILER } from './blocks.js'
import { Growing } from './columns.js'
import { blocksOf } from './query.js'

export class Found {
  matches = new Growing(/** @type {const} */ ({ block: Float64Array, entry: Uint32Array }))
  /** @type {'running' | 'stopped' | 'done'} */
  status = 'running'
  /** Matches, listed or not. */
  count = 0
  /** Blocks that were searched. */
  blocks = 0
  /** Blocks that could not be decoded. */
  unread = 0
  /** Matches in damaged and doubtful blocks. */
  unsure = 0

  /** @param {string} text what was searched for @param {number} total blocks @param {() => void} cancel */
  constructor(text, total, cancel) {
    this.text = text
    this.total = total
    this.cancel = cancel
  }

  /** @param {import('../search.js').Part} part */
  take({ blocks, matches, unread, unsure, block, entry }) {
    this.blocks = blocks
    this.count = matches
    this.unread = unread
    this.unsure = unsure
    this.matches.append({ length: block.length, block, entry })
  }

  /** The match that is selected; -1: none. @param {import('./model.js').Selection} selection */
  indexOf({ block, entry }) {
    const { columns: { block: blocks, entry: entries } } = this.matches
    if (block === undefined) return -1
    for (let index = this.matches.find('block', block); index >= 0 && blocks[index] === block; index--) if (entries[index] === entry) return index
    return -1
  }
}

/**
 * The contents of the data blocks where a query can have matches.
 *
 * @param {import('./file.js').OpenFile} file
 * @param {import('./query.js').Query} query
 */
export function blocksFor({ regions, index, handles, findings, keys }, query) {
  // Only an index in bytewise order tells where keys with some beginning are.
  const ordered = keys.isBytewise && index !== undefined && handles !== undefined && !findings.some(({ code }) => code === 'T22' || code === 'T33')
  if (query.kind === 'prefix' && ordered) {
    const [first, end] = blocksOf(index, query.bytes)
    const kept = []
    // A handle that leads to no block of its own has been told as damage.
    for (let entry = first; entry < end; entry++) {
      const region = regions?.having(handles.offset[entry])
      if (region?.offset === handles.offset[entry] && region.size === handles.size[entry] + TRAILER) kept.push(entry)
    }
    return {
      offset: Float64Array.from(kept, (entry) => handles.offset[entry]),
      size: Float64Array.from(kept, (entry) => handles.size[entry]),
      state: Uint8Array.from(kept, (entry) => regions?.columns.state[regions.find(handles.offset[entry])] ?? 0)
    }
  }
  return regions === undefined ? { offset: new Float64Array(), size: new Float64Array(), state: new Uint8Array() } : contentsOf(regions)
}

/** The contents of all data blocks, without trailers, and their states so far. @param {import('./regions.js').Regions} regions */
export function contentsOf({ data, columns }) {
  return {
    offset: Float64Array.from(data, (region) => columns.offset[region]),
    size: Float64Array.from(data, (region) => Math.max(0, columns.size[region] - TRAILER)),
    state: Uint8Array.from(data, (region) => columns.state[region])
  }
}
