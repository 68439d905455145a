// A dedicated worker of a page's, as connection.js sees one.

/**
 * @param {{ receive(message: any): void, ended(cause: unknown): void }} to any: messages are what structuredClone accepts
 * @param {boolean} isFull whether it has the full module
 */
export function startThread({ receive, ended }, isFull) {
  // Bundlers look for expressions of exactly this form. Two names: webpack puts workers of one name into one script.
  const worker = isFull
    ? new Worker(new URL('./entry-full.js', import.meta.url), { name: 'varve-full', type: 'module' })
    : new Worker(new URL('./entry-web.js', import.meta.url), { name: 'varve', type: 'module' })
  worker.onmessage = ({ data }) => receive(data)
  // A worker lives on after an error; this one must not, since nobody knows what it has left undone.
  const die = (/** @type {any} any: the event types of workers differ between platforms */ event) => {
    worker.terminate()
    ended(event.error ?? new Error(event.message ?? 'The worker could not be started, or a message could not be read'))
  }
  worker.onerror = worker.onmessageerror = die

  return {
    post: (/** @type {any} any: messages are what structuredClone accepts */ message, /** @type {any} any: messages are what structuredClone accepts */ transfer) => worker.postMessage(message, transfer),
    // A page lives as long as it is open.
    ref() {},
    unref() {},
    async end() { worker.terminate() },

    askSync() {
      throw Object.assign(new Error('A page cannot wait for a worker without a promise; info() can'), { code: 'not-supported' })
    }
  }
}
