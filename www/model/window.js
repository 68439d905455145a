// Which rows of a long list are in view, and where its scroll bar stands.

/** Higher elements are cut off by browsers: Chromium at 33.5 million pixels, Firefox at 17.9. */
const HEIGHT_MAX = 15_000_000

export class Window {
  /** @param {number} count rows @param {number} visible rows in view, with a fraction @param {number} rowHeight */
  constructor(count, visible, rowHeight) {
    this.count = count
    this.visible = visible
    this.rowHeight = rowHeight
  }

  get scaled() {
    return this.count * this.rowHeight > HEIGHT_MAX
  }

  /** Pixels that can be scrolled over, those in view included. */
  get scrollHeight() {
    return Math.min(HEIGHT_MAX, this.count * this.rowHeight)
  }

  /** The last position of the first row. */
  get topMax() {
    return Math.max(0, this.count - this.visible)
  }

  /** @param {number} top */
  clamp(top) {
    return Math.max(0, Math.min(this.topMax, top))
  }
}

/** The first row in view at a position of the scroll bar. @param {Window} window @param {number} scroll pixels */
export function topOf(window, scroll) {
  const range = window.scrollHeight - window.visible * window.rowHeight
  return range <= 0 ? 0 : window.clamp(window.scaled ? scroll / range * window.topMax : scroll / window.rowHeight)
}

/** The position of the scroll bar where this row is the first in view. @param {Window} window @param {number} top */
export function scrollOf(window, top) {
  const range = window.scrollHeight - window.visible * window.rowHeight
  return range <= 0 ? 0 : window.scaled ? top / Math.max(1, window.topMax) * range : top * window.rowHeight
}
