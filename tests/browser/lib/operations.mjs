// What the writers of kill tests write. An operation is determined by its writer and number, so that
// a reader can tell a lost write, a part of a batch, and an entry that nobody wrote.
//
// For pages and for Node.

/** At most so many operations are in flight: a database may hold so many more than were acknowledged. */
export const IN_FLIGHT_MAX = 8

/** Few, so that most writes replace or remove an entry. */
const KEYS = 150
const SIZE_MAX = 100_000

/** All values are cut out of it. */
const NOISE = new Uint8Array(2 * SIZE_MAX)
for (let i = 0, state = 301; i < NOISE.length; i++) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  NOISE[i] = state >>> 24
}

/** A generator of numbers in [0, 1). @param {number} seed */
export function randomFrom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ state >>> 15, state | 1)
    x ^= x + Math.imul(x ^ x >>> 7, x | 61)
    return ((x ^ x >>> 14) >>> 0) / 2 ** 32
  }
}

/** @param {string} writer @param {number} number */
const randomOf = (writer, number) => randomFrom(Math.imul(writer.charCodeAt(0), 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b))

/**
 * An edit: a put of `size` bytes, or, without a size, a removal.
 * @typedef {{ key: string, size?: number }} Edit
 */

/** @param {string} writer @param {() => number} random @returns {Edit} */
function edit(writer, random) {
  const key = `${writer}/${String(Math.floor(random() * KEYS)).padStart(3, '0')}`
  // From 10 bytes to 100 kB, most of them small.
  return random() < 0.15 ? { key } : { key, size: Math.floor(10 ** (1 + 4 * random() ** 2)) }
}

/**
 * The operation `number` of a writer: one edit, or a batch of several.
 * @param {string} writer
 * @param {number} number
 */
function operation(writer, number) {
  const random = randomOf(writer, number)
  const count = random() < 0.2 ? 2 + Math.floor(random() * 7) : 1
  return { sync: random() < 0.3, edits: Array.from({ length: count }, () => edit(writer, random)) }
}

/** How many operations a writer begins together at `number`. @param {string} writer @param {number} number */
function togetherAt(writer, number) {
  const random = randomOf(writer, ~number)
  return random() < 0.25 ? 1 + Math.floor(random() * IN_FLIGHT_MAX) : 1
}

/** The value that the operation `number` writes. @param {number} number @param {number} size */
function valueOf(number, size) {
  const from = Math.imul(number, 7919) % SIZE_MAX
  const value = NOISE.slice(from, from + size)
  // The number itself comes first, as text; a short value may be longer for it.
  const head = new TextEncoder().encode(`${number}|`)
  if (head.length > size) return head
  value.set(head)
  return value
}

/** @param {Uint8Array} value @returns the number of the operation that wrote it */
function numberIn(value) {
  const head = new TextDecoder().decode(value.subarray(0, 12))
  return /^\d+\|/.test(head) ? parseInt(head, 10) : -1
}

/** @param {Uint8Array} a @param {Uint8Array} b */
const isEqual = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i])

/**
 * Writes until something fails. `report` gets the number of acknowledged operations and is awaited
 * before the next ones begin.
 *
 * @param {any} db any: a Varve with the value encoding `view`
 * @param {string} writer
 * @param {number} from
 * @param {(acknowledged: number) => Promise<void>} report
 */
export async function write(db, writer, from, report) {
  for (let next = from; ;) {
    const begun = []
    for (let end = next + togetherAt(writer, next); next < end; next++) {
      const { sync, edits } = operation(writer, next)
      const [{ key, size }] = edits
      if (edits.length > 1) begun.push(db.batch(edits.map(({ key, size }) => size === undefined ? { type: 'del', key } : { type: 'put', key, value: valueOf(next, size) }), { sync }))
      else begun.push(size === undefined ? db.del(key, { sync }) : db.put(key, valueOf(next, size), { sync }))
    }
    await Promise.all(begun)
    await report(next)
  }
}

/**
 * Checks that a database holds exactly what the first operations of a writer made: all that were
 * acknowledged, and maybe the first of those in flight. Returns how many.
 *
 * @param {any} db any: a Varve with the value encoding `view`
 * @param {string} writer
 * @param {number} acknowledged
 * @returns {Promise<number>}
 */
export async function check(db, writer, acknowledged) {
  /** @type {Map<string, number>} the numbers of the operations that wrote the entries */
  const found = new Map()
  for (const [key, value] of await db.iterator({ gte: `${writer}/`, lt: `${writer}0` }).all()) {
    const number = numberIn(value)
    const wrote = number >= 0 && operation(writer, number).edits.findLast((edit) => edit.key === key)
    if (!wrote || wrote.size === undefined || !isEqual(value, valueOf(number, wrote.size))) throw new Error(`${key} holds what nobody wrote: ${value.length} bytes, operation ${number}`)
    found.set(key, number)
  }
  const model = new Map()
  const apply = (/** @type {number} */ number) => {
    for (const { key, size } of operation(writer, number).edits) {
      if (size === undefined) model.delete(key)
      else model.set(key, number)
    }
  }
  for (let number = 0; number < acknowledged; number++) apply(number)
  const differences = () => [...new Set([...model.keys(), ...found.keys()])]
    .filter((key) => model.get(key) !== found.get(key))
    .map((key) => `${key} is of operation ${found.get(key) ?? 'none'}, expected ${model.get(key) ?? 'none'}`)
  const lost = differences()
  for (let count = acknowledged; ; apply(count++)) {
    if (differences().length === 0) return count
    if (count === acknowledged + IN_FLIGHT_MAX) throw new Error(`Not the first operations of writer ${writer}, of which ${acknowledged} were acknowledged: ${lost.slice(0, 5).join('; ')}`)
  }
}
