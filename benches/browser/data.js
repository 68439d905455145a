// The entries of the benchmark in a browser: keys of 16 digits, values of 100 half compressible bytes.

/** @param {number} n */
export function data(n) {
  let state = 301
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state
  }
  const encoder = new TextEncoder()
  const keys = Array.from({ length: n }, (_, i) => encoder.encode(String(i).padStart(16, '0')))
  const values = Array.from({ length: n }, () => {
    const value = new Uint8Array(100)
    for (let i = 0; i < 50; i++) value[i] = value[i + 50] = random() >>> 24
    return value
  })
  const shuffled = keys.map((_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = random() % (i + 1)
    const other = shuffled[j]
    shuffled[j] = shuffled[i]
    shuffled[i] = other
  }
  return { n, keys, values, shuffled, reads: Array.from({ length: n }, () => random() % n) }
}

/**
 * Runs operations one after another until all are done or the time is up; returns how many.
 * @param {number} limit
 * @param {number} ms
 * @param {(i: number) => unknown} operation
 */
export async function each(limit, ms, operation) {
  const end = performance.now() + ms
  let i = 0
  for (; i < limit && ((i & 15) !== 0 || performance.now() < end); i++) {
    const pending = operation(i)
    if (pending !== undefined) await pending
  }
  return i
}
