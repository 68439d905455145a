// Where the database of a name is: its directory in the origin private file system (OPFS), its lock, its
// database in IndexedDB.
import { InvalidArgumentError } from '../../errors.js'

/** Characters that no file system changes or confuses; others become % and two digits. */
const PLAIN = /[a-z0-9_-]/

/** Longer names are refused by some file systems. */
const NAME_MAX = 240

/** The directory of all databases, and the first part of the names of their locks. */
export const ALL = 'varve'

/**
 * The directories of a database, from the root; joined with `/`, the name of its lock and of its
 * database in IndexedDB.
 * @param {string} location
 */
export function pathOf(location) {
  const bytes = [...new TextEncoder().encode(location)]
  const name = bytes.map((byte) => {
    const character = String.fromCharCode(byte)
    return PLAIN.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`
  }).join('')
  if (name.length > NAME_MAX) {
    throw new InvalidArgumentError(`The name of the database is too long: it takes ${name.length} characters of a file's name, at most ${NAME_MAX} are allowed`)
  }
  return [ALL, name]
}
