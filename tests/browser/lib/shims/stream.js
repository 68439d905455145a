// Replaces Node's `stream` for tape: the old base class of streams, without backpressure.
import { EventEmitter } from 'events'

export class Stream extends EventEmitter {
  pipe(to) {
    this.on('data', (chunk) => to.write(chunk)).on('end', () => to.end())
    return to
  }
}
