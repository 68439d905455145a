// The keys of a block one after the other: each from the one before, so that the cost is that of the
// bytes in the block, whatever its keys share.

/**
 * Calls `each` with every entry and its user key, which is valid during the call only.
 *
 * @param {import('varve/inspect').BlockView} view
 * @param {(entry: number, key: Uint8Array) => void} each
 */
export function walkKeys({ entries, raw = new Uint8Array() }, each) {
  const { length, shared, keyStart, valueStart, type } = entries
  let key = new Uint8Array(1024)
  for (let entry = 0; entry < length; entry++) {
    const size = shared[entry] + valueStart[entry] - keyStart[entry]
    if (size > key.length) {
      const grown = new Uint8Array(size * 2)
      grown.set(key.subarray(0, shared[entry]))
      key = grown
    }
    key.set(raw.subarray(keyStart[entry], valueStart[entry]), shared[entry])
    each(entry, key.subarray(0, type[entry] === 255 ? size : size - 8))
  }
}
