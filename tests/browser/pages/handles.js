// The window's part of handles.test.mjs: owners of handles, each in a worker of its own.

/** A worker whose messages are awaited by their kind. */
class Owner {
  #worker = new Worker(new URL('handles-worker.js', import.meta.url), { type: 'module' })
  #waiting = new Map()
  opened = 0

  constructor() {
    this.#worker.onmessage = ({ data: { kind, value } }) => {
      if (kind === 'opened') this.opened++
      else this.#waiting.get(kind)?.(value)
    }
    this.#worker.onerror = ({ message }) => this.#waiting.get('failed')?.(new Error(message))
  }

  /** Calls a function of the worker; resolves with the first message of this kind. */
  ask(kind, name, ...args) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(kind, resolve).set('failed', reject)
      this.#worker.postMessage({ name, args })
    })
  }

  terminate() {
    this.#worker.terminate()
  }
}

let owner

const pause = (ms) => (ms === 0 ? undefined : new Promise((resolve) => setTimeout(resolve, ms)))

/** Resolves `delay` ms after a new owner has begun to open its files, with the number that it has opened. */
async function begin(directory, delay) {
  owner = new Owner()
  await owner.ask('begun', 'begin', directory)
  await pause(delay)
  return owner.opened
}

/** Has a new owner open all files. */
function take(directory) {
  owner = new Owner()
  return owner.ask('done', 'take', directory)
}

/** What handles.test.mjs calls. */
Object.assign(globalThis, {
  begin,

  take,

  trap(directory, delay) {
    owner = new Owner()
    return owner.ask('done', 'trap', directory, delay)
  },

  async terminate(directory, delay) {
    const opened = await begin(directory, delay)
    const at = Date.now()
    owner.terminate()
    return { at, opened, ...await take(directory) }
  },

  async reload(directory, delay) {
    const opened = await begin(directory, delay)
    sessionStorage.setItem('reloaded', JSON.stringify({ directory, opened, at: Date.now() }))
    location.reload()
  },

  /** Closes all handles, and removes the directory if it is not used again. */
  async end(directory, isLast) {
    await owner.ask('ended', 'end', directory, isLast)
    owner.terminate()
  }
})

const reloaded = sessionStorage.getItem('reloaded')
if (reloaded !== null) {
  sessionStorage.removeItem('reloaded')
  const { directory, ...event } = JSON.parse(reloaded)
  globalThis.afterReload = take(directory).then((result) => ({ ...event, ...result }))
}
globalThis.isReady = true
