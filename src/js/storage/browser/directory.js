// Databases that a name tells: in the origin private file system (OPFS), below the directory `varve`,
// or in IndexedDB.
import { VarveError } from '../../errors.js'
import { choose } from './choose.js'
import { Elsewhere } from './elsewhere.js'
import { databaseExists } from './idb-open.js'
import { databasesInIndexedDb, databasesInOpfs } from './names.js'
import { OpfsFiles } from './opfs.js'
import { pathOf } from './path.js'
import { isDedicatedWorker } from './place.js'

/** The names of all databases, in any order. @returns {Promise<string[]>} */
export async function databases() {
  const [files, chunks] = await Promise.all([databasesInOpfs(), databasesInIndexedDb()])
  return [...new Set([...files, ...chunks])]
}

/**
 * Makes storages in IndexedDB; only programs with the full module can.
 * @type {((path: string[], location: string) => object) | undefined}
 */
let databaseAt

/** @param {(path: string[], location: string) => object} make */
export function provideDatabases(make) {
  databaseAt = make
}

/**
 * The storage of the database `location` in a worker. A promise if it has to be looked for.
 * @param {string} location
 * @param {unknown} [_base] a directory of Node
 * @param {string} [kind] 'opfs', 'indexeddb', or 'auto': see choose.js
 */
export function directoryAt(location, _base, kind = 'auto') {
  const path = pathOf(location)
  if (kind === 'indexeddb') return inIndexedDb(path, location)
  if (!isDedicatedWorker()) {
    throw new VarveError('The files of a database can be opened in a window or a dedicated worker only', { code: 'LEVEL_NOT_SUPPORTED' })
  }
  if (kind === 'opfs') return new OpfsFiles(path, location)
  return choose(path).then((choice) => choice.storage === 'opfs' ? new OpfsFiles(path, location) : inIndexedDb(path, location, choice.why))
}

/** @param {string[]} path @param {string} location @param {string} [why] */
const inIndexedDb = (path, location, why) => databaseAt === undefined ? new Elsewhere(path, location, 'indexeddb', why) : Object.assign(databaseAt(path, location), { why })

/**
 * Whether there is a database of this name in IndexedDB. Never makes one.
 * @param {string} location
 */
export function existsInIndexedDb(location) {
  return databaseExists(pathOf(location).join('/'))
}
