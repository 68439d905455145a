// A new database of this origin, which a salvaged one is copied to.
import { InvalidArgumentError, VarveError } from '../errors.js'
import { pathOf } from '../storage/browser/names.js'
import { OpfsFiles } from '../storage/browser/opfs.js'
import { isDedicatedWorker } from '../storage/browser/place.js'
import { databasesOfOrigin } from './origin-list.js'

/**
 * The private files of a database that does not exist yet.
 * @param {string} name
 */
export async function newInOrigin(name) {
  if (typeof name !== 'string' || name === '') throw new InvalidArgumentError("The argument 'name' must be a string, and not empty")
  const path = pathOf(name)
  if (!isDedicatedWorker()) throw new VarveError('A database of this origin can be made in a dedicated worker only', { code: 'LEVEL_NOT_SUPPORTED' })
  if ((await databasesOfOrigin()).some((each) => each.name === name)) {
    throw new InvalidArgumentError(`This origin has a database named ${JSON.stringify(name)}: choose another name`)
  }
  return new OpfsFiles(path, name)
}
