// A list of any number of rows of equal height, of which only those in view are elements.
//
// Browsers cut elements off at some tens of millions of pixels, so from a height on the scroll bar is
// scaled: its thumb is coarse, but the wheel and the keys still move by rows.
import { LitElement, html, nothing } from 'lit'
import { scrollOf, topOf, Window } from '../model/window.js'

export const ROW_HEIGHT = 24
/** Of the names of the columns, with the line below. */
const HEAD_HEIGHT = 25

/**
 * @typedef {object} List
 * @property {string} label for those who do not see it
 * @property {string} columns a class of app.css that has the widths of the columns
 * @property {(import('lit').TemplateResult | string)[]} head
 * @property {('ascending' | 'descending' | 'none' | undefined)[]} [sorted] how each column is in order; `undefined`: it cannot be
 * @property {number} count
 * @property {(index: number) => { cells: unknown[], classes?: string }} row
 * @property {number} [selected]
 * @property {(index: number, by: 'pointer' | 'keys') => void} [onSelect]
 * @property {(index: number) => void} [onOpen] Enter or double click
 * @property {(index: number) => void} [onHover]
 */

export class VirtualList extends LitElement {
  static properties = { list: { attribute: false }, version: { attribute: false } }

  constructor() {
    super()
    /** @type {List} */
    this.list = { label: '', columns: '', head: [], count: 0, row: () => ({ cells: [] }) }
    /** Changes whenever rows do. @type {unknown} */
    this.version = 0
    /** The first row in view; part of a row may be above the edge. */
    this.top = 0
    this.height = 0
    /** The row that the keys move. */
    this.current = -1
    this.hovered = -1
    /** The position that was set, not scrolled to. @type {number | undefined} */
    this.set = undefined
    this.observer = new ResizeObserver(() => this.measure())
  }

  createRenderRoot() {
    return this
  }

  connectedCallback() {
    super.connectedCallback()
    this.observer.observe(this)
  }

  disconnectedCallback() {
    super.disconnectedCallback()
    this.observer.disconnect()
  }

  get scroller() {
    return /** @type {HTMLElement | null} */ (this.querySelector('.scroller'))
  }

  get window() {
    return new Window(this.list.count, Math.max(0, this.height / ROW_HEIGHT), ROW_HEIGHT)
  }

  measure() {
    const { scroller } = this
    if (scroller === null) return
    const height = Math.max(0, scroller.clientHeight - HEAD_HEIGHT)
    if (height === this.height) return
    const { current } = this
    const wasInView = current >= this.top && current < this.top + this.height / ROW_HEIGHT
    this.height = height
    // A panel that opens beside the list must not cover the row that it is about.
    if (wasInView || (current >= 0 && current === this.list.selected)) this.reveal(current)
    this.requestUpdate()
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has('list')) return
    const before = /** @type {List | undefined} */ (changed.get('list'))
    const { selected = -1, count } = this.list
    if (selected !== (before?.selected ?? -1) && selected >= 0 && selected !== this.current) {
      this.current = selected
      this.reveal(selected)
    }
    if (this.current >= count) this.current = count - 1
    this.top = this.window.clamp(this.top)
  }

  updated() {
    this.measure()
    const { scroller } = this
    if (scroller === null) return
    const wanted = scrollOf(this.window, this.top)
    // A position that was set is not one that was scrolled to.
    if (Math.abs(scroller.scrollTop - wanted) > 1) {
      this.set = wanted
      scroller.scrollTop = wanted
    }
  }

  /** Scrolls so that the row is in view; one that is far is put a third down. @param {number} index */
  reveal(index) {
    const visible = Math.floor(this.height / ROW_HEIGHT)
    if (visible === 0) {
      this.top = Math.max(0, index - 5)
    } else if (index < this.top) {
      this.top = this.top - index > visible ? index - visible / 3 : index
    } else if (index + 1 > this.top + visible) {
      this.top = index - this.top > 2 * visible ? index - visible / 3 : index + 1 - this.height / ROW_HEIGHT
    }
    this.top = this.window.clamp(this.top)
    this.requestUpdate()
  }

  render() {
    const { label, columns, head, count, sorted = [] } = this.list
    const first = Math.floor(this.top)
    const last = Math.min(count, Math.ceil(this.top + this.height / ROW_HEIGHT) + 1)
    const rows = []
    // The current row stays in the document, as the one that has the focus.
    if (this.current >= 0 && this.current < first) rows.push(this.current)
    for (let index = first; index < last; index++) rows.push(index)
    if (this.current >= last && this.current < count) rows.push(this.current)
    return html`
      <div class="scroller ${columns}" role="grid" tabindex="0" aria-label=${label} aria-rowcount=${count + 1}
        aria-activedescendant=${this.current >= 0 ? `${this.idBase}-${this.current}` : nothing} @keydown=${this.onKey} @scroll=${this.onScroll} @wheel=${this.onWheel}>
        <div role="rowgroup" class="grid-head"><div role="row" class="row head" aria-rowindex="1">${head.map((cell, place) => html`<div role="columnheader" aria-sort=${sorted[place] ?? nothing}>${cell}</div>`)}</div></div>
        <div class="layer" role="rowgroup" .style=${`height: ${this.height}px`} @click=${this.onClick} @dblclick=${this.onDouble} @mousemove=${this.onMove} @mouseleave=${this.onLeave}>
          ${rows.map((index) => this.rowOf(index))}
        </div>
        <div class="spacer" role="presentation" .style=${`height: ${Math.max(0, this.window.scrollHeight - this.height)}px`}></div>
      </div>`
  }

  /** @param {number} index */
  rowOf(index) {
    const { cells, classes = '' } = this.list.row(index)
    const state = `${index === this.current ? ' current' : ''}${index === this.list.selected ? ' selected' : ''}`
    return html`<div role="row" id="${this.idBase}-${index}" class="row ${classes}${state}" data-index=${index} aria-rowindex=${index + 2}
      aria-selected=${index === this.list.selected ? 'true' : 'false'} .style=${`transform: translateY(${((index - this.top) * ROW_HEIGHT).toFixed(2)}px)`}
      >${cells.map((cell) => html`<div role="gridcell">${cell}</div>`)}</div>`
  }

  get idBase() {
    return `${this.id || 'list'}-row`
  }

  /** @param {Event} event */
  onScroll(event) {
    const { scrollTop } = /** @type {HTMLElement} */ (event.currentTarget)
    if (this.set !== undefined && Math.abs(scrollTop - this.set) <= 1) {
      this.set = undefined
      return
    }
    this.set = undefined
    this.top = topOf(this.window, scrollTop)
    this.requestUpdate()
  }

  /** @param {WheelEvent} event */
  onWheel(event) {
    // An unscaled list scrolls by itself, smoothly.
    if (!this.window.scaled || event.ctrlKey || event.deltaY === 0) return
    event.preventDefault()
    const rows = event.deltaMode === 0 ? event.deltaY / ROW_HEIGHT : event.deltaMode === 1 ? event.deltaY : event.deltaY * this.height / ROW_HEIGHT
    this.top = this.window.clamp(this.top + rows)
    this.requestUpdate()
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const { count, onSelect, onOpen } = this.list
    const page = Math.max(1, Math.floor(this.height / ROW_HEIGHT) - 1)
    const at = this.current < 0 ? Math.floor(this.top) - (event.key === 'ArrowDown' ? 1 : 0) : this.current
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: count - 1 }[event.key]
    if (event.key === 'Enter' && this.current >= 0) {
      event.preventDefault()
      onOpen?.(this.current)
    } else if (to !== undefined && count > 0) {
      event.preventDefault()
      event.stopPropagation()
      this.current = Math.max(0, Math.min(count - 1, to))
      this.reveal(this.current)
      onSelect?.(this.current, 'keys')
    }
  }

  /** @param {Event} event */
  indexOf(event) {
    const row = /** @type {HTMLElement} */ (event.target).closest?.('[data-index]')
    return row === null || row === undefined ? -1 : Number(row.getAttribute('data-index'))
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const index = this.indexOf(event)
    if (index < 0) return
    this.current = index
    this.list.onSelect?.(index, 'pointer')
    this.requestUpdate()
  }

  /** @param {MouseEvent} event */
  onDouble(event) {
    const index = this.indexOf(event)
    if (index >= 0) this.list.onOpen?.(index)
  }

  /** @param {MouseEvent} event */
  onMove(event) {
    const index = this.indexOf(event)
    if (index !== this.hovered) this.list.onHover?.(this.hovered = index)
  }

  onLeave() {
    this.hovered = -1
    this.list.onHover?.(-1)
  }
}

customElements.define('virtual-list', VirtualList)
