// The order of the keys of a database, which its manifest names.
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { levelsAt, rankKeys } from '../inspect/index.js'
import { visible } from './text.js'

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
    return comparator === undefined ? undefined : Buffer.from(comparator, 'hex').toString()
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
    return act({ ...options, comparator: 'as-stored' })
  }
}

/** @param {any} error any: whatever was thrown */
const isOfAnother = (error) => [error, error?.cause].some((each) => each?.code === 'LEVEL_INVALID_ARGUMENT' && /comparator/.test(each.message))
