// Passes errors between threads. Cloning an error loses its code, so its fields are copied to a
// plain object and restored.
import { InvalidArgumentError, OutOfRangeError, SourceChangedError, VarveError } from '../errors.js'

/** The code of the error of a worker that cannot open the storage with its module. */
export const NEEDS_FULL = 'needs-full'

/**
 * Fields copied in addition to the message: those of the engine and of Node's file system.
 */
const DETAILS = ['code', 'file', 'offset', 'maybeApplied', 'errno', 'syscall', 'path']

/** The maximum length of a chain of causes. */
const DEPTH_MAX = 5

/** Subclasses before their superclass. */
const CLASSES = [InvalidArgumentError, OutOfRangeError, SourceChangedError, VarveError, TypeError, RangeError, SyntaxError, WebAssembly.RuntimeError]

/** Classes whose constructor takes details instead of options. */
const WITH_DETAILS = [SourceChangedError, VarveError]

/**
 * A cloneable description of an error: `kind` is the index of its class in CLASSES, if any.
 * any: anything may be thrown, with any properties.
 * @typedef {{ kind?: number, name: string, message: string, stack?: string,
 *             details: Record<string, any>, cause?: Description }} Description
 */

/**
 * Returns a cloneable description of an error, or of anything else that was thrown.
 * @param {any} error any: whatever was thrown
 * @returns {Description}
 */
export function describe(error, depth = 1) {
  if (typeof error !== 'object' || error === null) return { name: 'Error', message: String(error), details: {} }
  /** @type {Record<string, any>} any: an error may be anything, with any properties */
  const details = {}
  for (const name of DETAILS) {
    if (['string', 'number', 'boolean'].includes(typeof error[name])) details[name] = error[name]
  }
  const kind = CLASSES.findIndex((Class) => error instanceof Class)
  return {
    kind: kind < 0 ? undefined : kind,
    name: String(error.name ?? 'Error'),
    message: String(error.message ?? ''),
    stack: typeof error.stack === 'string' ? error.stack : undefined,
    details,
    cause: error.cause !== undefined && depth < DEPTH_MAX ? describe(error.cause, depth + 1) : undefined
  }
}

/**
 * Restores a described error, of the same class if that is in CLASSES.
 * @param {Description} description
 * @returns {Error}
 */
export function revive({ kind, name, message, stack, details, cause }) {
  /** @type {any} any: an error may be anything, with any properties */
  const Class = kind === undefined ? Error : CLASSES[kind]
  const options = cause === undefined ? undefined : { cause: revive(cause) }
  const error = new Class(message, WITH_DETAILS.includes(Class) ? { ...details, ...options } : options)
  Object.assign(error, details)
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  if (stack !== undefined) Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true })
  return error
}
