// A dedicated worker in a page, for connection.js.
import { besideCopy } from '../engine/compile-web.js'

/**
 * A worker that starts while the scripts load that will use it; `event` says what has ended it.
 * @type {{ worker: Worker, isFull: boolean, event?: Event } | undefined}
 */
let early

/** Whether this page has started one already: then the scripts are there, too. */
let hasStarted = false

/** Starts the worker of a page's first database now. Its failure is told by startThread(). @param {boolean} isFull */
export function startEarly(isFull) {
  if (early !== undefined || hasStarted) return
  try {
    const worker = ours({ full: isFull })
    const started = early = /** @type {{ worker: Worker, isFull: boolean, event?: Event }} */ ({ worker, isFull })
    worker.onerror = worker.onmessageerror = (/** @type {Event} */ event) => { started.event = event }
  } catch {
    // startThread() fails, too.
  }
}

/** Ends the worker that was started early, if nobody has taken it. */
export function endEarly() {
  early?.worker.terminate()
  early = undefined
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
  worker.onmessage = ({ data }) => receive(data)
  // A worker continues after an error; this one must end, because its state is unknown.
  const die = (/** @type {any} any: the event types of workers differ between platforms */ event) => {
    worker.terminate()
    ended(event.error ?? new Error(event.message ?? 'The worker could not be started, or a message could not be read'))
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

/** @param {{ full: boolean }} needs */
function ours({ full }) {
  if (typeof Worker === 'undefined') throw Object.assign(new Error('A database by name needs a worker, and there are none here'), { code: 'not-supported' })
  const copied = besideCopy(full ? 'entry-full.js' : 'entry-web.js', import.meta.url)
  if (copied !== undefined) return new Worker(copied, { type: 'module' })
  // Bundlers recognize exactly this expression. webpack puts workers of the same name into one
  // script, so the names differ.
  return full
    ? new Worker(new URL('./entry-full.js', import.meta.url), { name: 'varve-full', type: 'module' })
    : new Worker(new URL('./entry-web.js', import.meta.url), { name: 'varve', type: 'module' })
}
