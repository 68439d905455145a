// The order of a module's functions, for the sake of gzip: it finds what it has seen within the last 32 KiB only, and the compiler
// writes functions in no order that brings the similar ones together.
//
//   placed: ... f7 [ f2 f9 f1 ]   the last 32 KiB      next: the one that has most in common with them, by its own size
import { bodiesOf, importedFunctions, moduleOf, namesOf, sectionsOf, withNames } from './wasm.mjs'

const WINDOW_BYTES = 32_768

/** What is the same in two functions counts from this length on; gzip's own limit of 3 would find likeness everywhere. */
const PIECE_BYTES = 7

/** Added to a function's own number of pieces, so that the smallest are not the most alike. */
const HEAD = 40

/** Each piece once, as a number. */
function piecesOf(body, numbers) {
  const pieces = new Set()
  for (let at = 0; at + PIECE_BYTES <= body.length; at++) {
    const text = body.latin1Slice(at, at + PIECE_BYTES)
    if (!numbers.has(text)) numbers.set(text, numbers.size)
    pieces.add(numbers.get(text))
  }
  return Uint32Array.from(pieces)
}

/**
 * @param {Buffer[]} bodies of functions
 * @param {number[]} starts the functions in some order, which decides where likeness does not
 * @returns {number[]} their indexes in a better order
 */
export function orderOf(bodies, starts) {
  const numbers = new Map()
  const pieces = bodies.map((body) => piecesOf(body, numbers))
  const holders = Array.from(numbers, () => [])
  for (const index of starts) for (const piece of pieces[index]) holders[piece].push(index)

  const inWindow = new Uint32Array(numbers.size)
  const common = new Uint32Array(bodies.length)
  const count = (piece, by) => { for (const holder of holders[piece]) common[holder] += by }
  const enter = (index) => { for (const piece of pieces[index]) if (inWindow[piece]++ === 0) count(piece, 1) }
  const leave = (index) => { for (const piece of pieces[index]) if (--inWindow[piece] === 0) count(piece, -1) }

  const left = new Set(starts)
  const order = []
  for (let oldest = 0, size = 0; left.size > 0;) {
    let next
    let best = -1
    for (const index of left) {
      const likeness = common[index] / (pieces[index].length + HEAD)
      if (likeness > best) [next, best] = [index, likeness]
    }
    left.delete(next)
    order.push(next)
    enter(next)
    size += bodies[next].length
    while (size > WINDOW_BYTES) {
      leave(order[oldest])
      size -= bodies[order[oldest++]].length
    }
  }
  return order
}

/**
 * @param {Buffer} wasm with names
 * @returns {Buffer} the same with names that sort in the better order: for wasm-opt's --reorder-functions-by-name
 */
export function namedForOrder(wasm) {
  const sections = sectionsOf(wasm)
  const imported = importedFunctions(wasm)
  const names = namesOf(sections)
  const nameOf = (index) => names.get(index + imported) ?? ''
  const bodies = bodiesOf(sections)
  // Names bring together what is of one module and one type.
  const byName = Array.from(bodies.keys()).sort((a, b) => nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : a - b)
  const ranks = new Map(orderOf(bodies, byName).map((index, rank) => [index + imported, rank]))
  const newNames = Array.from({ length: imported + bodies.length }, (_, index) => String(ranks.get(index) ?? index).padStart(6, '0'))
  return moduleOf(withNames(sections, newNames.map((name, index) => [index, index < imported ? `import${name}` : name])))
}
