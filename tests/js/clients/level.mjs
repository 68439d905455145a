// The exports of the package `level`, with Varve.
import { Varve } from 'varve'

let opened = 0

export class Level extends Varve {
  async _open(options) {
    opened++
    return super._open(options)
  }
}

// Reports opened databases, to check that the tests used Varve.
process.on('exit', () => console.log(`# databases opened by Varve: ${opened}`))
