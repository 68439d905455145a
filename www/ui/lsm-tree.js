// The levels of a version: a bar for each table, from its smallest key to its largest.
//
// Keys stand in the order of their ranks, at equal distances, so that overlaps are exact whatever
// the keys are.
import { html } from 'lit'
import { MeasuredElement } from './measured.js'

/** @typedef {{ level: number, number: string, size: number, smallest: string, largest: string, mark?: 'input' | 'new', ranks?: [number, number] }} Table keys in hexadecimal; `ranks`: in another order than that of bytes; `mark`: a compaction reads it, or it was just written */

/** Not by colour alone. */
const MARKS = { input: { color: 'index', sign: '▸' }, new: { color: 'filter', sign: '+' } }

const ROW = 22
const LEVEL_WIDTH = 44

export class LsmTree extends MeasuredElement {
  static properties = { tables: { attribute: false }, selected: { attribute: false }, onSelect: { attribute: false } }

  constructor() {
    super()
    /** @type {Table[]} */
    this.tables = []
    this.selected = -1
    /** @type {(index: number) => void} */
    this.onSelect = () => {}
    /** Where each table is drawn. @type {{ x: number, y: number, width: number, index: number }[]} */
    this.boxes = []
  }

  /** A row for each table of level 0, which overlap, and one for each other level. */
  get rows() {
    /** @type {{ level: number, indexes: number[] }[]} */
    const rows = []
    for (const [index, { level }] of this.tables.entries()) {
      const last = rows.at(-1)
      if (level > 0 && last?.level === level) last.indexes.push(index)
      else rows.push({ level, indexes: [index] })
    }
    return rows
  }

  render() {
    const height = Math.max(1, this.rows.length) * ROW
    return html`<canvas aria-hidden="true" .style=${`height: ${height}px`} @click=${this.onClick}></canvas>`
  }

  updated() {
    const canvas = /** @type {HTMLCanvasElement} */ (this.querySelector('canvas'))
    const { rows, width, tables } = this
    if (width === 0) return
    const ratio = devicePixelRatio || 1
    canvas.width = Math.round(width * ratio)
    canvas.height = Math.round(Math.max(1, rows.length) * ROW * ratio)
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
    context.scale(ratio, ratio)
    const style = getComputedStyle(this)
    const color = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim()
    const ranks = ranksOf(tables)
    const scale = (width - LEVEL_WIDTH - 2) / ranks.reduce((most, pair) => Math.max(most, ...pair), 1)
    const x = (/** @type {number} */ rank) => LEVEL_WIDTH + rank * scale
    context.font = `11px ${style.getPropertyValue('--mono')}`
    context.textBaseline = 'middle'
    this.boxes = []
    for (const [row, { level, indexes }] of rows.entries()) {
      const y = row * ROW
      context.fillStyle = color('dim')
      if (rows[row - 1]?.level !== level) context.fillText(`L${level}`, 4, y + ROW / 2)
      for (const index of indexes) {
        const [left, right] = ranks[index].map(x)
        const box = { x: left, y: y + 2, width: Math.max(3, right - left), index }
        this.boxes.push(box)
        const mark = MARKS[/** @type {'new'} */ (tables[index].mark)]
        context.fillStyle = color(mark?.color ?? 'data')
        context.globalAlpha = index === this.selected ? 1 : 0.55
        context.fillRect(box.x, box.y, box.width, ROW - 5)
        context.globalAlpha = 1
        context.strokeStyle = color(index === this.selected ? 'ink' : 'surface')
        context.lineWidth = index === this.selected ? 2 : 1
        context.strokeRect(box.x + 0.5, box.y + 0.5, box.width - 1, ROW - 6)
        const label = `${mark?.sign ?? ''}#${tables[index].number}`
        const room = context.measureText(label).width
        if (box.width < room + 12) continue
        context.fillStyle = color('surface')
        context.fillRect(box.x + 4, box.y + 2, room + 4, ROW - 9)
        context.fillStyle = color('ink')
        context.fillText(label, box.x + 6, y + ROW / 2)
      }
    }
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const place = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect()
    const [x, y] = [event.clientX - place.left, event.clientY - place.top]
    const box = this.boxes.findLast((each) => x >= each.x && x <= each.x + each.width && y >= each.y && y < each.y + ROW)
    if (box !== undefined) this.onSelect(box.index)
  }
}

/** The ranks of the keys of each table among all that bound one. Hexadecimal sorts as the bytes do. @param {Table[]} tables @returns {[number, number][]} */
export function ranksOf(tables) {
  const keys = [...new Set(tables.flatMap(({ smallest, largest }) => [smallest, largest]))].sort()
  const places = new Map(keys.map((key, rank) => [key, rank]))
  return tables.map(({ smallest, largest, ranks }) => ranks ?? [places.get(smallest) ?? 0, places.get(largest) ?? 0])
}

customElements.define('lsm-tree', LsmTree)
