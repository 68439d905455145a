// A worker thread of Node's, as connection.js sees one.
import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads'

/** How long askSync() stands still at most, in ms. */
const PATIENCE_MS = 10_000

/**
 * @param {{ receive(message: any): void, ended(cause: unknown): void }} to `ended` once, when nothing of the thread is left
 */
export function startThread({ receive, ended }) {
  const { port1, port2 } = new MessageChannel()
  const answered = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(new URL('./entry-node.js', import.meta.url), {
    name: 'varve',
    // Options such as --input-type are the program's, not the worker's.
    execArgv: [],
    workerData: { answers: port2, answered },
    transferList: [port2]
  })
  let cause
  port1.unref()
  worker.on('message', receive)
  worker.on('messageerror', (error) => {
    cause ??= error
    worker.terminate()
  })
  worker.on('error', (error) => { cause ??= error })
  const exited = new Promise((resolve) => worker.on('exit', (code) => {
    port1.close()
    ended(cause ?? new Error(`The thread has exited with code ${code}`))
    resolve()
  }))

  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    ref: () => worker.ref(),
    unref: () => worker.unref(),

    async end() {
      await worker.terminate()
      await exited
    },

    /** What the worker answers, which this thread waits for. */
    askSync(question) {
      Atomics.store(answered, 0, 0)
      worker.postMessage(question)
      Atomics.wait(answered, 0, 0, PATIENCE_MS)
      const answer = receiveMessageOnPort(port1)
      if (answer !== undefined) return answer.message
      throw Object.assign(new Error('The worker of the database is busy'), { code: 'busy' })
    }
  }
}
