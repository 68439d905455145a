// Suggests a known word for a misspelled one.

/** Returns the Damerau-Levenshtein distance of two words. @param {string} a @param {string} b */
function distance(a, b) {
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

/** Longer words get no suggestion. */
const LENGTH_MAX = 40

/**
 * Returns the nearest word: one that is a prefix of `word` or has it as one, or is one or two edits
 * away.
 *
 * @param {string} word
 * @param {string[]} words
 * @returns {string | undefined}
 */
export function nearest(word, words) {
  const given = word.toLowerCase()
  if (given.length < 2 || given.length > LENGTH_MAX) return undefined
  const begun = words.find((one) => one.startsWith(given) || (one.length > 2 && given.startsWith(one)))
  if (begun !== undefined) return begun
  const slips = given.length > 3 ? 2 : 1
  const ranked = words.map((one) => ({ one, edits: distance(given, one) })).filter(({ edits }) => edits <= slips)
  return ranked.sort((a, b) => a.edits - b.edits)[0]?.one
}
