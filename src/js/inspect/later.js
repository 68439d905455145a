// What few use is loaded when it is used.

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
