// Splits a WebAssembly module into sections and joins them again.

/** Section ids of the format. */
export const SECTION = { custom: 0, imports: 2, code: 10, data: 11 }

const PREAMBLE_BYTES = 8

/** Reads the values of a module in order. */
export class Reader {
  #bytes
  position

  constructor(bytes, position = 0) {
    this.#bytes = bytes
    this.position = position
  }

  get atEnd() {
    return this.position >= this.#bytes.length
  }

  byte() {
    return this.#bytes[this.position++]
  }

  /** LEB128, unsigned. */
  number() {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }

  /** Reads bytes that are preceded by their length. */
  bytes() {
    const length = this.number()
    this.position += length
    return this.#bytes.subarray(this.position - length, this.position)
  }

  text() {
    return Buffer.from(this.bytes()).toString()
  }
}

/** LEB128, unsigned. */
export function number(value) {
  const bytes = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push(value & 127 | 128)
  return Buffer.from([...bytes, value])
}

/** Prepends the length. */
export const counted = (bytes) => Buffer.concat([number(bytes.length), bytes])

/** @returns {{ id: number, content: Buffer }[]} */
export function sectionsOf(wasm) {
  const sections = []
  for (const reader = new Reader(wasm, PREAMBLE_BYTES); !reader.atEnd;) sections.push({ id: reader.byte(), content: reader.bytes() })
  return sections
}

/** The opposite of sectionsOf. */
export function moduleOf(sections) {
  const parts = sections.flatMap(({ id, content }) => [Buffer.from([id]), counted(content)])
  return Buffer.concat([Buffer.from('\0asm\x01\0\0\0', 'latin1'), ...parts])
}

const contentOf = (sections, id) => sections.find((section) => section.id === id)?.content ?? Buffer.from([0])

/** Bodies of functions. @returns {Buffer[]} */
export function bodiesOf(sections) {
  const reader = new Reader(contentOf(sections, SECTION.code))
  return Array.from({ length: reader.number() }, () => reader.bytes())
}

/** The content of a section of code. */
export const codeOf = (bodies) => Buffer.concat([number(bodies.length), ...bodies.map(counted)])

/** The number of imported functions, which precede the module's own. */
export function importedFunctions(wasm) {
  return WebAssembly.Module.imports(new WebAssembly.Module(wasm)).filter(({ kind }) => kind === 'function').length
}

const NAMES_OF_FUNCTIONS = 1

/** Function names by index, if the module has them. @returns {Map<number, string>} */
export function namesOf(sections) {
  const names = new Map()
  for (const { id, content } of sections) {
    const section = new Reader(content)
    if (id !== SECTION.custom || section.text() !== 'name') continue
    while (!section.atEnd) {
      const kind = section.byte()
      const reader = new Reader(section.bytes())
      if (kind !== NAMES_OF_FUNCTIONS) continue
      for (let left = reader.number(); left > 0; left--) names.set(reader.number(), reader.text())
    }
  }
  return names
}
