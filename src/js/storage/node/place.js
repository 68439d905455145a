// Replaces browser/place.js in Node, Deno and Bun.

/** Never: a database can be opened on any thread, also where a test has made a document. */
export const isWindow = () => false

export const isServiceWorker = () => false

/** Never: here a name is a directory. */
/** @param {string} _kind */
export const hasStorage = (_kind) => false
