// What kind of global scope this is.

/** Whether this is a page, where files cannot be opened: a worker does it. */
export const isWindow = () => typeof document !== 'undefined'

/** Whether databases can be kept in IndexedDB, here or in a worker. */
export const hasIndexedDb = () => globalThis.indexedDB !== undefined

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
