// Checks the options of HttpStorage: see types/http.d.ts.
import { InvalidArgumentError, OutOfRangeError } from '../../errors.js'

/**
 * @typedef {(name: string, value: any) => any} Check returns the value, or throws; any: user input,
 *   checked here
 */

/** @type {(name: string, what: string) => never} */
const invalid = (name, what) => { throw new InvalidArgumentError(`The option '${name}' must be ${what}`) }

/** @type {(min: number, max: number) => Check} */
const whole = (min, max) => (name, value) => {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  const what = `a whole number from ${min} to ${max}`
  if (typeof value === 'number') throw new OutOfRangeError(`The option '${name}' must be ${what}`)
  return invalid(name, what)
}

/** @type {(...choices: string[]) => Check} */
const oneOf = (...choices) => (name, value) =>
  choices.includes(value) ? value : invalid(name, `one of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`)

/** @type {Check} */
const callable = (name, value) => typeof value === 'function' ? value : invalid(name, 'a function')

/** @type {Check} */
const flag = (name, value) => typeof value === 'boolean' ? value : invalid(name, 'a boolean')

/**
 * Accepts the arguments of `new Headers()`, or a function that returns them.
 * @type {Check}
 */
function headersOf(name, value) {
  if (typeof value === 'function') return value
  try {
    return new Headers(value)
  } catch {
    return invalid(name, 'headers, or a function that returns them')
  }
}

/** @param {string} message */
function warn(message) {
  if (typeof globalThis.process?.emitWarning === 'function') globalThis.process.emitWarning(message, 'VarveWarning')
  else console.warn(message)
}

const HOUR_MS = 3_600_000

/** @type {(url: string, init: RequestInit) => Promise<Response>} */
const fetchGlobally = (url, init) => globalThis.fetch(url, init)

/**
 * The check and the default of each option. any: user input, checked here
 * @type {Record<string, [Check, any]>}
 */
const OPTIONS = {
  // A page's fetch must be called with globalThis as `this`.
  fetch: [callable, fetchGlobally],
  headers: [headersOf, undefined],
  credentials: [oneOf('omit', 'same-origin', 'include'), 'omit'],
  redirect: [oneOf('same-origin', 'follow', 'error'), undefined],
  cache: [oneOf('default', 'no-store', 'reload', 'no-cache', 'force-cache'), 'no-store'],
  timeout: [whole(1, HOUR_MS), 30_000],
  retries: [whole(0, 100), 3],
  retryDelay: [whole(0, HOUR_MS), 200],
  concurrency: [whole(1, 1000), 16],
  wholeFileSizeMax: [whole(0, 2 ** 31), 64 << 10],
  cacheSize: [whole(0, 2 ** 31), 1 << 20],
  forbiddenIsMissing: [flag, false],
  onWarning: [callable, warn]
}

/** @param {unknown} options */
export function httpOptionsOf(options = {}) {
  if (typeof options !== 'object' || options === null) throw new InvalidArgumentError("The second argument 'options' must be an object")
  const result = /** @type {Record<string, any>} any: user input, checked here */ ({})
  for (const [name, [check, otherwise]] of Object.entries(OPTIONS)) {
    const value = Object.hasOwn(options, name) ? /** @type {any} any: user input, checked here */ (options)[name] : undefined
    result[name] = value === undefined ? otherwise : check(name, value)
  }
  // Headers are meant for one server.
  result.redirect ??= result.headers === undefined ? 'same-origin' : 'error'
  return result
}

/**
 * Returns the options for a worker; undefined if one is a function, which cannot be cloned.
 * @param {any} options any: user input, checked here
 */
export function cloneableOf(options = {}) {
  const given = Object.keys(OPTIONS).filter((name) => Object.hasOwn(options, name) && options[name] !== undefined)
  const own = Object.fromEntries(given.map((name) => [name, options[name]]))
  if (Object.values(own).some((value) => typeof value === 'function')) return undefined
  return own.headers === undefined ? own : { ...own, headers: [...new Headers(own.headers)] }
}

/**
 * Returns the address of the directory, with a slash at its end.
 * @param {unknown} location
 */
export function baseOf(location) {
  const url = parsed(location)
  if (!['http:', 'https:'].includes(url.protocol)) throw new InvalidArgumentError("The argument 'url' must start with http: or https:")
  if (url.username !== '' || url.password !== '') {
    throw new InvalidArgumentError("The argument 'url' must not contain a user name or password: use the option 'headers'")
  }
  url.hash = ''
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

/** @param {unknown} location */
function parsed(location) {
  const within = globalThis.document?.baseURI ?? globalThis.location?.href
  if (location instanceof URL || (typeof location === 'string' && location !== '')) {
    try {
      return new URL(location, within)
    } catch {}
  }
  throw new InvalidArgumentError("The argument 'url' must be the address of a directory")
}
