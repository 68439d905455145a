// Where the bytes of an opened file are: a file of the user's machine, or one that `varve inspect`
// serves. Workers get the same description, and read for themselves.

/** The server answers no larger parts. */
const PIECE = 16 << 20

/**
 * One of `blob` and `url`. `at`: the file begins at this byte of what `url` gives, as in a zip. `problem`: what
 * is known to be wrong with it.
 *
 * @typedef {{ name: string, size: number, blob?: Blob, url?: string, at?: number, problem?: string }} Given
 */

/**
 * Reads a part of a file; fewer bytes than asked for only at its end.
 *
 * @param {Given} given
 * @param {number} offset
 * @param {number} length
 * @returns {Promise<Uint8Array>}
 */
export async function bytesOf({ name, size, blob, url, at: start = 0 }, offset, length) {
  const end = Math.min(size, offset + length)
  if (end <= offset) return new Uint8Array(0)
  if (blob !== undefined) return new Uint8Array(await blob.slice(offset, end).arrayBuffer())
  if (end - offset > PIECE) {
    const into = new Uint8Array(end - offset)
    for (let at = offset; at < end; at += PIECE) into.set(await bytesOf({ name, size, url, at: start }, at, Math.min(PIECE, end - at)), at - offset)
    return into
  }
  const response = await fetch(/** @type {string} */ (url), { headers: { range: `bytes=${start + offset}-${start + end - 1}` }, cache: 'no-store' })
  if (response.status === 412) throw new DOMException(`${name} changed on disk since it was opened`, 'NotReadableError')
  if (response.status === 404) throw new DOMException(`${name} is gone`, 'NotFoundError')
  if (response.status !== 206) throw new Error(`${name}: the server answered ${response.status}, expected a part of the file`)
  return new Uint8Array(await response.arrayBuffer())
}

/** For the decoders. @param {Given} given @returns {import('varve/inspect').Source} */
export function sourceOf(given) {
  return {
    name: given.name,
    size: given.size,
    async read(offset, into) {
      const bytes = await bytesOf(given, offset, into.length)
      into.set(bytes)
      return bytes.length
    }
  }
}
