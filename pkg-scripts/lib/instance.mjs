// wasm-bindgen's glue as a function that makes instances, and that lets no call reach one that has failed.
//
//   caller -> class Database (glue) -> wasm.database_put = one guard an export -> the instance
//                                                     storage, promises <- one guard an import <-
//
// The glue keeps its instance in variables of its module, so a program could have one. As the body of a function it can have any
// number, each with a memory of its own.
//
// Whatever leaves an export as an exception (a trap, a panic, a stack that is full) has left the instance in the middle of
// something. Errors that the engine answers are no exceptions yet at that point. From then on `wasm` is `dead`: each of its
// functions throws, and so does an import that returns to such an instance, so that the frames below it end too.

/** Exports that finalizers, microtasks and promises call, where nobody catches: these do nothing instead. */
const NEVER_THROWS = /_free$|_destroy_closure$|_table_dealloc$|__closures_/

/**
 * @param {string} glue wasm-bindgen's, for bundlers
 * @param {Buffer} wasm what it belongs to
 * @param {{ imports: Map<string, string>, exports: Map<string, string> }} names what the glue's names are in `wasm`
 * @param {string[]} used functions and classes that callers need
 */
export function instanceSource(glue, wasm, names, used) {
  for (const name of used) {
    if (!glue.includes(`export function ${name}(`)) throw new Error(`the glue does not export ${name}`)
  }
  const [memory, pages] = matched(glue, /^export const memory = new WebAssembly\.Memory\(\{initial:(\d+).*\n/m)
  const imports = [...glue.matchAll(/^export function (__wb\w+)\(([^)]*)\) \{(.*)/gm)].filter(([, name]) => name !== '__wbg_set_wasm')
  const moduleName = WebAssembly.Module.imports(new WebAssembly.Module(wasm))[0].module
  const functions = aritiesOf(wasm, moduleName, Number(pages), names.exports)
  const [handleError] = matched(glue, /^function handleError\([\s\S]*?^}\n/m)
  const body = glue.replace(memory, '').replace(handleError, '').replace(/^export (?=class|function)/gm, '')

  return `// @ts-nocheck
// Made by pkg-scripts/build.mjs of wasm-bindgen's glue.
/** 64 KiB each: what an instance's memory begins with. */
export const MEMORY_PAGES_MIN = ${pages}

/**
 * A fresh instance of the engine.
 * @param {WebAssembly.Module} module engine.wasm or full.wasm, compiled
 * @param {WebAssembly.Memory} memory its own, of at least MEMORY_PAGES_MIN
 * @param {(trap: Error) => void} onTrap called when the instance has failed and is of no more use; again if that threw
 */
export function createInstance(module, memory, onTrap) {
${body}
let failure
let trap
let told = false
/** What stands in for an instance that has failed. */
const dead = new Proxy({}, {
    get: (_, name) => ${NEVER_THROWS}.test(name) ? () => { trapped(); return [] } : () => { throw trapped() }
})

/** Where the stack is full it fails itself; then the next call does what is left of it. */
function trapped() {
    trap ??= Object.assign(new Error('the engine has failed', { cause: failure }), { code: 'poisoned' })
    if (!told) {
        onTrap(trap)
        told = true
    }
    return trap
}

function handleError(f, args) {
    let answer
    try {
        answer = f.apply(this, args)
    } catch (e) {
        if (wasm !== dead) wasm.__wbindgen_exn_store(addToExternrefTable0(e))
    }
    if (wasm === dead) throw trapped()
    return answer
}

const { exports } = new WebAssembly.Instance(module, { ${moduleName}: {
    ${shortName(names.imports, 'memory')}: memory,
${imports.map((found) => guardedImport(found, names.imports)).join(',\n')}
} })
__wbg_set_wasm({
    memory,
    __wbindgen_externrefs: exports.${shortName(names.exports, '__wbindgen_externrefs')},
${functions.map((found) => guardedExport(found, names.exports)).join(',\n')}
})
wasm.__wbindgen_start()
return { ${used.join(', ')} }
}
`
}

function matched(text, pattern) {
  const found = pattern.exec(text)
  if (!found) throw new Error(`the glue has changed: nothing in it is like ${pattern}`)
  return found
}

/** @param {Map<string, string>} names @param {string} name of the glue */
function shortName(names, name) {
  const short = names.get(name)
  if (short === undefined) throw new Error(`the engine has no ${name}`)
  return short
}

/** Exported functions, by the names of the glue, and how many arguments they take. @returns {[string, number][]} */
function aritiesOf(wasm, moduleName, initial, names) {
  const stubs = Object.fromEntries(WebAssembly.Module.imports(new WebAssembly.Module(wasm))
    .map(({ name, kind }) => [name, kind === 'memory' ? new WebAssembly.Memory({ initial }) : () => {}]))
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { [moduleName]: stubs })
  const found = Array.from(names, ([name, short]) => [name, exports[short]])
  return found.filter(([, value]) => typeof value === 'function').map(([name, value]) => [name, value.length])
}

// One function each, and none for all: so each is compiled for what it calls.

function guardedExport([name, arity], names) {
  const parameters = Array.from({ length: arity }, (_, i) => `a${i}`).join(', ')
  const last = NEVER_THROWS.test(name) ? 'trapped(); return []' : 'throw trapped()'
  const call = `exports.${shortName(names, name)}(${parameters})`
  return `    ${name}: (${parameters}) => { try { return ${call} } catch (e) { failure ??= e; wasm = dead; ${last} } }`
}

function guardedImport([, name, parameters, body], names) {
  const short = shortName(names, name)
  if (body.includes('handleError(')) return `    ${short}: ${name}`
  const call = `${name}(${parameters})`
  return `    ${short}: (${parameters}) => { const answer = ${call}; if (wasm === dead) throw trapped(); return answer }`
}
