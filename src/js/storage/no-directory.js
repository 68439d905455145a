// Replaces node/directory.js in browsers.
import { VarveError } from '../errors.js'

/** Throws: directories need Node, Deno or Bun. */
export class NodeStorage {
  constructor() {
    throw new VarveError('A database in a directory needs Node, Deno or Bun: in a browser, set the option `storage`', { code: 'LEVEL_NOT_SUPPORTED' })
  }
}
