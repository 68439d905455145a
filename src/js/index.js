export { AbortError, InvalidArgumentError, SourceChangedError, VarveError } from './errors.js'
export { Varve } from './level.js'
