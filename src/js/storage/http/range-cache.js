// Caches parts of files that were fetched in advance; the oldest is evicted first.

/** @typedef {{ source: { place: object }, start: number, bytes: Uint8Array }} Range */

export class RangeCache {
  #capacity
  #size = 0
  /** Oldest first; a few dozen at most. @type {Range[]} */
  #ranges = []

  /**
   * @param {number} capacity bytes; the newest range is kept whatever its size, unless this is 0
   */
  constructor(capacity) {
    this.#capacity = capacity
  }

  /**
   * Returns the largest cached part of `start..end` at its begin or end.
   * @param {Range['source']} source
   * @param {number} start
   * @param {number} end
   * @returns {{ start: number, end: number, bytes: Uint8Array } | undefined}
   */
  get(source, start, end) {
    let best
    for (const range of this.#ranges) {
      const from = Math.max(start, range.start)
      const to = Math.min(end, range.start + range.bytes.length)
      const fits = range.source === source && from < to && (from === start || to === end)
      if (fits && to - from > (best === undefined ? 0 : best.end - best.start)) best = { range, start: from, end: to }
    }
    if (best === undefined) return undefined
    const bytes = best.range.bytes.subarray(best.start - best.range.start, best.end - best.range.start)
    return { start: best.start, end: best.end, bytes }
  }

  /**
   * @param {Range['source']} source
   * @param {number} start
   * @param {Uint8Array} bytes
   */
  add(source, start, bytes) {
    if (this.#capacity === 0 || bytes.length === 0) return
    this.#ranges.push({ source, start, bytes })
    this.#size += bytes.length
    while (this.#size > this.#capacity && this.#ranges.length > 1) this.#size -= this.#ranges.shift()?.bytes.length ?? 0
  }

  /**
   * Removes all files of a place.
   * @param {object} place
   */
  drop(place) {
    this.#ranges = this.#ranges.filter(({ source }) => source.place !== place)
    this.#size = this.#ranges.reduce((size, { bytes }) => size + bytes.length, 0)
  }
}
