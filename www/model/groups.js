// The groups of keys that are looked at, as they come.

/** @typedef {import('./grouping.js').Group} Group */
/** @typedef {import('./grouping.js').Rule} Rule */

/** What groups are sorted by. */
export const ORDERS = /** @type {const} */ ({ key: 'key', count: 'entries', stored: 'stored bytes', valueBytes: 'value bytes' })

export class Groups {
  /** @type {Group[]} */
  rows = []
  /** @type {'running' | 'stopped' | 'done'} */
  status = 'running'
  entries = 0
  blocks = 0
  total = 0
  unread = 0

  /**
   * @param {Uint8Array} prefix of all keys that are counted
   * @param {Rule | undefined} rule as it was chosen; else the keys tell it
   * @param {boolean} isWhole of all tables of the database, not of one
   * @param {keyof typeof ORDERS} order
   * @param {() => void} cancel
   */
  constructor(prefix, rule, isWhole, order, cancel) {
    this.prefix = prefix
    this.chosen = rule
    this.rule = rule
    this.isWhole = isWhole
    this.order = order
    this.cancel = cancel
    this.selected = -1
  }

  /** @param {import('../groups.js').Part} part */
  take({ groups, rule, entries, blocks, total, unread }) {
    Object.assign(this, { rule, entries, blocks, total, unread })
    this.rows = groups
    this.sort(this.order)
  }

  /** @param {keyof typeof ORDERS} order */
  sort(order) {
    this.order = order
    this.selected = -1
    if (order === 'key') this.rows.sort(byKey)
    else this.rows.sort((a, b) => b[order] - a[order])
  }

  get stored() {
    return this.rows.reduce((sum, { stored }) => sum + stored, 0)
  }
}

/** Groups without a prefix come last. @param {Group} a @param {Group} b */
function byKey({ prefix: a }, { prefix: b }) {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return a.length - b.length
}
