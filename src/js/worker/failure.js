// Errors that cross from one thread to another. Cloning one keeps its message and loses its code, so what matters is taken apart
// and put together again.
import { InvalidArgumentError, VarveError } from '../errors.js'

/** What an error may say beside its message: the engine's own words, and those of Node's file system. */
const DETAILS = ['code', 'file', 'offset', 'maybeApplied', 'errno', 'syscall', 'path']

/** How many causes deep. */
const DEPTH_MAX = 5

const CLASSES = new Map([TypeError, RangeError, SyntaxError, WebAssembly.RuntimeError, InvalidArgumentError, VarveError]
  .map((Class) => [Class.name, Class]))

/**
 * What can be cloned of an error.
 * @typedef {{ name: string, message: string, stack?: string, details: Record<string, any>, cause?: Description }} Description
 */

/**
 * What can be cloned of an error, or of whatever else was thrown.
 * @param {any} error
 * @returns {Description}
 */
export function describe(error, depth = 1) {
  if (typeof error !== 'object' || error === null) return { name: 'Error', message: String(error), details: {} }
  /** @type {Record<string, any>} */
  /** @type {Record<string, any>} */
  const details = {}
  for (const name of DETAILS) {
    if (['string', 'number', 'boolean'].includes(typeof error[name])) details[name] = error[name]
  }
  return {
    name: String(error.name ?? 'Error'),
    message: String(error.message ?? ''),
    stack: typeof error.stack === 'string' ? error.stack : undefined,
    details,
    cause: error.cause !== undefined && depth < DEPTH_MAX ? describe(error.cause, depth + 1) : undefined
  }
}

/**
 * The error that was described: of the same class where it is a known one.
 * @param {Description} description
 * @returns {Error}
 */
export function revive({ name, message, stack, details, cause }) {
  /** @type {any} */
  const Class = CLASSES.get(name)
  const options = cause === undefined ? undefined : { cause: revive(cause) }
  const error = Class === VarveError ? new VarveError(message, /** @type {any} */ ({ ...details, ...options })) : new (Class ?? Error)(message, options)
  Object.assign(error, details)
  if (Class === undefined && name !== 'Error') Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  if (stack !== undefined) Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true })
  return error
}
