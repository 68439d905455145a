// Others' chance of the thread: long work asks now and then whether it should wait for a turn of the event loop.

/** So long may long work have the thread at once. */
const HELD_MS = 2

/** Those that wait for a turn; each turn lets one of them go on. @type {(() => void)[]} */
const waiting = []
let since = 0

/**
 * Runs `task` in the next turn of the event loop, once.
 * @param {() => void} task
 */
export function inNextTurn(task) {
  if (typeof setImmediate === 'function') return void setImmediate(task)
  if (typeof MessageChannel !== 'function') return void setTimeout(task, 0)
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => {
    port1.close()
    task()
  }
  port2.postMessage(undefined)
}

/**
 * Nothing, or what to wait for before going on.
 * @returns {Promise<void> | undefined}
 */
export function pause() {
  if (performance.now() - since < HELD_MS) return undefined
  return new Promise((resolve) => {
    waiting.push(resolve)
    if (waiting.length === 1) inNextTurn(goOn)
  })
}

/** Others have had a turn; or a call begins, which if it is short is done in one piece. */
export function noteTurn() {
  since = performance.now()
}

function goOn() {
  noteTurn()
  waiting.shift()?.()
  if (waiting.length > 0) inNextTurn(goOn)
}
