// Replaces panics with traps in WebAssembly.
//
// The message of a panic is never shown: the standard library writes it to standard error, which
// WebAssembly does not have. So the code that formats it and the source locations are removed: the
// functions become `unreachable`, wasm-opt removes their unused arguments, and the locations become
// zeros, which compress well.
import { Reader, SECTION, bodiesOf, codeOf, importedFunctions, moduleOf, namesOf, sectionsOf } from './wasm.mjs'

/** Functions of the standard library that always panic, by the names that wasm-bindgen keeps. */
const PANICS = new RegExp([
  /^core\[\w+\]::panicking::/,
  /^core\[\w+\]::(option|result)::\w+_failed$/,
  /^core\[\w+\]::cell::(lazy::)?panic_/,
  /^core\[\w+\]::(slice|str)::.*(_fail|_fail_rt|panic_on_ord_violation)$/,
  /^alloc\[\w+\]::raw_vec::(capacity_overflow|handle_error)$/,
  /^<(alloc|hashbrown)\[\w+\]::.*::(assert_failed|capacity_overflow)$/,
  /^__rustc\[\w+\]::(rust_begin_unwind|rust_panic)$/,
  /^std\[\w+\]::panicking::panic_with_hook$/,
  /^std\[\w+\]::(sys::backtrace::__rust_end_short_backtrace|alloc::rust_oom)\b/
].map(({ source }) => source).join('|'))

const UNREACHABLE = 0x00
const END = 0x0b
const I32_CONST = 0x41

/** A function body without locals that traps. */
const TRAP = Uint8Array.of(0, UNREACHABLE, END)

/**
 * @param {Buffer} wasm with names
 * @returns {Buffer} the same, with names
 */
export function panicsAsTraps(wasm) {
  const sections = sectionsOf(wasm)
  const names = namesOf(sections)
  const imported = importedFunctions(wasm)
  const bodies = bodiesOf(sections).map((body, index) => isPanic(names.get(index + imported) ?? '', body) ? TRAP : body)
  if (!bodies.includes(TRAP)) throw new Error('no function of this module panics: have the names changed?')
  return moduleOf(sections.map(({ id, content }) => {
    if (id === SECTION.code) return { id, content: codeOf(bodies) }
    return { id, content: id === SECTION.data ? withoutPlaces(content) : content }
  }))
}

/** Checks the body as well as the name: a function that does not return ends with a trap. */
function isPanic(name, body) {
  if (!PANICS.test(name)) return false
  if (body.at(-1) !== END || body.at(-2) !== UNREACHABLE) throw new Error(`${name} returns, so it is not a panic`)
  return true
}

/**
 * Returns the data section with all `core::panic::Location` values (address and length of a path,
 * line and column) zeroed, which reads as an empty path.
 */
function withoutPlaces(section) {
  const content = Buffer.from(section)
  const reader = new Reader(content)
  for (let left = reader.number(); left > 0; left--) {
    if (reader.number() !== 0 || reader.byte() !== I32_CONST) throw new Error('a data segment without a constant address')
    const address = reader.number()
    if (reader.byte() !== END) throw new Error('a data segment with a computed address')
    clearPlaces(reader.bytes(), address)
  }
  return content
}

const PLACE_BYTES = 16
const PATH_BYTES_MAX = 400
const isPath = (bytes) => /^[\w./-]+\.rs\0?$/.test(bytes.latin1Slice())

/** @param {Buffer} data @param {number} address of its first byte */
function clearPlaces(data, address) {
  const paths = []
  for (let at = 0; at + PLACE_BYTES <= data.length; at += 4) {
    const begin = data.readUInt32LE(at) - address
    const length = data.readUInt32LE(at + 4)
    if (begin < 0 || length > PATH_BYTES_MAX || begin + length > data.length) continue
    const path = data.subarray(begin, begin + length)
    if (!isPath(path)) continue
    paths.push(path)
    data.fill(0, at, at + PLACE_BYTES)
  }
  for (const path of paths) path.fill(0)
}
