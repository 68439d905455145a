// Replaces the global `process` for tape.
const { port1, port2 } = new MessageChannel()
const waiting = []
port1.onmessage = () => waiting.shift()()

export const process = {
  browser: true,
  env: {},
  cwd: () => '/',
  /** After other tasks, as setImmediate in Node. */
  nextTick(call, ...args) {
    waiting.push(() => call(...args))
    port2.postMessage(null)
  }
}
