// The errors of the package: the engine's code, and the code of a VarveError (README.md says what
// to do about each).
//
//   engine             error.code
//   corruption         LEVEL_CORRUPTION          bytes of `file` are damaged at `offset`
//   io                 LEVEL_IO_ERROR            the storage failed: see `cause`
//   full               LEVEL_FULL                the disk or a quota is full; reads work
//   locked             LEVEL_LOCKED              another process or object has the database open
//   fenced             LEVEL_FENCED              another process or object took the lock
//   source-changed     LEVEL_SOURCE_CHANGED      a file was replaced while it was being read
//   evicted            LEVEL_EVICTED             the browser deleted the files
//   poisoned           LEVEL_POISONED            the engine failed, and may be replaced
//   busy               LEVEL_BUSY                other work must finish first: retry
//   limit-exceeded     LEVEL_LIMIT_EXCEEDED      larger than the options or the format allow
//   invalid-argument   LEVEL_INVALID_ARGUMENT    an invalid argument: a TypeError or RangeError
//   not-supported      LEVEL_NOT_SUPPORTED       not supported by this database or storage
//   closed             LEVEL_DATABASE_NOT_OPEN   the same code as abstract-level's
//   (not loaded)       LEVEL_ENGINE_UNAVAILABLE  engine.wasm or its script is not found, or fails to compile
//
// `maybeApplied` is true for a write that may have been applied, and may be found after reopening.

const CODES = new Map([
  ['corruption', 'LEVEL_CORRUPTION'],
  ['io', 'LEVEL_IO_ERROR'],
  ['full', 'LEVEL_FULL'],
  ['locked', 'LEVEL_LOCKED'],
  ['fenced', 'LEVEL_FENCED'],
  ['source-changed', 'LEVEL_SOURCE_CHANGED'],
  ['evicted', 'LEVEL_EVICTED'],
  ['poisoned', 'LEVEL_POISONED'],
  ['busy', 'LEVEL_BUSY'],
  ['limit-exceeded', 'LEVEL_LIMIT_EXCEEDED'],
  ['invalid-argument', 'LEVEL_INVALID_ARGUMENT'],
  ['not-supported', 'LEVEL_NOT_SUPPORTED'],
  ['closed', 'LEVEL_DATABASE_NOT_OPEN']
])

/** What the options that the engine's messages name are called here. @type {Record<string, string>} */
const OPTIONS = { create_if_missing: 'createIfMissing', error_if_exists: 'errorIfExists', max_value_size: 'maxValueBytes', read_only: 'readOnly' }

/** A failure with a stable `code`; its message may change. */
export class VarveError extends Error {
  /**
   * @param {string} message
   * @param {{ code: string, cause?: unknown, file?: string, offset?: number,
   *           maybeApplied?: boolean }} details
   */
  constructor(message, { code, cause, file, offset, maybeApplied }) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    if (file !== undefined) this.file = file
    if (offset !== undefined) this.offset = offset
    if (maybeApplied !== undefined) this.maybeApplied = maybeApplied
  }

  get name() { return 'VarveError' }
}

/** An argument or option of the wrong type: a TypeError with a code. */
export class InvalidArgumentError extends TypeError {
  code = 'LEVEL_INVALID_ARGUMENT'
}

/** A number outside the range of an argument or option: a RangeError with a code. */
export class OutOfRangeError extends RangeError {
  code = 'LEVEL_INVALID_ARGUMENT'
}

/** A file was replaced while it was being read: versions are never mixed. */
export class SourceChangedError extends VarveError {
  get name() { return 'SourceChangedError' }
}

/** The signal of an iterator was aborted; its name is the web's. */
export class AbortError extends VarveError {
  /** @param {unknown} [cause] the signal's reason */
  constructor(cause) {
    super('Operation has been aborted', { code: 'LEVEL_ABORTED', cause })
  }

  get name() { return 'AbortError' }
}

/**
 * Converts an error of the engine to a VarveError. Other errors (bugs) are returned unchanged.
 * @param {any} error any: whatever was thrown
 * @returns {any}
 */
export function fromEngine(error) {
  return fromEngineAt(error, null)
}

/**
 * As fromEngine, with the user's path in the message: the engine knows only file names.
 * @param {any} error any: whatever was thrown
 * @param {string | null} path
 * @returns {any}
 */
export function fromEngineAt(error, path) {
  const code = CODES.get(error?.code)
  if (code === undefined || error instanceof VarveError) return error
  const { cause, file, offset, maybeApplied } = error
  const said = error.message.replaceAll(/create_if_missing|error_if_exists|max_value_size|read_only/g, (/** @type {string} */ name) => OPTIONS[name])
  const message = path === null || names(said, path) ? said : `${path}: ${said}`
  const ErrorOf = code === 'LEVEL_SOURCE_CHANGED' ? SourceChangedError : VarveError
  return new ErrorOf(message, { code, cause, file, offset, maybeApplied })
}

/**
 * Whether the message contains the path, or a file in it.
 * @param {string} message
 * @param {string} path
 */
function names(message, path) {
  return message.split(/[\s'":,]+/).some((word) => word === path || word.startsWith(`${path}/`))
}

/**
 * Rejection handler for promises of the engine: throws the converted error.
 * @param {unknown} error
 * @returns {never}
 */
export function rethrow(error) {
  throw fromEngine(error)
}
