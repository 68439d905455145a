// A small line: how a number went. What it says is said in words beside it.
import { html } from 'lit'
import { MeasuredElement } from './measured.js'

const HEIGHT = 48

export class LineChart extends MeasuredElement {
  static properties = { points: { attribute: false }, version: { attribute: false } }

  constructor() {
    super()
    /** Their x grow. @type {{ x: number, y: number }[]} */
    this.points = []
  }

  render() {
    return html`<canvas aria-hidden="true"></canvas>`
  }

  updated() {
    const { width, points } = this
    if (width === 0) return
    const canvas = /** @type {HTMLCanvasElement} */ (this.querySelector('canvas'))
    const ratio = devicePixelRatio || 1
    canvas.width = Math.round(width * ratio)
    canvas.height = Math.round(HEIGHT * ratio)
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
    context.scale(ratio, ratio)
    const style = getComputedStyle(this)
    const color = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim()
    const top = Math.max(1, ...points.map(({ y }) => y))
    const end = points.at(-1)?.x ?? 1
    context.strokeStyle = color('line')
    context.strokeRect(0.5, 0.5, width - 1, HEIGHT - 1)
    context.strokeStyle = color('accent')
    context.lineWidth = 1.5
    context.beginPath()
    for (const [index, { x, y }] of points.entries()) {
      const at = /** @type {const} */ ([2 + x / end * (width - 4), HEIGHT - 3 - y / top * (HEIGHT - 16)])
      if (index === 0) context.moveTo(...at)
      else context.lineTo(...at)
    }
    context.stroke()
    context.fillStyle = color('dim')
    context.font = `11px ${style.getPropertyValue('--mono')}`
    context.fillText(top.toFixed(2), 4, 12)
  }
}

customElements.define('line-chart', LineChart)
