/**
 * The runtime's Buffer, whose methods read and write strings in place. Undefined in browsers, even
 * with a polyfill, which lacks these methods.
 * @type {any} any: Buffer's published types lack utf8Slice and the like
 */
export const NativeBuffer = typeof globalThis.Buffer?.prototype.utf8Slice === 'function' ? globalThis.Buffer : undefined
