// Short names for what a module imports: wasm-bindgen's are long and end with 16 digits that do not compress, here and in its glue.
import { Reader, SECTION, counted, moduleOf, number, sectionsOf } from './wasm.mjs'

const KIND = { function: 0, memory: 2 }
const HAS_MAXIMUM = 1

/**
 * @param {Buffer} wasm
 * @returns {{ wasm: Buffer, names: Map<string, string> }} the same with other names, and the new ones by the old
 */
export function withShortImports(wasm) {
  const names = new Map()
  const sections = sectionsOf(wasm).map(({ id, content }) => ({ id, content: id === SECTION.imports ? renamed(content, names) : content }))
  return { wasm: moduleOf(sections), names }
}

/** @param {Buffer} section @param {Map<string, string>} names gets the new ones */
function renamed(section, names) {
  const reader = new Reader(section)
  const count = reader.number()
  const parts = [number(count)]
  for (let i = 0; i < count; i++) {
    const [module, name] = [reader.bytes(), reader.text()]
    const start = reader.position
    const kind = reader.byte()
    if (kind === KIND.memory) {
      const hasMaximum = reader.number() & HAS_MAXIMUM
      reader.number()
      if (hasMaximum) reader.number()
    } else if (kind === KIND.function) {
      reader.number()
      names.set(name, `i${names.size}`)
    } else {
      throw new Error(`the engine imports ${name}, which is neither a function nor a memory`)
    }
    parts.push(counted(module), counted(Buffer.from(names.get(name) ?? name)), section.subarray(start, reader.position))
  }
  return Buffer.concat(parts)
}
