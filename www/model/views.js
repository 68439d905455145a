// The views, in the order of the navigation.

/** @typedef {'files' | 'map' | 'blocks' | 'entries' | 'index' | 'structure' | 'hex' | 'damage'} View */

/** @type {readonly View[]} */
export const VIEWS = ['files', 'map', 'blocks', 'entries', 'index', 'structure', 'hex', 'damage']

/** @type {Record<View, { title: string, key: string, shows: string }>} */
export const ABOUT = {
  files: { title: 'Files', key: 'l', shows: 'the files that are open' },
  map: { title: 'Map', key: 'm', shows: 'the whole file to scale: which bytes are data, filter, index, footer, and which are damaged' },
  blocks: { title: 'Blocks', key: 'b', shows: 'every block with its offset, size, compression and checksum' },
  entries: { title: 'Entries', key: 'e', shows: 'keys and values, with the bytes that each shares with the one before' },
  index: { title: 'Index', key: 'i', shows: 'the keys that separate blocks, and where each leads' },
  structure: { title: 'Structure', key: 's', shows: 'footer, metaindex and filter, field by field' },
  hex: { title: 'Hex', key: 'h', shows: 'the bytes, coloured by what they belong to' },
  damage: { title: 'Damage', key: 'd', shows: 'what is wrong, where, and what it costs' }
}
