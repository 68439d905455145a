// What few use, or not at first, is loaded when it is used.

/** @type {typeof import('../types/inspect.js').filesOfOrigin} */
export async function filesOfOrigin(name, storage, options) {
  return (await import('./origin.js')).filesOfOrigin(name, storage, options)
}

/**
 * @param {import('../types/inspect.js').LiveOptions} [options]
 * @returns {Promise<import('../types/inspect.js').LiveDatabase>}
 */
export async function openLive(options) {
  return (await import('./live.js')).openLive(options)
}

/** @type {typeof import('../types/inspect.js').salvage} */
export async function salvage(sources, options) {
  return (await import('./salvage.js')).salvage(sources, options)
}

/** @type {typeof import('../types/inspect.js').openZip} */
export async function openZip(source, options) {
  return (await import('./zip.js')).openZip(source, options)
}

/** @type {typeof import('../types/inspect.js').mapDirectory} */
export async function mapDirectory(sources, options) {
  return (await import('./directory.js')).mapDirectory(sources, options)
}

/** @type {typeof import('../types/inspect.js').traceTable} */
export async function traceTable(source, key, options) {
  return (await import('./trace.js')).traceTable(source, key, options)
}

/** @type {typeof import('../types/inspect.js').traceKey} */
export async function traceKey(sources, key, options) {
  return (await import('./trace.js')).traceKey(sources, key, options)
}

/** @type {typeof import('../types/inspect.js').keyHistory} */
export async function * keyHistory(sources, key, options) {
  yield * (await import('./history.js')).keyHistory(sources, key, options)
}

/** @type {typeof import('../types/inspect.js').searchBlocks} */
export async function * searchBlocks(source, blocks, wanted, options) {
  yield * (await import('./search-blocks.js')).searchBlocks(source, blocks, wanted, options)
}

/** @type {typeof import('../types/inspect.js').searchFiles} */
export async function * searchFiles(sources, wanted, options) {
  yield * (await import('./search-files.js')).searchFiles(sources, wanted, options)
}

/** @type {typeof import('../types/inspect.js').openFilter} */
export async function openFilter(source, map) {
  return (await import('./filter.js')).openFilter(source, map)
}

/** @type {typeof import('../types/inspect.js').probeFilter} */
export async function probeFilter(source, map, key, options) {
  return (await import('./filter.js')).probeFilter(source, map, key, options)
}

/** @type {typeof import('../types/inspect.js').measureFilter} */
export async function measureFilter(source, map, options) {
  return (await import('./filter.js')).measureFilter(source, map, options)
}

/** @type {typeof import('../types/inspect.js').testFilter} */
export async function * testFilter(source, options) {
  yield * (await import('./filter.js')).testFilter(source, options)
}
