// varve/inspect: explains the bytes of LevelDB's files without a database (types/inspect.d.ts).
export { keyOf, openBlock, valueOf } from './block.js'
export { detect } from './detect.js'
export { mapLog, openRecord, sweepLog } from './log.js'
export { EDIT_REASONS, levelsAt, mapManifest, openEdit, sweepManifest } from './manifest.js'
export { load } from './module.js'
export { CODECS, REGION_KINDS, REGION_STATES } from './regions.js'
export { sourceOf } from './source.js'
export { inspectTable, mapTable, sweepTable } from './table.js'
