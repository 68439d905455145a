// A dedicated worker in a page, for connection.js.
import { besideCopy } from '../engine/compile-web.js'
import { VarveError } from '../errors.js'
import { pathOf } from '../storage/browser/path.js'

/**
 * A worker that starts while the scripts load that will use it, and the error that has ended it, if any.
 * @typedef {{ worker: Worker, isFull: boolean, event?: Event }} Early
 */

/** The one that nobody has taken. @type {Early | undefined} */
let early

/** Whether this page has started one already: then the scripts are there, too. */
let hasStarted = false

/**
 * Starts the worker of a page's first database. startThread() reports its errors.
 * @param {string} location the name of the database; without a valid one no worker is needed
 * @param {boolean} isFull
 * @returns {() => void} to call in the end: ends the worker unless it was taken
 */
export function startEarly(location, isFull) {
  if (early !== undefined || hasStarted) return () => {}
  try {
    pathOf(location)
    const worker = ours({ full: isFull })
    const started = early = /** @type {Early} */ ({ worker, isFull })
    worker.onerror = worker.onmessageerror = (/** @type {Event} */ event) => { started.event = event }
    return () => {
      if (early !== started) return
      early = undefined
      worker.terminate()
    }
  } catch {
    // Opening fails with the same error.
    return () => {}
  }
}

/** @param {boolean} isFull @param {((needs: { full: boolean }) => Worker) | undefined} make */
function takeEarly(isFull, make) {
  if (early === undefined || early.isFull !== isFull || make !== undefined) return undefined
  const taken = early
  early = undefined
  return taken
}

/**
 * @param {{ receive(message: any): void, ended(cause: unknown): void }} to any: a message can be
 *   anything that can be cloned
 * @param {boolean} isFull whether it has the full module
 * @param {(needs: { full: boolean }) => Worker} [make] makes the worker
 */
export function startThread({ receive, ended }, isFull, make) {
  hasStarted = true
  const taken = takeEarly(isFull, make)
  const worker = taken?.worker ?? (make ?? ours)({ full: isFull })
  let hasSpoken = false
  worker.onmessage = ({ data }) => {
    hasSpoken = true
    receive(data)
  }
  // A worker continues after an error; this one must end, because its state is unknown.
  const die = (/** @type {any} any: the event types of workers differ between platforms */ event) => {
    worker.terminate()
    const cause = event.error ?? new Error(event.message || 'a message could not be read')
    ended(hasSpoken ? cause : notStarted(isFull, event.message ? cause : undefined))
  }
  worker.onerror = worker.onmessageerror = die
  if (taken?.event !== undefined) queueMicrotask(() => die(taken.event))

  return {
    post: (/** @type {any} any: messages are what structuredClone accepts */ message, /** @type {any} any: messages are what structuredClone accepts */ transfer) => worker.postMessage(message, transfer),
    // Workers do not keep a page alive.
    ref() {},
    unref() {},
    async end() { worker.terminate() },

    askSync() {
      throw Object.assign(new Error('getProperty() is not supported in a page with worker: true: use info()'), { code: 'not-supported' })
    }
  }
}

/** @param {boolean} isFull @param {any} cause any: whatever was thrown */
function notStarted(isFull, cause) {
  const script = isFull ? 'entry-full.js' : 'entry-web.js'
  const said = cause === undefined ? '' : `: ${cause.message}`
  return new VarveError(`The worker of the database cannot be started${said}. Is ${script} beside the script of the page, and allowed by worker-src and Trusted Types?`, { code: 'LEVEL_ENGINE_UNAVAILABLE', cause })
}

/** @param {{ full: boolean }} needs @returns {Worker} */
function ours({ full }) {
  // An opaque origin, such as that of a sandboxed frame, has none either.
  if (typeof Worker === 'undefined' || globalThis.origin === 'null') throw Object.assign(new Error('A database by name needs a worker, and there are none here'), { code: 'not-supported' })
  try {
    return started(full)
  } catch (cause) {
    throw notStarted(full, cause)
  }
}

/** @param {boolean} full */
function started(full) {
  const copied = besideCopy(full ? 'entry-full.js' : 'entry-web.js', import.meta.url)
  if (copied !== undefined) return new Worker(copied, { type: 'module' })
  // Bundlers recognize exactly this expression. webpack puts workers of the same name into one
  // script, so the names differ.
  return full
    ? new Worker(new URL('./entry-full.js', import.meta.url), { name: 'varve-full', type: 'module' })
    : new Worker(new URL('./entry-web.js', import.meta.url), { name: 'varve', type: 'module' })
}
