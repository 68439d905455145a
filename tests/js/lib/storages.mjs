// Storages of tests, by a module of their own so that workers can make them too.
import { MapStorage } from '../../../src/js/storage/map.js'

/** The same storage, which answers every call by a promise. */
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

/** In memory, and at once. */
export class InMap extends MapStorage {
  inWorker = recipe('InMap')
}

/** In memory, and everything waits. */
export class Later {
  inWorker = recipe('Later')

  constructor() {
    return later(Object.assign(new MapStorage(), { inWorker: this.inWorker }))
  }
}

/** Throws where nobody can catch it when a table is made. */
export class Dying extends MapStorage {
  inWorker = recipe('Dying')

  create(name, kind, sizeHint) {
    if (kind === 'table') setTimeout(() => { throw new Error('a bug of the storage') })
    return super.create(name, kind, sizeHint)
  }
}
