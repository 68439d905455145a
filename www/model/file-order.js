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

/**
 * An order of a list of files; `kind`: the usual one.
 * @typedef {{ by: 'kind' | 'name' | 'size', isDown: boolean }} Order
 */

/** @type {Order} */
export const USUAL = { by: 'kind', isDown: false }

/** The last answer: it is asked for in every frame. @type {{ files?: object, order?: Order, places: number[] }} */
let last = { places: [] }

/**
 * The places of files in an order; those of equal size stay in the usual one.
 * @param {readonly { name: string, size: number }[]} files `inOrder`
 * @param {Order} order
 */
export function placesIn(files, order) {
  if (files === last.files && order === last.order) return last.places
  const places = files.map((_, place) => place)
  const sign = order.isDown ? -1 : 1
  if (order.by === 'name') places.sort((a, b) => sign * compareNames(files[a].name, files[b].name))
  if (order.by === 'size') places.sort((a, b) => sign * (files[a].size - files[b].size) || a - b)
  last = { files, order, places }
  return places
}
