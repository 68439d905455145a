// What runs in a worker thread of Node's.
import { parentPort, workerData } from 'node:worker_threads'
import { Server } from './server.js'

const { answers, answered } = workerData

/** Wakes a client that stands still. */
const wake = () => {
  Atomics.store(answered, 0, 1)
  Atomics.notify(answered, 0)
}

// A thread that ends wakes it too.
process.on('exit', wake)

new Server({
  post: (message, transfer) => parentPort.postMessage(message, transfer),
  listen: (receive) => parentPort.on('message', receive),
  answerSync(answer) {
    answers.postMessage(answer)
    wake()
  }
})
