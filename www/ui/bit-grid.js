// The bits of a filter as a grid of small squares: dark if set, framed if a key asks for them.
import { html } from 'lit'
import { MeasuredElement } from './measured.js'

/** The side of a square, and the space after it. */
const CELL = 6
const STEP = 7
/** Bits that are drawn; more would not be told apart. */
const DRAWN_MAX = 32_768

export class BitGrid extends MeasuredElement {
  static properties = { bytes: { attribute: false }, marked: { attribute: false }, label: { attribute: false } }

  constructor() {
    super()
    this.bytes = new Uint8Array()
    /** @type {number[]} */
    this.marked = []
    this.label = ''
  }

  updated() {
    this.draw()
  }

  draw() {
    const canvas = this.querySelector('canvas')
    const context = canvas?.getContext('2d')
    const columns = Math.max(8, Math.floor(this.clientWidth / STEP / 8) * 8)
    if (!canvas || !context || this.clientWidth === 0) return
    const count = Math.min(DRAWN_MAX, this.bytes.length * 8)
    const scale = devicePixelRatio
    const height = Math.ceil(count / columns) * STEP
    canvas.width = columns * STEP * scale
    canvas.height = height * scale
    canvas.style.width = `${columns * STEP}px`
    canvas.style.height = `${height}px`
    context.scale(scale, scale)
    const style = getComputedStyle(this)
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim()
    const [on, off, mark] = [colour('--filter'), colour('--line'), colour('--accent')]
    const marked = new Set(this.marked)
    for (let bit = 0; bit < count; bit++) {
      const [x, y] = [bit % columns * STEP, Math.floor(bit / columns) * STEP]
      context.fillStyle = (this.bytes[bit >> 3] >> (bit & 7) & 1) === 1 ? on : off
      context.fillRect(x, y, CELL, CELL)
      if (!marked.has(bit)) continue
      context.strokeStyle = mark
      context.lineWidth = 2
      context.strokeRect(x, y, CELL, CELL)
    }
  }

  render() {
    return html`<canvas role="img" aria-label=${this.label}></canvas>`
  }
}

customElements.define('bit-grid', BitGrid)
