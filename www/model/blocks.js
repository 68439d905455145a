// Stored blocks.

/** Regions that are stored blocks. */
export const BLOCK_KINDS = new Set(['data', 'index', 'metaindex', 'filter', 'meta'])

/** Bytes after the contents of a block: its codec and its checksum. */
export const TRAILER = 5
