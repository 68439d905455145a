// Draws regions of a file to scale on a canvas. Each kind has a colour, a letter and a hatch, so that
// none is told by its colour alone.
import { REGION_KINDS, REGION_STATES } from 'varve/inspect'

/** @typedef {import('../model/regions.js').Regions} Regions */

/** Letters of kinds, where there is room. @type {Record<string, string>} */
export const LETTERS = { data: 'D', index: 'I', metaindex: 'M', meta: 'P', filter: 'F', footer: 'X', gap: '?', full: 'F', first: '1', middle: 'M', last: 'L', padding: '0', zeros: '0', damage: '!' }

/** Which kind a column of pixels shows, if it has several: the rarer first. */
const RANK = Uint8Array.from(REGION_KINDS, (kind) => ['footer', 'metaindex', 'meta', 'index', 'filter', 'gap', 'data'].indexOf(kind))

/**
 * Of a column of pixels with more regions, every second, third ... is looked at, so that drawing takes
 * no longer the more regions there are. Their worst state is always that of all.
 */
const LOOKED_AT_MAX = 64

/** @typedef {{ kind: string, state: string }} Column */

/**
 * What each pixel column shows: the worst state, and the kind that has most of it.
 *
 * @param {Regions} regions
 * @param {number} from
 * @param {number} to
 * @param {number} width
 * @returns {(Column | undefined)[]}
 */
export function columnsOf(regions, from, to, width) {
  const { offset, size, kind, state } = regions.columns
  const scale = (to - from) / width
  const columns = []
  let index = Math.max(0, regions.find(from))
  for (let x = 0; x < width; x++) {
    const start = from + x * scale
    const end = start + scale
    if (index < regions.length && offset[index] + size[index] <= start) index = Math.max(index, regions.find(start))
    while (index < regions.length && offset[index] + size[index] <= start) index++
    const last = Math.min(regions.length - 1, Math.max(index, regions.find(end - 1e-9)))
    const step = Math.max(1, Math.ceil((last - index + 1) / LOOKED_AT_MAX))
    let shown = -1
    let most = 0
    for (let at = index; at <= last; at += step) {
      const part = Math.min(offset[at] + size[at], end) - Math.max(offset[at], start)
      if (part > 0 && (shown < 0 || part > most || (part === most && RANK[kind[at]] < RANK[kind[shown]]))) {
        most = part
        shown = at
      }
    }
    columns.push(shown < 0 ? undefined : { kind: REGION_KINDS[kind[shown]], state: last > index ? regions.worstOf(index, last) : REGION_STATES[state[shown]] })
  }
  return columns
}

/** The theme's colours, read from the style sheet. */
export class Paint {
  /** @param {HTMLElement} element @param {CanvasRenderingContext2D} context */
  constructor(element, context) {
    const style = getComputedStyle(element)
    this.context = context
    this.color = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim() || '#888888'
    this.font = `11px ${style.getPropertyValue('--mono') || 'monospace'}`
    /** @type {Map<string, CanvasPattern | string>} */
    this.patterns = new Map()
  }

  /** The fill of a kind: its colour with its hatch. @param {string} kind */
  fill(kind) {
    let pattern = this.patterns.get(kind)
    if (pattern === undefined) this.patterns.set(kind, pattern = this.#hatched(this.color(kind), this.color('surface'), HATCHES[kind]))
    return pattern
  }

  /** The hatch of damage, over the fill. */
  get damage() {
    let pattern = this.patterns.get('bad')
    if (pattern === undefined) this.patterns.set('bad', pattern = this.#hatched('transparent', this.color('bad'), 'cross'))
    return pattern
  }

  /** @param {string} ground @param {string} ink @param {string | undefined} hatch */
  #hatched(ground, ink, hatch) {
    if (hatch === undefined) return ground
    const tile = document.createElement('canvas')
    tile.width = tile.height = 6
    const context = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'))
    if (ground !== 'transparent') {
      context.fillStyle = ground
      context.fillRect(0, 0, 6, 6)
    }
    context.globalAlpha = hatch === 'cross' ? 1 : 0.45
    context.strokeStyle = context.fillStyle = ink
    context.lineWidth = 1
    context.beginPath()
    if (hatch === 'dots') context.fillRect(1, 1, 2, 2)
    if (hatch === 'vertical') context.fillRect(2, 0, 1, 6)
    if (hatch === 'diagonal' || hatch === 'cross') {
      context.moveTo(-1, 7)
      context.lineTo(7, -1)
    }
    if (hatch === 'cross') {
      context.moveTo(-1, -1)
      context.lineTo(7, 7)
    }
    context.stroke()
    return /** @type {CanvasPattern} */ (this.context.createPattern(tile, 'repeat'))
  }

  /** @param {(Column | undefined)[]} columns @param {number} x @param {number} y @param {number} height */
  columns(columns, y, height, x = 0) {
    const { context } = this
    for (let at = 0; at < columns.length;) {
      const column = columns[at]
      let end = at + 1
      while (end < columns.length && columns[end]?.kind === column?.kind && columns[end]?.state === column?.state) end++
      if (column !== undefined) this.box(column, x + at, y, end - at, height)
      at = end
    }
    context.globalAlpha = 1
  }

  /** @param {{ kind: string, state: string }} of @param {number} x @param {number} y @param {number} width @param {number} height */
  box({ kind, state }, x, y, width, height) {
    const { context } = this
    context.globalAlpha = state === 'unread' && kind === 'data' ? 0.4 : 1
    context.fillStyle = kind === 'gap' ? this.fill('gap') : this.fill(kind)
    context.fillRect(x, y, width, height)
    context.globalAlpha = 1
    if ((state === 'bad' && kind !== 'gap') || kind === 'damage') {
      context.fillStyle = this.damage
      context.fillRect(x, y, width, height)
      context.strokeStyle = this.color('bad')
      context.lineWidth = 2
      if (width > 4) context.strokeRect(x + 1, y + 1, width - 2, height - 2)
    }
  }
}

/** @type {Record<string, string>} */
const HATCHES = { filter: 'dots', metaindex: 'diagonal', meta: 'diagonal', index: 'vertical', gap: 'dots' }

/** Places of ticks between two offsets, at round numbers. @param {number} from @param {number} to @param {number} most */
export function ticksOf(from, to, most) {
  let step = 1
  for (const factor of cycle()) {
    if ((to - from) / step <= most) break
    step *= factor
  }
  const ticks = []
  for (let at = Math.ceil(from / step) * step; at < to; at += step) ticks.push(at)
  return ticks
}

/** 1, 2, 5, 10, 20, 50 ... */
function * cycle() {
  for (;;) yield * [2, 2.5, 2]
}
