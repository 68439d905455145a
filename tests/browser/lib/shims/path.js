// Replaces Node's `path` for tape, which looks for its own lines in stack traces.
export const sep = '/'
export const dirname = (path) => path.replace(/\/[^/]*$/, '')
export const resolve = (...parts) => parts.join('/')
