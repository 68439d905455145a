// Tables of numbers that grow: one typed array for each column, so that a million rows are no objects.

import { lastAt } from './order.js'

/** @typedef {Float64Array | Uint32Array | Uint8Array} Column */

/**
 * @template {string} Name
 */
export class Growing {
  length = 0
  /** @type {Record<Name, any>} any: each column has its own kind of array */
  columns

  /** @param {Record<Name, new (length: number) => Column>} kinds */
  constructor(kinds) {
    this.kinds = kinds
    this.columns = /** @type {Record<Name, any>} any: as above */ ({})
    for (const name of this.names) this.columns[name] = new kinds[name](0)
  }

  get names() {
    return /** @type {Name[]} */ (Object.keys(this.kinds))
  }

  /** @param {Record<Name, Column> & { length: number }} rows */
  append(rows) {
    const wanted = this.length + rows.length
    for (const name of this.names) {
      if (this.columns[name].length < wanted) {
        const grown = new this.kinds[name](Math.max(wanted, this.columns[name].length * 2))
        grown.set(this.columns[name].subarray(0, this.length))
        this.columns[name] = grown
      }
      this.columns[name].set(rows[name].subarray(0, rows.length), this.length)
    }
    this.length = wanted
  }

  /** The last row whose value in this column is at or before `value`; -1: none. @param {Name} name @param {number} value */
  find(name, value) {
    return lastAt(this.columns[name], this.length, value)
  }
}

/** Records of a log or manifest. */
export const RECORD_COLUMNS = {
  offset: Float64Array, end: Float64Array, region: Float64Array, fragments: Uint32Array, size: Float64Array, sequence: Float64Array, operations: Uint32Array, state: Uint8Array
}

/** Edits of a manifest: records, too. */
export const EDIT_COLUMNS = {
  offset: Float64Array, end: Float64Array, region: Float64Array, size: Float64Array, state: Uint8Array, reason: Uint8Array, from: Uint8Array, to: Uint8Array, added: Uint32Array, removed: Uint32Array,
  tables: Uint32Array, tableBytes: Float64Array
}
