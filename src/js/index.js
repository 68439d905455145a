export { AbortError, InvalidArgumentError, OutOfRangeError, SourceChangedError, VarveError } from './errors.js'
export { Varve } from './level/varve.js'
