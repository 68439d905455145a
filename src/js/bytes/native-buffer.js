/**
 * The runtime's own Buffer, whose methods read and write strings in place; undefined in browsers, also where a page has a polyfill,
The runtime's Buffer, whose methods read and write strings in place. Undefined in browsers, even
 * @type {any} Buffer, whose own methods are not in its published types
 */
export const NativeBuffer = typeof globalThis.Buffer?.prototype.utf8Slice === 'function' ? globalThis.Buffer : undefined
