// The map: the whole file as one band, to scale, with a second band for the part that is looked at.
import { LitElement, html, nothing } from 'lit'
import { columnsOf, LETTERS, Paint, ticksOf } from '../ui/paint.js'
import { counted, grouped, percent, range, sized } from '../ui/numbers.js'
import { sentenceOf } from '../model/sentences.js'
import { progress } from './progress.js'

/** @typedef {import('../model/model.js').Model} Model */

const OVERVIEW = { y: 0, height: 18 }
const DETAIL = { y: 46, height: 64 }
const AXIS = DETAIL.y + DETAIL.height
const HEIGHT = AXIS + 20
/** A region is dragged to a range, not clicked, from so many pixels on. */
const DRAG_MIN = 4

export class FileMap extends LitElement {
  static properties = { model: { attribute: false }, version: { attribute: false } }

  constructor() {
    super()
    this.model = /** @type {Model} */ (/** @type {unknown} */ (undefined))
    this.width = 0
    /** @type {{ x: number, from: number, part: 'overview' | 'detail', zoom: [number, number], moved: boolean } | undefined} */
    this.drag = undefined
    this.observer = new ResizeObserver(() => {
      const { clientWidth } = this
      if (clientWidth !== this.width) {
        this.width = clientWidth
        this.requestUpdate()
      }
    })
    this.themes = matchMedia('(prefers-color-scheme: dark)')
    this.onTheme = () => this.requestUpdate()
  }

  createRenderRoot() {
    return this
  }

  connectedCallback() {
    super.connectedCallback()
    this.observer.observe(this)
    this.themes.addEventListener('change', this.onTheme)
  }

  disconnectedCallback() {
    super.disconnectedCallback()
    this.observer.disconnect()
    this.themes.removeEventListener('change', this.onTheme)
  }

  get file() {
    return this.model.file
  }

  get canvas() {
    return /** @type {HTMLCanvasElement | null} */ (this.querySelector('canvas'))
  }

  render() {
    const { file } = this
    const { regions } = file ?? {}
    if (file === undefined || regions === undefined) return nothing
    const at = this.model.selection === undefined ? undefined : regions.having(this.model.selection.from)
    return html`
      <div class="band" @wheel=${this.onWheel}>
        <canvas aria-hidden="true" height=${HEIGHT} .style=${`height: ${HEIGHT}px`}></canvas>
        <div class="over" role="slider" tabindex="0" aria-label="Region of the file" aria-valuemin="1" aria-valuemax=${Math.max(1, regions.length)}
          aria-valuenow=${at === undefined ? 1 : at.index + 1} aria-valuetext=${at === undefined ? `${counted(regions.length, 'region')}, none selected` : sentenceOf(file, at)}
          @keydown=${this.onKey} @pointerdown=${this.onDown} @pointermove=${this.onMove} @pointerup=${this.onUp} @pointerleave=${() => this.model.hoverOver(undefined)} @dblclick=${this.onDouble}></div>
      </div>`
  }

  updated() {
    const { canvas, file, width } = this
    if (canvas === null || file?.regions === undefined || width === 0) return
    const ratio = devicePixelRatio || 1
    canvas.width = Math.round(width * ratio)
    canvas.height = Math.round(HEIGHT * ratio)
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
    context.scale(ratio, ratio)
    this.draw(new Paint(this, context), context)
  }

  /** @param {Paint} paint @param {CanvasRenderingContext2D} context */
  draw(paint, context) {
    const { file, width } = this
    const regions = /** @type {import('../model/regions.js').Regions} */ (file?.regions)
    const size = Math.max(1, file?.size ?? 1)
    const [from, to] = this.model.zoom
    paint.columns(columnsOf(regions, 0, size, width), OVERVIEW.y, OVERVIEW.height)
    // The window, and the lines that lead to its enlargement.
    const [left, right] = [from / size * width, Math.max(from / size * width + 2, to / size * width)]
    context.strokeStyle = context.fillStyle = paint.color('ink')
    context.lineWidth = 1
    if (to - from < size) {
      context.globalAlpha = 0.12
      context.beginPath()
      context.moveTo(left, OVERVIEW.height + 1)
      context.lineTo(right, OVERVIEW.height + 1)
      context.lineTo(width, DETAIL.y - 2)
      context.lineTo(0, DETAIL.y - 2)
      context.fill()
      context.globalAlpha = 1
      context.strokeRect(Math.floor(left) + 0.5, 0.5, Math.max(2, Math.round(right - left)), OVERVIEW.height - 1)
    }
    this.drawDetail(paint, context, regions, from, to)
    this.drawAxis(paint, context, from, to)
    this.drawFindings(paint, context)
    this.drawSelection(paint, context)
  }

  /** @param {Paint} paint @param {CanvasRenderingContext2D} context @param {import('../model/regions.js').Regions} regions @param {number} from @param {number} to */
  drawDetail(paint, context, regions, from, to) {
    const { width } = this
    const first = Math.max(0, regions.find(from))
    const last = Math.max(first, regions.find(to))
    if (last - first > width / 3) return paint.columns(columnsOf(regions, from, to, width), DETAIL.y, DETAIL.height)
    context.font = paint.font
    context.textBaseline = 'middle'
    for (let index = first; index <= last && index < regions.length; index++) {
      const region = regions.at(index)
      const [left, right] = [Math.max(-2, this.x(region.offset)), Math.min(width + 2, this.x(region.end))]
      if (right <= left) continue
      paint.box(region, left, DETAIL.y, right - left, DETAIL.height)
      context.fillStyle = paint.color('surface')
      context.fillRect(right - 0.5, DETAIL.y, 1, DETAIL.height)
      const number = regions.numberOf(index)
      const label = number < 0 ? LETTERS[region.kind] ?? '' : `D ${grouped(number)}`
      const room = context.measureText(label).width + 10
      if (right - left < room) continue
      // A plate under the letters keeps them readable over a hatch.
      context.fillStyle = paint.color('surface')
      context.fillRect(left + 4, DETAIL.y + DETAIL.height / 2 - 8, room - 2, 16)
      context.fillStyle = paint.color('ink')
      context.fillText(label, left + 8, DETAIL.y + DETAIL.height / 2 + 0.5)
    }
  }

  /** @param {Paint} paint @param {CanvasRenderingContext2D} context @param {number} from @param {number} to */
  drawAxis(paint, context, from, to) {
    context.font = paint.font
    context.textBaseline = 'top'
    context.fillStyle = paint.color('dim')
    for (const tick of ticksOf(from, to, Math.max(2, this.width / 110))) {
      const x = Math.round(this.x(tick))
      context.fillRect(x, AXIS, 1, 4)
      const label = grouped(tick)
      const { width } = context.measureText(label)
      if (x + width < this.width) context.fillText(label, x + 3, AXIS + 6)
    }
  }

  /** @param {Paint} paint @param {CanvasRenderingContext2D} context */
  drawFindings(paint, context) {
    const { file, width } = this
    const size = Math.max(1, file?.size ?? 1)
    for (const { offset, severity } of file?.findings.slice(0, 2000) ?? []) {
      if (severity === 'info') continue
      context.fillStyle = paint.color(severity)
      for (const [x, y] of [[offset / size * width, OVERVIEW.height + 1], [this.x(offset), DETAIL.y - 9]]) {
        if (x < 0 || x > width) continue
        context.beginPath()
        context.moveTo(x, y)
        context.lineTo(x + 5, y + 8)
        context.lineTo(x - 5, y + 8)
        context.fill()
      }
    }
  }

  /** @param {Paint} paint @param {CanvasRenderingContext2D} context */
  drawSelection(paint, context) {
    const { selection, hover } = this.model
    for (const [range, ink, line] of /** @type {const} */ ([[hover, 'ink', 1], [selection, 'ink', 3]])) {
      if (range === undefined) continue
      const [left, right] = [this.x(range.from), Math.max(this.x(range.from) + 3, this.x(range.to))]
      if (right < 0 || left > this.width) continue
      context.strokeStyle = paint.color(ink)
      context.lineWidth = line
      context.strokeRect(left, DETAIL.y - line / 2, right - left, DETAIL.height + line)
    }
    const size = Math.max(1, this.file?.size ?? 1)
    if (selection !== undefined) {
      context.fillStyle = paint.color('accent')
      context.fillRect(selection.from / size * this.width - 1, 0, 3, OVERVIEW.height)
    }
  }

  /** The pixel of an offset in the enlarged part. @param {number} offset */
  x(offset) {
    const [from, to] = this.model.zoom
    return (offset - from) / (to - from) * this.width
  }

  /** @param {PointerEvent | WheelEvent | MouseEvent} event */
  placeOf(event) {
    const box = /** @type {HTMLElement} */ (this.querySelector('.over')).getBoundingClientRect()
    const [x, y] = [event.clientX - box.left, event.clientY - box.top]
    const part = /** @type {'overview' | 'detail'} */ (y < DETAIL.y - 6 ? 'overview' : 'detail')
    const [from, to] = part === 'overview' ? [0, this.file?.size ?? 1] : this.model.zoom
    return { x, part, offset: Math.max(0, Math.min((this.file?.size ?? 1) - 1, Math.floor(from + x / this.width * (to - from)))) }
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    const { x, part, offset } = this.placeOf(event)
    const over = /** @type {HTMLElement} */ (event.target)
    over.setPointerCapture(event.pointerId)
    this.drag = { x, from: offset, part, zoom: this.model.zoom, moved: false }
    if (part === 'overview') this.center(offset)
  }

  /** @param {number} offset */
  center(offset) {
    const length = this.model.zoom[1] - this.model.zoom[0]
    this.model.setZoom([offset - length / 2, offset + length / 2])
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const { x, offset } = this.placeOf(event)
    const { drag } = this
    if (drag === undefined) {
      const region = this.file?.regions?.having(offset)
      return this.model.hoverOver(region && { from: region.offset, to: region.end })
    }
    if (Math.abs(x - drag.x) >= DRAG_MIN) drag.moved = true
    if (!drag.moved) return
    if (drag.part === 'overview') return this.center(Math.floor(x / this.width * (this.file?.size ?? 1)))
    if (event.shiftKey) {
      const [a, b] = [Math.min(drag.from, offset), Math.max(drag.from, offset)]
      return this.model.select({ from: a, to: b + 1 }, { keep: true })
    }
    const moved = (drag.x - x) / this.width * (drag.zoom[1] - drag.zoom[0])
    this.model.setZoom([drag.zoom[0] + moved, drag.zoom[1] + moved])
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    const { drag } = this
    this.drag = undefined
    if (drag === undefined || drag.moved) return
    const region = this.file?.regions?.having(this.placeOf(event).offset)
    if (region !== undefined) this.model.selectRegion(region)
  }

  /** @param {MouseEvent} event */
  onDouble(event) {
    const region = this.file?.regions?.having(this.placeOf(event).offset)
    if (region !== undefined) this.model.selectRegion(region, { view: this.model.recordHaving(region.offset) !== undefined ? 'entries' : region.kind === 'data' ? 'entries' : region.kind === 'index' ? 'index' : region.kind === 'gap' ? 'hex' : 'structure' })
  }

  /** @param {WheelEvent} event */
  onWheel(event) {
    event.preventDefault()
    const { offset } = this.placeOf(event)
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) return this.pan(event.deltaX / this.width)
    this.zoomAt(offset, Math.exp(event.deltaY * 0.002))
  }

  /** @param {number} offset stays where it is @param {number} factor */
  zoomAt(offset, factor) {
    const [from, to] = this.model.zoom
    const length = Math.max(8, Math.min(this.file?.size ?? 1, (to - from) * factor))
    const share = Math.max(0, Math.min(1, (offset - from) / (to - from)))
    this.model.setZoom([offset - share * length, offset + (1 - share) * length])
  }

  /** @param {number} share of what is in view */
  pan(share) {
    const [from, to] = this.model.zoom
    this.model.setZoom([from + share * (to - from), to + share * (to - from)])
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const { model, file } = this
    const center = model.selection?.from ?? (model.zoom[0] + model.zoom[1]) / 2
    const acts = /** @type {Record<string, () => void>} */ ({
      ArrowRight: () => model.nextRegion(1),
      ArrowLeft: () => model.nextRegion(-1),
      Home: () => file?.regions?.length && model.selectRegion(file.regions.at(0)),
      End: () => file?.regions?.length && model.selectRegion(file.regions.at(file.regions.length - 1)),
      '+': () => this.zoomAt(center, 0.5),
      '=': () => this.zoomAt(center, 0.5),
      w: () => this.zoomAt(center, 0.5),
      '-': () => this.zoomAt(center, 2),
      s: () => this.zoomAt(center, 2),
      a: () => this.pan(-0.25),
      d: () => this.pan(0.25),
      0: () => model.setZoom([0, file?.size ?? 1])
    })
    const act = acts[event.key]
    if (act === undefined) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }
}

customElements.define('file-map', FileMap)

/** @param {Model} model */
export function map(model) {
  const { file, hover, selection } = model
  if (file?.regions === undefined) return nothing
  const told = hover ?? selection
  const region = told && file.regions.having(told.from)
  return html`
    <file-map .model=${model} .version=${[file.regions.version, ...model.zoom, selection?.from, selection?.to, hover?.from, hover?.to, file.findings.length].join()}></file-map>
    <p class="told">${region === undefined
      ? html`<span class="dim">Point at the map, or use the arrow keys. The wheel zooms; double-click goes inside.</span>`
      : sentenceOf(file, region)}</p>
    ${progress(model)}
    ${legend(model)}`
}

/** @param {Model} model */
function legend({ file }) {
  if (file?.regions === undefined) return nothing
  const kinds = [...file.regions.totals().kinds].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))
  return html`
    <table class="legend">
      <caption>What the bytes are for</caption>
      <thead><tr><th scope="col">Kind</th><th scope="col" class="number">Regions</th><th scope="col" class="number">Bytes</th><th scope="col" class="number">Share</th></tr></thead>
      <tbody>
        ${kinds.map(({ kind, count, bytes }) => html`<tr><th scope="row"><span class="key ${kind}" aria-hidden="true">${LETTERS[kind] ?? ''}</span> ${KINDS[kind] ?? kind}</th>
          <td class="number">${grouped(count)}</td><td class="number">${grouped(bytes)}</td><td class="number">${percent(bytes, file.size)}</td></tr>`)}
      </tbody>
      <tfoot><tr><th scope="row">The file</th><td class="number">${grouped(file.regions.length)}</td><td class="number">${grouped(file.size)}</td><td class="number" title=${range(0, file.size)}>${sized(file.size)}</td></tr></tfoot>
    </table>`
}

const ORDER = ['data', 'filter', 'meta', 'metaindex', 'index', 'footer', 'full', 'first', 'middle', 'last', 'padding', 'zeros', 'damage', 'gap']

/** @type {Record<string, string>} */
export const KINDS = {
  data: 'Data blocks', filter: 'Filter', metaindex: 'Metaindex', meta: 'Other metadata', index: 'Index', footer: 'Footer', gap: 'Nothing refers to these',
  full: 'Records in one fragment', first: 'First fragments', middle: 'Middle fragments', last: 'Last fragments', padding: 'Padding of blocks', zeros: 'Zeros', damage: 'Damaged bytes'
}
