// How similar two words are.

/** Returns the Damerau-Levenshtein distance of two words. @param {string} a @param {string} b */
export function distance(a, b) {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    rows.push([i])
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? rows[i - 2][j - 2] + 1 : Infinity
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1), swapped)
    }
  }
  return rows[a.length][b.length]
}

/** Longer words are no slips of the shorter ones here. */
const LENGTH_MAX = 40

/** Two slips in a short word make another word: pageSize is not cacheSize. */
const LONG = 12

/**
 * Returns the word that `word` is a slip of: it differs in case, or by one edit; by two in a long
 * word.
 * @param {string} word
 * @param {string[]} words
 */
export function meant(word, words) {
  if (word.length > LENGTH_MAX) return undefined
  return words.find((one) => distance(word.toLowerCase(), one.toLowerCase()) <= (one.length < LONG ? 1 : 2))
}
