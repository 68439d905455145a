// What kind of global scope this is.

/** Whether this is a page, where files cannot be opened: a worker does it. */
export const isWindow = () => typeof document !== 'undefined'

/** Whether this is Firefox, whose files and databases are kept otherwise than those of Chromium and WebKit. */
export const isFirefox = () => / Gecko\/\d/.test(globalThis.navigator?.userAgent ?? '')

/** Whether this is Chromium, also a headless one. */
export const isChromium = () => /Chrome\/\d/.test(globalThis.navigator?.userAgent ?? '')

/**
 * Whether there may be such a storage, here or in a worker. Only opening a file shows whether OPFS works.
 * @param {string} kind
 */
export const hasStorage = (kind) => kind === 'opfs' || globalThis.indexedDB !== undefined

/** Whether this is a dedicated worker, where files can be opened. */
export const isDedicatedWorker = () => {
  const { DedicatedWorkerGlobalScope: Scope } = /** @type {any} any: lib.dom does not declare it */ (globalThis)
  return Scope !== undefined && globalThis instanceof Scope
}

/** Whether this is a service worker, which cannot import modules later and ends at any time. */
export const isServiceWorker = () => {
  const { ServiceWorkerGlobalScope: Scope } = /** @type {any} any: lib.dom does not declare it */ (globalThis)
  return Scope !== undefined && globalThis instanceof Scope
}

/** How durable a strict transaction of IndexedDB is: WebKit's ends with a checkpoint whose failure is only logged. */
export function strictDurability() {
  const isWebKit = /AppleWebKit\/(?!.*Chrom)/.test(globalThis.navigator?.userAgent ?? '')
  return isWebKit ? 'os-buffered' : 'durable'
}
