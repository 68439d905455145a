// Finding a place in columns of numbers that ascend.

/** The last of the first `length` values that is at or before `value`; -1: none. @param {ArrayLike<number>} values @param {number} length @param {number} value */
export function lastAt(values, length, value) {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (values[middle] <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}
