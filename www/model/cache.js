// Pages of files that were read lately, so that neighbouring reads need no new one.

/** @typedef {import('varve/inspect').Source} Source */

const PAGE = 256 << 10
const PAGES_MAX = 256

/** Pages by file and number, the one used last at the end. @type {Map<string, Uint8Array>} */
const pages = new Map()

/**
 * @param {number} id of the file
 * @param {Source} source
 * @returns {Source}
 */
export function cached(id, source) {
  return {
    name: source.name,
    size: source.size,
    async read(offset, into) {
      // A long read is done at once and not kept.
      if (into.length > 4 * PAGE) return source.read(offset, into)
      let done = 0
      while (done < into.length) {
        const at = offset + done
        const page = await pageOf(id, source, Math.floor(at / PAGE))
        const part = page.subarray(at % PAGE, at % PAGE + into.length - done)
        if (part.length === 0) break
        into.set(part, done)
        done += part.length
      }
      return done
    }
  }
}

/** Most bytes that are read ahead. */
const AHEAD_MAX = 4 << 20

/**
 * For what reads a file from its beginning to its end, block by block: a read takes a millisecond, however
 * small, so that more and more is read ahead, and none of it displaces pages.
 *
 * @param {Source} source
 * @returns {Source}
 */
export function readAhead(source) {
  let [start, bytes, ahead] = [0, new Uint8Array(0), PAGE]
  return {
    name: source.name,
    size: source.size,
    async read(offset, into) {
      if (into.length > AHEAD_MAX) return source.read(offset, into)
      const end = start + bytes.length
      if (offset < start || offset + into.length > end) {
        ahead = offset > end || offset < start ? PAGE : Math.min(AHEAD_MAX, 2 * ahead)
        const window = new Uint8Array(Math.max(into.length, Math.min(ahead, source.size - offset)))
        bytes = window.subarray(0, await source.read(offset, window))
        start = offset
      }
      const part = bytes.subarray(offset - start, offset - start + into.length)
      into.set(part)
      return part.length
    }
  }
}

/** @param {number} id @param {Source} source @param {number} number */
async function pageOf(id, source, number) {
  const key = `${id} ${number}`
  let page = pages.get(key)
  if (page === undefined) {
    const into = new Uint8Array(Math.min(PAGE, source.size - number * PAGE))
    page = into.subarray(0, await source.read(number * PAGE, into))
  }
  pages.delete(key)
  pages.set(key, page)
  for (const oldest of pages.keys()) {
    if (pages.size <= PAGES_MAX) break
    pages.delete(oldest)
  }
  return page
}
