// What the package `level` exports, by Varve: as there, a directory unless told otherwise.
import { Varve } from 'varve'

let opened = 0

export class Level extends Varve {
  async _open(options) {
    opened++
    return super._open(options)
  }
}

// A test that went through another database would prove nothing.
process.on('exit', () => console.log(`# databases opened by Varve: ${opened}`))
