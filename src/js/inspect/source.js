// Files that are read in parts, and a buffer of the last read.

/** @typedef {import('../types/inspect.js').Source} Source */

/**
 * @param {Blob} blob
 * @param {string} [name]
 * @returns {Source}
 */
export function sourceOf(blob, name = 'name' in blob ? String(blob.name) : '') {
  return {
    name,
    size: blob.size,
    async read(offset, into) {
      const bytes = new Uint8Array(await blob.slice(offset, offset + into.length).arrayBuffer())
      into.set(bytes)
      return bytes.length
    }
  }
}

/**
 * Returns the bytes at `offset`: `ahead` of them, or to the end of the file; fewer than `length` if
 * they cannot be read.
 * @param {Source} source
 * @param {number} offset
 * @param {number} length
 * @param {number} [ahead]
 */
export async function bytesAt(source, offset, length, ahead = length) {
  const into = new Uint8Array(Math.max(length, Math.min(ahead, source.size - offset)))
  let count = await tried(source, offset, into)
  // Only the bytes after the wanted ones may be unreadable: retry without them.
  if (count < length && into.length > length) count = await tried(source, offset, into.subarray(0, length))
  return into.subarray(0, count)
}

/** @param {Source} source @param {number} offset @param {Uint8Array} into */
async function tried(source, offset, into) {
  if (into.length === 0) return 0
  try {
    return await source.read(offset, into)
  } catch (/** @type {any} any: whatever was thrown */ error) {
    // The inspector reports unreadable bytes and continues.
    if (error?.code === 'EIO') return 0
    throw error
  }
}
