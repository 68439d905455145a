// node --import this: whoever asks for the package `level` gets Varve under its name, so that the tests that packages ship run as
// they are. `aegir/chai`, which interface-datastore-tests asks for, is chai with chai-as-promised, as aegir has it.
import Module, { register } from 'node:module'
import { Level } from './level.mjs'

const load = Module._load
Module._load = (request, ...rest) => request === 'level' ? { Level } : load(request, ...rest)

const instead = { level: new URL('level.mjs', import.meta.url).href, 'aegir/chai': new URL('aegir-chai.mjs', import.meta.url).href }
register(`data:text/javascript,${encodeURIComponent(`
  const instead = ${JSON.stringify(instead)}
  export const resolve = (specifier, context, next) => Object.hasOwn(instead, specifier) ? { url: instead[specifier], shortCircuit: true } : next(specifier, context)`)}`)
