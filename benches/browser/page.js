// A page of the benchmark: `begin` and `run` act here or in a worker.
import { begin, run } from './side.js'

/** @type {Worker | undefined} */
let worker

const ask = (message) => new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => (data.error === undefined ? resolve(data.result) : reject(new Error(data.error)))
  worker.onerror = ({ message }) => reject(new Error(message))
  worker.postMessage(message)
})

Object.assign(globalThis, {
  isReady: true,
  begin(inWorker, ...given) {
    if (!inWorker) return begin(...given)
    worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
    return ask({ begin: given })
  },
  run: (workload) => (worker === undefined ? run(workload) : ask({ run: workload }))
})
