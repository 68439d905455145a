// Suggests a known word for a misspelled one.

import { distance } from '../level/spelling.js'

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
