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

/** Most bytes of a window. */
const WINDOW_MAX = 4 << 20

/**
 * For what reads a file from its beginning to its end: a read takes a millisecond, however small, so that
 * larger and larger windows are read, each while the one before is used. None of them displaces pages.
 *
 * @param {Source} source read by one reader at a time
 * @returns {Source}
 */
export function readAhead(source) {
  let [start, bytes, length] = [0, new Uint8Array(0), PAGE]
  /** The window after it. @type {Promise<Uint8Array<ArrayBuffer> | undefined> | undefined} */
  let next
  /** @param {number} at @param {number} length */
  const windowAt = async (at, length) => {
    const window = new Uint8Array(Math.max(0, Math.min(length, source.size - at)))
    return window.subarray(0, await source.read(at, window))
  }
  /** Moves to the window with the byte `at`. @param {number} at @param {number} least bytes */
  const move = async (at, least) => {
    const end = start + bytes.length
    if (at !== end) [length, next] = [PAGE, undefined]
    // Only the bytes after the wanted ones may be unreadable: read without them.
    const window = await (next ?? windowAt(at, Math.max(least, length)).catch(() => undefined)) ?? await windowAt(at, least)
    ;[start, bytes, length] = [at, window, Math.min(WINDOW_MAX, 2 * length)]
    next = bytes.length === 0 || at + bytes.length >= source.size ? undefined : windowAt(at + bytes.length, length).catch(() => undefined)
  }
  return {
    name: source.name,
    size: source.size,
    async read(offset, into) {
      if (into.length > WINDOW_MAX) return source.read(offset, into)
      let done = 0
      while (done < into.length) {
        const at = offset + done
        if (at < start || at >= start + bytes.length) await move(at, into.length - done)
        const part = bytes.subarray(at - start, at - start + into.length - done)
        if (part.length === 0) break
        into.set(part, done)
        done += part.length
      }
      return done
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
