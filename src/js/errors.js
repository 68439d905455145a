// What goes wrong, as callers see it. The engine's code says what happened, the code of a VarveError what can be done:
//
//   engine             error.code                what to do
//   corruption         LEVEL_CORRUPTION          bytes of `file` are damaged at `offset`: verify(), repair, restore a copy
//   io                 LEVEL_IO_ERROR            the storage failed; look at `cause`, then resume() or open again
//   full               LEVEL_FULL                no space, or a quota: make room, then resume(); reads go on
//   locked             LEVEL_LOCKED              somebody else has the database open
//   fenced             LEVEL_FENCED              the lock was lost to somebody else: open again
//   source-changed     LEVEL_SOURCE_CHANGED      a file was replaced while it was being read: open again
//   evicted            LEVEL_EVICTED             the browser took the files away
//   poisoned           LEVEL_POISONED            the engine has failed; a fresh one goes on by itself (event 'recovered'). In memory, after
//                                                three failures in a minute, or if it comes again: resume(), or close, open again
//   busy               LEVEL_BUSY                something else has to end first; try again
//   limit-exceeded     LEVEL_LIMIT_EXCEEDED      a key, value or batch is larger than the options or the format allow
//   invalid-argument   LEVEL_INVALID_ARGUMENT    the caller's mistake: a TypeError or RangeError
//   not-supported      LEVEL_NOT_SUPPORTED       this database or storage cannot do that (a write to a read-only one, say)
//   closed             LEVEL_DATABASE_NOT_OPEN   as abstract-level's own
//   (none was loaded)  LEVEL_ENGINE_UNAVAILABLE  engine.wasm is not where it is looked for, or a policy forbids to compile it
//
// `maybeApplied` is true on a write whose fate is unknown: it may be found after opening again.

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

/** A failure with a stable `code`; its message may change. */
export class VarveError extends Error {
  /**
   * @param {string} message
   * @param {{ code: string, cause?: unknown, file?: string, offset?: number, maybeApplied?: boolean }} details
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

/** An argument or option of the wrong kind: a TypeError, also by its `name`, as abstract-level throws, with a code. */
export class InvalidArgumentError extends TypeError {
  code = 'LEVEL_INVALID_ARGUMENT'
}

/** A number that is out of the range of an argument or option: a RangeError, also by its `name`. */
export class OutOfRangeError extends RangeError {
  code = 'LEVEL_INVALID_ARGUMENT'
}

/** A file was replaced while it was being read: answers of before and after are not mixed. */
export class SourceChangedError extends VarveError {
  get name() { return 'SourceChangedError' }
}

/** The signal of an iterator was aborted; named as the web names it. */
export class AbortError extends VarveError {
  /** @param {unknown} [cause] the signal's reason */
  constructor(cause) {
    super('Operation has been aborted', { code: 'LEVEL_ABORTED', cause })
  }

  get name() { return 'AbortError' }
}

/**
 * The engine's error as a VarveError. What is not the engine's (a bug) stays what it is.
 * @param {any} error
 * @returns {any}
 */
export function fromEngine(error) {
  return fromEngineAt(error, null)
}

/**
 * The same, naming the database by the path that its user gave: the engine knows files alone.
 * @param {any} error
 * @param {string | null} path
 * @returns {any}
 */
export function fromEngineAt(error, path) {
  const code = CODES.get(error?.code)
  if (code === undefined || error instanceof VarveError) return error
  const { cause, file, offset, maybeApplied } = error
  const message = path === null || names(error.message, path) ? error.message : `${path}: ${error.message}`
  const ErrorOf = code === 'LEVEL_SOURCE_CHANGED' ? SourceChangedError : VarveError
  return new ErrorOf(message, { code, cause, file, offset, maybeApplied })
}

/** Whether a word of the message is the path, or a file below it. @param {string} message @param {string} path */
function names(message, path) {
  return message.split(/[\s'":,]+/).some((word) => word === path || word.startsWith(`${path}/`))
}

/**
 * For the second half of a promise of the engine's.
 * @param {unknown} error
 * @returns {never}
 */
export function rethrow(error) {
  throw fromEngine(error)
}
