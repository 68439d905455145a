// The order of files in a list: folder by folder, and in each as those who know LevelDB look for them.

/** Of a file by its name: where its kind stands, and its number. @type {[RegExp, number][]} */
const KINDS = [
  [/^CURRENT$/, 0],
  [/^MANIFEST-(\d+)$/, 1],
  [/^(\d+)\.log$/, 2],
  [/^(\d+)\.(?:ldb|sst)$/, 3]
]
const OTHERS = KINDS.length

const NAMES = new Intl.Collator('en', { numeric: true })

/** @param {string} path */
function rankOf(path) {
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const name = path.slice(folder.length)
  for (const [pattern, kind] of KINDS) {
    const match = pattern.exec(name)
    if (match !== null) return { folder, name, kind, number: Number(match[1] ?? 0) }
  }
  return { folder, name, kind: OTHERS, number: 0 }
}

/** Names with their numbers as numbers; ties as the code units are. @param {string} a @param {string} b */
const compareNames = (a, b) => NAMES.compare(a, b) || (a < b ? -1 : Number(a > b))

/**
 * CURRENT, the manifests, the logs, the tables by their numbers, then all others by name.
 * @template {{ name: string }} T
 * @param {readonly T[]} files
 * @returns {T[]}
 */
export function inOrder(files) {
  return files.map((file) => ({ file, rank: rankOf(file.name) })).sort(({ rank: a }, { rank: b }) =>
    compareNames(a.folder, b.folder) || a.kind - b.kind || a.number - b.number || compareNames(a.name, b.name)).map(({ file }) => file)
}

/** How a list of files can be ordered. @typedef {'kind' | 'name' | 'size'} By */

/**
 * The places of files in another order; those of equal size stay as they were.
 * @param {readonly { name: string, size: number }[]} files `inOrder`
 * @param {{ by: By, isDown: boolean }} order
 */
export function placesIn(files, { by, isDown }) {
  const places = files.map((_, place) => place)
  const sign = isDown ? -1 : 1
  if (by === 'name') return places.sort((a, b) => sign * compareNames(files[a].name, files[b].name))
  if (by === 'size') return places.sort((a, b) => sign * (files[a].size - files[b].size) || a - b)
  return isDown ? places.reverse() : places
}
