// The order of the keys of a database, which its manifest names.
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { VarveError } from '../errors.js'
import { levelsAt, rankKeys } from '../inspect/index.js'
import { nameOf } from '../inspect/keys.js'
import { rangeOf, UsageError } from './arguments.js'
import { visible } from './text.js'

/** Of a database whose order is not known: its entries come as they are stored. */
const AS_STORED = 'as-stored'

/** @typedef {import('./arguments.js').Values} Values */

/** The option --comparator as options of Varve. @param {Values} values @returns {{ comparator?: string }} */
export function orderOf({ comparator }) {
  const names = ['leveldb.BytewiseComparator', 'idb_cmp1', AS_STORED]
  if (comparator === undefined) return {}
  if (!names.includes(comparator)) throw new UsageError(`--comparator ${JSON.stringify(comparator)} is not known: use one of ${names.join(', ')}`)
  return { comparator }
}

/**
 * The order in which to explain the files of a directory: that of the manifest; where none names one, the
 * one that is given. Throws if both are known, and differ.
 * @param {string} directory
 * @param {Values} values
 * @returns {Promise<string | undefined>}
 */
export async function orderIn(directory, values) {
  const { comparator } = orderOf(values)
  const named = await comparatorOf(directory)
  checkOrder(directory, named, comparator)
  return named ?? comparator
}

/**
 * Throws if the option names another order than the manifest.
 * @param {string} directory
 * @param {string | undefined} named by the manifest
 * @param {string | undefined} comparator
 */
export function checkOrder(directory, named, comparator) {
  if (comparator === undefined || comparator === AS_STORED || named === undefined || named === comparator) return
  throw new VarveError(`${directory}: the database uses the comparator ${named}, not ${comparator}: leave --comparator out`, { code: 'LEVEL_INVALID_ARGUMENT' })
}

/**
 * The range of some bounds in an order, and the prefix if it is no range there: keys that begin with it are
 * then anywhere.
 * @param {string | undefined} comparator
 * @param {import('./arguments.js').Bounds} bounds
 */
export async function rangeIn(comparator, bounds) {
  if (comparator === undefined || comparator === 'leveldb.BytewiseComparator') return { range: rangeOf(bounds) }
  const { prefix, ...others } = bounds
  const keys = Object.values(others)
  // Of an order that is not known, the engine refuses the bounds.
  const ranks = await rankKeys(comparator, keys)
  const rankOf = (/** @type {Buffer} */ key) => ranks?.[keys.indexOf(key)] ?? 0
  return { range: rangeOf(others, (a, b) => rankOf(a) - rankOf(b)), prefix }
}

/**
 * The comparator that the manifest of a directory names; undefined if there is none.
 * @param {string} directory
 */
export async function comparatorOf(directory) {
  let fd
  try {
    const name = /^MANIFEST-\d+$/m.exec(readFileSync(join(directory, 'CURRENT'), 'latin1'))?.[0]
    if (name === undefined) return undefined
    fd = openSync(join(directory, name), 'r')
    const file = fd
    const source = { name, size: fstatSync(fd).size, read: (/** @type {number} */ offset, /** @type {Uint8Array} */ into) => readSync(file, into, 0, into.length, offset) }
    const { comparator } = await levelsAt(source, { checkpoints: [] }, 0)
    return nameOf(comparator)
  } catch {
    // What is wrong with it, the command tells.
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/**
 * Calls `act` with the options; if the database has another comparator, again with that. If the engine
 * does not know it, what only reads gets the entries as they are stored.
 *
 * @template T
 * @param {string | null} directory
 * @param {Record<string, any>} options of Varve; any: Varve checks them
 * @param {(options: Record<string, any>) => Promise<T>} act
 * @returns {Promise<T>}
 */
export async function inItsOrder(directory, options, act) {
  try {
    return await act(options)
  } catch (error) {
    if (directory === null || options.comparator !== undefined || !isOfAnother(error)) throw error
    const comparator = await comparatorOf(directory)
    if (comparator === undefined) throw error
    if (await rankKeys(comparator, []) !== undefined) return act({ ...options, comparator })
    if (!options.readOnly) throw error
    console.error(visible(`varve: note: the comparator ${comparator} is not known: entries come in the order of the files, and keys cannot be looked up`))
    return act({ ...options, comparator: AS_STORED })
  }
}

/** @param {any} error any: whatever was thrown */
const isOfAnother = (error) => [error, error?.cause].some((each) => each?.code === 'LEVEL_INVALID_ARGUMENT' && /comparator/.test(each.message))
