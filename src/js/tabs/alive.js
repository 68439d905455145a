// Locks with random names, by which others learn that a page or a worker has ended, in whatever way.

/**
 * Holds the lock `id` until the returned function is called, or this page or worker ends.
 * @param {string} id
 * @returns {Promise<() => void>}
 */
export function stayAlive(id) {
  return new Promise((resolve, reject) => {
    navigator.locks.request(id, () => new Promise((/** @type {(value?: unknown) => void} */ letGo) => resolve(() => letGo()))).catch(reject)
  })
}

/**
 * Calls `act` when the lock `id` is free: its holder has ended, or let it go. Returns a function that
 * stops waiting.
 * @param {string} id
 * @param {() => void} act
 */
export function whenGone(id, act) {
  const stop = new AbortController()
  const gone = () => { if (!stop.signal.aborted) act() }
  // Shared: all who wait are told at once.
  navigator.locks.request(id, { mode: 'shared', signal: stop.signal }, gone).catch(() => {})
  return () => stop.abort()
}
