// The views, in the order of the navigation.

/** @typedef {'files' | 'map' | 'blocks' | 'entries' | 'records' | 'index' | 'structure' | 'hex' | 'search' | 'damage'} View */

/** @type {readonly View[]} */
export const VIEWS = ['files', 'map', 'blocks', 'entries', 'records', 'index', 'structure', 'hex', 'search', 'damage']

/** @type {Record<View, { title: string, key: string, shows: string }>} */
export const ABOUT = {
  files: { title: 'Files', key: 'l', shows: 'the files that are open' },
  map: { title: 'Map', key: 'm', shows: 'the whole file to scale: which bytes are data, filter, index, footer, and which are damaged' },
  blocks: { title: 'Blocks', key: 'b', shows: 'every block with its offset, size, compression and checksum' },
  entries: { title: 'Entries', key: 'e', shows: 'keys and values, with the bytes that each shares with the one before' },
  records: { title: 'Records', key: 'w', shows: 'the records of a log or manifest' },
  index: { title: 'Index', key: 'i', shows: 'the keys that separate blocks, and where each leads' },
  structure: { title: 'Structure', key: 's', shows: 'footer, metaindex and filter, field by field' },
  hex: { title: 'Hex', key: 'h', shows: 'the bytes, coloured by what they belong to' },
  search: { title: 'Search', key: '/', shows: 'entries that have some text or bytes' },
  damage: { title: 'Damage', key: 'd', shows: 'what is wrong, where, and what it costs' }
}

/** Views of a table alone, and of a log or manifest alone; why they do not apply to others. @type {Partial<Record<View, { of: 'table' | 'log', else: string }>>} */
export const ONLY_OF = {
  index: { of: 'table', else: 'a log has no index' },
  search: { of: 'table', else: 'only tables can be searched' },
  records: { of: 'log', else: 'a table has no records' }
}
