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
