// A worker thread in Node, for connection.js.
import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads'

/** Indexes of `signals`: the number of answers, and whether the thread has ended. */
export const ANSWERS = 0
export const ENDED = 1

/** The longest time that askSync() blocks, in ms. */
const PATIENCE_MS = 10_000

/**
 * @param {{ receive(message: unknown): void, ended(cause: unknown): void }} to `ended` is called
 *   once, when the thread has ended
 * @param {boolean} [_isFull] here every thread has the full module
 * @param {unknown} [_make] for browsers
 */
export function startThread({ receive, ended }, _isFull, _make) {
  const { port1, port2 } = new MessageChannel()
  /** See entry-node.js. */
  const signals = new Int32Array(new SharedArrayBuffer(8))
  let questions = 0
  const worker = new Worker(new URL('./entry-node.js', import.meta.url), {
    name: 'varve',
    // Options such as --input-type must not apply to the worker.
    execArgv: [],
    workerData: { answers: port2, signals },
    transferList: [port2]
  })
  /** @type {unknown} */
  let cause
  port1.unref()
  worker.on('message', receive)
  worker.on('messageerror', (error) => {
    cause ??= error
    worker.terminate()
  })
  worker.on('error', (error) => { cause ??= error })
  const exited = new Promise((/** @type {(value?: unknown) => void} */ resolve) => worker.on('exit', (code) => {
    port1.close()
    ended(cause ?? new Error(`The thread has exited with code ${code}`))
    resolve()
  }))

  return {
    post: (/** @type {any} any: messages are what structuredClone accepts */ message, /** @type {any} any: messages are what structuredClone accepts */ transfer) => worker.postMessage(message, transfer),
    ref: () => worker.ref(),
    unref: () => worker.unref(),

    async end() {
      await worker.terminate()
      await exited
    },

    /**
     * Sends a question and blocks this thread until the worker replies.
     * @param {any} question any: messages are what structuredClone accepts
     */
    askSync(question) {
      const number = ++questions
      worker.postMessage({ ...question, number })
      for (const end = performance.now() + PATIENCE_MS; ;) {
        const seen = Atomics.load(signals, ANSWERS)
        // Skip replies to calls that timed out.
        for (let answer; (answer = receiveMessageOnPort(port1)?.message) !== undefined;) {
          if (answer.number === number) return answer
        }
        if (Atomics.load(signals, ENDED) === 1) throw failure('poisoned', 'The worker of the database has ended')
        const left = Math.max(end - performance.now(), 0)
        if (Atomics.wait(signals, ANSWERS, seen, left) === 'timed-out') throw failure('busy', 'The worker of the database is busy')
      }
    }
  }
}

/** @param {string} code @param {string} message */
const failure = (code, message) => Object.assign(new Error(message), { code })

/** Only pages start a worker before it is needed. */
export const startEarly = (/** @type {string} */ _location, /** @type {boolean} */ _isFull) => () => {}
