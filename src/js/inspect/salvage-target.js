// A new database of this origin, which a salvaged one is copied to.
import { InvalidArgumentError, VarveError } from '../errors.js'
import { IdbDatabase } from '../storage/browser/idb-database.js'
import { pathOf } from '../storage/browser/path.js'
import { OpfsFiles } from '../storage/browser/opfs.js'
import { isDedicatedWorker } from '../storage/browser/place.js'
import { databasesOfOrigin } from './origin-list.js'

/**
 * The place of a database that does not exist yet.
 * @param {string} name
 * @param {'opfs' | 'indexeddb'} storage
 * @returns {Promise<(OpfsFiles | IdbDatabase) & { opened?: () => Promise<void> }>}
 */
export async function newInOrigin(name, storage) {
  if (typeof name !== 'string' || name === '') throw new InvalidArgumentError("The argument 'name' must be a string, and not empty")
  const path = pathOf(name)
  if (storage !== 'opfs' && storage !== 'indexeddb') throw new InvalidArgumentError("The option 'storage' must be 'opfs' or 'indexeddb'")
  if (storage === 'opfs' && !isDedicatedWorker()) throw notSupported('A database in private files can be made in a dedicated worker only')
  if (storage === 'indexeddb' && globalThis.indexedDB === undefined) throw notSupported('There is no IndexedDB here')
  if ((await databasesOfOrigin()).some((each) => each.name === name)) {
    throw new InvalidArgumentError(`This origin has a database named ${JSON.stringify(name)}: choose another name`)
  }
  return storage === 'opfs' ? new OpfsFiles(path, name) : new IdbDatabase(path, name)
}

/** @param {string} message */
const notSupported = (message) => new VarveError(message, { code: 'LEVEL_NOT_SUPPORTED' })
