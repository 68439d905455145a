// Lets long operations yield to the event loop now and then.

/** Longest time in ms that an operation blocks the thread. */
const HELD_MS = 2

/** Operations waiting for a turn; each turn continues one of them. @type {(() => void)[]} */
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
 * Returns undefined, or a promise to await before continuing.
 * @returns {Promise<void> | undefined}
 */
export function pause() {
  if (performance.now() - since < HELD_MS) return undefined
  return new Promise((resolve) => {
    waiting.push(resolve)
    if (waiting.length === 1) inNextTurn(goOn)
  })
}

/**
 * Restarts the time, after other tasks have run, and when a call begins, so that a short call does
 * not wait.
 */
export function noteTurn() {
  since = performance.now()
}

function goOn() {
  noteTurn()
  waiting.shift()?.()
  if (waiting.length > 0) inNextTurn(goOn)
}
