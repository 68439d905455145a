// What stands in a browser's build for node/directory.js.
import { VarveError } from '../errors.js'

/** Directories need Node, Deno or Bun: this only says so. */
export class NodeStorage {
  constructor() {
    throw new VarveError('A database in a directory needs Node, Deno or Bun; here, give the option `storage`', { code: 'LEVEL_NOT_SUPPORTED' })
  }
}
