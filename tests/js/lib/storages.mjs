// Storages for tests, in a module so that workers can create them too.
import { MapStorage } from '../../../src/js/storage/map.js'

/** Wraps a storage so that every method returns a promise. */
export function later(object) {
  return new Proxy(object, {
    get(target, name) {
      const property = target[name]
      if (typeof property !== 'function') return property
      if (name === 'read') return async (offset, into) => { const own = new Uint8Array(into.length); return own.subarray(0, target.read(offset, own)) }
      if (name === 'append') return async (data) => target.append(data)
      if (name === 'create' || name === 'open') return async (...args) => later(target[name](...args))
      return async (...args) => target[name](...args)
    }
  })
}

const recipe = (name, ...args) => ({ module: import.meta.url, export: name, args })

/** In memory and synchronous. */
export class InMap extends MapStorage {
  inWorker = recipe('InMap')
}

/** In memory and asynchronous. */
export class Later {
  inWorker = recipe('Later')

  constructor() {
    return later(Object.assign(new MapStorage(), { inWorker: this.inWorker }))
  }
}

/** Throws an uncaught exception when a table is created. */
export class Dying extends MapStorage {
  inWorker = recipe('Dying')

  create(name, kind, sizeHint) {
    if (kind === 'table') setTimeout(() => { throw new Error('a bug of the storage') })
    return super.create(name, kind, sizeHint)
  }
}
