/**
 * The runtime's Buffer, whose methods read and write strings in place. Undefined in browsers, even
 * with a polyfill, which lacks these methods.
 * @type {any} Buffer, whose own methods are not in its published types; any: the real Buffer accepts and returns many types
 */
export const NativeBuffer = typeof globalThis.Buffer?.prototype.utf8Slice === 'function' ? globalThis.Buffer : undefined
