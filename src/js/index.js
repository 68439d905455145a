export { AbortError, InvalidArgumentError, VarveError } from './errors.js'
export { Varve } from './level.js'
