// How keys are cut into parts: at a byte, or after so many bytes.

/**
 * Entries whose keys begin alike; `single`: those whose keys have no further part; `other`: those of
 * groups beyond the limit.
 *
 * @typedef {object} Group
 * @property {'prefix' | 'single' | 'other'} kind
 * @property {Uint8Array} [prefix]
 * @property {number} count entries: versions and deletes are counted, too
 * @property {number} deletes
 * @property {number} keyBytes of user keys, whole
 * @property {number} valueBytes
 * @property {number} stored bytes of the file, estimated by their share of each block
 */

/** @typedef {{ at: number } | { bytes: number }} Rule `at`: a byte that ends a part */

/** More groups are counted as one. */
export const GROUPS_MAX = 10_000

/** Bytes that often separate parts. @type {{ byte: number, name: string }[]} */
export const SEPARATORS = [
  { byte: 0x21, name: '!' }, { byte: 0x3a, name: ':' }, { byte: 0x2f, name: '/' }, { byte: 0x2e, name: '.' }, { byte: 0x2d, name: '-' },
  { byte: 0x5f, name: '_' }, { byte: 0x7c, name: '|' }, { byte: 0x00, name: 'NUL' }, { byte: 0x01, name: '01' }, { byte: 0xff, name: 'FF' }
]

/** As often as the most frequent separator: in nine of ten of its keys. */
const OFTEN = 0.9

/** Where a key's next part ends; -1: it has none. @param {Uint8Array} key @param {number} from @param {Rule} rule */
export function groupEnd(key, from, rule) {
  if ('bytes' in rule) return from + rule.bytes < key.length ? from + rule.bytes : -1
  // A separator at the beginning of a part does not end it: level's sublevels are `!name!key`.
  const at = key.indexOf(rule.at, from + 1)
  return at < 0 || at + 1 >= key.length ? -1 : at + 1
}

/**
 * The rule that suits most of these keys, from where their parts begin: of the separators that most
 * have, the one that comes first.
 * @param {Uint8Array[]} keys
 * @returns {Rule}
 */
export function ruleOf(keys) {
  const found = SEPARATORS.map(({ byte }) => {
    const ends = keys.map((key) => groupEnd(key, 0, { at: byte })).filter((end) => end > 0)
    return { byte, count: ends.length, end: ends.reduce((sum, end) => sum + end, 0) / Math.max(1, ends.length) }
  })
  const most = Math.max(...found.map(({ count }) => count))
  if (most * 2 > keys.length) return { at: found.filter(({ count }) => count >= most * OFTEN).sort((a, b) => a.end - b.end)[0].byte }
  // None: as many bytes as are the same in all, and one more.
  const first = keys[0] ?? new Uint8Array()
  let common = first.length
  for (const key of keys) {
    let same = 0
    while (same < common && key[same] === first[same]) same++
    common = same
  }
  return { bytes: common + 1 }
}
