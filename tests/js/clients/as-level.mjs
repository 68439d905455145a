// node --import this: resolves the package `level` to Varve, so that tests of other packages run
// unchanged. Resolves `aegir/chai`, used by interface-datastore-tests, to aegir-chai.mjs.
import Module, { register } from 'node:module'
import { Level } from './level.mjs'

const load = Module._load
Module._load = (request, ...rest) => request === 'level' ? { Level } : load(request, ...rest)

const instead = { level: new URL('level.mjs', import.meta.url).href, 'aegir/chai': new URL('aegir-chai.mjs', import.meta.url).href }
register(`data:text/javascript,${encodeURIComponent(`
  const instead = ${JSON.stringify(instead)}
  export const resolve = (specifier, context, next) => Object.hasOwn(instead, specifier) ? { url: instead[specifier], shortCircuit: true } : next(specifier, context)`)}`)
