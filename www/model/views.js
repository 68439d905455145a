// The views, in the order of the navigation.

/** @typedef {'files' | 'map' | 'blocks' | 'entries' | 'records' | 'versions' | 'filter' | 'index' | 'structure' | 'hex' | 'trace' | 'search' | 'namespaces' | 'damage' | 'live'} View */

/** @type {readonly View[]} */
export const VIEWS = ['files', 'map', 'blocks', 'entries', 'records', 'versions', 'filter', 'index', 'structure', 'hex', 'trace', 'search', 'namespaces', 'damage', 'live']

/** @type {Record<View, { title: string, key: string, shows: string }>} */
export const ABOUT = {
  files: { title: 'Files', key: 'l', shows: 'the files that are open' },
  map: { title: 'Map', key: 'm', shows: 'the whole file to scale: which bytes are data, filter, index, footer, and which are damaged' },
  blocks: { title: 'Blocks', key: 'b', shows: 'every block with its offset, size, compression and checksum' },
  entries: { title: 'Entries', key: 'e', shows: 'keys and values, with the bytes that each shares with the one before' },
  records: { title: 'Records', key: 'w', shows: 'the records of a log or manifest' },
  versions: { title: 'Versions', key: 'v', shows: 'the edits of a manifest, and the levels after each' },
  filter: { title: 'Filter', key: 'f', shows: 'the filters of a table, how full each is, and the bits that a key asks for' },
  index: { title: 'Index', key: 'i', shows: 'the keys that separate blocks, and where each leads' },
  structure: { title: 'Structure', key: 's', shows: 'footer, metaindex and filter, field by field' },
  hex: { title: 'Hex', key: 'h', shows: 'the bytes, coloured by what they belong to' },
  trace: { title: 'Key trace', key: 'k', shows: 'which files and blocks a look-up of a key reads, and every entry of the key' },
  search: { title: 'Search', key: '/', shows: 'entries that have some text or bytes' },
  namespaces: { title: 'Namespaces', key: 'n', shows: 'keys by how they begin: how many, and how much room they take' },
  damage: { title: 'Damage', key: 'd', shows: 'what is wrong, where, and what it costs' },
  live: { title: 'Live', key: 'p', shows: 'a database that grows while one watches: its levels, and what writing costs' }
}

/** The keys that show a view, one after the other. @param {View} view */
export const keysOf = (view) => view === 'search' ? ['/'] : ['g', ABOUT[view].key]

/** Views of some kinds of files only, and why they do not apply to others. @type {Partial<Record<View, { of: string[], else: string }>>} */
export const ONLY_OF = {
  entries: { of: ['table', 'log'], else: 'only tables and logs have entries; a manifest has Versions' },
  records: { of: ['log'], else: 'only a log has records' },
  versions: { of: ['manifest'], else: 'only a manifest has versions' },
  filter: { of: ['table'], else: 'only a table has a filter' },
  index: { of: ['table'], else: 'only a table has an index' },
  structure: { of: ['table', 'foreign'], else: 'only a table has a footer' },
  search: { of: ['table', 'log'], else: 'only tables and logs can be searched' },
  namespaces: { of: ['table'], else: 'only the keys of tables are counted' }
}

/** Whether a view shows anything of a kind of file. @param {View} view @param {string} kind */
export const suits = (view, kind) => ONLY_OF[view]?.of.includes(kind) ?? true
