// Entry of a worker thread in Node. A blocked client waits on `signals` (thread-node.js).
import { parentPort, workerData } from 'node:worker_threads'
import { serveTasks } from './full-tasks.js'
import { Host } from './host.js'
import { Session } from './session.js'
import { ANSWERS, ENDED } from './thread-node.js'

const { answers, signals } = workerData
const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort)

const signal = () => {
  Atomics.add(signals, ANSWERS, 1)
  Atomics.notify(signals, ANSWERS)
}

process.on('exit', () => {
  Atomics.store(signals, ENDED, 1)
  signal()
})

const doTask = serveTasks((task, transfer) => port.postMessage({ task }, transfer))

new Session({
  post: (message, transfer) => port.postMessage(message, transfer),
  listen: (receive) => port.on('message', (message) => message.task === undefined ? receive(message) : doTask(message.task)),
  answerSync(answer) {
    answers.postMessage(answer)
    signal()
  }
}, new Host())
