// Errors of files and locks.

/** Number of attempts to lock while other processes change the lock's files. */
export const ATTEMPTS_MAX = 20

/**
 * @param {string} code
 * @param {string} operation
 * @param {string} path
 * @param {string | Error} why
 */
export function failure(code, operation, path, why) {
  return Object.assign(new Error(`${code}: ${why}, ${operation} '${path}'`), { code, path })
}

/**
 * Adds the operation and the path to Node's error. @param {any} error any: whatever was thrown
 * @param {string} operation
 * @param {string} path
 */
export function explain(error, operation, path) {
  if (error instanceof Error && !error.message.includes(path)) {
    const before = error.message
    error.message = `${operation} ${path}: ${before}`
    error.stack = error.stack?.replace(before, () => error.message)
    if (!('path' in error)) Object.assign(error, { path })
  }
  return error
}

/**
 * @returns the result of `act`, or a promise of it
 * @param {string} operation
 * @param {string} path
 * @param {() => any} act any: the result of any operation
 */
export function attempt(operation, path, act) {
  try {
    const answer = act()
    return answer instanceof Promise ? answer.catch((error) => { throw explain(error, operation, path) }) : answer
  } catch (/** @type {any} any: whatever was thrown */ error) {
    throw explain(error, operation, path)
  }
}

/** @param {string} path @param {string} by */
export function locked(path, by) {
  return Object.assign(new Error(`${path} is in use by ${by}`), { code: 'LEVEL_LOCKED', path })
}

/** The kernel reports pid 0 or -1 if no single process owns the lock. @param {number} pid */
export function named(pid) {
  if (pid === process.pid) return `this process (${pid})`
  return pid > 0 ? `process ${pid}` : 'another process'
}
